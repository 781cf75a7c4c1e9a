//! The boundary of an account: its admins are admitted, an active admin remains, and its audit record is
//! append-only but not a hash chain. It gives no access to workspaces, with one exception:
//! `write_with_workspaces`.

pub(in crate::domain) mod admission;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            account::Account,
            db::Db,
            event::{Actor as AuditActor, Recorded, RecordedEvent},
            invariants::LAST_ADMIN,
            principal::{Credential, Principal, Workspace},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            account::admission::{Admin, not_admin},
            audit::{self, ChainHead, EventContext},
            boundary::{Admits, Boundary, Judged},
            presence,
            read::ReadScope,
            write::WriteScope,
        },
    },
    entity::audit_event,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult,
    sea_query::SimpleExpr,
};
use uuid::Uuid;

/// The only requirement for requests about an account: being an admin of it.
#[derive(Clone, Copy, Debug)]
pub struct Administer;

/// An admitted request of an account's admin that reads.
pub type AccountScope = ReadScope<Administer, Account>;

/// An admitted request of an account's admin that changes.
pub type AccountWrite = WriteScope<Administer, Account>;

/// The lock of an account, and of the workspaces that a change reaches into.
pub struct LockedAccount {
    account: Uuid,
    workspaces: Vec<AffectedWorkspace>,
}

/// A workspace that a change of its account affects: locked, with the events to record in it.
struct AffectedWorkspace {
    head: ChainHead,
    events: Vec<RecordedEvent>,
}

impl AffectedWorkspace {
    fn is_changed(&self) -> bool {
        !self.events.is_empty()
    }
}

impl Boundary for Account {
    type Actor = Admin;
    type Selector<'a> = Uuid;
    type Locked = LockedAccount;

    fn id(actor: &Admin) -> Uuid {
        actor.account.id
    }

    fn audit_actor(actor: &Admin) -> AuditActor {
        actor.person.audit_actor()
    }

    fn note_activity(db: &Db, actor: &Admin, last_seen_at: Timestamp) {
        presence::record(db, &Principal::User(actor.person.clone()), None, last_seen_at);
    }

    async fn lock(tx: &DatabaseTransaction, id: Uuid) -> Result<LockedAccount, Refused> {
        lock(tx, id).await?;
        Ok(LockedAccount { account: id, workspaces: Vec::new() })
    }

    async fn ensure_invariant(tx: &DatabaseTransaction, locked: &LockedAccount) -> Result<(), Refused> {
        ensure_admin_remains(tx, locked.account).await?;
        for reached in locked.workspaces.iter().filter(|reached| reached.is_changed()) {
            Workspace::ensure_invariant(tx, &reached.head).await?;
        }
        Ok(())
    }

    async fn record(
        tx: &DatabaseTransaction,
        locked: &mut LockedAccount,
        context: &EventContext<'_>,
        events: &[RecordedEvent],
    ) -> Result<(), DbErr> {
        for AffectedWorkspace { head, events } in &mut locked.workspaces {
            Workspace::record(tx, head, context, events).await?;
        }
        audit::append_to_account(tx, locked.account, context, events).await
    }

    fn audit_condition(id: Uuid) -> SimpleExpr {
        audit_event::Column::AccountId.eq(id)
    }
}

impl Admits<Administer> for Account {
    async fn admit(
        _: &Db,
        connection: &impl ConnectionTrait,
        credential: &Credential,
        selector: Self::Selector<'_>,
        now: Timestamp,
    ) -> Result<Judged<Self>, Refused> {
        admission::admit(connection, credential, selector, now).await
    }

    async fn missing(connection: &impl ConnectionTrait, actor: &Admin) -> Result<Refused, DbErr> {
        not_admin(connection, actor.account.id, actor.id()).await
    }
}

impl AccountScope {
    /// [`ReadScope::write`] for a change that reaches into the workspaces that a key is a member of, and
    /// is recorded in each. Only the revocation of a key does.
    ///
    /// # Errors
    /// As [`ReadScope::write`], and [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER).
    pub(in crate::domain) async fn write_with_workspaces<T>(
        self,
        key: Uuid,
        change: impl AsyncFnOnce(&mut AccountWrite) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let account = self.actor.account.id;
        let lock_all = async |tx: &DatabaseTransaction| {
            // Before the account, as whoever comes into a workspace has locked that when they touch this.
            let workspaces = lock_workspaces_of_key(tx, account, key).await?;
            Ok(LockedAccount { workspaces, ..Account::lock(tx, account).await? })
        };
        self.write_locking(lock_all, change).await
    }
}

/// Locks the workspaces of the account that a key is a member of, always in the same order.
async fn lock_workspaces_of_key(
    tx: &DatabaseTransaction,
    account: Uuid,
    key: Uuid,
) -> Result<Vec<AffectedWorkspace>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let sql = "SELECT w.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
        WHERE m.api_key_id = $2 AND w.account_id = $1 ORDER BY w.id";
    let rows: Vec<Row> = tx.all(sql, vec![account.into(), key.into()]).await?;
    let mut reached = Vec::with_capacity(rows.len());
    for Row { id } in rows {
        reached.push(AffectedWorkspace { head: Workspace::lock(tx, id).await?, events: Vec::new() });
    }
    Ok(reached)
}

impl AccountWrite {
    /// Whether this workspace is locked together with the account.
    pub(in crate::domain) fn has_locked(&self, workspace: Uuid) -> bool {
        self.open.locked.workspaces.iter().any(|reached| reached.head.workspace == workspace)
    }

    /// Adds events to the record of a workspace that is locked together with the account.
    pub(in crate::domain) fn record_in<T>(&mut self, workspace: Uuid, recorded: Recorded<T>) {
        let mut reached = self.open.locked.workspaces.iter_mut();
        if let Some(reached) = reached.find(|reached| reached.head.workspace == workspace) {
            reached.events.extend(recorded.into_parts().1);
        }
    }
}

/// Locks an account until the end of the transaction.
///
/// # Errors
/// [`Refused::NotFound`] where there is none.
pub(in crate::domain) async fn lock(tx: &DatabaseTransaction, account: Uuid) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        #[expect(dead_code, reason = "a row is all that is needed")]
        id: Uuid,
    }
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => "SELECT id FROM accounts WHERE id = $1 FOR NO KEY UPDATE",
        _ => "SELECT id FROM accounts WHERE id = $1",
    };
    let row: Option<Row> = tx.first(sql, vec![account.into()]).await?;
    row.map(drop).ok_or(Refused::NotFound)
}

/// Two admins who demote each other at once see each other's change: this is checked after the change, under
/// the account's lock.
///
/// # Errors
/// [`LAST_ADMIN`], which rolls the change back.
async fn ensure_admin_remains(tx: &DatabaseTransaction, account: Uuid) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        remains: bool,
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM active_admins WHERE account_id = $1) AS remains";
    let row: Option<Row> = tx.first(sql, vec![account.into()]).await?;
    if row.is_some_and(|row| row.remains) { Ok(()) } else { Err(LAST_ADMIN.into()) }
}
