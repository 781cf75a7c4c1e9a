//! The connection, and how it is opened. Its fields are private to `domain`: no handler can query.

use crate::{
    clock::{Clock, Timestamp},
    config::{Config, Mail, plans::Plans},
    domain::{
        base::{
            connect::{
                IfMissing, OpenError, make_private, refuse_missing, sqlite_file, sqlite_options,
                sqlite_readers, start_lock,
            },
            counters::{Counters, HashingState, Level, PoolState},
            file::DatabaseFile,
            outage::{Outage, OutageLog},
            postgres,
            presence::{Presence, SessionLimits},
            read_pool::ReadPool,
            refusals::Refusals,
            role_cache::RoleCache,
            runtime::on,
            schema,
            sealed::Sealer,
            statements::{Counter, StatementObserver, Transcript},
            traffic_log::TrafficLog,
        },
        nouns::identity::Passwords,
    },
    secret::InstallationSecret,
};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait, sqlx,
};
use std::sync::Arc;
use tokio::{runtime::Handle, sync::Notify};

/// Everything that `domain` needs to work. Clones share their state.
#[derive(Clone)]
pub struct Db {
    read: ReadPool,
    write: DatabaseConnection,
    shared: Arc<Shared>,
}

struct Shared {
    /// The runtime on which the database was opened.
    runtime: Handle,
    clock: Clock,
    passwords: Passwords,
    presence: Presence,
    sessions: SessionLimits,
    sealer: Sealer,
    refusals: Refusals,
    roles: RoleCache,
    outbox_ready: Notify,
    traffic: TrafficLog,
    events_ready: Notify,
    counters: Counters,
    /// Those who wait to begin a transaction.
    beginning: Level,
    begin_timeouts: Counter,
    statements: Counter,
    observer: StatementObserver,
    /// Where SQLite is.
    file: Option<DatabaseFile>,
    outage: OutageLog,
    public_url: String,
    /// Hosts that may be destinations although they are not public.
    allowed_hosts: Vec<String>,
    delivers_mail: bool,
    support_email: Option<String>,
    plans: Plans,
    uses_stripe: bool,
}

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// Every connection to PostgreSQL for writes is opened on the runtime that this is called on: a connection
    /// ends with its runtime, and a worker of the server has its own runtime, which may end while other workers
    /// still respond.
    ///
    /// # Errors
    /// If it cannot be reached, created or migrated.
    pub async fn open(config: &Config, public_url: String, clock: Clock) -> Result<Self, OpenError> {
        Self::open_or(config, public_url, clock, IfMissing::Create).await
    }

    /// [`Db::open`] for a command that works on what is there: a database that is missing or empty is another one than
    /// was meant, and stays as it is.
    ///
    /// # Errors
    /// As [`Db::open`]; [`OpenError::Missing`], [`OpenError::Empty`].
    pub async fn open_existing(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        Self::open_existing_at(config, String::new(), clock).await
    }

    /// [`Db::open_existing`] for a command that sends mail: links in it begin with `public_url`.
    ///
    /// # Errors
    /// As [`Db::open_existing`].
    pub async fn open_existing_at(
        config: &Config,
        public_url: String,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_or(config, public_url, clock, IfMissing::Refuse).await
    }

    async fn open_or(
        config: &Config,
        public_url: String,
        clock: Clock,
        if_missing: IfMissing,
    ) -> Result<Self, OpenError> {
        let (mut starting, mut file) = (None, None);
        let (mut read, mut write) = if config.is_postgres() {
            let pools = postgres::open(config).await?;
            (ReadPool::of_postgres(pools.read), DatabaseConnection::from(pools.write))
        } else {
            let path = sqlite_file(config)?;
            match if_missing {
                IfMissing::Create => make_private(path)?,
                IfMissing::Refuse => refuse_missing(path)?,
            }
            starting = start_lock(path).await?;
            // The writer first: it creates the file and switches it to WAL.
            let write = Database::connect(sqlite_options(config, 1, false)).await?;
            let read = Database::connect(sqlite_options(config, sqlite_readers(), true)).await?;
            file = Some(DatabaseFile::opened(path.to_owned()));
            (ReadPool::of_sqlite(read.get_sqlite_connection_pool().clone(), file.clone()), write)
        };
        schema::prepare(config, &write, if_missing).await?;
        drop(starting);
        let observer = StatementObserver::default();
        read.observer = observer.clone();
        let of_writes = observer.clone();
        write.set_metric_callback(move |query| of_writes.observe(query.statement));
        let shared = Shared {
            runtime: Handle::current(),
            clock,
            passwords: Passwords::new(config.acquire_timeout),
            presence: Presence::default(),
            sessions: SessionLimits::new(config.session_idle_days),
            sealer: Sealer::new(InstallationSecret::find(config)?.as_ref()),
            refusals: Refusals::default(),
            roles: RoleCache::default(),
            outbox_ready: Notify::new(),
            traffic: TrafficLog::default(),
            events_ready: Notify::new(),
            counters: Counters::default(),
            beginning: Level::default(),
            begin_timeouts: Counter::default(),
            statements: Counter::default(),
            observer,
            file,
            outage: OutageLog::default(),
            public_url,
            allowed_hosts: config.outbound_allow.iter().map(|allowed| allowed.host.clone()).collect(),
            delivers_mail: matches!(config.mail, Mail::Smtp(_)),
            support_email: config.support_email.clone(),
            plans: config.plans.clone(),
            uses_stripe: config.stripe.is_on(),
        };
        Ok(Self { read, write, shared: Arc::new(shared) })
    }

    /// This database, for requests: their statements are counted, and those of
    /// background tasks are not.
    pub fn with_counter(&self) -> Self {
        let mut counted = self.clone();
        let observer = StatementObserver {
            counter: Some(self.shared.statements.clone()),
            ..self.shared.observer.clone()
        };
        counted.read.observer = observer.clone();
        counted.write.set_metric_callback(move |query| observer.observe(query.statement));
        counted
    }

    /// Checks that the database can be reached.
    ///
    /// # Errors
    /// The database's own.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read().execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.read.close().await;
        if let Err(error) = self.write.close_by_ref().await {
            tracing::warn!(%error, "could not close a database connection");
        }
    }

    pub fn statements(&self) -> Counter {
        self.shared.statements.clone()
    }

    pub fn transcript(&self) -> Transcript {
        self.shared.observer.transcript.clone()
    }

    /// Counts the passwords that were hashed, to be stored or compared.
    pub fn hashes(&self) -> Counter {
        self.shared.passwords.hashes()
    }

    /// What has happened beside requests since the start.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The requests to the gateway that are to be listed and counted.
    pub fn traffic(&self) -> &TrafficLog {
        &self.shared.traffic
    }

    /// The connections that read.
    pub fn readers(&self) -> PoolState {
        self.read.state()
    }

    /// The connections that write.
    pub fn writers(&self) -> PoolState {
        let (max, open, idle) = match self.backend() {
            DbBackend::Sqlite => sizes(self.write.get_sqlite_connection_pool()),
            _ => sizes(self.write.get_postgres_connection_pool()),
        };
        PoolState {
            max,
            in_use: open.saturating_sub(idle),
            idle,
            waiting: self.shared.beginning.now(),
            timeouts: self.shared.begin_timeouts.count(),
        }
    }

    /// The queue in front of the cores that hash passwords.
    pub fn hashing(&self) -> HashingState {
        self.shared.passwords.state()
    }

    /// The kind of database, as a word.
    pub fn kind(&self) -> &'static str {
        match self.backend() {
            DbBackend::Sqlite => "sqlite",
            _ => "postgres",
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Whether mail is delivered to people, and not only saved in files.
    pub(in crate::domain) fn delivers_mail(&self) -> bool {
        self.shared.delivers_mail
    }

    /// The address of those who run the installation, for requests for support.
    pub(in crate::domain) fn support_email(&self) -> Option<&str> {
        self.shared.support_email.as_deref()
    }

    /// What workspaces can have, and for how much.
    pub(in crate::domain) fn plans(&self) -> &Plans {
        &self.shared.plans
    }

    /// Whether Stripe collects what invoices amount to.
    pub(in crate::domain) fn uses_stripe(&self) -> bool {
        self.shared.uses_stripe
    }

    pub(in crate::domain) fn passwords(&self) -> &Passwords {
        &self.shared.passwords
    }

    pub(in crate::domain) fn roles(&self) -> &RoleCache {
        &self.shared.roles
    }

    pub(in crate::domain) fn presence(&self) -> &Presence {
        &self.shared.presence
    }

    pub(in crate::domain) fn session_limits(&self) -> SessionLimits {
        self.shared.sessions
    }

    /// Seals and opens texts that may contain secrets.
    pub(in crate::domain) fn sealer(&self) -> &Sealer {
        &self.shared.sealer
    }

    pub(in crate::domain) fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    /// The public URL of this installation, without a trailing slash.
    pub(in crate::domain) fn public_url(&self) -> &str {
        &self.shared.public_url
    }

    /// Whether the operator allows requests to this very host, in ASCII, wherever it is.
    pub(in crate::domain) fn allows_host(&self, host: &str) -> bool {
        self.shared.allowed_hosts.iter().any(|allowed| allowed == host)
    }

    pub(in crate::domain) fn outbox_ready(&self) -> &Notify {
        &self.shared.outbox_ready
    }

    /// Something may have been queued for destinations that receive events.
    pub(in crate::domain) fn events_ready(&self) -> &Notify {
        &self.shared.events_ready
    }

    pub(in crate::domain) fn read(&self) -> &ReadPool {
        &self.read
    }

    pub(in crate::domain) fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    /// Opens a transaction that writes. On SQLite it takes the write lock at once: one that reads
    /// first and upgrades later would fail without waiting, whatever the busy timeout says.
    pub(in crate::domain) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        // Each connection of the pool may be gone since PostgreSQL restarted. Nothing was done on it yet.
        for _ in 0..postgres::CONNECTIONS {
            match self.begin_once().await {
                Err(error) if Outage::of(&error) == Some(Outage::Broken) => {}
                done => return done,
            }
        }
        self.begin_once().await
    }

    /// The runtime that outlives those of the workers: for what goes on beside requests.
    pub(in crate::domain) fn runtime(&self) -> &Handle {
        &self.shared.runtime
    }

    async fn begin_once(&self) -> Result<DatabaseTransaction, DbErr> {
        if let Some(file) = &self.shared.file {
            file.check()?;
        }
        let mode = (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        let _waiting = self.shared.beginning.enter();
        let begun = on(&self.shared.runtime, self.write.begin_with_options(options)).await;
        if let Err(DbErr::ConnectionAcquire(_)) = &begun {
            self.shared.begin_timeouts.increment();
        }
        begun
    }

    /// Logs an error of a statement if it is a sign of an outage, once for all of them. Returns whether it is.
    pub fn note_outage(&self, error: &DbErr) -> bool {
        let outage = Outage::of(error);
        if let Some(outage) = outage {
            self.shared.outage.note(outage, error, self.now());
        }
        outage.is_some()
    }

    /// Logs that an outage is over, if it is. To be called every few seconds.
    pub(in crate::domain) async fn note_recovery(&self) {
        if self.shared.outage.may_be_over() && self.ping().await.is_ok() {
            self.shared.outage.end(self.now());
        }
    }
}

