//! How the database is opened: the folder and its mode, the pool of SQLite, PostgreSQL's plans.

use crate::{config::Config, domain::base::outage::Outage, private, secret::SecretError};
use sea_orm::{
    ConnectOptions, DbErr,
    sqlx::{
        self, Connection, SqliteConnection,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// Why the database could not be opened. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("can't create the folder {path}: {error}")]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("can't lock {path}: {error}")]
    Lock { path: PathBuf, error: std::io::Error },
    #[error("BAILIWICK_DATABASE_URL must start with sqlite:// or postgres://")]
    Url,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "the database was made by a newer version of Bailiwick ({0}). Start that version, or restore a backup from before the upgrade."
    )]
    Newer(String),
    #[error(
        "the database's schema is older than this version, and BAILIWICK_MIGRATE is off. Run bailiwick migrate with a role that owns the tables."
    )]
    Older,
    #[error("BAILIWICK_DATABASE_URL can't be used: {0}.")]
    PostgresUrl(String),
    #[error(
        "there is a pooler such as PgBouncer between Bailiwick and PostgreSQL that shares connections among transactions. Connect to PostgreSQL itself, or to a pool in session mode: Bailiwick keeps a pool of its own, and statements that were prepared and planned for a connection."
    )]
    Pooler,
    #[error("can't connect to PostgreSQL: {0}")]
    Postgres(String),
    #[error("can't open the database: {outage} ({error})")]
    Outage { outage: Outage, error: DbErr },
    #[error(
        "the role in BAILIWICK_DATABASE_URL may not change the schema ({0}). Run bailiwick migrate with a role that owns the tables, and set BAILIWICK_MIGRATE=off here; or let this role create in the schema."
    )]
    NotOwner(DbErr),
    #[error("there is no database at {0}. Set BAILIWICK_DATABASE_URL as for the server.")]
    Missing(PathBuf),
    #[error("the database is empty. Set BAILIWICK_DATABASE_URL as for the server.")]
    Empty,
    #[error("can't open the database: {0}")]
    Database(DbErr),
}

impl OpenError {
    /// Whether trying again changes nothing before somebody has changed a setting, or what it names.
    pub fn needs_mending(&self) -> bool {
        match self {
            Self::Folder { error, .. } | Self::Lock { error, .. } => private::needs_mending(error),
            // Somebody may be about to update the schema.
            Self::Older | Self::Postgres(_) | Self::Outage { .. } | Self::Database(_) => false,
            Self::Url
            | Self::Secret(_)
            | Self::Newer(_)
            | Self::PostgresUrl(_)
            | Self::Pooler
            | Self::NotOwner(_)
            | Self::Missing(_)
            | Self::Empty => true,
        }
    }
}

impl From<DbErr> for OpenError {
    fn from(error: DbErr) -> Self {
        match Outage::of(&error) {
            Some(outage) => Self::Outage { outage, error },
            None if error.to_string().contains("permission denied for") => Self::NotOwner(error),
            None => Self::Database(error),
        }
    }
}

/// Connections to SQLite that only read. WAL lets them work while the one writer writes. Each has a
/// thread of its own: with more of them than cores a page costs more (bench/README.md), and with one
/// a long search would hold up everybody.
pub(in crate::domain) fn sqlite_readers() -> u32 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(2).clamp(2, 8)
}

/// What becomes of a database that is missing or has no tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain) enum IfMissing {
    Create,
    Refuse,
}

/// # Errors
/// [`OpenError::Missing`].
pub(in crate::domain) fn refuse_missing(path: &Path) -> Result<(), OpenError> {
    // What SQLite does not take for a path is for it to find.
    let is_name = !path.to_string_lossy().contains(['%', ':']);
    if is_name && !path.exists() { Err(OpenError::Missing(path.to_owned())) } else { Ok(()) }
}

/// Creates the database's folder and file if they are missing, readable by nobody else. SQLite gives the
/// files next to it the same mode.
pub(in crate::domain) fn make_private(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |error| OpenError::Folder { path: folder.to_owned(), error };
        private::make_folder(folder).map_err(failed)?;
    }
    // An existing file is opened as it is, and SQLite reports what can't be created.
    let is_name = !path.to_string_lossy().contains(['%', ':']);
    if is_name {
        drop(private::new_file(path));
    }
    Ok(())
}

/// The file of a SQLite database.
///
/// # Errors
/// [`OpenError::Url`].
pub(in crate::domain) fn sqlite_file(config: &Config) -> Result<&Path, OpenError> {
    let path = config.database_url.strip_prefix("sqlite://").ok_or(OpenError::Url)?;
    Ok(Path::new(path.split('?').next().unwrap_or(path)))
}

/// Waits until no other node opens this database for the first time. SQLite's own locks do not cover the moments in
/// which a file is created, switched to WAL and filled with tables.
///
/// # Errors
/// [`OpenError::Lock`].
pub(in crate::domain) async fn start_lock(path: &Path) -> Result<Option<File>, OpenError> {
    if path.to_string_lossy().contains(['%', ':']) {
        return Ok(None);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = path.clone();
    // Whoever has the lock may need this thread to go on.
    let locking = tokio::task::spawn_blocking(move || {
        let file = private::new_file(&file).or_else(|_| File::open(&file))?;
        file.lock().map(|()| file)
    });
    let locked = locking.await.unwrap_or_else(|error| Err(error.into()));
    locked.map(Some).map_err(|error| OpenError::Lock { path, error })
}

pub(in crate::domain) fn sqlite_options(
    config: &Config,
    connections: u32,
    read_only: bool,
) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.database_url.clone());
    let busy_timeout = config.acquire_timeout;
    options
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(config.acquire_timeout)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(is_reusable(connection)))
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .foreign_keys(true)
                .busy_timeout(busy_timeout)
                .statement_cache_capacity(256)
                // One page of rows and one more, so that SQLite does not wait for the reader.
                .row_buffer_size(64)
                .read_only(read_only);
            if read_only {
                sqlite
            } else {
                // FULL: an acknowledged change survives a power cut, not only a crash of the process.
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    // What was deleted is overwritten.
                    .pragma("secure_delete", "ON")
            }
        });
    options
}

/// Whether a connection to SQLite can be used again. SQLite itself rolls a transaction back if the disk is full, and the
/// driver, whose own attempt fails then, takes it to be open for ever.
async fn is_reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // A rollback may be under way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// How PostgreSQL plans the statements of a request. Each goes by indices to few rows, whoever
/// runs it, so it is planned once and not for each workspace anew, and never by reading or hashing a
/// whole table, which is cheap only as long as the table or the average workspace is small.
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
