//! Destinations: the hosts that a workspace allows, one exact host each, or the hosts one level below a domain. They are
//! public, but for those that the operator allows by name.
//!
//! [`host`] parses a host and [`pattern`] what a destination stands for, [`mod@list`] lists destinations, [`change`]
//! adds, changes and deletes one, [`senders`] narrows who may send requests to it and [`lost_senders`] says what is left
//! when one of them goes, [`credential`] keeps the secret that is sent to it.

mod change;
pub mod credential;
pub mod credential_text;
pub mod events;
mod host;
mod list;
pub mod lost_senders;
mod pattern;
pub mod senders;

use crate::{
    clock::Timestamp,
    domain::{
        base::{event::Target, refused::Refused, role, words::pluralize},
        enforce::rows::Scoped,
        nouns::destinations::{
            events::DESTINATION,
            pattern::{matches, shown},
        },
    },
};
pub use change::{Change, Changed, add, add_echo, delete, to_change, update};
pub(in crate::domain) use host::displayed as displayed_host;
pub use host::{ECHO, Host};
pub use list::{DestinationDetail, Filter, detail, get, list, to_delete};
pub use pattern::{HostPattern, wildcard_over};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// The most destinations that a workspace can have.
pub const MAX_DESTINATIONS: u64 = 500;

const ACTIVE: &str = "active";
pub const PAUSED: &str = "paused";

/// What [`Destination::status`] can be.
pub const STATUSES: [&str; 2] = [ACTIVE, PAUSED];

/// The most requests a minute that a destination can be limited to.
pub const MAX_RATE: i64 = 60_000;

/// A host that the workspace allows, unless it is paused.
#[derive(Clone, Debug, Deserialize, FromQueryResult)]
pub struct Destination {
    pub id: Uuid,
    /// The ASCII form: lower case, punycode. That of a wildcard is `*.example.com`.
    pub host: String,
    pub description: String,
    pub created_at: Timestamp,
    /// When it was paused; `None` if it is active.
    pub paused_at: Option<Timestamp>,
    /// The name of the person or key that added it.
    pub creator: String,
    /// It stands for every host that is one label below its domain.
    #[serde(deserialize_with = "flag")]
    pub is_wildcard: bool,
    /// Whether requests are sent to it.
    #[serde(deserialize_with = "flag")]
    pub allows_requests: bool,
    /// Whether the workspace's events are sent to it.
    #[serde(deserialize_with = "flag")]
    pub receives_events: bool,
    /// When events were stopped because none arrived. They come back by themselves, or by hand.
    pub events_stopped_at: Option<Timestamp>,
    /// Whether only its [`senders`] may send requests to it. Without any sender, nobody may.
    #[serde(deserialize_with = "flag")]
    pub is_restricted: bool,
    /// `None` for the default of the installation.
    pub requests_per_minute: Option<i64>,
    /// What a request costs, in credits; 0 for nothing.
    pub price_credits: i64,
    /// When a request or an event was last sent to it.
    pub last_used_at: Option<Timestamp>,
    /// When a request or an event last failed.
    pub last_error_at: Option<Timestamp>,
    /// A short sentence, without secrets.
    pub last_error: Option<String>,
    /// The header that carries its credential, if it has one.
    pub credential_header: Option<String>,
    /// How many roles and keys may send, if it is restricted.
    pub senders: i64,
}

/// A flag as the databases aggregate it: SQLite has numbers.
fn flag<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        Number(i64),
    }
    Ok(match Flag::deserialize(value)? {
        Flag::Bool(flag) => flag,
        Flag::Number(number) => number != 0,
    })
}

/// Selects [`Destination`]s of the workspace.
const SELECT: &str =
    "SELECT d.id, d.host, d.description, d.created_at, d.paused_at, COALESCE(k.name, u.name) AS creator,
        d.is_wildcard, d.allows_requests, d.receives_events, d.is_restricted, d.requests_per_minute, d.price_credits,
        d.last_used_at, d.last_error_at, d.last_error,
        (SELECT c.header_name FROM destination_credentials c WHERE c.workspace_id = d.workspace_id
            AND c.destination_id = d.id AND c.ends_at IS NULL) AS credential_header,
        (SELECT COUNT(*) FROM destination_senders s
            WHERE s.workspace_id = d.workspace_id AND s.destination_id = d.id) AS senders,
        (SELECT e.stopped_at FROM event_endpoints e
            WHERE e.destination_id = d.id AND d.receives_events) AS events_stopped_at
    FROM destinations d JOIN users u ON u.id = d.created_by
        LEFT JOIN api_keys k ON k.id = d.created_by_key_id WHERE d.workspace_id = $1";

/// The columns of [`SELECT`], in the order of the fields.
const FIELDS: [&str; 18] = [
    "id",
    "host",
    "description",
    "created_at",
    "paused_at",
    "creator",
    "is_wildcard",
    "allows_requests",
    "receives_events",
    "events_stopped_at",
    "is_restricted",
    "requests_per_minute",
    "price_credits",
    "last_used_at",
    "last_error_at",
    "last_error",
    "credential_header",
    "senders",
];

impl Destination {
    /// # Errors
    /// [`Refused::NotFound`] where this workspace has no such destination.
    async fn load(scope: &impl Scoped, id: Uuid) -> Result<Self, Refused> {
        let destination = scope.first(&format!("{SELECT} AND d.id = $2"), vec![id.into()]).await?;
        destination.ok_or(Refused::NotFound)
    }

    /// The host as people read it, in Unicode; equal to `host` if that has no punycode.
    pub fn displayed(&self) -> String {
        shown(&self.host)
    }

    /// Whether it stands for this host, in ASCII. Where an exact host and a wildcard both do, the exact one decides.
    pub fn matches(&self, host: &str) -> bool {
        matches(&self.host, host)
    }

    /// Whether the last request or event failed.
    pub fn is_failing(&self) -> bool {
        self.last_error_at.is_some() && self.last_error_at >= self.last_used_at
    }

    /// How many senders it has, such as "2 roles and keys".
    pub fn senders_in_words(&self) -> String {
        pluralize(self.senders, "role or key", "roles and keys")
    }

    pub fn has_no_use(&self) -> bool {
        !self.allows_requests && !self.receives_events
    }

    /// Whether requests would be sent to it, if there were anybody who may send them.
    pub fn is_open_to_requests(&self) -> bool {
        self.allows_requests && !self.is_paused()
    }

    pub fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// One of [`STATUSES`].
    pub fn status(&self) -> &'static str {
        if self.is_paused() { PAUSED } else { ACTIVE }
    }

    /// The version of everything about the destination that can be changed.
    pub fn version(&self) -> String {
        let rate = self.requests_per_minute.map(|rate| rate.to_string()).unwrap_or_default();
        let requests = if self.allows_requests { "requests" } else { "" };
        let price = self.price_credits.to_string();
        let parts = [self.description.as_str(), self.status(), requests, &rate, &price];
        role::fingerprint(self.id.as_bytes(), parts)
    }

    /// Its name is the host, in both forms where they differ, so that Activity is searched by either.
    fn target(&self) -> Target {
        let displayed = self.displayed();
        let name = match displayed == self.host {
            true => displayed,
            false => format!("{displayed} ({})", self.host),
        };
        Target::new(DESTINATION, self.id, name)
    }
}
