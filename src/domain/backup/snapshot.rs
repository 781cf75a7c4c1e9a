//! Every row as it was at one moment, while others write.

use crate::{
    config::Config,
    domain::{
        backup::tables::{self, Cell, Column, Columns, Kind, Stored, Table, quoted},
        base::{
            connect::{OpenError, sqlite_file, sqlite_options},
            postgres, schema,
        },
    },
};
use futures_util::{Stream, TryStreamExt, stream::LocalBoxStream};
use sea_orm::{
    Database, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr,
    sqlx::{self, AssertSqlSafe, Postgres, Sqlite, pool::PoolConnection},
};
use uuid::Uuid;

/// A transaction that reads. Everything that was committed before it was opened is in it, and nothing of what was
/// committed later.
pub struct Snapshot {
    connection: Connection,
    pool: DatabaseConnection,
    columns: Columns,
    /// The steps of the schema that were applied, in their order.
    pub steps: Vec<String>,
    /// Every table of the program.
    pub tables: Vec<Table>,
}

enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// What a long transaction that reads whole tables needs of a session that is set up for requests.
const POSTGRES: [&str; 4] = [
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET LOCAL enable_seqscan = on",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
];

impl Snapshot {
    /// Opens the database as it is: its schema may be older than this program.
    ///
    /// # Errors
    /// If it can't be reached, is empty, or was made by a newer version.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let (pool, mut connection) = connect(config).await?;
        // A transaction sees the database as it is when it first reads.
        let sql = format!("SELECT version FROM {} ORDER BY version", tables::STEPS);
        let steps = connection.texts(&sql).await.map_err(|error| match is_missing(&error) {
            true => OpenError::Empty,
            false => error.into(),
        })?;
        let count = schema::check_known(&steps)?;
        let names = tables::names(count).await?;
        // By another transaction: a table that is altered meanwhile is an error when it is read.
        let columns = tables::columns(&pool, &names).await?;
        if let Some((missing, _)) = columns.iter().find(|(_, columns)| columns.is_empty()) {
            return Err(DbErr::Custom(format!("the table {missing} is missing")).into());
        }
        let tables = columns.iter().map(|(name, columns)| Table {
            table: name.clone(),
            columns: columns.iter().map(|(name, stored)| column(name, *stored)).collect(),
        });
        Ok(Self { tables: tables.collect(), connection, pool, columns, steps })
    }

    /// Gives every row of a table to `each`. Returns their number.
    ///
    /// # Errors
    /// The database's own, or that of `each`.
    pub async fn rows<E: From<DbErr>>(
        &mut self,
        table: &Table,
        mut each: impl FnMut(&[Cell]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let stored = self.columns.get(&table.table).map(Vec::as_slice).unwrap_or_default();
        let columns: Vec<String> = stored.iter().map(|(name, stored)| read(name, *stored)).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.table));
        let (mut rows, mut count) = (self.connection.stream(sql), 0);
        let mut cells = Vec::with_capacity(columns.len());
        while let Some(row) = rows.try_next().await? {
            cells.clear();
            for (at, column) in table.columns.iter().enumerate() {
                cells.push(cell(&row, at, column.kind)?);
            }
            each(&cells)?;
            count += 1;
        }
        Ok(count)
    }

    /// Gives the rows of a table that a condition selects to `each`, which may change them. Returns their number.
    ///
    /// # Errors
    /// The database's own, or that of `each`.
    pub(super) async fn selected<E: From<DbErr>>(
        &mut self,
        table: &Table,
        condition: &str,
        mut each: impl AsyncFnMut(&mut [Cell]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let stored = self.columns.get(&table.table).map(Vec::as_slice).unwrap_or_default();
        let columns: Vec<String> = stored.iter().map(|(name, stored)| read(name, *stored)).collect();
        let sql = format!("SELECT {} FROM {}{condition}", columns.join(", "), quoted(&table.table));
        let (mut rows, mut count) = (self.connection.stream(sql), 0);
        let mut cells = Vec::with_capacity(columns.len());
        while let Some(row) = rows.try_next().await? {
            cells.clear();
            for (at, column) in table.columns.iter().enumerate() {
                cells.push(cell(&row, at, column.kind)?);
            }
            each(&mut cells).await?;
            count += 1;
        }
        Ok(count)
    }

    /// How many rows of a table a condition selects.
    ///
    /// # Errors
    /// The database's own.
    pub(super) async fn count(&mut self, table: &Table, condition: &str) -> Result<i64, DbErr> {
        let sql = format!("SELECT CAST(COUNT(*) AS TEXT) FROM {}{condition}", quoted(&table.table));
        let count = self.connection.texts(&sql).await?.pop();
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
    }

    pub(super) fn backend(&self) -> DbBackend {
        match self.connection {
            Connection::Sqlite(_) => DbBackend::Sqlite,
            Connection::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// The workspace with this slug, unless it is deleted: its id and its name.
    ///
    /// # Errors
    /// The database's own.
    pub async fn workspace(&mut self, slug: &str) -> Result<Option<(Uuid, String)>, DbErr> {
        let slug = slug.replace('\'', "''");
        let id = match self.backend() {
            DbBackend::Postgres => "CAST(id AS TEXT)",
            _ => "lower(hex(id))",
        };
        let sql = format!(
            "SELECT {id} || ' ' || name FROM workspaces WHERE slug = '{slug}' AND deleted_at IS NULL"
        );
        let found = self.connection.texts(&sql).await?.pop();
        let parts = found.as_deref().and_then(|found| found.split_once(' '));
        Ok(parts.and_then(|(id, name)| Some((Uuid::parse_str(id).ok()?, name.to_owned()))))
    }

    /// The latest signed checkpoint of the audit record, if there is one.
    ///
    /// # Errors
    /// The database's own.
    pub async fn latest_checkpoint(&mut self) -> Result<Option<String>, DbErr> {
        if !self.columns.contains_key("audit_checkpoints") {
            return Ok(None);
        }
        Ok(self.connection.texts("SELECT note FROM audit_checkpoints ORDER BY seq DESC LIMIT 1").await?.pop())
    }

    /// Ends it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn close(self) -> Result<(), DbErr> {
        let Self { mut connection, pool, .. } = self;
        connection.execute("ROLLBACK").await?;
        drop(connection);
        pool.close().await
    }
}

/// One more connection than the transaction has.
const CONNECTIONS: u32 = 2;

async fn connect(config: &Config) -> Result<(DatabaseConnection, Connection), OpenError> {
    if config.is_postgres() {
        let pool = DatabaseConnection::from(postgres::open(config).await?.write);
        let connection = pool.get_postgres_connection_pool().acquire().await.map_err(failed)?;
        let mut connection = Connection::Postgres(connection);
        for sql in POSTGRES {
            connection.execute(sql).await?;
        }
        return Ok((pool, connection));
    }
    let file = sqlite_file(config)?;
    if !file.exists() {
        return Err(OpenError::Missing(file.to_owned()));
    }
    let pool = Database::connect(sqlite_options(config, CONNECTIONS, true)).await?;
    let connection = pool.get_sqlite_connection_pool().acquire().await.map_err(failed)?;
    let mut connection = Connection::Sqlite(connection);
    connection.execute("BEGIN").await?;
    Ok((pool, connection))
}

impl Connection {
    fn stream(&mut self, sql: String) -> LocalBoxStream<'_, Result<QueryResult, DbErr>> {
        match self {
            Self::Sqlite(connection) => results(sqlx::query(AssertSqlSafe(sql)).fetch(&mut **connection)),
            Self::Postgres(connection) => results(sqlx::query(AssertSqlSafe(sql)).fetch(&mut **connection)),
        }
    }

    async fn execute(&mut self, sql: &str) -> Result<(), DbErr> {
        self.stream(sql.to_owned()).try_collect::<Vec<_>>().await.map(drop)
    }

    /// The first column of each row.
    async fn texts(&mut self, sql: &str) -> Result<Vec<String>, DbErr> {
        let rows: Vec<QueryResult> = self.stream(sql.to_owned()).try_collect().await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }
}

