//! The boundary of a workspace: its members are admitted under a permission, an active Owner remains, and its
//! audit record is a hash chain.

pub mod admission;
pub mod granters;
mod owners;
pub(in crate::domain) mod roles;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{Actor as AuditActor, Recorded, RecordedEvent},
            principal::{Actor, Channel, Credential, Origin, Workspace},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            audit::{self, ChainHead, EventContext},
            boundary::{Admits, Boundary, Denied, Judged},
            chain::{Chain, Head},
            locked::{AffectedWorkspaces, LockedWorkspace},
            presence,
            read::ReadScope,
            refusal,
            transaction::Transaction,
            workspace::admission::{Beside, WorkspaceSelector},
            write::WriteScope,
        },
    },
    policy::{Access, Needs, Permission},
    random,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Boundary for Workspace {
    type Actor = Actor;
    type Selector<'a> = WorkspaceSelector<'a>;
    type Locked = LockedWorkspace;

    const NAME: &'static str = "workspace";

    fn id(actor: &Actor) -> Uuid {
        actor.workspace.id
    }

    fn audit_actor(actor: &Actor) -> AuditActor {
        actor.audit_actor()
    }

    fn accountable_user(actor: &Actor) -> Uuid {
        actor.principal.accountable_user()
    }

    fn note_activity(db: &Db, actor: &Actor, last_seen_at: Timestamp) {
        presence::record(db, &actor.principal, Some(actor.member_id), last_seen_at);
    }

    async fn lock(tx: &DatabaseTransaction, id: Uuid) -> Result<LockedWorkspace, Refused> {
        lock_where(tx, id, " AND w.deleted_at IS NULL").await
    }

    async fn lock_to_record(tx: &DatabaseTransaction, id: Uuid) -> Result<LockedWorkspace, Refused> {
        lock_even_deleted(tx, id).await
    }

    async fn ensure_invariant(tx: &DatabaseTransaction, locked: &LockedWorkspace) -> Result<(), Refused> {
        // In others a change ends memberships of keys alone, which do not count as Owners.
        owners::ensure_one_remains(tx, locked.head.chain.id()).await
    }

    async fn record(
        tx: &DatabaseTransaction,
        locked: &mut LockedWorkspace,
        context: &EventContext<'_>,
        events: &[RecordedEvent],
    ) -> Result<(), DbErr> {
        locked.others.write(tx, context).await?;
        audit::append(tx, &mut locked.head, context, events).await
    }
}

/// Locks a workspace, also one that is deleted and can be restored: what is done to an account, a key or a person is
/// done there too.
///
/// # Errors
/// [`Refused::NotFound`] where there is none.
pub(in crate::domain) async fn lock_even_deleted(
    tx: &DatabaseTransaction,
    id: Uuid,
) -> Result<LockedWorkspace, Refused> {
    lock_where(tx, id, "").await
}

async fn lock_where(tx: &DatabaseTransaction, id: Uuid, state: &str) -> Result<LockedWorkspace, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        account_id: Uuid,
        seq: i64,
        hash: Vec<u8>,
    }
    // Both rows are locked, so that both are read as whoever held them left them.
    let mut sql = format!(
        "SELECT w.account_id, c.seq, c.hash FROM workspaces w
        JOIN audit_chains c ON c.kind = 'workspace' AND c.id = w.id WHERE w.id = $1{state}"
    );
    if tx.get_database_backend() == DbBackend::Postgres {
        sql.push_str(" FOR NO KEY UPDATE");
    }
    let row: Option<Row> = tx.first(&sql, vec![id.into()]).await?;
    let row = row.ok_or(Refused::NotFound)?;
    Ok(LockedWorkspace::alone(ChainHead {
        chain: Chain::Workspace(id),
        account: Some(row.account_id),
        head: Head { seq: row.seq, hash: row.hash },
    }))
}

impl<P: Access> Admits<P> for Workspace {
    async fn admit(
        db: &Db,
        connection: &impl ConnectionTrait,
        credential: &Credential,
        selector: Self::Selector<'_>,
        now: Timestamp,
    ) -> Result<Judged<Self>, Refused> {
        Ok(admission::admit(db, connection, credential, &selector, now, None, P::NEEDS).await?.0)
    }

