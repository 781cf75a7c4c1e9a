//! One SQL text for both databases: the few words that differ are written in braces.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// A step is done as a whole or not at all: one that was cut off can be begun again. SQLite's default
/// here would be a commit a statement.
pub const WHOLE: Option<bool> = Some(true);

/// Runs each statement with the type names of the database at hand.
///
/// `{uuid}` `{int}` `{bool}` `{blob}` are column types (`{int}` is 64 bits wide and also holds
/// times, as milliseconds since 1970); `{bytewise}` makes a text compare by its bytes; `{table}` and `{keyed}` end a table's definition: strict on
/// SQLite, and for `{keyed}` stored in its primary key.
///
/// # Errors
/// The database's own, unchanged.
pub async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        execute(manager, statement).await?;
    }
    Ok(())
}

/// Runs the statements that only one of the two databases understands.
///
/// # Errors
/// The database's own, unchanged.
pub async fn run_on(
    backend: DbBackend,
    manager: &SchemaManager<'_>,
    statements: &[&str],
) -> Result<(), DbErr> {
    if manager.get_database_backend() == backend {
        run(manager, statements).await?;
    }
    Ok(())
}

async fn execute(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    let words: [(&str, &str); 7] = match manager.get_database_backend() {
        DbBackend::Postgres => [
            ("{uuid}", "UUID"),
            ("{int}", "BIGINT"),
            ("{bool}", "BOOLEAN"),
            ("{blob}", "BYTEA"),
            ("{table}", ""),
            ("{keyed}", ""),
            ("{bytewise}", "COLLATE \"C\""),
        ],
        _ => [
            ("{uuid}", "BLOB"),
            ("{int}", "INTEGER"),
            ("{bool}", "INTEGER"),
            ("{blob}", "BLOB"),
            ("{table}", "STRICT"),
            ("{keyed}", "STRICT, WITHOUT ROWID"),
            ("{bytewise}", ""),
        ],
    };
    let mut text = (*statement).to_owned();
    for (word, means) in words {
        text = text.replace(word, means);
    }
    manager.get_connection().execute_unprepared(&text).await?;
    Ok(())
}
