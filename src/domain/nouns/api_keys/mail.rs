//! Mail about API keys, to whoever is accountable for them.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            ends::lasts,
            limits,
            mail_choice::{MailChoice, recipient},
            outbox::{Mail, MailTemplate},
            principal::Origin,
            refused::Refused,
            sql::Sql,
            words::{browser, exact, inert},
        },
        records::keys::CreatedKey,
    },
};
use askama::Template;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

/// To whoever created a key, also by another key: it may have been somebody else, with their sign-in or its secret.
#[derive(Template)]
#[template(path = "mail/key_created.txt", whitespace = "preserve")]
struct KeyCreatedMail<'a> {
    /// Such as: the workspace "Acme".
    place: &'a str,
    name: &'a str,
    /// Their names, as a list in words.
    roles: &'a str,
    /// The moment, or that it never does.
    expires: &'a str,
    agent: &'a str,
    /// The network address.
    address: &'a str,
    /// The address of the key's page.
    page: &'a str,
}

impl MailTemplate for KeyCreatedMail<'_> {
    fn subject(&self) -> String {
        format!("The API key {} was created", self.name)
    }
}

/// To whoever vouches for a key, or created it.
#[derive(Template)]
#[template(path = "mail/key_expiring.txt", whitespace = "preserve")]
struct KeyExpiringMail<'a> {
    name: &'a str,
    /// The moment.
    when: &'a str,
    /// The address of the key's page.
    page: &'a str,
}

impl MailTemplate for KeyExpiringMail<'_> {
    fn subject(&self) -> String {
        format!("The API key {} expires soon", self.name)
    }
}

/// Where a key was created.
pub(in crate::domain) struct Created<'a> {
    pub key: &'a CreatedKey,
    /// Such as: the workspace "Acme".
    pub place: String,
    pub roles: &'a [String],
    pub expires_at: Option<Timestamp>,
    /// The path of its page.
    pub path: String,
}

#[derive(FromQueryResult)]
struct Address {
    email: String,
}

async fn confirmed_address(connection: &impl ConnectionTrait, user: Uuid) -> Result<Option<String>, DbErr> {
    let sql =
        "SELECT email FROM users WHERE id = $1 AND email_verified_at IS NOT NULL AND suspended_at IS NULL";
    let row: Option<Address> = connection.first(sql, vec![user.into()]).await?;
    Ok(row.map(|row| row.email))
}

/// Tells the person who is accountable for a new key that there is one.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn notify_created(
    db: &Db,
    tx: &DatabaseTransaction,
    origin: &Origin,
    user: Uuid,
    created: &Created<'_>,
) -> Result<(), Refused> {
    let (now, address) = (db.now(), confirmed_address(tx, user).await?);
    let Some(email) = address else { return Ok(()) };
    if limits::spend_in(tx, &[limits::NEW_KEY.of(&email)], 1, now).await?.is_err() {
        return Ok(());
    }
    let roles = match created.roles {
        [] => "none".to_owned(),
        some => inert(&some.join(", ")),
    };
    let mail = KeyCreatedMail {
        place: &created.place,
        name: &inert(&created.key.name),
        roles: &roles,
        expires: &created.expires_at.map_or_else(|| "never".to_owned(), exact),
        agent: &inert(&browser(&origin.user_agent)),
        address: &origin.address,
        page: &format!("{}{}", db.public_url(), created.path),
    };
    Mail::new(&email, &mail).queue(db, tx, now).await.map(drop)
}

/// How long before its end somebody is told, in milliseconds.
const NOTICE: i64 = 7 * DAY;

/// Keys that live no longer than this are not worth a notice, in milliseconds.
const SHORT_LIVED: i64 = 14 * DAY;

#[derive(FromQueryResult)]
struct Expiring {
    id: Uuid,
    name: String,
    account_id: Uuid,
    expires_at: Timestamp,
    home_id: Option<Uuid>,
    slug: Option<String>,
    person: Uuid,
}

/// Tells those who vouch for keys, or created them, that they expire within a week: once for each. Whoever has left hears
/// nothing.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn notify_expiring(db: &Db) -> Result<(), DbErr> {
    let now = db.now();
    let sql = "SELECT k.id, k.name, k.account_id, k.expires_at, w.id AS home_id, w.slug,
            COALESCE((SELECT m.vouched_by FROM members m WHERE m.workspace_id = k.home_id AND m.api_key_id = k.id),
                k.made_by) AS person
        FROM api_keys k LEFT JOIN workspaces w ON w.id = k.home_id AND w.deleted_at IS NULL
        WHERE k.expires_at IS NOT NULL AND k.revoked_at IS NULL AND k.expiry_notified_at IS NULL
            AND k.expires_at > $1 AND k.expires_at <= $2 AND k.expires_at - k.created_at > $3
        ORDER BY k.expires_at LIMIT 200";
    let values = vec![now.into(), (now + NOTICE).into(), SHORT_LIVED.into()];
    let due: Vec<Expiring> = db.read().all(sql, values).await?;
    for key in due {
        if let Err(error) = notify_of_end(db, &key).await {
            match error {
                Refused::Failed(error) => return Err(error),
                error => tracing::warn!(key = %key.id, %error, "could not tell that a key expires"),
            }
        }
    }
    Ok(())
}

async fn notify_of_end(db: &Db, key: &Expiring) -> Result<(), Refused> {
    let tx = db.begin().await?;
    // Another node may be here too.
    let sql = "UPDATE api_keys SET expiry_notified_at = $2 WHERE id = $1 AND expiry_notified_at IS NULL";
    if tx.run(sql, vec![key.id.into(), db.now().into()]).await? == 1
        && still_belongs(&tx, key, db.now()).await?
        && let Some(email) = recipient(&tx, key.person, MailChoice::Responsibilities).await?
    {
        let home = match &key.slug {
            Some(slug) => format!("w/{slug}"),
            None => format!("a/{}", key.account_id),
        };
        let mail = KeyExpiringMail {
            name: &inert(&key.name),
            when: &exact(key.expires_at),
            page: &format!("{}/{home}/api-keys/{}", db.public_url(), key.id),
        };
        let mail = Mail::new(&email, &mail).of_choice(MailChoice::Responsibilities, key.person);
        mail.queue(db, &tx, db.now()).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether the person still is where the key is at home. Who left may still be named as vouching for it, where their access
/// ended by itself.
async fn still_belongs(
    connection: &impl ConnectionTrait,
    key: &Expiring,
    now: Timestamp,
) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        people: i64,
    }
    let in_workspace = concat!(
        "SELECT COUNT(*) AS people FROM members m WHERE m.workspace_id = $1 AND m.user_id = $2 AND m.status = 'active' AND ",
        lasts!("m", "$3")
    );
    let in_account = "SELECT COUNT(*) AS people FROM account_people p WHERE p.account_id = $1 AND p.user_id = $2 AND $3 > 0";
    let (sql, place) = match key.home_id {
        Some(workspace) => (in_workspace, workspace),
        None => (in_account, key.account_id),
    };
    let values = vec![place.into(), key.person.into(), now.into()];
    let count: Option<Count> = connection.first(sql, values).await?;
    Ok(count.is_some_and(|count| count.people > 0))
}
