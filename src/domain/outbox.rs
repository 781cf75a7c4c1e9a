//! Mail: written in the transaction that wants it, sent after, tried again until it goes through.

use super::{Db, Refused, Token, db::Sql};
use crate::{
    clock::{MINUTE, SECOND},
    entity::outbox_message,
    random,
};
use askama::Template;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult};
use std::time::Duration;
use uuid::Uuid;

/// One message, written out.
pub(super) struct Mail {
    recipient: String,
    subject: String,
    body: String,
}

#[derive(Template)]
#[template(path = "mail/confirm_email.txt", whitespace = "preserve")]
struct ConfirmEmail<'a> {
    url: &'a str,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reset_password.txt", whitespace = "preserve")]
struct ResetPassword<'a> {
    url: &'a str,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "mail/already_signed_up.txt", whitespace = "preserve")]
struct AlreadySignedUp<'a> {
    url: &'a str,
    email: &'a str,
}

#[derive(Template)]
#[template(path = "mail/password_changed.txt", whitespace = "preserve")]
struct PasswordChanged<'a> {
    url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/address_changed.txt", whitespace = "preserve")]
struct AddressChanged<'a> {
    url: &'a str,
    after: &'a str,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt", whitespace = "preserve")]
struct Invitation<'a> {
    url: &'a str,
    token: &'a str,
    about: &'a InvitationMail<'a>,
}

#[derive(Template)]
#[template(path = "mail/ownership_offered.txt", whitespace = "preserve")]
struct OwnershipOffered<'a> {
    url: &'a str,
    from: &'a str,
    workspace: &'a str,
    slug: &'a str,
}

#[derive(Template)]
#[template(path = "mail/member_added.txt", whitespace = "preserve")]
struct Added<'a> {
    url: &'a str,
    by: &'a str,
    workspace: &'a str,
    slug: &'a str,
    roles: &'a str,
}

/// What the mail to somebody tells who was added from the account.
pub(super) struct MemberAdded<'a> {
    pub by: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    pub roles: &'a str,
}

/// What the mail of an invitation tells.
pub(super) struct InvitationMail<'a> {
    pub inviter: &'a str,
    pub workspace: &'a str,
    pub roles: &'a str,
    pub message: &'a str,
    pub days: i64,
}

impl Mail {
    fn new(recipient: &str, subject: String, body: &impl Template) -> Self {
        // These templates cannot fail: they hold texts and nothing that computes.
        let body = body.render().unwrap_or_default();
        Self { recipient: recipient.to_owned(), subject, body }
    }

    pub(super) fn confirm_email(db: &Db, to: &str, token: &Token) -> Self {
        let body = ConfirmEmail { url: db.public_url(), token: token.expose() };
        Self::new(to, "Confirm your e-mail address".into(), &body)
    }

    pub(super) fn reset_password(db: &Db, to: &str, token: &Token) -> Self {
        let body = ResetPassword { url: db.public_url(), token: token.expose() };
        Self::new(to, "Choose a new password".into(), &body)
    }

    pub(super) fn already_signed_up(db: &Db, to: &str) -> Self {
        let body = AlreadySignedUp { url: db.public_url(), email: to };
        Self::new(to, "You have an account already".into(), &body)
    }

    pub(super) fn password_changed(db: &Db, to: &str) -> Self {
        Self::new(to, "Your password was changed".into(), &PasswordChanged { url: db.public_url() })
    }

    pub(super) fn address_changed(db: &Db, to: &str, after: &str) -> Self {
        let body = AddressChanged { url: db.public_url(), after };
        Self::new(to, "Your e-mail address was changed".into(), &body)
    }

    pub(super) fn invitation(db: &Db, to: &str, token: &Token, about: &InvitationMail<'_>) -> Self {
        let body = Invitation { url: db.public_url(), token: token.expose(), about };
        Self::new(to, format!("{} invites you to {}", about.inviter, about.workspace), &body)
    }

    pub(super) fn ownership_offered(db: &Db, to: &str, from: &str, workspace: &str, slug: &str) -> Self {
        let body = OwnershipOffered { url: db.public_url(), from, workspace, slug };
        Self::new(to, format!("{from} offers you {workspace}"), &body)
    }

