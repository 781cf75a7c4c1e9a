//! How events of one destination are doing.

use crate::{
    clock::Timestamp,
    domain::{
        base::{event::Target, event_groups::EventGroups, refused::Refused, role},
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::destinations::{displayed_host as displayed, events::DESTINATION},
    },
    policy::perm,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The most messages that are counted on a page.
pub const MAX_COUNTED: i64 = 1_000;

/// Why no events are sent to a destination that should receive them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A message was sent as often as the schedule says, and never taken.
    Failed,
    /// The receiver answered 410.
    Gone,
    /// Who turned events on may no longer see them.
    Authority,
}

impl StopReason {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Authority => "authority",
        }
    }

    pub(super) fn of_word(word: &str) -> Self {
        match word {
            "gone" => Self::Gone,
            "authority" => Self::Authority,
            _ => Self::Failed,
        }
    }
}

/// A destination as a receiver of events.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub destination_id: Uuid,
    /// The ASCII form of the host.
    pub host: String,
    pub is_wildcard: bool,
    pub is_paused: bool,
    /// Events are turned on.
    pub is_on: bool,
    /// Where they go, or went before they were turned off; empty if they never did.
    pub path: String,
    pub groups: EventGroups,
    pub secret_created_at: Option<Timestamp>,
    /// Until when messages are signed with the secret before this one too.
    pub old_secret_ends_at: Option<Timestamp>,
    pub accountable_user_id: Option<Uuid>,
    /// The person who answers for what is sent.
    pub accountable: String,
    pub stopped: Option<(Timestamp, StopReason)>,
    /// Since when each attempt failed.
    pub failing_since: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub next_probe_at: Option<Timestamp>,
    /// Until when the destination asked to wait; in the past if it didn't.
    pub not_before: Timestamp,
    /// Messages that wait and that are held, up to [`MAX_COUNTED`].
    pub waiting: i64,
    pub held: i64,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    host: String,
    is_wildcard: bool,
    is_paused: bool,
    receives_events: bool,
    event_path: Option<String>,
    event_kinds: Option<String>,
    secret_created_at: Option<Timestamp>,
    old_secret_ends_at: Option<Timestamp>,
    accountable_user_id: Option<Uuid>,
    accountable: Option<String>,
    stopped_at: Option<Timestamp>,
    stop_reason: Option<String>,
    failing_since: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
    next_probe_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    waiting: i64,
    held: i64,
}

impl Endpoint {
    /// # Errors
    /// [`Refused::NotFound`] where this workspace has no such destination.
    pub(super) async fn load(scope: &impl Scoped, id: Uuid) -> Result<Self, Refused> {
        let counted = |status: &str| {
            format!(
                "(SELECT COUNT(*) FROM (SELECT 1 FROM event_deliveries c WHERE c.workspace_id = $1
                    AND c.destination_id = $2 AND c.status = '{status}' LIMIT {MAX_COUNTED}) AS counted)"
            )
        };
        let sql = format!(
            "SELECT d.id, d.host, d.is_wildcard, d.paused_at IS NOT NULL AS is_paused, d.receives_events,
                d.event_path, d.event_kinds, e.secret_created_at, e.old_secret_ends_at, e.accountable_user_id,
                u.name AS accountable, e.stopped_at, e.stop_reason, e.failing_since, e.last_success_at,
                e.next_probe_at, e.not_before, {} AS waiting, {} AS held
            FROM destinations d LEFT JOIN event_endpoints e ON e.destination_id = d.id
            LEFT JOIN users u ON u.id = e.accountable_user_id WHERE d.workspace_id = $1 AND d.id = $2",
            counted("waiting"),
            counted("held")
        );
        let row: Option<Row> = scope.first(&sql, vec![id.into()]).await?;
        Ok(row.ok_or(Refused::NotFound)?.into())
    }

    /// The host as people read it.
    pub fn displayed(&self) -> String {
        displayed(&self.host)
    }

    /// The version of what the form shows.
    pub fn version(&self) -> String {
        let secret = self.secret_created_at.unwrap_or_default().to_string();
        let state = if self.is_on { "on" } else { "off" };
        role::fingerprint(
            self.destination_id.as_bytes(),
            [state, &self.path, &self.groups.to_string(), &secret],
        )
    }

    /// A message that somebody asks for is sent to it: it may be stopped, but not without anybody who answers for it.
    pub fn can_receive(&self) -> bool {
        let has_authority = !matches!(self.stopped, Some((_, StopReason::Authority)));
        self.is_on && !self.is_paused && has_authority
    }

    pub(super) fn target(&self) -> Target {
        target(self.destination_id, &self.host)
    }
}

/// The destination as the target of an event, named as the noun itself names it.
pub(super) fn target(id: Uuid, host: &str) -> Target {
    let displayed = displayed(host);
    let name = if displayed == host { displayed } else { format!("{displayed} ({host})") };
    Target::new(DESTINATION, id, name)
}

impl From<Row> for Endpoint {
    fn from(row: Row) -> Self {
        let reason = row.stop_reason.as_deref().map(StopReason::of_word);
        Self {
            destination_id: row.id,
            host: row.host,
            is_wildcard: row.is_wildcard,
            is_paused: row.is_paused,
            is_on: row.receives_events,
            path: row.event_path.unwrap_or_default(),
            groups: EventGroups::parse_stored(row.event_kinds.as_deref().unwrap_or_default()),
            secret_created_at: row.secret_created_at,
            old_secret_ends_at: row.old_secret_ends_at,
            accountable_user_id: row.accountable_user_id,
            accountable: row.accountable.unwrap_or_default(),
            stopped: row.stopped_at.zip(reason),
            failing_since: row.failing_since,
            last_success_at: row.last_success_at,
            next_probe_at: row.next_probe_at,
            not_before: row.not_before.unwrap_or_default(),
            waiting: row.waiting,
            held: row.held,
        }
    }
}

/// A destination as a receiver of events.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn get(scope: &ReadScope<perm::ReadDestinations>, id: Uuid) -> Result<Endpoint, Refused> {
    Endpoint::load(scope, id).await
}

/// Loads it before a change, for the page that asks for confirmation.
///
/// # Errors
/// As [`get`].
pub async fn to_turn_off(scope: &ReadScope<perm::ManageDestinations>, id: Uuid) -> Result<Endpoint, Refused> {
    Endpoint::load(scope, id).await
}

/// Loads it under the lock.
///
/// # Errors
/// As [`get`].
pub async fn to_change(s: &WriteScope<perm::ManageDestinations>, id: Uuid) -> Result<Endpoint, Refused> {
    Endpoint::load(s, id).await
}