    async fn missing(connection: &impl ConnectionTrait, actor: &Actor) -> Result<Refused, DbErr> {
        admission::forbidden(connection, actor, P::NEEDS).await
    }
}

impl<P: Access> ReadScope<P> {
    /// [`ReadScope::admit`] together with one more thing read in that statement: a subselect of a text,
    /// in which `m` is the membership of the principal and `$3` the time, and the value that it binds as
    /// `$4`.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::domain) async fn admit_about(
        db: &Db,
        credential: Credential,
        selector: WorkspaceSelector<'_>,
        origin: Origin,
        about: Option<(String, Value)>,
    ) -> Result<(Self, Option<String>), Refused> {
        let now = db.now();
        let (judged, subject_roles) =
            admission::admit(db, db.read(), &credential, &selector, now, about.as_ref(), P::NEEDS).await?;
        Ok((Self::conclude(db, credential, origin, judged).await?, subject_roles))
    }

    /// [`ReadScope::admit`] together with more that is read in that statement.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::domain) async fn admit_beside<T: FromQueryResult>(
        db: &Db,
        credential: Credential,
        selector: WorkspaceSelector<'_>,
        origin: Origin,
        beside: &Beside<'_>,
    ) -> Result<(Self, T), Refused> {
        let now = db.now();
        let (judged, more) =
            admission::admit_beside(db, db.read(), &credential, &selector, now, Some(beside), P::NEEDS)
                .await?;
        Ok((Self::conclude(db, credential, origin, judged).await?, more))
    }

    /// Requires a permission beyond that of the scope, and audits a refusal.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which names who has it.
    pub(in crate::domain) async fn require(&self, permission: Permission) -> Result<(), Refused> {
        match require(self.db.read(), &self.actor, permission).await {
            Err(refused) => Err(self.refuse(refused).await),
            Ok(()) => Ok(()),
        }
    }

    /// The refusal of a principal who lacks what `needs` says, which is audited.
    ///
    /// # Errors
    /// The database's own.
    pub(in crate::domain) async fn refuse_without(&self, needs: Needs) -> Result<Refused, DbErr> {
        let refused = admission::forbidden(self.db.read(), &self.actor, needs).await?;
        Ok(self.refuse(refused).await)
    }

    /// [`ReadScope::write`] for a change that reaches into other workspaces, which are locked together with this one.
    /// `others` reads their ids, before anything is locked. Each records what is done in it: see
    /// [`WriteScope::record_in`].
    ///
    /// # Errors
    /// As [`ReadScope::write`].
    pub(in crate::domain) async fn write_with_workspaces<T>(
        self,
        others: impl AsyncFnOnce(&DatabaseTransaction) -> Result<Vec<Uuid>, DbErr>,
        change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let own = self.actor.workspace.id;
        let lock_all = async |tx: &DatabaseTransaction| lock_together(tx, own, others(tx).await?).await;
        self.write_locking(lock_all, change).await
    }

    /// This admission under another permission, if that is held too.
    pub fn narrow<Q: Access>(self) -> Option<ReadScope<Q>> {
        self.actor.holdings.meets(Q::NEEDS).then(|| self.with_requirement())
    }
}

impl<P> WriteScope<P> {
    /// Requires a permission beyond that of the scope.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which names who has it.
    pub(in crate::domain) async fn require(&self, permission: Permission) -> Result<(), Refused> {
        require(&self.open.tx, &self.actor, permission).await
    }

    /// Whether another workspace is locked together with this one.
    pub(in crate::domain) fn has_locked(&self, workspace: Uuid) -> bool {
        self.open.locked.others.contains(workspace)
    }

    /// Adds events to the record of another workspace that is locked together with this one.
    pub(in crate::domain) fn record_in<T>(&mut self, workspace: Uuid, recorded: Recorded<T>) {
        self.open.locked.others.record_in(workspace, recorded);
    }

