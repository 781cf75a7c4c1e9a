//! The deletion of a workspace: for 30 days nobody is admitted to it and an Owner can restore it; then it goes, in
//! portions. Its audit events outlive it.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            event::{Recorded, Target},
            invalid::Invalid,
            outbox::Mail,
            principal::{Credential, Origin, Person},
            refused::Refused,
            sql::Sql,
            words::{exact, inert},
        },
        enforce::{
            account::AccountScope,
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_deleted_by_program, restore_deleted},
            write::WriteScope,
        },
        nouns::{
            billing::issue,
            organization::{
                events::{OrganizationDeleted, OrganizationPurged, OrganizationRestored},
                mail::{WorkspaceDeletedMail, WorkspaceRestoredMail},
            },
        },
        records::{accounts, workspaces::WORKSPACE},
    },
    entity::member,
    policy::perm,
};
use sea_orm::{DbErr, FromQueryResult, PaginatorTrait};
use uuid::Uuid;

/// For how long a workspace can be restored after its deletion, in milliseconds.
pub const RESTORABLE_FOR: i64 = 30 * DAY;

/// A workspace that was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    pub name: String,
    /// Until when an Owner can restore it.
    pub until: Timestamp,
}

/// Deletes the workspace: nobody is admitted to it from now on. Everything in it is kept as it is, for as long as an Owner
/// can restore it.
///
/// # Errors
/// [`Refused::Invalid`] on the field `confirm` where the slug was not typed out.
pub async fn delete(
    s: &mut WriteScope<perm::DeleteOrganization>,
    confirm: &str,
) -> Result<Recorded<Deleted>, Refused> {
    let workspace = s.actor().workspace.clone();
    if confirm.trim() != workspace.slug {
        let sentence = format!("Type {} to delete this workspace.", workspace.slug);
        return Err(Invalid::field("confirm", sentence).into());
    }
    let members = s.find::<member::Entity>().count(s.connection()).await?;
    let event = OrganizationDeleted {
        name: workspace.name.clone(),
        slug: workspace.slug.clone(),
        members: i64::try_from(members).unwrap_or(i64::MAX),
    };
    let sql = "UPDATE workspaces SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL";
    if s.run(sql, vec![s.now().into()]).await? != 1 {
        return Err(Refused::NotFound);
    }
    let until = s.now() + RESTORABLE_FOR;
    let mail = WorkspaceDeletedMail {
        url: s.open().db.public_url(),
        signature: &s.actor().principal.signature(),
        workspace: &inert(&workspace.name),
        until: &exact(until),
    };
    notify_owners(s.open(), |address| Mail::new(address, &mail)).await?;
    let target = Target::new(WORKSPACE, workspace.id, workspace.name.clone());
    Ok(Recorded::new(Deleted { name: workspace.name, until }, event, target))
}

/// A workspace that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    pub name: String,
    pub slug: String,
}

#[derive(FromQueryResult)]
struct DeletedRow {
    deleted_at: Timestamp,
}

/// Restores a workspace, with everything in it. The credential is that of one of its Owners.
///
/// # Errors
/// [`Refused::NotFound`] for a workspace that is not deleted or can't be restored any more, or of others;
/// [`Refused::NotAllowed`] for members who are no Owners; [`Refused::Suspended`].
pub async fn restore(
    db: &Db,
    credential: &Credential,
    id: Uuid,
    origin: &Origin,
) -> Result<Restored, Refused> {
    restore_deleted(db, credential, id, origin, async |open, actor| {
        let sql = "SELECT deleted_at FROM workspaces WHERE id = $1 AND COALESCE(deleted_at, 0) <> 0";
        let row: DeletedRow = open.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
        if row.deleted_at + RESTORABLE_FOR <= open.now {
            return Err(Refused::NotFound);
        }
        let sql = "UPDATE workspaces SET deleted_at = NULL WHERE id = $1 AND purge_began_at IS NULL";
        if open.run(sql, Vec::new()).await? != 1 {
            return Err(Refused::NotFound);
        }
        let workspace = &actor.workspace;
        let mail = WorkspaceRestoredMail {
            url: open.db.public_url(),
            signature: &actor.principal.signature(),
            workspace: &inert(&workspace.name),
            slug: &workspace.slug,
        };
        notify_owners(open, |address| Mail::new(address, &mail)).await?;
        let (name, slug) = (workspace.name.clone(), workspace.slug.clone());
        let event = OrganizationRestored { name: name.clone(), slug: slug.clone() };
        let target = Target::new(WORKSPACE, workspace.id, name.clone());
        Ok(Recorded::new(Restored { name, slug }, event, target))
    })
    .await
}

