//! The open transaction of a change, and how it ends.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{Actor as AuditActor, Recorded},
            idempotency,
            principal::{Origin, Workspace},
            refused::Refused,
        },
        enforce::{audit::EventContext, boundary::Boundary, rows::Scoped},
    },
    entity::InWorkspace,
};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, EntityTrait};
use uuid::Uuid;

/// An open transaction that holds the lock of one boundary: on PostgreSQL its row, on SQLite the write
/// lock of the whole database. The one mutex for everything that its invariant is about.
pub(in crate::domain) struct Transaction<B: Boundary = Workspace> {
    pub(in crate::domain) db: Db,
    pub(in crate::domain) tx: DatabaseTransaction,
    /// The moment of the change.
    pub(in crate::domain) now: Timestamp,
    pub(super) locked: B::Locked,
    origin: Origin,
}

impl<B: Boundary> Transaction<B> {
    /// Begins a transaction, and locks its boundary with `lock`.
    pub(super) async fn open(
        db: &Db,
        origin: &Origin,
        lock: impl AsyncFnOnce(&DatabaseTransaction) -> Result<B::Locked, Refused>,
    ) -> Result<Self, Refused> {
        let tx = db.begin().await?;
        let locked = lock(&tx).await?;
        // The time is read under the lock, so that events are in the order of their times.
        Ok(Self { now: db.now(), db: db.clone(), tx, locked, origin: origin.clone() })
    }

    /// Where the request comes from.
    pub(in crate::domain) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Commits a change with its record, or rolls back what was refused.
    pub(super) async fn finish<T>(
        mut self,
        by: &AuditActor,
        change: Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let done = match change {
            Ok(recorded) => self.complete(by, recorded).await,
            Err(refused) => Err(refused),
        };
        match done {
            Ok(value) => {
                self.tx.commit().await?;
                self.db.outbox_ready().notify_one();
                self.db.events_ready().notify_one();
                Ok(value)
            }
            Err(refused) => {
                self.roll_back().await;
                Err(refused)
            }
        }
    }

    /// Everything that a change needs before its commit: invariant, audit record, idempotency attempt.
    async fn complete<T>(&mut self, actor: &AuditActor, recorded: Recorded<T>) -> Result<T, Refused> {
        let (value, events) = recorded.into_parts();
        B::ensure_invariant(&self.tx, &self.locked).await?;
        let context = EventContext { actor, origin: &self.origin, at: self.now };
        B::record(&self.tx, &mut self.locked, &context, &events).await?;
        if let Some(attempt) = self.origin.attempt {
            idempotency::mark_done(&self.tx, attempt, self.now).await?;
        }
        Ok(value)
    }

    /// Rolls back. Where that fails, the connection broke, or the database has rolled back already: why it did is
    /// what the request gets.
    pub(super) async fn roll_back(self) {
        if let Err(error) = self.tx.rollback().await {
            tracing::debug!(%error, "could not roll back");
        }
    }
}

impl Scoped for Transaction {
    type Connection = DatabaseTransaction;
    fn boundary_id(&self) -> Uuid {
        self.locked.head.chain.id()
    }
    fn connection(&self) -> &Self::Connection {
        &self.tx
    }
}

impl Transaction {
    /// The account that the workspace belongs to; none while the workspace is being created.
    pub(in crate::domain) fn account(&self) -> Option<Uuid> {
        self.locked.head.account
    }

    /// Inserts a row, which carries the id of its workspace itself.
    pub(in crate::domain) async fn insert<A>(&self, row: A) -> Result<(), DbErr>
    where
        A: ActiveModelTrait<Entity: InWorkspace>,
    {
        A::Entity::insert(row).exec_without_returning(&self.tx).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        config::Config,
        domain::{
            base::principal::Channel,
            enforce::{audit::ChainHead, locked::LockedWorkspace},
        },
        entity::{member, role},
    };
    use sea_orm::{DbBackend, QueryTrait};

    /// A change names the row by an id that was read through the scope, so that no request can show
    /// the filter of a deletion: here it is looked at itself.
    #[tokio::test]
    async fn every_change_is_filtered_by_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("scope.db").display());
        let config = Config::for_tests(url, folder.path());
        let db =
            Db::open(&config, String::new(), Clock::manual(Timestamp::default())).await.expect("a database");
        let workspace = crate::random::id(Timestamp::default());
        let origin = Origin {
            via: Channel::Command,
            address: String::new(),
            user_agent: String::new(),
            route: String::new(),
            attempt: None,
        };
        let tx = db.begin().await.expect("a transaction");
        let open: Transaction = Transaction {
            db: db.clone(),
            tx,
            now: Timestamp::default(),
            locked: LockedWorkspace::alone(ChainHead::start(workspace)),
            origin,
        };
        let backend = DbBackend::Sqlite;
        for statement in [
            open.update::<member::Entity>().col_expr(member::Column::Status, "x".into()).build(backend),
            open.delete::<member::Entity>().build(backend),
            open.delete::<role::Entity>().build(backend),
            open.find::<role::Entity>().build(backend),
        ] {
            let (_, filter) = statement.sql.split_once(" WHERE ").expect("a filter");
            assert!(filter.contains("\"workspace_id\" = "), "{}", statement.sql);
            let values = statement.values.expect("its values").0;
            assert!(values.contains(&workspace.into()), "{}", statement.sql);
        }
        open.roll_back().await;
    }
}