    /// Adds an event to the record of each other workspace that is locked together with this one.
    pub(in crate::domain) fn record_in_others(&mut self, event: RecordedEvent) {
        self.open.locked.others.record_in_each(&Recorded::many((), vec![event]).in_workspace_alone());
    }
}

/// Locks these workspaces, deleted ones too, in the order of their ids, as everybody who locks several does. One that is
/// gone is left out. Returns the chain of each.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn lock_each(
    tx: &DatabaseTransaction,
    ids: &BTreeSet<Uuid>,
) -> Result<Vec<ChainHead>, Refused> {
    let mut heads = Vec::with_capacity(ids.len());
    for id in ids {
        match lock_even_deleted(tx, *id).await {
            Ok(locked) => heads.push(locked.head),
            Err(Refused::NotFound) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(heads)
}

/// Locks a workspace and others, in the order of their ids, as everybody who locks several does.
pub(super) async fn lock_together(
    tx: &DatabaseTransaction,
    own: Uuid,
    others: Vec<Uuid>,
) -> Result<LockedWorkspace, Refused> {
    let mut heads = lock_each(tx, &others.into_iter().chain([own]).collect()).await?;
    let at = heads.iter().position(|head| head.chain == Chain::Workspace(own)).ok_or(Refused::NotFound)?;
    let head = heads.swap_remove(at);
    Ok(LockedWorkspace { head, others: AffectedWorkspaces::of(heads) })
}

/// Checks that a workspace which a change reached into keeps an active Owner. That of the change itself is checked anyway.
///
/// # Errors
/// [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER), which rolls the change back.
pub(in crate::domain) async fn ensure_owner_remains(
    tx: &DatabaseTransaction,
    workspace: Uuid,
) -> Result<(), Refused> {
    owners::ensure_one_remains(tx, workspace).await
}

async fn require(
    connection: &impl ConnectionTrait,
    actor: &Actor,
    permission: Permission,
) -> Result<(), Refused> {
    let needs = Needs::One(permission);
    if actor.holdings.meets(needs) {
        return Ok(());
    }
    Err(admission::forbidden(connection, actor, needs).await?)
}

/// Locks the workspaces of a user, deleted ones too, always in the same order. Returns the chain of each, and the id of their
/// membership.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn lock_workspaces_of_user(
    tx: &DatabaseTransaction,
    user: Uuid,
) -> Result<Vec<(ChainHead, Uuid)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        account_id: Uuid,
        seq: i64,
        hash: Vec<u8>,
        member_id: Uuid,
    }
    let mut sql = "SELECT w.id, w.account_id, c.seq, c.hash, m.id AS member_id FROM members m
        JOIN workspaces w ON w.id = m.workspace_id
        JOIN audit_chains c ON c.kind = 'workspace' AND c.id = w.id WHERE m.user_id = $1 ORDER BY w.id"
        .to_owned();
    if tx.get_database_backend() == DbBackend::Postgres {
        sql.push_str(" FOR NO KEY UPDATE OF w, c");
    }
    let rows: Vec<Row> = tx.all(&sql, vec![user.into()]).await?;
    let locked = |row: Row| {
        let head = Head { seq: row.seq, hash: row.hash };
        (ChainHead { chain: Chain::Workspace(row.id), account: Some(row.account_id), head }, row.member_id)
    };
    Ok(rows.into_iter().map(locked).collect())
}

/// Runs a change for a person with an invitation, who is not a member yet. The caller has read the
/// invitation; under the lock, `change` must read it again.
///
/// # Errors
/// What `change` refuses, and [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER).
pub(in crate::domain) async fn enter_by_invitation<T>(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let open =
        Transaction::<Workspace>::open(db, origin, async |tx| Workspace::lock(tx, workspace).await).await?;
    let done = change(&open).await;
    let done = open.finish(by, done).await;
    if let Err(refused) = &done {
        refusal::note::<Workspace>(db, workspace, by.id, by, origin, refused).await;
    }
    done
}

