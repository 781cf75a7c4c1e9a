//! The boundary of a workspace: its members are admitted under a permission, an active Owner remains, and its
//! audit record is a hash chain.

pub mod admission;
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
            boundary::{Admits, Boundary, Judged},
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
        #[derive(FromQueryResult)]
        struct Row {
            account_id: Uuid,
            seq: i64,
            hash: Vec<u8>,
        }
        // Both rows are locked, so that both are read as whoever held them left them.
        let mut sql = "SELECT w.account_id, c.seq, c.hash FROM workspaces w
            JOIN audit_chains c ON c.kind = 'workspace' AND c.id = w.id WHERE w.id = $1"
            .to_owned();
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

/// Locks a workspace and others, in the order of their ids, as everybody who locks several does.
pub(super) async fn lock_together(
    tx: &DatabaseTransaction,
    own: Uuid,
    others: Vec<Uuid>,
) -> Result<LockedWorkspace, Refused> {
    let all: BTreeSet<Uuid> = others.into_iter().chain([own]).collect();
    let mut heads = Vec::with_capacity(all.len());
    for id in all {
        match Workspace::lock(tx, id).await {
            Ok(locked) => heads.push(locked.head),
            // Deleted in the meantime.
            Err(Refused::NotFound) if id != own => {}
            Err(refused) => return Err(refused),
        }
    }
    let at = heads.iter().position(|head| head.chain == Chain::Workspace(own)).ok_or(Refused::NotFound)?;
    let head = heads.swap_remove(at);
    Ok(LockedWorkspace { head, others: AffectedWorkspaces::of(heads) })
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

/// Locks the workspaces of a user, always in the same order. Returns the chain of each, and the id of their
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
        JOIN workspaces w ON w.id = m.workspace_id AND w.deleted_at IS NULL
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

/// Runs a change that the program itself makes, and records it as done by nobody.
///
/// # Errors
/// What `change` refuses; [`Refused::NotFound`] without the workspace.
pub(in crate::domain) async fn change_by_program<T>(
    db: &Db,
    workspace: Uuid,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let origin = Origin {
        via: Channel::Command,
        address: String::new(),
        user_agent: String::new(),
        route: String::new(),
        attempt: None,
    };
    let open =
        Transaction::<Workspace>::open(db, &origin, async |tx| Workspace::lock(tx, workspace).await).await?;
    let done = change(&open).await;
    open.finish(&AuditActor::program(), done).await
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