    pub(super) fn member_added(db: &Db, to: &str, about: &MemberAdded<'_>) -> Self {
        let MemberAdded { by, workspace, slug, roles } = about;
        let body = Added { url: db.public_url(), by, workspace, slug, roles };
        Self::new(to, format!("{by} added you to {workspace}"), &body)
    }

    /// Puts the message in the outbox of this transaction. Answers its id there.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn queue(self, tx: &DatabaseTransaction, now: i64) -> Result<Uuid, Refused> {
        let id = random::id(now);
        let row = outbox_message::ActiveModel {
            id: Set(id),
            recipient: Set(self.recipient),
            subject: Set(self.subject),
            body: Set(self.body),
            created_at: Set(now),
            next_attempt_at: Set(now),
            attempts: Set(0),
            last_error: Set(None),
        };
        outbox_message::Entity::insert(row).exec_without_returning(tx).await?;
        Ok(id)
    }
}

/// A message that this node took to send.
#[derive(Debug, FromQueryResult)]
pub struct Outgoing {
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    /// How often it was tried, this time included.
    pub attempts: i64,
}

/// How long a message belongs to the node that took it, in milliseconds.
const LEASE: i64 = 2 * MINUTE;
const LONGEST_WAIT: i64 = 5 * MINUTE;

/// Takes the message that has waited longest, for a while; no other node gets it meanwhile.
///
/// # Errors
/// The database's own.
pub async fn take(db: &Db) -> Result<Option<Outgoing>, DbErr> {
    let now = db.now_ms();
    let due: Option<Due> = db
        .read()
        .first(
            "SELECT id FROM outbox WHERE next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT 1",
            vec![now.into()],
        )
        .await?;
    let Some(due) = due else { return Ok(None) };
    let tx = db.begin().await?;
    let sql = "UPDATE outbox SET next_attempt_at = $2, attempts = attempts + 1
        WHERE id = $1 AND next_attempt_at <= $3
        RETURNING id, recipient, subject, body, attempts";
    let taken = tx.first(sql, vec![due.id.into(), (now + LEASE).into(), now.into()]).await?;
    tx.commit().await?;
    Ok(taken)
}

#[derive(FromQueryResult)]
struct Due {
    id: Uuid,
}

/// The message is out: it is deleted, with the secrets in it.
///
/// # Errors
/// The database's own; then it may be sent twice, under the same Message-ID.
pub async fn sent(db: &Db, id: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run("DELETE FROM outbox WHERE id = $1", vec![id.into()]).await?;
    tx.commit().await
}

/// The message did not go through: it waits, longer each time.
///
/// # Errors
/// The database's own.
pub async fn failed(db: &Db, message: &Outgoing, error: &str) -> Result<(), DbErr> {
    let wait = (SECOND << message.attempts.clamp(0, 9)).min(LONGEST_WAIT);
    let error: String = error.chars().take(500).collect();
    let tx = db.begin().await?;
    let sql = "UPDATE outbox SET next_attempt_at = $2, last_error = $3 WHERE id = $1";
    tx.run(sql, vec![message.id.into(), (db.now_ms() + wait).into(), error.into()]).await?;
    tx.commit().await
}

/// Returns when something may be due: a change has just queued a message, or some time has passed.
pub async fn wait(db: &Db) {
    let _ = tokio::time::timeout(Duration::from_secs(1), db.outbox_ready().notified()).await;
}

/// What has to be done now and then: writes who was seen, and drops what has expired.
///
/// # Errors
/// The database's own.
pub async fn housekeeping(db: &Db) -> Result<(), DbErr> {
    super::identity::presence::flush(db).await
}

/// The same, once in a while.
///
/// # Errors
/// The database's own.
pub async fn sweep(db: &Db) -> Result<(), DbErr> {
    super::limits::sweep(db).await?;
    super::idempotency::sweep(db).await?;
    let now = db.now_ms();
    let tx = db.begin().await?;
    tx.run("DELETE FROM sessions WHERE expires_at <= $1", vec![now.into()]).await?;
    tx.run("DELETE FROM notices WHERE expires_at <= $1", vec![now.into()]).await?;
    tx.run("DELETE FROM email_tokens WHERE expires_at <= $1", vec![(now - 30 * crate::clock::DAY).into()])
        .await?;
    tx.commit().await
}