/// Runs the restoration of a workspace that is deleted, for one of its Owners. Who that is, the statement says that admits
/// to every other workspace; it looks among the deleted ones, and under the lock.
///
/// # Errors
/// What `change` refuses; [`Refused::NotFound`] for a workspace that is not deleted or can't be restored any more, and for
/// somebody who does not belong to it; [`Refused::NotAllowed`] for members who are no Owners.
pub(in crate::domain) async fn restore_deleted<T>(
    db: &Db,
    credential: &Credential,
    workspace: Uuid,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction, &Actor) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let lock = async |tx: &DatabaseTransaction| lock_even_deleted(tx, workspace).await;
    let open = Transaction::<Workspace>::open(db, origin, lock).await?;
    let selector = WorkspaceSelector::Deleted(workspace);
    let needs = Needs::Membership;
    let judged = admission::admit(db, &open.tx, credential, &selector, open.now, None, needs).await;
    let Judged { actor, verdict, .. } = match judged {
        Ok((judged, _)) => judged,
        Err(refused) => {
            open.roll_back().await;
            return Err(refused);
        }
    };
    let done = match verdict {
        Err(Denied::Suspended(what)) => Err(Refused::Suspended(what)),
        Err(Denied::Missing) => Err(Refused::NotFound),
        Ok(()) if !actor.holdings.is_owner() => Err(Refused::NotAllowed(NOT_AN_OWNER)),
        Ok(()) => change(&open, &actor).await,
    };
    let (by, accountable) = (actor.audit_actor(), actor.principal.accountable_user());
    let done = open.finish(&by, done).await;
    if let Err(refused) = &done {
        refusal::note::<Workspace>(db, workspace, Some(accountable), &by, origin, refused).await;
    }
    done
}

const NOT_AN_OWNER: &str = "Only an Owner of the workspace can restore it.";

/// Runs what the program itself does to a workspace that is deleted, and records it as done by nobody.
///
/// # Errors
/// What `change` refuses; [`Refused::NotFound`] without the workspace.
pub(in crate::domain) async fn change_deleted_by_program<T>(
    db: &Db,
    workspace: Uuid,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let lock = async |tx: &DatabaseTransaction| lock_even_deleted(tx, workspace).await;
    let open = Transaction::<Workspace>::open(db, &program(), lock).await?;
    let done = change(&open).await;
    open.finish(&AuditActor::program(), done).await
}

fn program() -> Origin {
    Origin {
        via: Channel::Command,
        address: String::new(),
        user_agent: String::new(),
        route: String::new(),
        attempt: None,
    }
}

/// Runs a change that the program itself makes, and records it as done by nobody.
///
/// # Errors
/// What `change` refuses; [`Refused::NotFound`] without the workspace.
pub(in crate::domain) async fn change_by_program<T>(
    db: &Db,
    workspace: Uuid,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    change_by_operator(db, workspace, &AuditActor::program(), change).await
}

/// Runs a change that somebody who runs the installation makes by a command.
///
/// # Errors
/// What `change` refuses; [`Refused::NotFound`] without the workspace.
pub(in crate::domain) async fn change_by_operator<T>(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let lock = async |tx: &DatabaseTransaction| Workspace::lock(tx, workspace).await;
    let open = Transaction::<Workspace>::open(db, &program(), lock).await?;
    let done = change(&open).await;
    open.finish(by, done).await
}

/// Runs the creation of a workspace: there is nothing to lock yet, and no audit record for a
/// refusal. `change` creates it under the id that its transaction has, and returns the id of its account.
///
/// # Errors
/// What `change` refuses.
pub(in crate::domain) async fn create_workspace<T>(
    db: &Db,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<(Uuid, Recorded<T>), Refused>,
) -> Result<T, Refused> {
    let start =
        async |_: &DatabaseTransaction| Ok(LockedWorkspace::alone(ChainHead::start(random::id(db.now()))));
    let mut open = Transaction::<Workspace>::open(db, origin, start).await?;
    let done = match change(&open).await {
        Ok((account, recorded)) => {
            open.locked.head.account = Some(account);
            Ok(recorded)
        }
        Err(refused) => Err(refused),
    };
    open.finish(by, done).await
}
