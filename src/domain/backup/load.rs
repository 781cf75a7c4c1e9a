//! An empty database becomes what a backup says, in one transaction: until it is committed there is nothing, and
//! it is committed only after everything that can be verified was verified.

use crate::{
    config::Config,
    domain::{
        backup::{
            guards::{self, Suspended},
            tables::{self, Cell, Columns, Stored, Table, quoted},
        },
        base::{
            connect::{OpenError, make_private, sqlite_file, sqlite_options, start_lock},
            postgres,
            refused::Refused,
            schema,
            sql::Sql,
        },
        enforce::verify::{self, Copy, Report},
    },
    note::Verifier,
};
use migration::{Migrator, MigratorExt};
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait, Value,
};
use std::fs::File;
use uuid::Uuid;

/// Why a backup could not be loaded. The sentence is for whoever restores it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "the database is not empty: it has the table {0}. A backup is restored into an empty database. Move this one away, or name another with BAILIWICK_DATABASE_URL."
    )]
    NotEmpty(String),
    #[error("this backup does not fit its own schema: {0}")]
    Unfit(String),
    #[error("this export can't be imported: {0}")]
    Rule(&'static str),
    #[error("can't restore into the database: {0}")]
    Database(#[from] DbErr),
    #[error("can't verify what was restored: {0}")]
    Verify(#[from] Refused),
}

/// A backup on its way into a database. Nothing of it is there before [`Proven::commit`].
pub struct Load {
    pub(super) transaction: DatabaseTransaction,
    pub(super) connection: DatabaseConnection,
    /// Until the end, no server starts on the file.
    pub(super) _starting: Option<File>,
    pub(super) columns: Columns,
    pub(super) suspended: Suspended,
}

/// The values of a statement that inserts rows: fewer than either database takes.
const MAX_VALUES: usize = 16_000;
/// Rows of one statement. More gain nothing.
const MAX_ROWS: usize = 500;

impl Load {
    /// Begins with an empty database and gives it the schema that the backup had.
    ///
    /// # Errors
    /// [`LoadError::NotEmpty`]; [`OpenError::Newer`] for a step that this program does not know.
    pub async fn begin(config: &Config, steps: &[String]) -> Result<Self, LoadError> {
        let count = schema::check_known(steps)?;
        let (connection, starting) = connect(config).await?;
        let options = TransactionOptions {
            sqlite_transaction_mode: (!config.is_postgres()).then_some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = connection.begin_with_options(options).await?;
        schema::lock(&transaction).await?;
        refuse_data(&transaction).await?;
        Migrator::up(&transaction, Some(count)).await?;
        let names = tables::names(count).await?;
        let columns = tables::columns(&transaction, &names).await?;
        let suspended = guards::suspend(&transaction, &names).await?;
        for name in &names {
            // A step may leave rows of its own.
            transaction.execute_unprepared(&format!("DELETE FROM {}", quoted(name))).await?;
        }
        Ok(Self { transaction, connection, _starting: starting, columns, suspended })
    }

    /// Rows that one call of [`Load::insert`] takes.
    pub fn batch(table: &Table) -> usize {
        (MAX_VALUES / table.columns.len().max(1)).clamp(1, MAX_ROWS)
    }

    /// Inserts rows, whose cells are in the order of the table's columns.
    ///
    /// # Errors
    /// [`LoadError::Unfit`] where the schema has no such table, column or value; otherwise the database's own.
    pub async fn insert(&self, table: &Table, rows: Vec<Vec<Cell>>) -> Result<(), LoadError> {
        let stored = self.stored(table)?;
        if rows.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let mut next = 1..;
        let mut placeholders = || {
            let own: Vec<String> = next.by_ref().take(names.len()).map(|n: usize| format!("${n}")).collect();
            format!("({})", own.join(", "))
        };
        let lines: Vec<String> = rows.iter().map(|_| placeholders()).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            quoted(&table.table),
            names.join(", "),
            lines.join(", ")
        );
        let cells = rows.into_iter().flat_map(|row| row.into_iter().zip(stored.iter().copied()));
        let values = cells.map(|(cell, stored)| value(cell, stored)).collect::<Option<Vec<Value>>>();
        let values = values.ok_or_else(|| LoadError::Unfit(format!("a value of {}", table.table)))?;
        self.transaction.run(&sql, values).await?;
        Ok(())
    }

    /// How the database stores each column of a table.
    fn stored(&self, table: &Table) -> Result<Vec<Stored>, LoadError> {
        let unfit = |what: &str| LoadError::Unfit(format!("{what} of {}", table.table));
        let columns = self.columns.get(&table.table).ok_or_else(|| unfit("the name"))?;
        let find = |name: &str| columns.iter().find(|(other, _)| other == name).map(|(_, stored)| *stored);
        let stored = table.columns.iter().map(|column| find(&column.name)).collect::<Option<Vec<_>>>();
        stored.filter(|stored| stored.len() == columns.len()).ok_or_else(|| unfit("the columns"))
    }

    /// Brings the schema up to date and verifies what is there then. Nobody is served before that.
    ///
    /// # Errors
    /// The database's own, if a foreign key does not hold, say.
    pub async fn prove(self, keys: &[Verifier], copies: &[Copy]) -> Result<Proven, LoadError> {
        let Self { transaction, connection, _starting, suspended, .. } = self;
        suspended.reinstate(&transaction).await?;
        Migrator::up(&transaction, None).await?;
        schema::analyze(&transaction).await?;
        // Whatever can be verified is verified here, before the transaction is committed.
        let audit = verify::verify_restored(&transaction, keys, copies).await?;
        Ok(Proven { transaction, connection, _starting, audit })
    }
}

/// A backup that was loaded and verified, and is not committed.
pub struct Proven {
    pub(super) transaction: DatabaseTransaction,
    pub(super) connection: DatabaseConnection,
    pub(super) _starting: Option<File>,
    /// What verifying the audit record showed.
    pub audit: Report,
}

impl Proven {
    /// From here on it is there.
    ///
    /// # Errors
    /// The database's own.
    pub async fn commit(self) -> Result<(), LoadError> {
        self.transaction.commit().await?;
        Ok(self.connection.close().await?)
    }

    /// The database stays empty.
    ///
    /// # Errors
    /// The database's own.
    pub async fn discard(self) -> Result<(), LoadError> {
        self.transaction.rollback().await?;
        Ok(self.connection.close().await?)
    }
}

async fn connect(config: &Config) -> Result<(DatabaseConnection, Option<File>), OpenError> {
    if config.is_postgres() {
        return Ok((postgres::open(config).await?.write.into(), None));
    }
    let file = sqlite_file(config)?;
    make_private(file)?;
    let starting = start_lock(file).await?;
    Ok((Database::connect(sqlite_options(config, 1, false)).await?, starting))
}

/// # Errors
/// [`LoadError::NotEmpty`] if there is a table of ours, of whatever version.
async fn refuse_data(transaction: &DatabaseTransaction) -> Result<(), LoadError> {
    let ours = tables::names(schema::count()).await?;
    let existing = tables::existing(transaction).await?;
    match existing.into_iter().find(|name| name == tables::STEPS || ours.contains(name)) {
        Some(name) => Err(LoadError::NotEmpty(name)),
        None => Ok(()),
    }
}

/// A cell as a database stores it; `None` if it does not fit.
fn value(cell: Cell, stored: Stored) -> Option<Value> {
    Some(match (stored, cell) {
        (Stored::Integer, Cell::Null) => None::<i64>.into(),
        (Stored::Integer, Cell::Integer(number)) => number.into(),
        (Stored::Truth, Cell::Null) => None::<bool>.into(),
        (Stored::Truth, Cell::Integer(number)) => (number != 0).into(),
        (Stored::Text, Cell::Null) => None::<String>.into(),
        (Stored::Text, Cell::Text(text)) => text.into(),
        (Stored::Bytes, Cell::Null) => None::<Vec<u8>>.into(),
        (Stored::Bytes, Cell::Bytes(bytes)) => bytes.into(),
        (Stored::Id, Cell::Null) => None::<Uuid>.into(),
        (Stored::Id, Cell::Bytes(bytes)) => Uuid::from_slice(&bytes).ok()?.into(),
        _ => return None,
    })
}
