//! The pool of connections for reads.
//!
//! sqlx pings a connection each time it returns to the pool, which costs as much as a statement: on SQLite
//! two changes of thread, on PostgreSQL a round trip. So connections that only read are kept here between two
//! statements. They go through sqlx's pool and its ping only after an error, or if a request was cancelled
//! while its statement ran.
//!
//! A connection to PostgreSQL belongs to the runtime of the thread that opened it: another thread can use it,
//! but is woken by way of the first. So each thread prefers its own. A connection may also be gone, with its
//! runtime when a worker ends, or because the database was restarted; what was read on it is then read again on
//! a new one.

use crate::domain::base::{
    counters::{Level, PoolState},
    file::DatabaseFile,
    statements::{Counter, StatementObserver},
};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    Values,
    sqlx::{self, Database, Executor, IntoArguments, Pool, Postgres, Sqlite, pool::PoolConnection},
};
use sea_query_sqlx::SqlxValues;
use std::{
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{Instrument, Span};

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
    /// The one that was used last is used next, because its cache is warm; of PostgreSQL, one of the same thread
    /// if there is one.
    idle: Mutex<Vec<Opened<D>>>,
    prefers_own: bool,
    /// As many permits as connections. Requests that need a connection wait here, in order.
    permits: Semaphore,
    max: usize,
    waiting: Level,
    timeouts: Counter,
    acquire_timeout: Duration,
    /// Where SQLite is.
    file: Option<DatabaseFile>,
}

/// A connection, and the thread that opened it.
struct Opened<D: Database> {
    connection: PoolConnection<D>,
    by: ThreadId,
}

/// A connection on which a statement runs. Dropped before the end, it returns to the sqlx pool.
struct PooledConnection<'a, D: Database> {
    opened: Opened<D>,
    /// It was opened for an earlier statement.
    is_used: bool,
    pool: &'a DriverPool<D>,
    _permit: SemaphorePermit<'a>,
}

impl<D: Database> DriverPool<D> {
    fn of(pool: Pool<D>, prefers_own: bool, file: Option<DatabaseFile>) -> Arc<Self> {
        let max = pool.options().get_max_connections();
        let acquire_timeout = pool.options().get_acquire_timeout();
        let max = usize::try_from(max).unwrap_or(1);
        let permits = Semaphore::new(max);
        let (waiting, timeouts) = (Level::default(), Counter::default());
        Arc::new(Self {
            pool,
            idle: Mutex::default(),
            prefers_own,
            permits,
            max,
            waiting,
            timeouts,
            acquire_timeout,
            file,
        })
    }

    async fn acquire(&self) -> Result<PooledConnection<'_, D>, DbErr> {
        if let Some(file) = &self.file {
            file.check()?;
        }
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        let (opened, is_used) = match self.take_idle() {
            Some(opened) => (opened, true),
            None => (self.open().await?, false),
        };
        Ok(PooledConnection { opened, is_used, pool: self, _permit: permit })
    }

    async fn wait(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        let _waiting = self.waiting.enter();
        match tokio::time::timeout(self.acquire_timeout, self.permits.acquire()).await {
            Ok(permit) => permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => {
                self.timeouts.increment();
                Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
            }
        }
    }

    fn state(&self) -> PoolState {
        let idle = self.idle.lock().map_or(0, |idle| idle.len());
        PoolState {
            max: self.max as u64,
            in_use: self.max.saturating_sub(self.permits.available_permits()) as u64,
            idle: idle as u64,
            waiting: self.waiting.now(),
            timeouts: self.timeouts.count(),
        }
    }

    /// For somebody who has a permit: a connection that is open, or `None` where one more may be opened.
    fn take_idle(&self) -> Option<Opened<D>> {
        let mut idle = self.idle.lock().ok()?;
        let own = match self.prefers_own {
            true => idle.iter().rposition(|opened| opened.by == thread::current().id()),
            false => None,
        };
        match own {
            Some(own) => Some(idle.remove(own)),
            // Everybody with a permit can open one more, and sqlx's pool has room for it: nobody waits there, to
            // which no connection returns.
            None if self.prefers_own && idle.len() <= self.permits.available_permits() => None,
            None => idle.pop(),
        }
    }

    async fn open(&self) -> Result<Opened<D>, DbErr> {
        let connection = self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            // Also when the time is up: there was room for this connection, so the database did not answer.
            error => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        })?;
        Ok(Opened { connection, by: thread::current().id() })
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
    fn driver(&mut self) -> &mut D::Connection {
        &mut self.opened.connection
    }

    fn release(self) {
        // Kept after `close` has emptied the list, it would be waited for without end.
        if let Ok(mut idle) = self.pool.idle.lock()
            && !self.pool.permits.is_closed()
        {
            idle.push(self.opened);
        }
    }

    /// Whether the statement failed because the connection was gone, so that it can be sent again.
    fn is_gone<T>(&self, done: &Result<T, sqlx::Error>) -> bool {
        self.is_used && done.as_ref().is_err_and(is_disconnect)
    }
}

