//! Sign-ups that were never confirmed and never used: after a while they are deleted, with what belongs to nobody
//! else.

use crate::{
    clock::{DAY, SECOND, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{Actor, RecordedEvent, Target},
            principal::{Channel, Origin, USER},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            audit::{self, ChainHead, EventContext},
            workspace::lock_workspaces_of_user,
        },
        nouns::{identity::events::SignUpGivenUp, organization::events::OrganizationDeleted},
        records::{entries, workspaces::WORKSPACE},
    },
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};
use uuid::Uuid;

/// How long a sign-up may stay unconfirmed without a session, in milliseconds.
const LIFETIME: i64 = 30 * DAY;

/// What happens within this time of a sign-up is part of it, in milliseconds.
const SIGNING_UP: i64 = DAY;

/// The most sign-ups that are read at a time.
const BATCH: i64 = 200;

/// Holds for `u`, who signed up before `$1` and never confirmed the address, where nothing is left at `$2` that
/// could still be used: no session, no link in the mail, nobody else, and no workspace with anything in it.
fn given_up() -> String {
    // What shows that a workspace is used.
    let uses = [
        "members x WHERE x.workspace_id = w.id AND (x.user_id IS NULL OR x.user_id <> u.id)",
        "former_members x WHERE x.workspace_id = w.id",
        "invitations x WHERE x.workspace_id = w.id",
        "destinations x WHERE x.workspace_id = w.id",
        "billing_profiles x WHERE x.workspace_id = w.id",
        "resources x WHERE x.workspace_id = w.id",
        "teams x WHERE x.workspace_id = w.id",
        "roles x WHERE x.workspace_id = w.id AND NOT x.built_in",
    ];
    // As single values: PostgreSQL would read a whole small table for each `EXISTS`.
    let uses = uses.map(|rows| format!("(SELECT 1 FROM {rows} LIMIT 1) IS NOT NULL")).join(" OR ");
    format!(
        "u.email_verified_at IS NULL AND u.awaited_email IS NULL AND u.created_at <= $1
        AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)
        AND NOT EXISTS (SELECT 1 FROM email_tokens t
            WHERE t.user_id = u.id AND t.used_at IS NULL AND t.expires_at > $2)
        AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.made_by = u.id)
        AND NOT EXISTS (SELECT 1 FROM account_people p JOIN accounts a ON a.id = p.account_id
            WHERE p.user_id = u.id AND (a.people > 1
                OR EXISTS (SELECT 1 FROM api_keys k WHERE k.account_id = a.id)))
        AND NOT EXISTS (SELECT 1 FROM account_people p JOIN workspaces w ON w.account_id = p.account_id
            WHERE p.user_id = u.id AND ({uses} OR EXISTS (SELECT 1 FROM audit_events e
                WHERE e.workspace_id = w.id AND e.at > u.created_at + {SIGNING_UP})))"
    )
}

#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    created_at: Timestamp,
}

#[derive(FromQueryResult)]
struct WorkspaceRow {
    id: Uuid,
    name: String,
    slug: String,
}

