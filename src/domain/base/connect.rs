//! How the database is opened: the folder and its mode, the pools, the schema, PostgreSQL's plans.

use crate::{config::Config, private, secret::SecretError};
use migration::{Migrator, MigratorExt};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use std::path::{Path, PathBuf};

/// Why the database could not be opened. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("can't create the folder {path}: {error}")]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("BAILIWICK_DATABASE_URL must start with sqlite:// or postgres://")]
    Url,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("can't open the database: {0}")]
    Database(#[from] DbErr),
}

/// Connections to SQLite that only read. WAL lets them work while the one writer writes. Each has a
/// thread of its own: with more of them than cores a page costs more (bench/README.md), and with one
/// a long search would hold up everybody.
pub(in crate::domain) fn sqlite_readers() -> u32 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    u32::try_from(cores).unwrap_or(2).clamp(2, 8)
}

/// The number of connections for reads, and of those for writes.
const POSTGRES_CONNECTIONS: u32 = 8;

/// Brings the schema up to date; on PostgreSQL only one node at a time.
pub(in crate::domain) async fn migrate(connection: &DatabaseConnection) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(connection, None).await;
    }
    // The lock lives as long as this transaction, and whoever waits for it finds nothing left to do.
    let lock = connection.begin().await?;
    lock.execute_unprepared("SELECT pg_advisory_xact_lock(4208137716)").await?;
    Migrator::up(connection, None).await?;
    lock.commit().await
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

pub(in crate::domain) fn postgres_options(config: &Config) -> ConnectOptions {
    let mut options = ConnectOptions::new(config.database_url.clone());
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(config.acquire_timeout)
        .connect_timeout(config.acquire_timeout)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .set_application_name("bailiwick")
        .map_sqlx_postgres_opts(|postgres| postgres.options(POSTGRES_PLANS));
    options
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
