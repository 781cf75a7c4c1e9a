use crate::{
    domain::{
        base::{
            db::Db,
            event::{Actor as AuditActor, Recorded},
            idempotency,
            principal::{Actor, Origin},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            audit::{self, ChainHead, EventContext},
            owners,
            rows::Scoped,
        },
    },
    entity::audit_event,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult,
};
use uuid::Uuid;

/// An open transaction that holds the lock of one workspace. The one mutex for ownership: on
/// PostgreSQL the workspace's row, on SQLite the write lock of the whole database.
pub(in crate::domain) struct Transaction {
    pub(in crate::domain) db: Db,
    pub(in crate::domain) tx: DatabaseTransaction,
    /// The moment of the change, in milliseconds since 1970.
    pub(in crate::domain) now: i64,
    pub(super) head: ChainHead,
    origin: Origin,
}

impl Scoped for Transaction {
    type Connection = DatabaseTransaction;
    fn workspace_id(&self) -> Uuid {
        self.head.workspace
    }
    fn connection(&self) -> &Self::Connection {
        &self.tx
    }
}

#[derive(FromQueryResult)]
struct ChainRow {
    account_id: Uuid,
    audit_seq: i64,
    audit_hash: Vec<u8>,
}

/// Locks a workspace until the end of the transaction, and reads the end of its chain.
///
/// # Errors
/// [`Refused::Hidden`] where there is none.
pub(in crate::domain) async fn lock(tx: &DatabaseTransaction, workspace: Uuid) -> Result<ChainHead, Refused> {
    // The lock is a statement of its own: under READ COMMITTED a statement that waited for a row
    // still sees every other table as it was before the wait.
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1 FOR NO KEY UPDATE"
        }
        _ => "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1",
    };
    let chain: Option<ChainRow> = tx.first(sql, vec![workspace.into()]).await?;
    let chain = chain.ok_or(Refused::Hidden)?;
    Ok(ChainHead { workspace, account: Some(chain.account_id), seq: chain.audit_seq, hash: chain.audit_hash })
}

impl Transaction {
    pub(super) async fn lock(db: &Db, workspace: Uuid, origin: &Origin) -> Result<Self, Refused> {
        let tx = db.begin().await?;
        let head = lock(&tx, workspace).await?;
        // The time is read under the lock, so that events are in the order of their times.
        Ok(Self { now: db.now_ms(), db: db.clone(), tx, head, origin: origin.clone() })
    }

    /// The account that the workspace belongs to.
    pub(in crate::domain) fn account(&self) -> Option<Uuid> {
        self.head.account
    }

    /// Inserts a row, which says itself to which workspace it belongs.
    pub(in crate::domain) async fn insert<A: ActiveModelTrait>(&self, row: A) -> Result<(), DbErr> {
        A::Entity::insert(row).exec_without_returning(&self.tx).await.map(drop)
    }

    pub(super) async fn commit<T>(mut self, actor: &AuditActor, recorded: Recorded<T>) -> Result<T, Refused> {
        let (value, events) = recorded.into_parts();
        if let Err(refused) = owners::ensure_one_remains(&self.tx, self.head.workspace).await {
            self.roll_back().await?;
            return Err(refused);
        }
        let context = EventContext { actor, origin: &self.origin, at: self.now };
        audit::append(&self.tx, &mut self.head, &context, &events).await?;
        if let Some(attempt) = self.origin.attempt
            && let Err(refused) = idempotency::done(&self.tx, attempt, self.now).await
        {
            self.roll_back().await?;
            return Err(refused);
        }
        self.tx.commit().await?;
        self.db.outbox_ready().notify_one();
        Ok(value)
    }

    pub(super) async fn roll_back(self) -> Result<(), DbErr> {
        self.tx.rollback().await
    }
}

/// The second door: somebody with an invitation, who is no member yet. The caller has found the
/// invitation; under the lock it must look again.
///
/// # Errors
/// What `change` refuses.
pub(in crate::domain) async fn redeem<T>(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let open = Transaction::lock(db, workspace, origin).await?;
    let done = match change(&open).await {
        Ok(recorded) => open.commit(by, recorded).await,
        Err(refused) => open.roll_back().await.map_err(Refused::from).and(Err(refused)),
    };
    if let Err(refused) = &done {
        note_refusal(db, workspace, by, origin, refused).await;
    }
    done
}

/// The third door: a workspace that is not there yet. `change` makes it in the transaction it is
/// given, under the id it is given, and says in which account.
///
/// # Errors
/// What `change` refuses.
pub(in crate::domain) async fn found<T>(
    db: &Db,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<(Uuid, Recorded<T>), Refused>,
) -> Result<T, Refused> {
    let tx = db.begin().await?;
    let now = db.now_ms();
    let head = ChainHead::start(crate::random::id(now));
    let mut open = Transaction { db: db.clone(), tx, now, head, origin: origin.clone() };
    match change(&open).await {
        Ok((account, recorded)) => {
            open.head.account = Some(account);
            open.commit(by, recorded).await
        }
        Err(refused) => open.roll_back().await.map_err(Refused::from).and(Err(refused)),
    }
}

/// Audits a refusal in a transaction of its own: the one that was refused is gone.
pub(in crate::domain) async fn record_refusal(db: &Db, actor: &Actor, origin: &Origin, refused: &Refused) {
    note_refusal(db, actor.workspace.id, &actor.audited(), origin, refused).await;
}

pub(in crate::domain) async fn note_refusal(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let Some(event) = audit::refusal(origin, refused) else { return };
    let written = async {
        let mut open = Transaction::lock(db, workspace, origin).await?;
        let whose = audit_event::Column::WorkspaceId.eq(workspace);
        if audit::is_flood(&open.tx, whose, by, &event, open.now).await? {
            tracing::warn!(route = origin.route, "refused too often to be audited each time");
            return open.roll_back().await.map_err(Refused::from);
        }
        let context = EventContext { actor: by, origin, at: open.now };
        audit::append(&open.tx, &mut open.head, &context, &[event]).await?;
        open.tx.commit().await.map_err(Refused::from)
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a refusal could not be audited");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::base::principal::Via;
    use crate::{
        clock::Clock,
        config::Config,
        entity::{member, role},
    };
    use sea_orm::QueryTrait;

    /// A change names the row by an id that was read through the scope, so that no request can show
    /// the filter of a deletion: here it is looked at itself.
    #[tokio::test]
    async fn every_change_is_filtered_by_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("scope.db").display());
        let config = Config::for_tests(url, folder.path());
        let db = Db::open(&config, String::new(), Clock::manual(1)).await.expect("a database");
        let workspace = crate::random::id(1);
        let origin = Origin {
            via: Via::Command,
            address: String::new(),
            user_agent: String::new(),
            route: String::new(),
            attempt: None,
        };
        let tx = db.begin().await.expect("a transaction");
        let open = Transaction { db: db.clone(), tx, now: 1, head: ChainHead::start(workspace), origin };
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
        open.roll_back().await.expect("rolled back");
    }
}