fn results<'a, R: Into<QueryResult> + 'a>(
    rows: impl Stream<Item = Result<R, sqlx::Error>> + 'a,
) -> LocalBoxStream<'a, Result<QueryResult, DbErr>> {
    Box::pin(rows.map_ok(|row| -> QueryResult { row.into() }).map_err(failed))
}

/// There is no such table.
fn is_missing(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains("no such table") || text.contains("does not exist")
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn column(name: &str, stored: Stored) -> Column {
    Column { name: name.to_owned(), kind: stored.kind() }
}

/// A column, as an expression of its kind.
fn read(name: &str, stored: Stored) -> String {
    let name = quoted(name);
    match stored {
        Stored::Integer | Stored::Text | Stored::Bytes => name,
        Stored::Id => format!("uuid_send({name})"),
        Stored::Truth => format!("CAST(CAST({name} AS INTEGER) AS BIGINT)"),
    }
}

fn cell(row: &QueryResult, at: usize, kind: Kind) -> Result<Cell, DbErr> {
    Ok(match kind {
        Kind::Integer => row.try_get_by_index::<Option<i64>>(at)?.map(Cell::Integer),
        Kind::Text => row.try_get_by_index::<Option<String>>(at)?.map(Cell::Text),
        Kind::Bytes => row.try_get_by_index::<Option<Vec<u8>>>(at)?.map(Cell::Bytes),
    }
    .unwrap_or(Cell::Null))
}
