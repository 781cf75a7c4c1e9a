//! The pool of connections for reads.
//!
//! sqlx pings a connection each time it returns to the pool, which costs as much as a statement: on SQLite
//! two changes of thread, on PostgreSQL a round trip. So connections that only read are kept here between two
//! statements. They go through sqlx's pool and its ping only after an error, or if a request was cancelled
//! while its statement ran.

use crate::domain::base::{runtime::on, statements::StatementObserver};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    Values,
    sqlx::{self, Database, Executor, IntoArguments, Pool, Postgres, Sqlite, pool::PoolConnection},
};
use sea_query_sqlx::SqlxValues;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
};

/// Clones share their connections.
#[derive(Clone)]
pub struct ReadPool {
    pool: Backend,
    pub(in crate::domain) observer: StatementObserver,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<DriverPool<Sqlite>>),
    Postgres(Arc<DriverPool<Postgres>>),
}

struct DriverPool<D: Database> {
    pool: Pool<D>,
    /// The one that was used last is used next, because its cache is warm.
    idle: Mutex<Vec<PoolConnection<D>>>,
    /// As many permits as connections. Requests that need a connection wait here, in order.
    permits: Semaphore,
    acquire_timeout: Duration,
    /// Where new connections are opened, see [`Db::open`](crate::domain::base::db::Db::open).
    runtime: Handle,
}

/// A connection on which a statement runs. Dropped before the end, it returns to the sqlx pool.
struct PooledConnection<'a, D: Database> {
    connection: PoolConnection<D>,
    pool: &'a DriverPool<D>,
    _permit: SemaphorePermit<'a>,
}

impl<D: Database> DriverPool<D> {
    fn of(pool: Pool<D>) -> Arc<Self> {
        let max = pool.options().get_max_connections();
        let acquire_timeout = pool.options().get_acquire_timeout();
        let permits = Semaphore::new(usize::try_from(max).unwrap_or(1));
        Arc::new(Self { pool, idle: Mutex::default(), permits, acquire_timeout, runtime: Handle::current() })
    }

    async fn acquire(&self) -> Result<PooledConnection<'_, D>, DbErr> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(self.acquire_timeout, self.permits.acquire())
                .await
                .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
                .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?,
        };
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let connection = match idle {
            Some(connection) => connection,
            None => on(&self.runtime, self.pool.acquire()).await.map_err(|error| match error {
                sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
                sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
                error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
            })?,
        };
        Ok(PooledConnection { connection, pool: self, _permit: permit })
    }

    async fn close(&self) {
        self.permits.close();
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
        self.pool.close().await;
    }
}

impl<D: Database> PooledConnection<'_, D> {
    fn release(self) {
        if let Ok(mut idle) = self.pool.idle.lock() {
            idle.push(self.connection);
        }
    }
}

impl<D> DriverPool<D>
where
    D: Database,
    D::Row: Into<QueryResult>,
    D::QueryResult: Into<ExecResult>,
    SqlxValues: IntoArguments<D>,
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
{
    async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut pooled = self.acquire().await?;
        let done = query::<D>(statement).execute(&mut *pooled.connection).await.map_err(failed)?;
        pooled.release();
        Ok(done.into())
    }

    async fn one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut pooled = self.acquire().await?;
        let row = query::<D>(statement).fetch_optional(&mut *pooled.connection).await.map_err(failed)?;
        pooled.release();
        Ok(row.map(Into::into))
    }

    async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut pooled = self.acquire().await?;
        let rows = query::<D>(statement).fetch_all(&mut *pooled.connection).await.map_err(failed)?;
        pooled.release();
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

/// Statements are constant text in `domain`; everything that users typed is bound as a parameter.
fn query<D: Database>(statement: Statement) -> sqlx::query::Query<'static, D, SqlxValues>
where
    SqlxValues: IntoArguments<D>,
{
    let values = statement.values.unwrap_or(Values(Vec::new()));
    sqlx::query_with(sqlx::AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

impl ReadPool {
    pub(in crate::domain) fn of_sqlite(pool: Pool<Sqlite>) -> Self {
        Self { pool: Backend::Sqlite(DriverPool::of(pool)), observer: StatementObserver::default() }
    }

    pub(in crate::domain) fn of_postgres(pool: Pool<Postgres>) -> Self {
        Self { pool: Backend::Postgres(DriverPool::of(pool)), observer: StatementObserver::default() }
    }

    pub(in crate::domain) async fn close(&self) {
        match &self.pool {
            Backend::Sqlite(pool) => pool.close().await,
            Backend::Postgres(pool) => pool.close().await,
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for ReadPool {
    fn get_database_backend(&self) -> DbBackend {
        match self.pool {
            Backend::Sqlite(_) => DbBackend::Sqlite,
            Backend::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.observer.observe(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.execute(statement).await,
            Backend::Postgres(pool) => pool.execute(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.observer.observe(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.one(statement).await,
            Backend::Postgres(pool) => pool.one(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.observer.observe(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.all(statement).await,
            Backend::Postgres(pool) => pool.all(statement).await,
        }
    }
}
