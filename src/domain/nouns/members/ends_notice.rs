//! Mail before access ends, to the person and to whoever gave it.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::Recorded,
            limits,
            mail_choice::{MailChoice, recipient},
            outbox::Mail,
            refused::Refused,
            sql::Sql,
            words::{exact, inert, signature},
        },
        enforce::{rows::Scoped, transaction::Transaction, workspace::change_by_program},
        nouns::members::mail::AccessEndsMail,
    },
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// So long before the end, in milliseconds. Of an end that is nearer when it is set, there is mail at once.
const NOTICE: i64 = 3 * DAY;

/// The most Owners who get mail in place of somebody who has left.
const MAX_OWNERS: usize = 3;

#[derive(FromQueryResult)]
struct Due {
    workspace_id: Uuid,
    id: Uuid,
}

/// Queues the mail about what ends soon, in all workspaces. To be called every few seconds.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn send_due(db: &Db) -> Result<(), DbErr> {
    let sql = "SELECT m.workspace_id, m.id FROM members m CROSS JOIN workspaces w
        WHERE m.next_end_at > $1 AND m.next_end_at <= $2
            AND (m.end_noticed_for IS NULL OR m.end_noticed_for <> m.next_end_at)
            AND w.id = m.workspace_id AND w.deleted_at IS NULL
        ORDER BY m.next_end_at, m.id LIMIT 100";
    let now = db.now();
    let due: Vec<Due> = db.read().all(sql, vec![now.into(), (now + NOTICE).into()]).await?;
    for Due { workspace_id, id } in due {
        let sent = change_by_program(db, workspace_id, async |open: &Transaction| {
            Ok(Recorded::unchanged(send(open, id).await?))
        });
        match sent.await {
            // Gone, or deleted meanwhile.
            Ok(()) | Err(Refused::NotFound) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(workspace = %workspace_id, %error, "could not send mail before an end")
            }
        }
    }
    Ok(())
}

/// A member, and what ends next.
#[derive(FromQueryResult)]
struct Ending {
    until: Timestamp,
    access_until: Option<Timestamp>,
    access_set_by: Option<Uuid>,
    status: String,
    name: String,
    /// `None` for a key.
    user_id: Option<Uuid>,
    /// Empty for a key, and for an address that was not confirmed.
    email: String,
    workspace: String,
    slug: String,
}

const ENDING: &str = "SELECT m.next_end_at AS until, m.access_until, m.access_set_by, m.status,
        COALESCE(u.name, k.name) AS name, m.user_id,
        CASE WHEN u.email_verified_at IS NULL OR u.suspended_at IS NOT NULL THEN '' ELSE u.email END AS email,
        w.name AS workspace, w.slug
    FROM members m JOIN workspaces w ON w.id = m.workspace_id
    LEFT JOIN users u ON u.id = m.user_id LEFT JOIN api_keys k ON k.id = m.api_key_id
    WHERE m.workspace_id = $1 AND m.id = $2 AND m.next_end_at > $3
        AND (m.end_noticed_for IS NULL OR m.end_noticed_for <> m.next_end_at)";

#[derive(FromQueryResult)]
struct EndingRole {
    name: String,
    given_by: Option<Uuid>,
}

#[derive(FromQueryResult)]
struct Reader {
    user_id: Uuid,
    name: String,
    email: String,
}

/// Queues the mail about what ends next of a member. Another node may have done so meanwhile.
async fn send(open: &Transaction, id: Uuid) -> Result<(), Refused> {
    let ending: Option<Ending> = open.first(ENDING, vec![id.into(), open.now.into()]).await?;
    let Some(ending) = ending else { return Ok(()) };
    let sql = "UPDATE members SET end_noticed_for = next_end_at WHERE workspace_id = $1 AND id = $2";
    open.run(sql, vec![id.into()]).await?;
    if ending.status != "active" {
        return Ok(());
    }
    let (what, given_by) = match ending.access_until == Some(ending.until) {
        true => ("access".to_owned(), ending.access_set_by),
        false => {
            let sql = "SELECT r.name, mr.given_by FROM member_roles mr
                JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
                WHERE mr.workspace_id = $1 AND mr.member_id = $2 AND mr.ends_at = $3 ORDER BY r.position, r.name";
            let roles: Vec<EndingRole> = open.all(sql, vec![id.into(), ending.until.into()]).await?;
            let names: Vec<String> = roles.iter().map(|role| inert(&role.name)).collect();
            let noun = if names.len() == 1 { "role" } else { "roles" };
            (format!("{noun} {}", names.join(", ")), roles.iter().find_map(|role| role.given_by))
        }
    };
    let giver = match given_by {
        Some(user) => active_member(open, user).await?,
        None => None,
    };
    let until = exact(ending.until);
    let who = match ending.email.is_empty() {
        true => inert(&ending.name),
        false => signature(&inert(&ending.name), &ending.email),
    };
    let by = giver.as_ref().map(|giver| signature(&inert(&giver.name), &giver.email)).unwrap_or_default();
    let at = format!("{}/w/{}", open.db.public_url(), ending.slug);
    let mail = AccessEndsMail {
        is_own: true,
        who: &who,
        what: &what,
        workspace: &inert(&ending.workspace),
        until: &until,
        giver: &by,
        page: &at,
    };
    if let Some(user) = ending.user_id {
        queue(open, user, MailChoice::OwnAccess, &mail).await?;
    }
    let readers = match giver {
        Some(giver) => vec![giver],
        None => owners(open, id).await?,
    };
    let page = format!("{at}/members/{id}#end");
    for reader in &readers {
        if Some(reader.user_id) == ending.user_id {
            continue;
        }
        let mail = AccessEndsMail { is_own: false, page: &page, ..mail };
        queue(open, reader.user_id, MailChoice::Responsibilities, &mail).await?;
    }
    Ok(())
}

/// Unless they stopped such mail, or their address has had too much within the hour: it says nothing that the pages don't.
async fn queue(
    open: &Transaction,
    user: Uuid,
    choice: MailChoice,
    mail: &AccessEndsMail<'_>,
) -> Result<(), Refused> {
    let Some(address) = recipient(&open.tx, user, choice).await? else { return Ok(()) };
    let budget = [limits::NOTICES.of(&address)];
    if limits::spend_in(&open.tx, &budget, 1, open.now).await?.is_ok() {
        Mail::new(&address, mail).of_choice(choice, user).queue(&open.db, &open.tx, open.now).await?;
    }
    Ok(())
}

/// A person who can read mail and still belongs to the workspace.
async fn active_member(open: &Transaction, user: Uuid) -> Result<Option<Reader>, Refused> {
    let sql = "SELECT u.id AS user_id, u.name, u.email FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND m.user_id = $2 AND m.status = 'active'
            AND (m.access_until IS NULL OR m.access_until > $3)
            AND u.suspended_at IS NULL AND u.email_verified_at IS NOT NULL";
    Ok(open.first(sql, vec![user.into(), open.now.into()]).await?)
}

/// Owners other than this member.
async fn owners(open: &Transaction, member: Uuid) -> Result<Vec<Reader>, Refused> {
    let sql = format!(
        "SELECT u.id AS user_id, u.name, u.email FROM lasting_owners o CROSS JOIN members m CROSS JOIN users u
        WHERE o.workspace_id = $1 AND o.member_id <> $2 AND m.workspace_id = o.workspace_id AND m.id = o.member_id
            AND u.id = m.user_id AND u.email_verified_at IS NOT NULL
        ORDER BY u.name, u.id LIMIT {MAX_OWNERS}"
    );
    Ok(open.all(&sql, vec![member.into()]).await?)
}
