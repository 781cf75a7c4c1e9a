//! The connection, and how it is opened. Its fields are private to `domain`: no handler can query.

use super::{
    identity::{Passwords, presence::Presence},
    readers::Readers,
    roles::RolesRead,
};
use crate::{clock::Clock, config::Config, private};
use migration::{Migrator, MigratorExt};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    FromQueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use serde::de::DeserializeOwned;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Everything that `domain` needs to work. A clone is the same thing.
#[derive(Clone)]
pub struct Db {
    read: Readers,
    write: DatabaseConnection,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    passwords: Passwords,
    presence: Presence,
    roles: RolesRead,
    outbox_ready: Notify,
    statements: Counter,
    told: Told,
    public_url: String,
}

/// Counts what costs something, such as SQL statements, so that nobody adds one to a page unseen.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// How many there were since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Which SQL statements were sent, of requests and beside them. They are kept from when somebody
/// first asks, which only the test does that has the database explain each of them.
#[derive(Clone, Default)]
pub struct Transcript(Arc<OnceLock<Mutex<Vec<Statement>>>>);

impl Transcript {
    /// Those since this was asked last.
    pub fn take(&self) -> Vec<Statement> {
        let kept = self.0.get_or_init(Mutex::default);
        kept.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
    }

    fn note(&self, statement: &Statement) {
        if let Some(Ok(mut kept)) = self.0.get().map(Mutex::lock) {
            kept.push(statement.clone());
        }
    }
}

/// Who is told of each statement.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// Of what requests send, and of nothing else.
    counter: Option<Counter>,
    transcript: Transcript,
}

impl Told {
    pub(super) fn of(&self, statement: &Statement) {
        if let Some(counter) = &self.counter {
            counter.one_more();
        }
        self.transcript.note(statement);
    }
}

/// Why the database could not be opened. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the folder {path} can't be made: {error}")]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("BAILIWICK_DATABASE_URL must start with sqlite:// or postgres://")]
    Url,
    #[error("the database can't be opened: {0}")]
    Database(#[from] DbErr),
}

/// Connections to SQLite that only read. WAL lets them work while the one writer writes. Each has a
/// thread of its own: with more of them than cores a page costs more (bench/README.md), and with one
/// a long search would hold up everybody.
fn sqlite_readers() -> u32 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(2).clamp(2, 8)
}

/// To read with and to write with, each.
const POSTGRES_CONNECTIONS: u32 = 8;
/// How long a request waits for a connection before it is told to come back.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be reached, made or migrated.
    pub async fn open(config: &Config, public_url: String, clock: Clock) -> Result<Self, OpenError> {
        let (mut read, mut write) = if config.is_postgres() {
            let write = Database::connect(postgres_options(config)).await?;
            let read = Database::connect(postgres_options(config)).await?;
            (Readers::of_postgres(read.get_postgres_connection_pool().clone()), write)
        } else {
            let path = config.database_url.strip_prefix("sqlite://").ok_or(OpenError::Url)?;
            make_private(Path::new(path.split('?').next().unwrap_or(path)))?;
            // The writer first: it creates the file and switches it to WAL.
            let write = Database::connect(sqlite_options(config, 1, false)).await?;
            let read = Database::connect(sqlite_options(config, sqlite_readers(), true)).await?;
            (Readers::of_sqlite(read.get_sqlite_connection_pool().clone()), write)
        };
        migrate(&write).await?;
        let told = Told::default();
        read.told = told.clone();
        let of_writes = told.clone();
        write.set_metric_callback(move |query| of_writes.of(query.statement));
        let shared = Shared {
            clock,
            passwords: Passwords::new(),
            presence: Presence::default(),
            roles: RolesRead::default(),
            outbox_ready: Notify::new(),
            statements: Counter::default(),
            told,
            public_url,
        };
        Ok(Self { read, write, shared: Arc::new(shared) })
    }

    /// The same database, for the requests: their statements are counted, and what is done beside
    /// them is not.
    pub fn counted(&self) -> Self {
        let mut counted = self.clone();
        let told = Told { counter: Some(self.shared.statements.clone()), ..self.shared.told.clone() };
        counted.read.told = told.clone();
        counted.write.set_metric_callback(move |query| told.of(query.statement));
        counted
    }

    /// Does the database answer?
    ///
    /// # Errors
    /// The database's own.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read().execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        self.read.close().await;
        if let Err(error) = self.write.close_by_ref().await {
            tracing::warn!(%error, "a connection did not close");
        }
    }

    pub fn statements(&self) -> Counter {
        self.shared.statements.clone()
    }

    pub fn transcript(&self) -> Transcript {
        self.shared.told.transcript.clone()
    }

    /// Passwords that were hashed, to be kept or to be compared.
    pub fn hashes(&self) -> Counter {
        self.shared.passwords.hashes()
    }

    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    pub(super) fn passwords(&self) -> &Passwords {
        &self.shared.passwords
    }

    pub(super) fn roles(&self) -> &RolesRead {
        &self.shared.roles
    }

    pub(super) fn presence(&self) -> &Presence {
        &self.shared.presence
    }

    /// Where people reach this installation, without a slash at the end.
    pub(super) fn public_url(&self) -> &str {
        &self.shared.public_url
    }

    pub(super) fn outbox_ready(&self) -> &Notify {
        &self.shared.outbox_ready
    }

    pub(super) fn read(&self) -> &Readers {
        &self.read
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    /// Opens a transaction that writes. On SQLite it takes the write lock at once: one that reads
    /// first and upgrades later would fail without waiting, whatever the busy timeout says.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let mode = (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        self.write.begin_with_options(options).await
    }
}

