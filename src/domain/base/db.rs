//! The connection, and how it is opened. Its fields are private to `domain`: no handler can query.

use crate::{
    clock::{Clock, Timestamp},
    config::{Config, Mail},
    domain::{
        base::{
            connect::{OpenError, make_private, migrate, postgres_options, sqlite_options, sqlite_readers},
            presence::{Presence, SessionLimits},
            read_pool::ReadPool,
            refusals::Refusals,
            role_cache::RoleCache,
            runtime::on,
            sealed::Sealer,
            statements::{Counter, StatementObserver, Transcript},
        },
        nouns::identity::Passwords,
    },
    secret::InstallationSecret,
};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::{path::Path, sync::Arc};
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
    statements: Counter,
    observer: StatementObserver,
    public_url: String,
    delivers_mail: bool,
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
        let (mut read, mut write) = if config.is_postgres() {
            let write = Database::connect(postgres_options(config)).await?;
            let read = Database::connect(postgres_options(config)).await?;
            (ReadPool::of_postgres(read.get_postgres_connection_pool().clone()), write)
        } else {
            let path = config.database_url.strip_prefix("sqlite://").ok_or(OpenError::Url)?;
            make_private(Path::new(path.split('?').next().unwrap_or(path)))?;
            // The writer first: it creates the file and switches it to WAL.
            let write = Database::connect(sqlite_options(config, 1, false)).await?;
            let read = Database::connect(sqlite_options(config, sqlite_readers(), true)).await?;
            (ReadPool::of_sqlite(read.get_sqlite_connection_pool().clone()), write)
        };
        migrate(&write).await?;
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
            statements: Counter::default(),
            observer,
            public_url,
            delivers_mail: matches!(config.mail, Mail::Smtp(_)),
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

    pub(in crate::domain) fn outbox_ready(&self) -> &Notify {
        &self.shared.outbox_ready
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
        let mode = (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        on(&self.shared.runtime, self.write.begin_with_options(options)).await
    }
}