impl<'a, D: Database> PooledConnection<'a, D> {
    /// A new connection in place of one that is gone.
    async fn reopen(self) -> Result<PooledConnection<'a, D>, DbErr> {
        let Self { opened, pool, _permit, .. } = self;
        drop(opened.connection.detach());
        Ok(PooledConnection { opened: pool.open().await?, is_used: false, pool, _permit })
    }
}

/// The connection broke, or the database closed it because it is shutting down.
fn is_disconnect(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
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
        let mut done = query::<D>(statement.clone()).execute(pooled.driver()).await;
        if pooled.is_gone(&done) {
            pooled = pooled.reopen().await?;
            done = query::<D>(statement).execute(pooled.driver()).await;
        }
        let done = done.map_err(failed)?;
        pooled.release();
        Ok(done.into())
    }

    async fn one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut pooled = self.acquire().await?;
        let mut row = query::<D>(statement.clone()).fetch_optional(pooled.driver()).await;
        if pooled.is_gone(&row) {
            pooled = pooled.reopen().await?;
            row = query::<D>(statement).fetch_optional(pooled.driver()).await;
        }
        let row = row.map_err(failed)?;
        pooled.release();
        Ok(row.map(Into::into))
    }

    async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut pooled = self.acquire().await?;
        let mut rows = query::<D>(statement.clone()).fetch_all(pooled.driver()).await;
        if pooled.is_gone(&rows) {
            pooled = pooled.reopen().await?;
            rows = query::<D>(statement).fetch_all(pooled.driver()).await;
        }
        let rows = rows.map_err(failed)?;
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

/// The span of a statement in a trace. Its text is a constant; what users typed is not in it.
fn span(statement: &Statement) -> Span {
    /// Enough to know which one it is.
    const SHOWN: usize = 200;
    tracing::debug_span!(
        "sql",
        "otel.kind" = "client",
        "db.query.text" = statement
            .sql
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(SHOWN)
            .collect::<String>(),
    )
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

impl ReadPool {
    pub(in crate::domain) fn of_sqlite(pool: Pool<Sqlite>, file: Option<DatabaseFile>) -> Self {
        let pool = Backend::Sqlite(DriverPool::of(pool, false, file));
        Self { pool, observer: StatementObserver::default() }
    }

    pub(in crate::domain) fn of_postgres(pool: Pool<Postgres>) -> Self {
        let pool = Backend::Postgres(DriverPool::of(pool, true, None));
        Self { pool, observer: StatementObserver::default() }
    }

    pub(in crate::domain) fn state(&self) -> PoolState {
        match &self.pool {
            Backend::Sqlite(pool) => pool.state(),
            Backend::Postgres(pool) => pool.state(),
        }
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
        let span = span(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.execute(statement).instrument(span).await,
            Backend::Postgres(pool) => pool.execute(statement).instrument(span).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.get_database_backend(), sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.observer.observe(&statement);
        let span = span(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.one(statement).instrument(span).await,
            Backend::Postgres(pool) => pool.one(statement).instrument(span).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.observer.observe(&statement);
        let span = span(&statement);
        match &self.pool {
            Backend::Sqlite(pool) => pool.all(statement).instrument(span).await,
            Backend::Postgres(pool) => pool.all(statement).instrument(span).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::sqlx::sqlite::SqlitePoolOptions;
    use std::sync::Barrier;
    use tokio::runtime::Builder;

    /// Breaks when `take_idle` opens one more because sqlx's pool is not full yet: of two that see it, one waits
    /// until its time is up.
    #[test]
    fn connections_of_other_threads_are_used_before_anybody_waits() {
        const THREADS: usize = 24;
        let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let _entered = runtime.enter();
        for _ in 0..20 {
            let options = SqlitePoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(5));
            let pool = runtime.block_on(options.connect("sqlite::memory:")).expect("a pool");
            let shared = DriverPool::of(pool, true, None);
            let start = Barrier::new(THREADS);
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        let own = Builder::new_current_thread().enable_all().build().expect("a runtime");
                        start.wait();
                        for _ in 0..20 {
                            let one = Statement::from_string(DbBackend::Sqlite, "SELECT 1");
                            own.block_on(shared.one(one)).expect("a row");
                        }
                    });
                }
            });
        }
    }

    /// Breaks when `release` keeps a connection although `close` has emptied the list.
    #[test]
    fn a_connection_that_returns_while_the_pool_closes_is_closed() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let pool = SqlitePoolOptions::new().connect("sqlite::memory:").await.expect("a pool");
            let shared = DriverPool::of(pool, false, None);
            let pooled = shared.acquire().await.expect("a connection");
            let closing = tokio::time::timeout(Duration::from_secs(60), shared.close());
            let (closed, ()) = tokio::join!(closing, async { pooled.release() });
            closed.expect("the pool waits for a connection that it keeps");
        });
    }
}
