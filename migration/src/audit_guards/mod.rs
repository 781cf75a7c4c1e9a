//! The triggers that keep the audit record, and whether a database still has them as they are here.
//!
//! m0019 makes them. A later step that changes one leaves a copy of what it was to m0019.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement},
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(FromQueryResult)]
struct Found {
    name: String,
    /// The statement that would make it.
    definition: String,
    /// On PostgreSQL its function, as a name and its text, and whether it is enabled: see `pg_trigger.tgenabled`.
    function: String,
    body: String,
    enabled: String,
}

/// What protects the record and is not as it was made, a sentence each.
///
/// # Errors
/// The database's own.
pub async fn altered(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let backend = connection.get_database_backend();
    let (expected, find) = match backend {
        DbBackend::Postgres => (postgres::TRIGGERS, postgres::FIND),
        _ => (sqlite::TRIGGERS, sqlite::FIND),
    };
    let rows = connection.query_all_raw(Statement::from_string(backend, find)).await?;
    let found: Vec<Found> =
        rows.iter().map(|row| Found::from_query_result(row, "")).collect::<Result<_, _>>()?;
    let expected: BTreeMap<&str, String> =
        expected.iter().map(|sql| (name_of(sql), normalized(sql))).collect();
    let intact: BTreeSet<&str> = found
        .iter()
        .filter(|found| {
            expected.get(&*found.name) == Some(&normalized(&found.definition)) && found.runs_as_made()
        })
        .map(|found| &*found.name)
        .collect();
    let altered = expected.keys().filter(|name| !intact.contains(*name));
    let altered = altered.map(|name| format!("the trigger {name} is missing, or was altered"));
    let others = found.iter().filter(|found| !expected.contains_key(&*found.name));
    let others = others.map(|found| match found.definition.starts_with("CREATE ") {
        true => format!("the trigger {} was added", found.name),
        false => format!("{} is not the table that was made", found.name),
    });
    Ok(altered.chain(others).collect())
}

impl Found {
    /// It is enabled, with the function that was made for it. SQLite has neither.
    fn runs_as_made(&self) -> bool {
        if self.function.is_empty() {
            return true;
        }
        let made = postgres::FUNCTIONS.iter().find(|sql| name_of(sql) == self.function);
        let body = made.and_then(|sql| sql.split("$$").nth(1));
        let enabled = if postgres::REFUSING.contains(&&*self.function) { "A" } else { "O" };
        body == Some(self.body.as_str()) && self.enabled == enabled
    }
}

/// The name after `CREATE TRIGGER` or `CREATE FUNCTION`.
fn name_of(sql: &str) -> &str {
    sql.split([' ', '(']).nth(2).unwrap_or_default()
}

/// Without spaces, parentheses and quotes, which PostgreSQL writes as it likes.
fn normalized(sql: &str) -> String {
    sql.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '"')).collect()
}
