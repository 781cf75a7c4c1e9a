//! The tables of a backup and what is in them, in words that both databases share.

use crate::domain::base::sql::Sql;
use migration::{Migrator, MigratorExt};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DbBackend, DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table, and its columns by name, in which order its rows have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub table: String,
    pub columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// What a column holds. An id is bytes, and a truth value an integer, as SQLite stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Integer,
    Text,
    Bytes,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// How a database stores a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Integer,
    Text,
    Bytes,
    /// On PostgreSQL alone, as the next.
    Id,
    Truth,
}

impl Stored {
    /// By the name that the database's catalogue has for it.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "INTEGER" | "bigint" => Self::Integer,
            "TEXT" | "text" => Self::Text,
            "BLOB" | "bytea" => Self::Bytes,
            "uuid" => Self::Id,
            "boolean" => Self::Truth,
            _ => return None,
        })
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Integer | Self::Truth => Kind::Integer,
            Self::Text => Kind::Text,
            Self::Bytes | Self::Id => Kind::Bytes,
        }
    }
}

/// The columns of each table of a database, by name.
pub(super) type Columns = BTreeMap<String, Vec<(String, Stored)>>;

#[derive(FromQueryResult)]
struct Found {
    of_table: String,
    name: String,
    stored: String,
}

/// What lists the steps of the schema. It is made anew, and is no part of a backup.
pub(super) const STEPS: &str = "seaql_migrations";

const SQLITE: &str = "SELECT t.name AS of_table, c.name AS name, c.type AS stored
    FROM sqlite_master t CROSS JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY t.name";
const POSTGRES: &str = "SELECT CAST(table_name AS TEXT) AS of_table, CAST(column_name AS TEXT) AS name,
        CAST(data_type AS TEXT) AS stored
    FROM information_schema.columns WHERE table_schema = current_schema()";

/// The columns of those tables of a database that are named.
///
/// # Errors
/// [`DbErr::Type`] for a type that no step of the schema uses; otherwise the database's own.
pub(super) async fn columns<'a>(
    db: &impl ConnectionTrait,
    named: impl IntoIterator<Item = &'a String>,
) -> Result<Columns, DbErr> {
    let sql = if db.get_database_backend() == DbBackend::Postgres { POSTGRES } else { SQLITE };
    let mut columns: Columns = named.into_iter().map(|name| (name.clone(), Vec::new())).collect();
    let found: Vec<Found> = db.all(sql, Vec::new()).await?;
    for Found { of_table, name, stored } in found {
        let Some(columns) = columns.get_mut(&of_table) else { continue };
        let unknown = || DbErr::Type(format!("{of_table}.{name} is of the type {stored}"));
        columns.push((name.clone(), Stored::named(&stored).ok_or_else(unknown)?));
    }
    // The databases may have them in different orders.
    columns.values_mut().for_each(|columns| columns.sort_by(|(one, _), (other, _)| one.cmp(other)));
    Ok(columns)
}

/// The names of the tables that the first steps of the schema make. A database may have other tables beside
/// these: PostgreSQL, those of other programs.
///
/// # Errors
/// The database's own.
pub(super) async fn names(steps: u32) -> Result<Vec<String>, DbErr> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).sqlx_logging(false);
    let model = Database::connect(options).await?;
    Migrator::up(&model, Some(steps)).await?;
    let found: Vec<Found> = model.all(SQLITE, Vec::new()).await?;
    let mut names: Vec<String> = found.into_iter().map(|found| found.of_table).collect();
    names.dedup();
    names.retain(|name| name != STEPS);
    model.close().await?;
    Ok(names)
}

/// The names of all tables that there are, and of views.
///
/// # Errors
/// The database's own.
pub(super) async fn existing(db: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Existing {
        name: String,
    }
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(c.relname AS TEXT) AS name FROM pg_class c
            WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind NOT IN ('i', 'I', 'c')"
        }
        _ => "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')",
    };
    let existing: Vec<Existing> = db.all(sql, Vec::new()).await?;
    Ok(existing.into_iter().map(|existing| existing.name).collect())
}

/// The name of a table or column, for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
