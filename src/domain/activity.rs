//! The record of what happened in a workspace, the latest first.

use super::{
    Event, Refused,
    members::like,
    paging::{Cursor, Key, Order, Page, Position},
    scope::{ReadScope, Scoped},
};
use crate::{clock::MINUTE, policy::perm};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

/// Which events to list. What is empty does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of [`Event::KINDS`].
    pub kind: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// Part of the name of who did it or to whom.
    pub text: String,
    pub actor: Option<Uuid>,
    pub target: Option<Uuid>,
    /// Moments in milliseconds since 1970, the first included, the second not.
    pub from: Option<i64>,
    pub until: Option<i64>,
}

/// One event as it is shown.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: Uuid,
    pub at: i64,
    pub kind: String,
    pub is_refusal: bool,
    pub actor_id: Option<Uuid>,
    pub actor: String,
    pub target_kind: String,
    pub target_id: Option<Uuid>,
    pub target: String,
    pub via: String,
    pub address: String,
    pub user_agent: String,
    /// `None` where this version does not know the event; then its kind says what there is to say.
    pub event: Option<Event>,
}

#[derive(Clone, Deserialize)]
struct Row {
    id: Uuid,
    seq: i64,
    at: i64,
    kind: String,
    outcome: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    target_kind: String,
    target_id: Option<Uuid>,
    target_name: String,
    via: String,
    address: String,
    user_agent: String,
    payload: String,
}

/// The columns of a [`Row`], in the order of its fields.
const FIELDS: [&str; 14] = [
    "id",
    "seq",
    "at",
    "kind",
    "outcome",
    "actor_id",
    "actor_name",
    "target_kind",
    "target_id",
    "target_name",
    "via",
    "address",
    "user_agent",
    "payload",
];

const COLUMNS: &str = "SELECT e.id, e.seq, e.at, e.kind, e.outcome, e.actor_id, e.actor_name, e.target_kind,
        e.target_id, e.target_name, e.via, e.address, e.user_agent, e.payload
    FROM audit_events e WHERE e.workspace_id = $1";

/// Lists events.
///
/// # Errors
/// The database's own.
pub async fn list(
    scope: &ReadScope<perm::ReadAudit>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<Entry>, Refused> {
    let (mut sql, mut values) = (String::from(COLUMNS), Vec::new());
    filter.narrow(&mut sql, &mut values);
    Order { column: "e.seq", is_text: false, id: "", descending: true }.finish(&mut sql, &mut values, at)?;
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::cut(rows, at, |row| Cursor::new(Key::Number(row.seq), row.id)).map(Entry::from))
}

/// The most by which the clocks of two nodes are expected to differ, in milliseconds.
const CLOCKS_DIFFER: i64 = 10 * MINUTE;

impl Filter {
    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        // `$1` is the workspace.
        let mut add = |clause: &str, value: Value| {
            values.push(value);
            sql.push_str(&clause.replace('?', &format!("${}", values.len() + 1)));
        };
        if !self.kind.is_empty() {
            add(" AND e.kind = ?", self.kind.as_str().into());
        }
        if !self.outcome.is_empty() {
            add(" AND e.outcome = ?", self.outcome.as_str().into());
        }
        if !self.text.is_empty() {
            let clause =
                " AND (lower(e.actor_name) LIKE ? ESCAPE '!' OR lower(e.target_name) LIKE ? ESCAPE '!')";
            add(clause, like(&self.text).into());
        }
        if let Some(actor) = self.actor {
            add(" AND e.actor_id = ?", actor.into());
        }
        if let Some(target) = self.target {
            add(" AND e.target_id = ?", target.into());
        }
        // Numbers and times grow together, but for the little by which the clocks of nodes differ. So
        // the times are looked up once, and the list goes along its numbers from there.
        if let Some(from) = self.from {
            let first = " AND e.seq >= COALESCE((SELECT f.seq FROM audit_events f
                WHERE f.workspace_id = $1 AND f.at >= ? ORDER BY f.at, f.seq LIMIT 1), 9223372036854775807)";
            add(first, from.saturating_sub(CLOCKS_DIFFER).into());
            add(" AND e.at >= ?", from.into());
        }
        if let Some(until) = self.until {
            let last = " AND e.seq <= COALESCE((SELECT f.seq FROM audit_events f
                WHERE f.workspace_id = $1 AND f.at < ? ORDER BY f.at DESC, f.seq DESC LIMIT 1), 0)";
            add(last, until.saturating_add(CLOCKS_DIFFER).into());
            add(" AND e.at < ?", until.into());
        }
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            at: row.at,
            kind: row.kind,
            is_refusal: row.outcome == "refused",
            actor_id: row.actor_id,
            actor: row.actor_name,
            target_kind: row.target_kind,
            target_id: row.target_id,
            target: row.target_name,
            via: row.via,
            address: row.address,
            user_agent: row.user_agent,
            event: serde_json::from_str(&row.payload).ok(),
        }
    }
}

/// The last few events that changed something, for the overview of someone who may read them.
pub(super) async fn latest(scope: &impl Scoped, most: usize) -> Result<Vec<Entry>, Refused> {
    let sql = format!("{COLUMNS} AND e.outcome = 'done' ORDER BY e.seq DESC LIMIT {most}");
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, Vec::new()).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