/// Deletes users whom a service entered and who have no membership, and sign-ups that were given up, all that there
/// are. One that can't be deleted stays, and is logged.
///
/// None is given up where mail goes to files, which few people read; nor sooner than [`LIFETIME`] after the
/// installation began to delete them.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn sweep(db: &Db) -> Result<(), DbErr> {
    entries::sweep(db).await?;
    let before = db.now() - LIFETIME;
    if !db.delivers_mail() || begun_at(db).await?.is_none_or(|begun| begun > before) {
        return Ok(());
    }
    let sql =
        "SELECT u.id, u.created_at FROM users u WHERE u.email_verified_at IS NULL AND u.awaited_email IS NULL
        AND u.created_at <= $1 AND u.created_at >= $2 AND (u.created_at > $2 OR u.id > $3)
        ORDER BY u.created_at, u.id LIMIT $4";
    let mut last = (Timestamp::default(), Uuid::nil());
    loop {
        let values = vec![before.into(), last.0.into(), last.1.into(), BATCH.into()];
        let batch: Vec<Candidate> = db.read().all(sql, values).await?;
        for user in &batch {
            let deleted = match is_given_up(db.read(), user.id, before, db.now()).await {
                Ok(true) => delete(db, user.id, before).await,
                Ok(false) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = deleted {
                tracing::warn!(user = %user.id, %error, "could not delete a sign-up that was given up");
            }
            // After it, whether or not it is still there.
            last = (user.created_at, user.id);
        }
        if batch.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

/// When the installation began to delete sign-ups. Nobody who signed up before could know.
async fn begun_at(db: &Db) -> Result<Option<Timestamp>, DbErr> {
    #[derive(FromQueryResult)]
    struct Migration {
        applied_at: i64,
    }
    let sql = "SELECT applied_at FROM seaql_migrations WHERE version = 'm0020_bounds'";
    let row: Option<Migration> = db.read().first(sql, Vec::new()).await?;
    Ok(row.map(|row| Timestamp::from_millis(row.applied_at.saturating_mul(SECOND))))
}

/// Deletes the workspaces, the accounts and the user, if they are still given up.
async fn delete(db: &Db, user: Uuid, before: Timestamp) -> Result<(), Refused> {
    let tx = db.begin().await?;
    // In the order of every other change: workspaces, members, users.
    let heads = lock_workspaces_of_user(&tx, user).await?;
    if !still_given_up(&tx, user, before, db.now()).await? {
        return Ok(tx.rollback().await?);
    }
    let heads = heads.into_iter().map(|(head, _)| head).collect();
    delete_with(&tx, user, heads, db.now()).await?;
    Ok(tx.commit().await?)
}

/// Deletes a user who never confirmed their address, with the workspaces and accounts that are theirs alone. Whoever
/// is a member of others' stays.
///
/// # Errors
/// The database's own.
pub(super) async fn delete_sign_up(
    tx: &DatabaseTransaction,
    user: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Shared {
        #[allow(dead_code, reason = "only whether there is one counts")]
        account_id: Uuid,
    }
    let heads = lock_workspaces_of_user(tx, user).await?.into_iter().map(|(head, _)| head).collect();
    let shared = "SELECT p.account_id FROM account_people p JOIN accounts a ON a.id = p.account_id
        WHERE p.user_id = $1 AND a.people > 1 LIMIT 1";
    match tx.first::<Shared>(shared, vec![user.into()]).await? {
        Some(_) => Ok(()),
        None => delete_with(tx, user, heads, now).await,
    }
}

/// Deletes these workspaces, which are locked, the accounts that are empty then, and the user.
async fn delete_with(
    tx: &DatabaseTransaction,
    user: Uuid,
    heads: Vec<ChainHead>,
    now: Timestamp,
) -> Result<(), DbErr> {
    let count = i64::try_from(heads.len()).unwrap_or(i64::MAX);
    for head in heads {
        delete_workspace(tx, head, now).await?;
    }
    let accounts =
        "DELETE FROM accounts WHERE id IN (SELECT p.account_id FROM account_people p WHERE p.user_id = $1)
        AND people = 1 AND NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.account_id = accounts.id)";
    tx.run(accounts, vec![user.into()]).await?;
    tx.run("DELETE FROM users WHERE id = $1", vec![user.into()]).await?;
    tx.run("DELETE FROM first_sign_ups WHERE user_id = $1 AND ended_at IS NULL", vec![user.into()]).await?;
    let event = RecordedEvent::new(SignUpGivenUp { workspaces: count }, Target::unnamed(USER, user));
    audit::append_to_installation(tx, now, event).await.map(drop)
}

/// Locks the user, so that nobody signs in meanwhile, and says whether they are still given up.
async fn still_given_up(
    tx: &impl ConnectionTrait,
    user: Uuid,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool, DbErr> {
    // The lock is a statement of its own: one that waited for a row would see every other table as it was before
    // the wait.
    tx.run("UPDATE users SET name = name WHERE id = $1", vec![user.into()]).await?;
    is_given_up(tx, user, before, now).await
}

async fn is_given_up(
    connection: &impl ConnectionTrait,
    user: Uuid,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let sql = format!("SELECT u.id, u.created_at FROM users u WHERE {} AND u.id = $3 LIMIT 1", given_up());
    let values = vec![Value::from(before), now.into(), user.into()];
    Ok(connection.first::<Candidate>(&sql, values).await?.is_some())
}

async fn delete_workspace(
    tx: &DatabaseTransaction,
    mut head: ChainHead,
    now: Timestamp,
) -> Result<(), DbErr> {
    let id: Value = head.chain.id().into();
    let sql = "SELECT id, name, slug FROM workspaces WHERE id = $1";
    let Some(workspace) = tx.first::<WorkspaceRow>(sql, vec![id.clone()]).await? else { return Ok(()) };
    // Marked first, so that the trigger behind the Owner rule lets its last Owner go with it.
    tx.run("UPDATE workspaces SET deleted_at = $2 WHERE id = $1", vec![id.clone(), now.into()]).await?;
    tx.run("DELETE FROM workspaces WHERE id = $1", vec![id]).await?;
    let WorkspaceRow { id, name, slug } = workspace;
    let target = Target::new(WORKSPACE, id, &name);
    let event = RecordedEvent::new(OrganizationDeleted { name, slug, members: 1 }, target);
    let context = EventContext { actor: &Actor::system(), origin: &origin(), at: now };
    audit::append(tx, &mut head, &context, &[event]).await
}

fn origin() -> Origin {
    Origin {
        via: Channel::Command,
        address: String::new(),
        user_agent: String::new(),
        route: "housekeeping".to_owned(),
        attempt: None,
    }
}