/// How many connections a pool may have, has, and has free.
fn sizes<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (u64, u64, u64) {
    (pool.options().get_max_connections().into(), pool.size().into(), pool.num_idle() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::base::sql::Sql;
    use std::path::Path;

    async fn opened(folder: &Path) -> (Db, DatabaseConnection) {
        let url = format!("sqlite://{}", folder.join("outage.db").display());
        let config = Config::for_tests(url, folder);
        let clock = Clock::manual(Timestamp::default());
        let db = Db::open(&config, String::new(), clock).await.expect("a database");
        let other = sqlite_options(
            &Config { acquire_timeout: std::time::Duration::from_secs(1), ..config },
            1,
            false,
        );
        let other = Database::connect(other).await.expect("another connection");
        other.execute_unprepared("CREATE TABLE filler (data BLOB)").await.expect("a table");
        (db, other)
    }

    async fn insert(db: &Db, bytes: u32) -> Result<(), DbErr> {
        let tx = db.begin().await?;
        let done = tx.run(&format!("INSERT INTO filler VALUES (zeroblob({bytes}))"), Vec::new()).await;
        match done {
            Ok(_) => tx.commit().await,
            // As `Transaction::roll_back` does it.
            Err(error) => tx.rollback().await.map_or(Err(error), |()| unreachable!("SQLite has rolled back")),
        }
    }

    /// Breaks without `is_reusable` in connect.rs.
    #[tokio::test]
    async fn after_a_full_disk_transactions_begin_as_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let (db, other) = opened(folder.path()).await;
        db.write.execute_unprepared("PRAGMA max_page_count = 1").await.expect("a limit");
        let error = insert(&db, 1_000_000).await.expect_err("it is full");
        assert_eq!(Outage::of(&error), Some(Outage::Full), "{error}");
        let tx = db.begin().await.expect("a transaction");
        let lock = other.execute_unprepared("BEGIN IMMEDIATE").await.expect_err("the lock is taken");
        assert_eq!(Outage::of(&lock), Some(Outage::Locked), "{lock}");
        tx.rollback().await.expect("rolled back");
        insert(&db, 1).await.expect("there is room again");
    }

    #[tokio::test]
    async fn a_file_that_is_only_read_is_an_outage() {
        let folder = tempfile::tempdir().expect("a folder");
        let (db, _) = opened(folder.path()).await;
        db.write.execute_unprepared("PRAGMA query_only = ON").await.expect("set");
        let error = insert(&db, 1).await.expect_err("read only");
        assert_eq!(Outage::of(&error), Some(Outage::ReadOnly), "{error}");
    }
}
