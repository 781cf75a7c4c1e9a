//! Reading the requests.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            gateway_stage::GatewayStage,
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            sql::{has_text, like},
            traffic_log::entry::Ending,
        },
        enforce::{read::ReadScope, rows::Scoped},
    },
    policy::perm,
};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

/// Which requests to list. Empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the host or the path.
    pub text: String,
    pub api_key: Option<Uuid>,
    pub destination: Option<Uuid>,
    /// Such as `GET`.
    pub method: String,
    /// The first digit of the status.
    pub status_class: Option<u16>,
    pub stage: Option<StageFilter>,
    /// The first moment is included, the second is not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// Requests that Bailiwick itself ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFilter {
    /// At whichever stage.
    Any,
    At(GatewayStage),
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    pub id: Uuid,
    /// When it began.
    pub at: Timestamp,
    pub api_key_id: Option<Uuid>,
    /// The key's name at that moment.
    pub key_name: String,
    /// `None` where the workspace had no such destination.
    pub destination_id: Option<Uuid>,
    /// The ASCII form.
    pub host: String,
    pub method: String,
    /// Without a query.
    pub path: String,
    /// What the caller was answered. `None` where they were gone before.
    pub status: Option<u16>,
    /// The word of the stage at which Bailiwick itself ended it.
    stage: Option<String>,
    pub bytes_in: i64,
    pub bytes_out: i64,
    pub ms: i64,
}

const SELECT: &str =
    "SELECT t.id, t.at, t.api_key_id, t.key_name, t.destination_id, t.host, t.method, t.path,
        t.status, t.stage, t.bytes_in, t.bytes_out, t.ms
    FROM traffic t WHERE t.workspace_id = $1";

/// The columns of [`SELECT`], in the order of the fields.
const FIELDS: [&str; 13] = [
    "id",
    "at",
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
];

impl Request {
    /// Where Bailiwick itself ended it. `None` where the destination's answer was passed on.
    pub fn stage(&self) -> Option<GatewayStage> {
        self.stage.as_deref().and_then(GatewayStage::of_word)
    }

    pub fn ending(&self) -> Ending {
        Ending::of(self.status, self.stage())
    }
}

/// Lists requests, the latest first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadDestinations>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<Request>, Refused> {
    let (mut sql, mut values) = (String::from(SELECT), Vec::new());
    filter.narrow(&mut sql, &mut values);
    let order = Order { column: "t.at", is_text: false, id: "t.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Request> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.at.as_millis()), row.id)))
}

impl Filter {
    fn narrow(&self, sql: &mut String, values: &mut Vec<Value>) {
        // `$1` is the workspace.
        let mut add = |clause: &str, value: Value| {
            values.push(value);
            sql.push_str(&clause.replace('?', &format!("${}", values.len() + 1)));
        };
        if let Some(key) = self.api_key {
            add(" AND t.api_key_id = ?", key.into());
        }
        if let Some(destination) = self.destination {
            add(" AND t.destination_id = ?", destination.into());
        }
        if let Some(StageFilter::At(stage)) = self.stage {
            add(" AND t.stage = ?", stage.word().into());
        }
        if !self.method.is_empty() {
            add(" AND t.method = ?", self.method.as_str().into());
        }
        if let Some(class) = self.status_class {
            add(" AND t.status / 100 = ?", i64::from(class).into());
        }
        if !self.text.is_empty() {
            add(&format!(" AND {}", has_text("lower(t.host || t.path)", "?")), like(&self.text).into());
        }
        if let Some(from) = self.from {
            add(" AND t.at >= ?", from.into());
        }
        if let Some(until) = self.until {
            add(" AND t.at < ?", until.into());
        }
        if self.stage == Some(StageFilter::Any) {
            // Written so that it goes along the list, and not along every stage in turn.
            sql.push_str(" AND COALESCE(t.stage, '') <> ''");
        }
    }
}