#[derive(FromQueryResult)]
struct Address {
    email: String,
}

/// The member `m`, an Owner, is one still at the time `{now}`: while a workspace is deleted, the row of what has ended
/// stays.
const STILL: &str =
    concat!(lasts!("m", "{now}"), " AND ' ' || ", held_roles!("m", "{now}"), " || ' ' LIKE '% owner %'");

/// Queues a mail to each Owner whose address is confirmed.
async fn notify_owners(open: &Transaction, write: impl Fn(&str) -> Mail) -> Result<(), Refused> {
    let still = STILL.replace("{now}", "$2");
    let sql = format!(
        "SELECT u.email FROM active_owners o
        JOIN members m ON m.workspace_id = o.workspace_id AND m.id = o.member_id
        JOIN users u ON u.id = m.user_id
        WHERE o.workspace_id = $1 AND u.email_verified_at IS NOT NULL AND {still} ORDER BY u.email LIMIT 50"
    );
    let owners: Vec<Address> = open.all(&sql, vec![open.now.into()]).await?;
    for owner in owners {
        write(&owner.email).queue(&open.db, &open.tx, open.now).await?;
    }
    Ok(())
}

/// A deleted workspace that can be restored, in a list.
#[derive(Clone, Debug, FromQueryResult)]
pub struct RestorableWorkspace {
    pub id: Uuid,
    pub name: String,
    pub slug: String,
    pub account: String,
    pub deleted_at: Timestamp,
}

impl RestorableWorkspace {
    /// When it is permanently deleted.
    pub fn until(&self) -> Timestamp {
        self.deleted_at + RESTORABLE_FOR
    }
}

const COLUMNS: &str = "SELECT w.id, w.name, w.slug, a.name AS account, w.deleted_at";

/// The deleted workspaces that this person can restore, the latest first. Whether they are an Owner is a single value:
/// PostgreSQL would read every Owner's role for an `EXISTS`.
///
/// # Errors
/// The database's own.
pub async fn restorable_by(db: &Db, person: &Person) -> Result<Vec<RestorableWorkspace>, Refused> {
    let still = STILL.replace("{now}", "$3");
    let sql = format!(
        "{COLUMNS} FROM members m
        JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at > $2 AND w.purge_began_at IS NULL
            AND w.suspended_at IS NULL
        JOIN accounts a ON a.id = w.account_id AND a.suspended_at IS NULL
        WHERE m.user_id = $1 AND (SELECT 1 FROM active_owners o
            WHERE o.workspace_id = m.workspace_id AND o.member_id = m.id LIMIT 1) IS NOT NULL
            AND {still}
        ORDER BY w.deleted_at DESC, w.id LIMIT 100"
    );
    let values = vec![person.user_id.into(), (db.now() - RESTORABLE_FOR).into(), db.now().into()];
    Ok(db.read().all(&sql, values).await?)
}

/// The deleted workspaces of an account that an Owner can restore, the latest first.
///
/// # Errors
/// The database's own.
pub async fn of_account(scope: &AccountScope) -> Result<Vec<RestorableWorkspace>, Refused> {
    let sql = format!(
        "{COLUMNS} FROM workspaces w JOIN accounts a ON a.id = w.account_id
        WHERE w.account_id = $1 AND w.deleted_at > $2 AND w.purge_began_at IS NULL
        ORDER BY w.deleted_at DESC, w.id LIMIT 100"
    );
    Ok(scope.all(&sql, vec![(scope.now() - RESTORABLE_FOR).into()]).await?)
}

/// How many rows one transaction deletes at most.
const PORTION: u64 = 500;

/// The most workspaces that are looked at in one go.
const BATCH: usize = 50;

