//! The database behind the app's back: to look at rows, and to show that none has changed.

use super::{Backend, TestApp};
use futures_util::FutureExt;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
};
use uuid::Uuid;

/// Whole tables, each row as text. Two of them differ when any row does.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(Arc<BTreeMap<String, Vec<String>>>);

/// Events with the names that they have left, in place of a table: `SELECT … FROM {AUDIT_RECORD} r`.
pub const AUDIT_RECORD: &str = "(SELECT e.id, e.workspace_id, e.account_id, e.user_id, e.seq, e.at, e.kind, e.outcome,
        e.actor_kind, e.actor_id, i.actor_name, i.actor_email, e.target_kind, e.target_id, i.target_subject,
        i.target_name, i.target_email, e.via, i.address, i.user_agent, COALESCE(i.payload, e.payload) AS payload
    FROM audit_events e JOIN audit_identities i ON i.event_id = e.id)";

const SQLITE_COUNTER: &str = "CREATE TABLE IF NOT EXISTS kept_changes (n INTEGER NOT NULL);
    INSERT INTO kept_changes SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM kept_changes);";

/// Statements that were sent and not committed count too: a sequence is no part of a transaction. The names of the
/// tables are: they are of what was committed.
const POSTGRES_COUNTER: &str = "CREATE SCHEMA IF NOT EXISTS test_support;
    CREATE SEQUENCE IF NOT EXISTS test_support.changes;
    CREATE TABLE IF NOT EXISTS test_support.changed (in_table text NOT NULL);
    CREATE OR REPLACE FUNCTION test_support.count() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            PERFORM nextval('test_support.changes');
            INSERT INTO test_support.changed VALUES (TG_TABLE_NAME);
            RETURN NULL;
        END $$;";

