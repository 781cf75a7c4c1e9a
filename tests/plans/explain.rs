//! What the two databases say that they would do, read for two things: a table, or an index, from
//! its one end to the other; and all of one workspace.

use super::tour::Statements;
use crate::{
    nouns,
    support::{product::POSTGRES_PLANS, *},
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, QueryResult, Statement, Value, Values};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
#[expect(dead_code, reason = "shown when the test fails")]
pub struct Scan {
    /// The table or index, or the search in it.
    pub of: String,
    pub sql: String,
    /// The request that sent it.
    pub by: String,
    pub plan: Vec<String>,
}

pub async fn explain(app: &TestApp, statements: &Statements) -> Vec<Scan> {
    // A connection that has seen nothing, so that it plans with the statistics there are now.
    let db = app.database.connect().await;
    let mut all = Vec::new();
    let known = match app.backend {
        Backend::Sqlite => Known::Sqlite(sqlite_pages(&db).await),
        Backend::Postgres => Known::Postgres(postgres_indices(&db).await),
    };
    for (n, (sql, (values, by))) in statements.iter().enumerate() {
        let (scans, plan) = match &known {
            Known::Sqlite(pages) => sqlite(&db, pages, sql, values.clone()).await,
            Known::Postgres(indices) => postgres(&db, indices, n, sql, values.as_ref()).await,
        };
        all.extend(scans.into_iter().map(|of| Scan {
            of,
            sql: sql.clone(),
            by: by.clone(),
            plan: plan.clone(),
        }));
    }
    db.close().await.unwrap();
    all
}

enum Known {
    /// What begins on which page of the file.
    Sqlite(BTreeMap<i64, String>),
    /// The columns of each index.
    Postgres(BTreeMap<String, Vec<String>>),
}

/// Of which a workspace or an account can hold ten thousand rows: an index of one of these tables.
fn is_of_many(index: &str) -> bool {
    let mut tables = nouns::ALL.iter().flat_map(|noun| noun.plans().many);
    tables.any(|table| index.starts_with(&format!("{table}_")))
}

/// Columns that many rows of one workspace or account have in common.
const COMMON: [&str; 5] = ["account_id", "workspace_id", "status", "kind", "outcome"];

/// A part of a list may go along one workspace until its page is full, from where the page begins;
/// what is counted beside it may not.
fn fills_a_page(sql: &str, index: &str) -> bool {
    let is_later = [" < (", " > (", "e.seq < ", "e.seq > "].iter().any(|part| sql.contains(part));
    let is_nobodys = sql.contains("workspace_id IS NULL");
    let mut orders = nouns::ALL.iter().flat_map(|noun| noun.plans().list_indices);
    let is_a_list = !sql.contains("COUNT(") || sql.contains("json_") && orders.any(|order| *order == index);
    sql.contains(" LIMIT ") && is_a_list && !is_later && !is_nobodys
}

async fn rows(db: &DatabaseConnection, statement: Statement) -> Vec<QueryResult> {
    let sql = statement.sql.clone();
    db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(row: &QueryResult, column: usize) -> String {
    row.try_get_by_index(column).unwrap()
}

// ---- SQLite -------------------------------------------------------------------------------------

async fn sqlite_pages(db: &DatabaseConnection) -> BTreeMap<i64, String> {
    let sql = "SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0";
    let rows = rows(db, Statement::from_string(DbBackend::Sqlite, sql)).await;
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), text(row, 1))).collect()
}

/// One instruction of the program that SQLite made of a statement.
struct Step {
    opcode: String,
    /// The cursor, in all that matters here.
    p1: i64,
    p2: i64,
}

/// Reads the program itself: EXPLAIN QUERY PLAN says nothing of triggers and foreign keys, and calls
/// tables by the names that the statement gives them.
async fn sqlite(
    db: &DatabaseConnection,
    pages: &BTreeMap<i64, String>,
    sql: &str,
    values: Option<Values>,
) -> (BTreeSet<String>, Vec<String>) {
    let values = values.map(|values| values.0).unwrap_or_default();
    let explained =
        |how: &str| Statement::from_sql_and_values(DbBackend::Sqlite, format!("{how} {sql}"), values.clone());
    let mut programs: Vec<Vec<Step>> = Vec::new();
    for row in rows(db, explained("EXPLAIN")).await {
        let number = |column: usize| row.try_get_by_index::<i64>(column).unwrap();
        // The program of each trigger follows that of the statement, and counts from 0 again.
        if number(0) == 0 {
            programs.push(Vec::new());
        }
        programs.last_mut().unwrap().push(Step { opcode: text(&row, 1), p1: number(2), p2: number(3) });
    }
    let mut scans: BTreeSet<String> = programs.iter().flat_map(|program| scanned(program, pages)).collect();
    let plan = rows(db, explained("EXPLAIN QUERY PLAN")).await;
    let plan: Vec<_> = plan.iter().map(|row| text(row, 3)).collect();
    scans.extend(plan.iter().filter(|line| walks_a_workspace(line, sql)).cloned());
    (scans, plan)
}

