//! Writing what was collected in memory: a statement for many requests, about once a second.

use crate::{
    clock::Timestamp,
    domain::base::{
        db::Db,
        outage::Outage,
        sql::Sql,
        traffic_log::{
            entry::TrafficEntry,
            workspace::{DayCounts, LastUse, TrafficByWorkspace, WorkspaceTraffic},
        },
    },
};
use sea_orm::{DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most requests of a workspace that stay listed: older ones are only counted by day.
pub const MAX_LISTED: i64 = 100_000;

/// After so many requests of a workspace in a day, and with the first of each day, those beyond [`MAX_LISTED`] are
/// deleted.
const TRIM_INTERVAL: i64 = 5_000;

/// Rows of one statement. It is filled up to the next of these sizes with rows that say nothing, so that there are
/// few different statements.
const SIZES: [usize; 4] = [1, 16, 64, MAX_ROWS];

const MAX_ROWS: usize = 256;

/// Writes what was collected since the last call.
///
/// # Errors
/// The database's own. Then what is not written yet is kept for the next time.
pub async fn flush(db: &Db) -> Result<(), DbErr> {
    let taken = db.traffic().take();
    // On PostgreSQL each workspace is a transaction of its own, so that none waits for the lock of another's row. On
    // SQLite there is one writer anyway, and each commit costs a flush.
    let groups: Vec<TrafficByWorkspace> = match db.backend() {
        DbBackend::Postgres => taken.into_iter().map(|one| BTreeMap::from([one])).collect(),
        _ => vec![taken],
    };
    let mut failure: Option<DbErr> = None;
    for group in groups {
        let is_away = failure.as_ref().is_some_and(|error| Outage::of(error).is_some());
        let written = if is_away { Ok(false) } else { write(db, &group).await.map(|()| true) };
        if !matches!(written, Ok(true)) {
            db.traffic().put_back(group);
        }
        if let Err(error) = written {
            failure = Some(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

async fn write(db: &Db, group: &TrafficByWorkspace) -> Result<(), DbErr> {
    if group.is_empty() {
        return Ok(());
    }
    let tx = db.begin().await?;
    for (workspace, of) in group {
        // The entries first: they refer to the workspace, so that it is not deleted from here on.
        insert(&tx, &ENTRIES, of.entries.iter().map(|(id, entry)| entry_values(*id, entry))).await?;
        insert(&tx, &DAYS, of.days.iter().map(|(of, counts)| day_values(*workspace, *of, counts))).await?;
        for (destination, last) in &of.destinations {
            note_use(&tx, *workspace, *destination, last).await?;
        }
        trim(&tx, *workspace, of).await?;
    }
    tx.commit().await
}

/// Where rows are inserted.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    /// What becomes of a row that is there already.
    conflict: &'static str,
}

/// A commit that was not heard of is sent again.
const ENTRIES: Table = Table {
    name: "traffic",
    columns: &[
        "workspace_id",
        "at",
        "id",
        "api_key_id",
        "key_name",
        "destination_id",
        "host",
        "method",
        "path",
        "status",
        "stage",
        "bytes_in",
        "bytes_out",
        "ms",
    ],
    conflict: "DO NOTHING",
};

const DAYS: Table = Table {
    name: "traffic_days",
    columns: &[
        "workspace_id",
        "subject_id",
        "day",
        "answered",
        "client_errors",
        "failed",
        "refused",
        "bytes_in",
        "bytes_out",
        "unlisted",
    ],
    conflict: "(workspace_id, subject_id, day) DO UPDATE SET
        answered = traffic_days.answered + excluded.answered,
        client_errors = traffic_days.client_errors + excluded.client_errors,
        failed = traffic_days.failed + excluded.failed,
        refused = traffic_days.refused + excluded.refused,
        bytes_in = traffic_days.bytes_in + excluded.bytes_in,
        bytes_out = traffic_days.bytes_out + excluded.bytes_out,
        unlisted = traffic_days.unlisted + excluded.unlisted",
};

fn entry_values(id: Uuid, entry: &TrafficEntry) -> Vec<Value> {
    vec![
        entry.workspace_id.into(),
        entry.started_at.into(),
        id.into(),
        entry.api_key_id.into(),
        entry.key_name.as_str().into(),
        entry.destination_id.into(),
        entry.host.as_str().into(),
        entry.method.as_str().into(),
        entry.path.as_str().into(),
        entry.status.map(i64::from).into(),
        entry.stage.map(|stage| stage.word().to_owned()).into(),
        number(entry.bytes_in).into(),
        number(entry.bytes_out).into(),
        number(entry.duration_ms).into(),
    ]
}

fn day_values(workspace: Uuid, (subject, day): (Uuid, Timestamp), counts: &DayCounts) -> Vec<Value> {
    vec![
        workspace.into(),
        subject.into(),
        day.into(),
        counts.answered.into(),
        counts.client_errors.into(),
        counts.failed.into(),
        counts.refused.into(),
        counts.bytes_in.into(),
        counts.bytes_out.into(),
        counts.unlisted.into(),
    ]
}

fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// Inserts the rows whose workspace, in their first column, still exists.
async fn insert(
    tx: &DatabaseTransaction,
    table: &Table,
    rows: impl Iterator<Item = Vec<Value>>,
) -> Result<(), DbErr> {
    let rows: Vec<Vec<Value>> = rows.collect();
    for chunk in rows.chunks(MAX_ROWS) {
        let size = SIZES.into_iter().find(|size| *size >= chunk.len()).unwrap_or(chunk.len());
        let nothing = chunk.first().map(|row| row.iter().map(Value::as_null).collect::<Vec<Value>>());
        let filler = nothing.iter().cycle().take(size - chunk.len());
        let values: Vec<Value> = chunk.iter().chain(filler).flatten().cloned().collect();
        tx.run(&statement(table, size), values).await?;
    }
    Ok(())
}

fn statement(Table { name, columns, conflict }: &Table, rows: usize) -> String {
    let width = columns.len();
    let row = |row: usize| {
        let values: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    let selected: Vec<String> = (1..=width).map(|column| format!("v.column{column}")).collect();
    format!(
        "INSERT INTO {name} ({}) SELECT {} FROM (VALUES {}) AS v
        WHERE (SELECT w.id FROM workspaces w WHERE w.id = v.column1) IS NOT NULL ON CONFLICT {conflict}",
        columns.join(", "),
        selected.join(", "),
        rows.join(", ")
    )
}

/// Nodes write at different times: only what is later is written.
async fn note_use(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    destination: Uuid,
    last: &LastUse,
) -> Result<(), DbErr> {
    if let Some(used_at) = last.used_at {
        let sql = "UPDATE destinations SET last_used_at = $3
            WHERE workspace_id = $1 AND id = $2 AND COALESCE(last_used_at, 0) < $3";
        tx.run(sql, vec![workspace.into(), destination.into(), used_at.into()]).await?;
    }
    if let Some((at, error)) = &last.error {
        let sql = "UPDATE destinations SET last_error_at = $3, last_error = $4
            WHERE workspace_id = $1 AND id = $2 AND COALESCE(last_error_at, 0) < $3";
        let values = vec![workspace.into(), destination.into(), (*at).into(), error.as_str().into()];
        tx.run(sql, values).await?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Counted {
    requests: i64,
}

#[derive(FromQueryResult)]
struct Oldest {
    at: Timestamp,
    id: Uuid,
}

/// Deletes what is beyond the bound of the workspace, if it is time to look.
async fn trim(tx: &DatabaseTransaction, workspace: Uuid, of: &WorkspaceTraffic) -> Result<(), DbErr> {
    let mut is_due = false;
    for ((subject, day), counts) in of.days.iter().filter(|((subject, _), _)| subject.is_nil()) {
        let sql = "SELECT answered + client_errors + failed + refused AS requests FROM traffic_days
            WHERE workspace_id = $1 AND subject_id = $2 AND day = $3";
        let counted: Option<Counted> =
            tx.first(sql, vec![workspace.into(), (*subject).into(), (*day).into()]).await?;
        let after = counted.map_or(0, |counted| counted.requests);
        let before = after - counts.all();
        is_due |= before <= 0 || before / TRIM_INTERVAL != after / TRIM_INTERVAL;
    }
    if !is_due {
        return Ok(());
    }
    let sql = format!(
        "SELECT at, id FROM traffic WHERE workspace_id = $1 ORDER BY at DESC, id DESC LIMIT 1 OFFSET {MAX_LISTED}"
    );
    let Some(Oldest { at, id }) = tx.first(&sql, vec![workspace.into()]).await? else { return Ok(()) };
    let sql = "DELETE FROM traffic WHERE workspace_id = $1 AND (at, id) <= ($2, $3)";
    tx.run(sql, vec![workspace.into(), at.into(), id.into()]).await.map(drop)
}
