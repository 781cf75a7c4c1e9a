//! The boundary of an account: its admins are admitted, an active admin remains, and its audit record
//! is a hash chain. It gives no access to workspaces, with one exception:
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
            principal::{Credential, Principal},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            account::admission::{Admin, not_admin},
            audit::{self, ChainHead, EventContext},
            boundary::{Admits, Boundary, Judged},
            chain::{Chain, Head},
            locked::AffectedWorkspaces,
            presence,
            read::ReadScope,
            workspace::{lock_even_deleted, lock_together},
            write::WriteScope,
        },
    },
    policy::Access,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value};
use std::iter;
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
    head: ChainHead,
    workspaces: AffectedWorkspaces,
}

impl Boundary for Account {
    type Actor = Admin;
    type Selector<'a> = Uuid;
    type Locked = LockedAccount;

    const NAME: &'static str = "account";

    fn id(actor: &Admin) -> Uuid {
        actor.account.id
    }

    fn audit_actor(actor: &Admin) -> AuditActor {
        actor.person.audit_actor()
    }

    fn accountable_user(actor: &Admin) -> Uuid {
        actor.person.user_id
    }

    fn note_activity(db: &Db, actor: &Admin, last_seen_at: Timestamp) {
        presence::record(db, &Principal::User(actor.person.clone()), None, last_seen_at);
    }

    async fn lock(tx: &DatabaseTransaction, id: Uuid) -> Result<LockedAccount, Refused> {
        #[derive(FromQueryResult)]
        struct Row {
            seq: i64,
            hash: Vec<u8>,
        }
        // As for a workspace.
        let mut sql = "SELECT c.seq, c.hash FROM accounts a
            JOIN audit_chains c ON c.kind = 'account' AND c.id = a.id WHERE a.id = $1"
            .to_owned();
        if tx.get_database_backend() == DbBackend::Postgres {
            sql.push_str(" FOR NO KEY UPDATE");
        }
        let row: Option<Row> = tx.first(&sql, vec![id.into()]).await?;
        let row = row.ok_or(Refused::NotFound)?;
        let head = Head { seq: row.seq, hash: row.hash };
        let head = ChainHead { chain: Chain::Account(id), account: Some(id), head };
        Ok(LockedAccount { head, workspaces: AffectedWorkspaces::default() })
    }

    async fn ensure_invariant(tx: &DatabaseTransaction, locked: &LockedAccount) -> Result<(), Refused> {
        // Keys do not count as Owners, and no other membership is changed from here.
        ensure_admin_remains(tx, locked.head.chain.id()).await
    }

    async fn record(
        tx: &DatabaseTransaction,
        locked: &mut LockedAccount,
        context: &EventContext<'_>,
        events: &[RecordedEvent],
    ) -> Result<(), DbErr> {
        locked.workspaces.write(tx, context).await?;
        audit::append(tx, &mut locked.head, context, events).await
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
    /// [`ReadScope::write`] for a change that is done to workspaces of the account, and is recorded in each of them,
    /// so that their Owners learn of it. Only the revocation of a key changes anything in them.
    ///
    /// # Errors
    /// As [`ReadScope::write`].
    pub(in crate::domain) async fn write_with_workspaces<T>(
        self,
        affected: Affected,
        change: impl AsyncFnOnce(&mut AccountWrite) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let account = self.actor.account.id;
        let lock_all = async |tx: &DatabaseTransaction| {
            // Before the account, as whoever comes into a workspace has locked that when they touch this.
            let workspaces = lock_workspaces(tx, account, affected).await?;
            Ok(LockedAccount { workspaces, ..Account::lock(tx, account).await? })
        };
        self.write_locking(lock_all, change).await
    }
}

impl<P: Access> ReadScope<P> {
    /// [`ReadScope::write`] for a change in a workspace that changes its account too: every workspace of the account is
    /// locked with it, so that it can be recorded in each.
    ///
    /// # Errors
    /// As [`ReadScope::write`].
    pub(in crate::domain) async fn write_with_account<T>(
        self,
        change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let (own, account) = (self.actor.workspace.id, self.actor.workspace.account_id);
        let lock_all = async |tx: &DatabaseTransaction| {
            // In the same order as by a change of the account.
            let others = workspaces_of(tx, account, Affected::All).await?;
            let locked = lock_together(tx, own, others).await?;
            lock(tx, account).await?;
            Ok(locked)
        };
        self.write_locking(lock_all, change).await
    }
}

/// The workspaces of an account that a change of it is done to.
pub(in crate::domain) enum Affected {
    All,
    One(Uuid),
    /// Those that a key is a member of.
    OfKey(Uuid),
    /// The one that a request for the administration came from.
    OfRequest(Uuid),
}

/// Locks workspaces of the account, always in the same order.
async fn lock_workspaces(
    tx: &DatabaseTransaction,
    account: Uuid,
    affected: Affected,
) -> Result<AffectedWorkspaces, Refused> {
    let mut heads = Vec::new();
    for id in workspaces_of(tx, account, affected).await? {
        heads.push(lock_even_deleted(tx, id).await?.head);
    }
    Ok(AffectedWorkspaces::of(heads))
}

/// The ids of workspaces of the account, in order.
async fn workspaces_of(
    tx: &DatabaseTransaction,
    account: Uuid,
    affected: Affected,
) -> Result<Vec<Uuid>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let (sql, id) = match affected {
        Affected::All => ("SELECT w.id FROM workspaces w WHERE w.account_id = $1", None),
        Affected::One(id) => {
            ("SELECT w.id FROM workspaces w WHERE w.account_id = $1 AND w.id = $2", Some(id))
        }
        Affected::OfKey(key) => (
            "SELECT w.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
            WHERE m.api_key_id = $2 AND w.account_id = $1",
            Some(key),
        ),
        Affected::OfRequest(request) => (
            "SELECT w.id FROM administration_requests r JOIN workspaces w ON w.id = r.workspace_id
            WHERE r.account_id = $1 AND r.id = $2",
            Some(request),
        ),
    };
    let values = iter::once(account).chain(id).map(Value::from).collect();
    let rows: Vec<Row> = tx.all(sql, values).await?;
    let mut ids: Vec<Uuid> = rows.into_iter().map(|row| row.id).collect();
    ids.sort_unstable();
    Ok(ids)
}

impl AccountWrite {
    /// Whether this workspace is locked together with the account.
    pub(in crate::domain) fn has_locked(&self, workspace: Uuid) -> bool {
        self.open.locked.workspaces.contains(workspace)
    }

    /// Adds events to the record of a workspace that is locked together with the account.
    pub(in crate::domain) fn record_in<T>(&mut self, workspace: Uuid, recorded: Recorded<T>) {
        self.open.locked.workspaces.record_in(workspace, recorded);
    }

    /// Adds these events to the record of each workspace that is locked together with the account, too.
    pub(in crate::domain) fn record_in_each<T>(&mut self, recorded: &Recorded<T>) {
        self.open.locked.workspaces.record_in_each(recorded);
    }
}

/// [`lock`], which returns the chain of the account.
///
/// # Errors
/// As [`lock`].
pub(in crate::domain) async fn lock_chain(
    tx: &DatabaseTransaction,
    account: Uuid,
) -> Result<ChainHead, Refused> {
    Ok(Account::lock(tx, account).await?.head)
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