/// The tables of which a workspace can have many rows, with what tells these apart, in an order that no foreign key
/// forbids. What is in no table here is bounded, or goes with a row of one, and at last with the workspace.
pub const PORTIONS: [(&str, &str); 22] = [
    ("traffic", "at, id"),
    ("traffic_days", "subject_id, day"),
    ("event_deliveries", "id"),
    ("credit_transfers", "seq"),
    ("credit_requests", "client_id"),
    ("credit_holds", "id"),
    ("credit_days", "day"),
    ("credit_accounts", "id"),
    ("credit_purchases", "id"),
    ("billing_terms", "starts_at"),
    ("export_parts", "export_id, n"),
    ("exports", "id"),
    ("support_views", "grant_id, at, id"),
    ("support_requests", "id"),
    ("resources", "kind, id"),
    ("invitations", "id"),
    ("join_links", "id"),
    ("former_members", "user_id"),
    ("destinations", "id"),
    ("teams", "id"),
    ("members", "id"),
    ("roles", "id"),
];

/// Removes the workspaces that nobody can restore any more. One that can't be removed stays, and is logged.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn purge(db: &Db) -> Result<(), DbErr> {
    let mut after = (Timestamp::default(), Uuid::nil());
    loop {
        #[derive(FromQueryResult)]
        struct Due {
            id: Uuid,
            deleted_at: Timestamp,
        }
        let sql = "SELECT id, deleted_at FROM workspaces
            WHERE deleted_at IS NOT NULL AND deleted_at <= $1 AND deleted_at >= $2 AND (deleted_at > $2 OR id > $3)
            ORDER BY deleted_at, id LIMIT $4";
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let values = vec![(db.now() - RESTORABLE_FOR).into(), after.0.into(), after.1.into(), limit.into()];
        let due: Vec<Due> = db.read().all(sql, values).await?;
        for workspace in &due {
            match purge_one(db, workspace.id).await {
                // Restored, or removed by another node.
                Ok(()) | Err(Refused::NotFound) => {}
                Err(error) => {
                    tracing::warn!(workspace = %workspace.id, %error, "could not remove a deleted workspace");
                }
            }
            after = (workspace.deleted_at, workspace.id);
        }
        if due.len() < BATCH {
            return Ok(());
        }
    }
}

/// Removes one: first it is marked under its lock, so that from then on nobody restores it, and its last invoices are
/// issued; then its rows go, each portion in a transaction of its own; at last it goes itself, and that is recorded. Where
/// this is cut off, the next sweep goes on with it.
async fn purge_one(db: &Db, id: Uuid) -> Result<(), Refused> {
    change_deleted_by_program(db, id, async |open: &Transaction| {
        let sql = "UPDATE workspaces SET purge_began_at = COALESCE(purge_began_at, $2)
            WHERE id = $1 AND deleted_at IS NOT NULL AND deleted_at <= $3";
        let values = vec![open.now.into(), (open.now - RESTORABLE_FOR).into()];
        if open.run(sql, values).await? != 1 {
            return Err(Refused::NotFound);
        }
        let sql = "SELECT deleted_at FROM workspaces WHERE id = $1 AND COALESCE(deleted_at, 0) <> 0";
        let row: DeletedRow = open.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
        Ok(Recorded::many((), issue::close(open, row.deleted_at).await?))
    })
    .await?;
    for (table, key) in PORTIONS {
        let sql = format!(
            "DELETE FROM {table} WHERE workspace_id = $1 AND ({key}) IN
                (SELECT {key} FROM {table} WHERE workspace_id = $1 LIMIT {PORTION})"
        );
        loop {
            let tx = db.begin().await?;
            let removed = tx.run(&sql, vec![id.into()]).await?;
            tx.commit().await?;
            if removed < PORTION {
                break;
            }
        }
    }
    change_deleted_by_program(db, id, async |open: &Transaction| {
        #[derive(FromQueryResult)]
        struct Named {
            name: String,
            slug: String,
        }
        let sql = "SELECT name, slug FROM workspaces WHERE id = $1 AND purge_began_at IS NOT NULL";
        let Named { name, slug } = open.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
        open.run("DELETE FROM workspaces WHERE id = $1", Vec::new()).await?;
        if let Some(account) = open.account() {
            // Of somebody who deleted their sign-in, and was alone in it.
            accounts::remove_if_empty(&open.tx, account, open.now).await?;
        }
        let target = Target::new(WORKSPACE, id, name.clone());
        Ok(Recorded::new((), OrganizationPurged { name, slug }, target))
    })
    .await
}
