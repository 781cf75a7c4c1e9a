//! SQL text that both databases understand.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, Value};
use serde::de::DeserializeOwned;

/// Runs SQL text that both databases understand: `$1` and so on are its
/// parameters.
pub(in crate::domain) trait Sql: ConnectionTrait + Sized {
    async fn all<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, DbErr> {
        let rows = self.query_all_raw(self.statement(sql, values)).await?;
        rows.iter().map(|row| R::from_query_result(row, "")).collect()
    }

    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        let row = self.query_one_raw(self.statement(sql, values)).await?;
        row.map(|row| R::from_query_result(&row, "")).transpose()
    }

    /// Many rows, fetched as one value: see [`aggregate_json`].
    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        let sql = format!("SELECT {} AS listed", aggregate_json(self.get_database_backend(), columns, rows));
        let one: Option<AggregatedRows> = self.first(&sql, values).await?;
        parse_json_rows(one.and_then(|one| one.listed).as_deref())
    }

    /// Runs a change; returns the number of affected rows.
    async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        Ok(self.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.get_database_backend(), sql, values)
    }
}

impl<C: ConnectionTrait> Sql for C {}

#[derive(FromQueryResult)]
struct AggregatedRows {
    listed: Option<String>,
}

/// The rows of a statement as one value, for a statement around it; [`parse_json_rows`] reads it. Fifty rows
/// that come one by one wake the thread that waits for them up to fifty times.
///
/// `columns` are in the order in which the row's type has its fields; those of ids end in `id`.
pub(in crate::domain) fn aggregate_json(backend: DbBackend, columns: &[&str], rows: &str) -> String {
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

/// Reads what [`aggregate_json`] aggregated.
pub(in crate::domain) fn parse_json_rows<R: DeserializeOwned>(rows: Option<&str>) -> Result<Vec<R>, DbErr> {
    rows.map_or(Ok(Vec::new()), |rows| {
        serde_json::from_str(rows).map_err(|error| DbErr::Type(error.to_string()))
    })
}

/// A pattern that finds `text` anywhere, whatever LIKE would read into it.
pub(in crate::domain) fn like(text: &str) -> String {
    like_exactly(&text.to_lowercase())
}

/// [`like`], but case-sensitive.
pub(in crate::domain) fn like_exactly(text: &str) -> String {
    let plain = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{plain}%")
}

/// A condition: the column matches a pattern of [`like`]. Written this way, PostgreSQL assumes many matches
/// and reads in order until the page is full. Otherwise it might fetch all rows and sort them.
pub(in crate::domain) fn has_text(column: &str, pattern: &str) -> String {
    format!("CASE WHEN {column} LIKE {pattern} ESCAPE '!' THEN 1 ELSE 0 END > 0")
}
