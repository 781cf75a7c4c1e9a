//! The log of messages to a destination.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::deliveries::{HELD, PROBE, TEST},
    },
    policy::{Permission, perm},
};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

/// A message to a destination.
#[derive(Clone, Debug, Deserialize)]
pub struct Delivery {
    /// The id that it is sent under.
    pub id: Uuid,
    /// The audit event; `None` for a test or a probe, and for who may not see the record.
    pub event_id: Option<Uuid>,
    /// `None` for the event of a reader who may not see the record.
    pub kind: Option<String>,
    /// One of [`STATUSES`](super::STATUSES).
    pub status: String,
    pub queued_at: Timestamp,
    /// When it is sent next, if it waits.
    pub due_at: Option<Timestamp>,
    pub attempts: i64,
    pub last_attempt_at: Option<Timestamp>,
    /// The status of the last response.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    pub expires_at: Timestamp,
}

impl Delivery {
    /// It waits after an attempt that failed.
    pub fn is_retried(&self) -> bool {
        self.due_at.is_some() && self.attempts > 0 && self.last_error.is_some()
    }

    pub fn is_held(&self) -> bool {
        self.status == HELD
    }

    /// It can be sent once more by a person.
    pub fn can_be_replayed(&self) -> bool {
        self.event_id.is_some()
    }

    /// What it is, in words, if it is no event.
    pub fn label(&self) -> &str {
        match self.kind.as_deref() {
            Some(TEST) => "Test event",
            Some(PROBE) => "Probe",
            Some(kind) => kind,
            None => "Event",
        }
    }

    /// How it is delivered, without what it is about, unless it is no event.
    fn without_event(self) -> Self {
        match self.event_id {
            Some(_) => Self { event_id: None, kind: None, ..self },
            None => self,
        }
    }
}

const SELECT: &str =
    "SELECT d.id, d.event_id, d.kind, d.status, d.queued_at, d.due_at, d.attempts, d.last_attempt_at,
        d.last_status, d.last_error, d.expires_at
    FROM event_deliveries d WHERE d.workspace_id = $1 AND d.destination_id = $2";

const FIELDS: [&str; 11] = [
    "id",
    "event_id",
    "kind",
    "status",
    "queued_at",
    "due_at",
    "attempts",
    "last_attempt_at",
    "last_status",
    "last_error",
    "expires_at",
];

/// Which messages to list. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One of [`STATUSES`](super::STATUSES), or empty.
    pub status: String,
    /// The first moment is included, the second is not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Filter {
    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        let mut add = |clause: &str, value: Value| {
            values.push(value);
            sql.push_str(&clause.replace('?', &format!("${}", values.len() + 1)));
        };
        if !self.status.is_empty() {
            add(" AND d.status = ?", self.status.as_str().into());
        }
        if let Some(from) = self.from {
            add(" AND d.queued_at >= ?", from.into());
        }
        if let Some(until) = self.until {
            add(" AND d.queued_at < ?", until.into());
        }
    }
}

/// Whether the reader may see what events are about, and what receivers answer, who may repeat it.
pub fn sees_events(scope: &ReadScope<perm::ReadDestinations>) -> bool {
    scope.actor().holdings.has(Permission::ReadAudit)
}

/// Lists messages, the latest first. Who may not see the record learns how they are delivered, and not what they are about.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadDestinations>,
    destination: Uuid,
    filter: &Filter,
    at: &Position,
) -> Result<Page<Delivery>, Refused> {
    let (mut sql, mut values): (String, Vec<Value>) = (SELECT.to_owned(), vec![destination.into()]);
    filter.narrow(&mut sql, &mut values);
    let order = Order { column: "d.queued_at", is_text: false, id: "d.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let mut rows: Vec<Delivery> = scope.list(&FIELDS, &sql, values).await?;
    if !sees_events(scope) {
        rows = rows.into_iter().map(Delivery::without_event).collect();
    }
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.queued_at.as_millis()), row.id)))
}

/// An attempt to deliver a message.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    pub attempted_at: Timestamp,
    /// The status of the response, if there was one.
    pub status: Option<i64>,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
    pub duration_ms: i64,
    /// The first bytes of the response. Empty for who may not see the record.
    pub body: String,
}

/// The attempts that are shown of one message, the latest ones.
const MAX_SHOWN: usize = 50;

/// One message, with its latest attempts, the latest first. Who may not see the record learns neither what it is about nor
/// what was answered.
///
/// # Errors
/// [`Refused::NotFound`] where this destination has no such message.
pub async fn get(
    scope: &ReadScope<perm::ReadDestinations>,
    destination: Uuid,
    id: Uuid,
) -> Result<(Delivery, Vec<Attempt>), Refused> {
    let delivery = load(scope, destination, id).await?;
    let sql = format!(
        "SELECT a.attempted_at, a.status, a.error, a.duration_ms, a.body FROM event_attempts a
        WHERE a.workspace_id = $1 AND a.delivery_id = $2 ORDER BY a.attempted_at DESC, a.id DESC LIMIT {MAX_SHOWN}"
    );
    let columns = ["attempted_at", "status", "error", "duration_ms", "body"];
    let mut attempts: Vec<Attempt> = scope.list(&columns, &sql, vec![id.into()]).await?;
    if sees_events(scope) {
        return Ok((delivery, attempts));
    }
    for attempt in &mut attempts {
        attempt.body.clear();
    }
    Ok((delivery.without_event(), attempts))
}

/// # Errors
/// [`Refused::NotFound`] where this destination has no such message.
pub(super) async fn load(scope: &impl Scoped, destination: Uuid, id: Uuid) -> Result<Delivery, Refused> {
    let sql = format!("{SELECT} AND d.id = $3");
    let rows: Vec<Delivery> = scope.list(&FIELDS, &sql, vec![destination.into(), id.into()]).await?;
    rows.into_iter().next().ok_or(Refused::NotFound)
}