/// Brings the schema up to date; on PostgreSQL only one node at a time.
async fn migrate(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(connection, None).await;
    }
    // The lock lives as long as this transaction, and whoever waits for it finds nothing left to do.
    let lock = connection.begin().await?;
    lock.execute_unprepared("SELECT pg_advisory_xact_lock(4208137716)").await?;
    Migrator::up(connection, None).await?;
    lock.commit().await
}

/// Makes the database's folder and file where they are missing, for nobody else to read. SQLite gives the
/// files that it puts beside it the same mode.
fn make_private(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |error| OpenError::Folder { path: folder.to_owned(), error };
        private::make_folder(folder).map_err(failed)?;
    }
    // One that is there is opened as it is, and what can't be made is told by SQLite.
    let is_name = !path.to_string_lossy().contains(['%', ':']);
    if is_name {
        drop(private::new_file(path));
    }
    Ok(())
}

fn sqlite_options(config: &Config, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.database_url.clone());
    options
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .foreign_keys(true)
                .busy_timeout(ACQUIRE_TIMEOUT)
                .statement_cache_capacity(256)
                // A page and one more, so that SQLite does not wait for who reads.
                .row_buffer_size(64)
                .read_only(read_only);
            if read_only {
                sqlite
            } else {
                // FULL: what was answered survives a power cut, not only a crash of the process.
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
            }
        });
    options
}

fn postgres_options(config: &Config) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.database_url.clone());
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .set_application_name("bailiwick")
        .map_sqlx_postgres_opts(|postgres| postgres.options(POSTGRES_PLANS));
    options
}

/// How PostgreSQL plans what a request asks. Each statement goes by indices to a few rows, whoever
/// asks, so it is planned once and not for each workspace anew, and never by reading or hashing a
/// whole table, which looks cheap as long as the table is small or the average workspace is.
pub const POSTGRES_PLANS: [(&str, &str); 7] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("random_page_cost", "1.1"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Tables are joined in the order in which a statement names them, as CROSS JOIN has it on SQLite.
    ("join_collapse_limit", "1"),
];

/// Runs SQL that is written out. The text is the same on both databases: `$1` and so on are its
/// parameters.
pub(super) trait Sql: ConnectionTrait + Sized {
    async fn all<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, DbErr> {
        let rows = self.query_all_raw(self.statement(sql, values)).await?;
        rows.iter().map(|row| R::from_query_result(row, "")).collect()
    }

    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        let row = self.query_one_raw(self.statement(sql, values)).await?;
        row.map(|row| R::from_query_result(&row, "")).transpose()
    }

    /// Many rows, which come as one value: see [`gather`].
    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        let sql = format!("SELECT {} AS listed", gather(self.get_database_backend(), columns, rows));
        let one: Option<Gathered> = self.first(&sql, values).await?;
        gathered(one.and_then(|one| one.listed).as_deref())
    }

    /// Runs a change; answers how many rows it touched.
    async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        Ok(self.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.get_database_backend(), sql, values)
    }
}

impl<C: ConnectionTrait> Sql for C {}

#[derive(FromQueryResult)]
struct Gathered {
    listed: Option<String>,
}

/// The rows of a statement as one value, for a statement around it; [`gathered`] reads it. Fifty rows
/// that come one by one wake the thread that waits for them up to fifty times.
///
/// `columns` are in the order in which the row's type has its fields; those of ids end in `id`.
pub(super) fn gather(backend: DbBackend, columns: &[&str], rows: &str) -> String {
    match backend {
        DbBackend::Sqlite => {
            let read = |column: &&str| match column.ends_with("id") {
                true => format!("NULLIF(HEX({column}), '')"),
                false => (*column).to_owned(),
            };
            let columns: Vec<String> = columns.iter().map(read).collect();
            format!("(SELECT json_group_array(json_array({})) FROM ({rows}) AS listed)", columns.join(", "))
        }
        _ => {
            let columns = columns.join(", ");
            format!("(SELECT CAST(json_agg(json_build_array({columns})) AS TEXT) FROM ({rows}) AS listed)")
        }
    }
}

/// Reads what [`gather`] put together.
pub(super) fn gathered<R: DeserializeOwned>(rows: Option<&str>) -> Result<Vec<R>, DbErr> {
    rows.map_or(Ok(Vec::new()), |rows| {
        serde_json::from_str(rows).map_err(|error| DbErr::Type(error.to_string()))
    })
}
