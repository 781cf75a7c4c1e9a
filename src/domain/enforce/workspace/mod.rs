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
            principal::{Actor, Credential, Origin, Workspace},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            audit::{self, ChainHead, EventContext},
            boundary::{Admits, Boundary, Judged},
            presence,
            read::ReadScope,
            refusal,
            transaction::Transaction,
            workspace::admission::WorkspaceSelector,
            write::WriteScope,
        },
    },
    entity::audit_event,
    policy::{Access, Needs, Permission},
    random,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value,
    sea_query::SimpleExpr,
};
use uuid::Uuid;

impl Boundary for Workspace {
    type Actor = Actor;
    type Selector<'a> = WorkspaceSelector<'a>;
    type Locked = ChainHead;

    fn id(actor: &Actor) -> Uuid {
        actor.workspace.id
    }

    fn audit_actor(actor: &Actor) -> AuditActor {
        actor.audit_actor()
    }

    fn note_activity(db: &Db, actor: &Actor, last_seen_at: Timestamp) {
        presence::record(db, &actor.principal, Some(actor.member_id), last_seen_at);
    }

    async fn lock(tx: &DatabaseTransaction, id: Uuid) -> Result<ChainHead, Refused> {
        #[derive(FromQueryResult)]
        struct Row {
            account_id: Uuid,
            audit_seq: i64,
            audit_hash: Vec<u8>,
        }
        let sql = match tx.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1 FOR NO KEY UPDATE"
            }
            _ => "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1",
        };
        let row: Option<Row> = tx.first(sql, vec![id.into()]).await?;
        let row = row.ok_or(Refused::NotFound)?;
        Ok(ChainHead {
            workspace: id,
            account: Some(row.account_id),
            seq: row.audit_seq,
            hash: row.audit_hash,
        })
    }

    async fn ensure_invariant(tx: &DatabaseTransaction, locked: &ChainHead) -> Result<(), Refused> {
        owners::ensure_one_remains(tx, locked.workspace).await
    }

    async fn record(
        tx: &DatabaseTransaction,
        locked: &mut ChainHead,
        context: &EventContext<'_>,
        events: &[RecordedEvent],
    ) -> Result<(), DbErr> {
        audit::append(tx, locked, context, events).await
    }

    fn audit_condition(id: Uuid) -> SimpleExpr {
        audit_event::Column::WorkspaceId.eq(id)
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
        refusal::note::<Workspace>(db, workspace, by, origin, refused).await;
    }
    done
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
    let start = async |_: &DatabaseTransaction| Ok(ChainHead::start(random::id(db.now())));
    let mut open = Transaction::<Workspace>::open(db, origin, start).await?;
    let done = match change(&open).await {
        Ok((account, recorded)) => {
            open.locked.account = Some(account);
            Ok(recorded)
        }
        Err(refused) => Err(refused),
    };
    open.finish(by, done).await
}