/// A text as an SQL literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl TestApp {
    /// A connection of the test's own to the app's database.
    pub async fn db(&self) -> &DatabaseConnection {
        self.connection.get_or_init(|| self.database.connect()).boxed().await
    }

    /// An id as an SQL literal: `WHERE id = {}`.
    pub fn id(&self, id: Uuid) -> String {
        match self.backend {
            Backend::Sqlite => format!("X'{}'", id.simple()),
            Backend::Postgres => format!("'{id}'::uuid"),
        }
    }

    /// Changes rows as the app never would. Returns how many.
    pub async fn execute(&self, sql: &str) -> u64 {
        let done = self.db().await.execute_raw(self.statement(sql)).boxed().await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }

    /// [`TestApp::execute`], for a change that the database may refuse.
    pub async fn try_execute(&self, sql: &str) -> Result<u64, DbErr> {
        Ok(self.db().await.execute_raw(self.statement(sql)).await?.rows_affected())
    }

    /// The one number of a query such as `SELECT count(*) …`.
    pub async fn scalar_i64(&self, sql: &str) -> i64 {
        let row = self.one(sql).await;
        row.try_get_by_index::<i64>(0)
            .or_else(|_| row.try_get_by_index::<i32>(0).map(i64::from))
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one text of a query; `None` when it is null.
    pub async fn scalar_text(&self, sql: &str) -> Option<String> {
        self.one(sql).await.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one id of a query.
    pub async fn scalar_uuid(&self, sql: &str) -> Uuid {
        self.one(sql).await.try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Rows as objects, the same on both databases but for booleans, which SQLite has as 0 and 1.
    /// Ids are text with hyphens; other bytes are hexadecimal; JSON in a text column is JSON.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        match self.backend {
            Backend::Sqlite => self.all(sql).await.iter().map(sqlite_object).collect(),
            Backend::Postgres => {
                let rows = self.all(&format!("SELECT to_json(t)::text FROM ({sql}) t")).await;
                let text = |row: &QueryResult| row.try_get_by_index::<String>(0).unwrap();
                rows.iter().map(|row| unfolded(serde_json::from_str(&text(row)).unwrap())).collect()
            }
        }
    }

    /// These tables as they are now. Columns named `last_…` are left out: they say when somebody
    /// was seen, which a mere look changes. So are `audit_…`, the end of a workspace's record, which
    /// a refusal moves on, and `roles_version`, which differs after each change and back.
    pub async fn snapshot(&self, tables: &[&str]) -> Snapshot {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut selects = Vec::new();
        for table in tables {
            all.insert((*table).to_owned(), Vec::new());
            selects.push(self.rows_as_text(table).await);
        }
        for row in self.all(&selects.join(" UNION ALL ")).await {
            let text = |i: usize| row.try_get_by_index::<String>(i).unwrap();
            all.get_mut(&text(0)).unwrap().push(text(1));
        }
        all.values_mut().for_each(|rows| rows.sort_unstable());
        Snapshot(Arc::new(all))
    }

    /// The rows of a table that meet a condition, each as text, as a [`Snapshot`] has them.
    pub async fn rows_where(&self, table: &str, condition: &str) -> Vec<String> {
        self.rows_of_tables([(table, condition.to_owned())]).await
    }

    /// [`TestApp::rows_where`] of many tables, each with a condition of its own.
    pub async fn rows_of_tables(&self, tables: impl IntoIterator<Item = (&str, String)>) -> Vec<String> {
        let mut selects = Vec::new();
        for (table, condition) in tables {
            selects.push(format!("{} WHERE {condition}", self.rows_as_text(table).await));
        }
        let text = |row: &QueryResult, i: usize| -> String { row.try_get_by_index(i).unwrap() };
        let rows = self.all(&selects.join(" UNION ALL ")).await;
        rows.iter().map(|row| format!("{}: {}", text(row, 0), text(row, 1))).collect()
    }

    /// All rows of tenants as they are now: [`super::Catalogue::of_tenants`]. They are read again only after a
    /// statement that changes them.
    pub async fn tenants(&self) -> Snapshot {
        let changes = self.changes().await;
        let known = self.tenants.lock().unwrap().clone();
        if let Some((_, rows)) = known.filter(|(at, _)| *at == changes) {
            return rows;
        }
        let rows = self.snapshot(&self.catalogue().await.of_tenants()).await;
        *self.tenants.lock().unwrap() = Some((changes, rows.clone()));
        rows
    }

    /// For a change of rows that no trigger sees.
    pub fn note_change(&self) {
        *self.tenants.lock().unwrap() = None;
    }

    /// A number that grows with each statement that changes a column of tenants which a [`Snapshot`] has.
    async fn changes(&self) -> i64 {
        self.count_changes().await;
        self.scalar_i64(match self.backend {
            Backend::Sqlite => "SELECT n FROM kept_changes",
            Backend::Postgres => "SELECT last_value FROM test_support.changes",
        })
        .await
    }

    /// The tables of tenants that have changed since the last call, or since changes are counted. Only on PostgreSQL,
    /// as SQLite counts without names.
    pub async fn take_changed(&self) -> Vec<String> {
        self.count_changes().await;
        let rows = self.all("DELETE FROM test_support.changed RETURNING in_table").await;
        let mut tables: Vec<String> = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    /// From the first call on, triggers count.
    async fn count_changes(&self) {
        self.counting
            .get_or_init(|| async {
                let mut sql = String::from(match self.backend {
                    Backend::Sqlite => SQLITE_COUNTER,
                    Backend::Postgres => POSTGRES_COUNTER,
                });
                for table in self.catalogue().await.of_tenants() {
                    let columns = self.columns(table).await.join(", ");
                    match self.backend {
                        Backend::Sqlite => {
                            for (name, change) in
                                [("new", "INSERT"), ("gone", "DELETE"), ("set", &*format!("UPDATE OF {columns}"))]
                            {
                                sql.push_str(&format!(
                                    "CREATE TRIGGER IF NOT EXISTS kept_{name}_{table} AFTER {change} ON {table}
                                        BEGIN UPDATE kept_changes SET n = n + 1; END;"
                                ));
                            }
                        }
                        Backend::Postgres => sql.push_str(&format!(
                            "CREATE OR REPLACE TRIGGER test_support AFTER INSERT OR DELETE OR TRUNCATE
                                OR UPDATE OF {columns}
                                ON {table} FOR EACH STATEMENT EXECUTE FUNCTION test_support.count();"
                        )),
                    }
                }
                let done = self.db().await.execute_unprepared(&sql).await;
                done.unwrap_or_else(|error| panic!("{sql}: {error}"));
            })
            .await;
    }

    /// A query for the table's name and each of its rows as one text. It is put together once: all
    /// tests of a run have the same schema.
    async fn rows_as_text(&self, table: &str) -> String {
        static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
        let key = format!("{:?} {table}", self.backend);
        let known = KNOWN.lock().unwrap().get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let quote = |column: &str| match self.backend {
            Backend::Sqlite => format!("quote({column})"),
            Backend::Postgres => format!("quote_nullable({column}::text)"),
        };
        let columns = self.columns(table).await;
        let row = columns
            .iter()
            .map(|c| format!("'{c}=' || {}", quote(c)))
            .collect::<Vec<_>>()
            .join(" || ', ' || ");
        let sql = format!("SELECT '{table}' AS in_table, {row} AS content FROM {table}");
        KNOWN.lock().unwrap().insert(key, sql.clone());
        sql
    }

    /// Runs `work`, which must leave every row of every tenant unchanged.
    pub async fn unchanged_by<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.tenants().await;
        let result = work.await;
        before.assert_same(&self.tenants().await);
        result
    }

    async fn columns(&self, table: &str) -> Vec<&'static str> {
        let is_noise = |column: &&str| {
            column.starts_with("last_") || column.starts_with("audit_") || *column == "roles_version"
        };
        self.catalogue().await.columns(table).filter(|column| !is_noise(column)).collect()
    }

    async fn one(&self, sql: &str) -> QueryResult {
        let mut rows = self.all(sql).await;
        assert_eq!(rows.len(), 1, "rows of {sql}");
        rows.remove(0)
    }

    async fn all(&self, sql: &str) -> Vec<QueryResult> {
        let rows = self.db().await.query_all_raw(self.statement(sql)).boxed().await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn statement(&self, sql: &str) -> Statement {
        let backend = match self.backend {
            Backend::Sqlite => DbBackend::Sqlite,
            Backend::Postgres => DbBackend::Postgres,
        };
        Statement::from_string(backend, sql)
    }
}