/// Reads `SEARCH m USING INDEX members_by_name (workspace_id=?)`.
fn walks_a_workspace(line: &str, sql: &str) -> bool {
    let Some((_, search)) = line.split_once("INDEX ") else { return false };
    let Some((index, bounds)) = search.split_once(" (") else { return false };
    let index = index.strip_prefix("sqlite_autoindex_").unwrap_or(index);
    is_of_many(index)
        && !fills_a_page(sql, index)
        && bounds
            .split(" AND ")
            .all(|bound| COMMON.iter().any(|column| bound.starts_with(&format!("{column}="))))
}

/// What a program goes through from an end on, with nothing that would stop it before the other.
fn scanned(program: &[Step], pages: &BTreeMap<i64, String>) -> BTreeSet<String> {
    let opened =
        program.iter().filter(|step| matches!(&*step.opcode, "OpenRead" | "OpenWrite" | "ReopenIdx"));
    let mut scans = BTreeSet::new();
    for Step { p1: cursor, p2: page, .. } in opened {
        let does =
            |any: &[&str]| program.iter().any(|step| step.p1 == *cursor && any.contains(&&*step.opcode));
        let from_an_end = does(&["Rewind", "Last"]) && does(&["Next", "Prev"]);
        let is_bound = does(&["IdxGT", "IdxGE", "IdxLT", "IdxLE"]);
        // From an end and by a key: it skips along, trying each value of a column that is not known.
        let skips = does(&["SeekGT", "SeekGE", "SeekLT", "SeekLE"]);
        if does(&["Count"]) || (from_an_end && (!is_bound || skips)) {
            scans.insert(pages.get(page).cloned().unwrap_or_else(|| format!("page {page}")));
        }
    }
    scans
}

// ---- PostgreSQL ---------------------------------------------------------------------------------

async fn postgres_indices(db: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    for (setting, value) in POSTGRES_PLANS {
        db.execute_unprepared(&format!("SET {setting} = '{value}'")).await.unwrap();
    }
    let sql = "SELECT c.relname::text, pg_get_indexdef(c.oid, n, true) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace s ON s.oid = c.relnamespace
        CROSS JOIN generate_series(1, i.indnatts) n WHERE s.nspname = 'public' ORDER BY 1, n";
    let mut indices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows(db, Statement::from_string(DbBackend::Postgres, sql)).await {
        indices.entry(text(&row, 0)).or_default().push(text(&row, 1));
    }
    indices
}

/// Asks for the plan that the application uses: one for all values. What a trigger adds is in no plan;
/// it is the same as on SQLite, over the same indices.
async fn postgres(
    db: &DatabaseConnection,
    indices: &BTreeMap<String, Vec<String>>,
    n: usize,
    sql: &str,
    values: Option<&Values>,
) -> (BTreeSet<String>, Vec<String>) {
    let values = values.map(|values| values.0.as_slice()).unwrap_or_default();
    let types: Vec<_> = values.iter().map(postgres_type).collect();
    let (types, nulls) = match types.len() {
        0 => Default::default(),
        n => (format!("({})", types.join(", ")), format!("({})", vec!["NULL"; n].join(", "))),
    };
    let prepared = db.execute_unprepared(&format!("PREPARE p{n} {types} AS {sql}")).await;
    prepared.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE p{n} {nulls}");
    let plan = rows(db, Statement::from_string(DbBackend::Postgres, explain)).await;
    let plan: Vec<_> = plan.iter().map(|row| text(row, 0)).collect();
    db.execute_unprepared(&format!("DEALLOCATE p{n}")).await.unwrap();
    (read_through(&plan, indices, sql), plan)
}

/// A table read in its own order, an index whose first column nothing is said about, or all of one
/// workspace.
fn read_through(plan: &[String], indices: &BTreeMap<String, Vec<String>>, sql: &str) -> BTreeSet<String> {
    let mut scans = BTreeSet::new();
    for (i, line) in plan.iter().enumerate() {
        let words: Vec<_> = line.trim_start_matches([' ', '-', '>']).split(' ').collect();
        let after = |word: &str| {
            words.iter().skip_while(|other| **other != word).nth(1).map(|name| (*name).to_owned())
        };
        match words[..] {
            ["Seq" | "Parallel", ..] => scans.extend(after("on")),
            ["Bitmap", "Index", ..] | ["Index", "Scan" | "Only", ..] => {
                let index = after(if words[0] == "Bitmap" { "on" } else { "using" }).unwrap();
                let rest = plan[i + 1..].iter().take_while(|line| !line.trim_start().starts_with("->"));
                let bound: String = rest.filter(|line| line.contains("Index Cond:")).cloned().collect();
                // A column is a whole word; COALESCE(…) is not.
                let words: Vec<_> = bound.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let is_bound = |column: &&String| match column.contains('(') {
                    true => bound.contains(column.as_str()),
                    false => words.contains(&column.as_str()),
                };
                // What comes after a column that is not bound narrows nothing.
                let mut bound = indices[&index].iter().take_while(is_bound).peekable();
                let is_all = bound.peek().is_none();
                if is_all
                    || is_of_many(&index)
                        && !fills_a_page(sql, &index)
                        && bound.all(|column| COMMON.contains(&column.as_str()))
                {
                    scans.insert(index);
                }
            }
            _ => {}
        }
    }
    scans
}

fn postgres_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::BigInt(_) | Value::BigUnsigned(_) => "bigint",
        Value::String(_) => "text",
        Value::Bytes(_) => "bytea",
        Value::Uuid(_) => "uuid",
        other => panic!("say in tests/plans/explain.rs what type {other:?} is"),
    }
}