impl Snapshot {
    /// Fails when anything differs, and shows only that.
    #[track_caller]
    pub fn assert_same(&self, after: &Self) {
        let mut changes = String::new();
        for (table, rows) in self.0.iter() {
            let now = after.0.get(table).map(Vec::as_slice).unwrap_or_default();
            for gone in rows.iter().filter(|row| !now.contains(row)) {
                changes.push_str(&format!("\n- {table}: {gone}"));
            }
            for new in now.iter().filter(|row| !rows.contains(row)) {
                changes.push_str(&format!("\n+ {table}: {new}"));
            }
        }
        assert!(self == after, "rows have changed:{changes}");
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (table, row) in self.0.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row))) {
            writeln!(f, "{table}: {row}")?;
        }
        Ok(())
    }
}

fn sqlite_object(row: &QueryResult) -> Value {
    let value = |i: usize| {
        row.try_get_by_index::<Option<i64>>(i)
            .map(|n| json!(n))
            .or_else(|_| row.try_get_by_index::<Option<String>>(i).map(|text| json!(text)))
            .or_else(|_| row.try_get_by_index::<Option<f64>>(i).map(|n| json!(n)))
            .or_else(|_| row.try_get_by_index::<Vec<u8>>(i).map(|bytes| json!(bytes_as_text(&bytes))))
            .unwrap()
    };
    let names = row.column_names().into_iter().enumerate();
    unfolded(Value::Object(names.map(|(i, name)| (name, value(i))).collect::<Map<_, _>>()))
}

fn bytes_as_text(bytes: &[u8]) -> String {
    // As PostgreSQL writes them.
    Uuid::from_slice(bytes).map_or_else(|_| format!("\\x{}", hex::encode(bytes)), |id| id.to_string())
}

/// Text that is a JSON object or list becomes one.
fn unfolded(mut row: Value) -> Value {
    for value in row.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(text) = value.as_str()
            && text.starts_with(['{', '['])
            && let Ok(inner) = serde_json::from_str(text)
        {
            *value = inner;
        }
    }
    row
}
