//! Destinations: the public hosts that a workspace allows, one exact host each.
//!
//! [`host`] parses a host, [`mod@list`] lists destinations, [`change`] adds, describes, pauses, resumes and
//! deletes one.

mod change;
pub mod events;
mod host;
mod list;

use crate::{
    clock::Timestamp,
    domain::{
        base::{event::Target, refused::Refused, role},
        enforce::rows::Scoped,
        nouns::destinations::{events::DESTINATION, host::displayed},
    },
};
pub use change::{Change, Changed, add, delete, to_change, update};
pub use host::Host;
pub use list::{Filter, get, list, to_delete};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// The most destinations that a workspace can have.
pub const MAX_DESTINATIONS: u64 = 500;

const ACTIVE: &str = "active";
pub const PAUSED: &str = "paused";

/// What [`Destination::status`] can be.
pub const STATUSES: [&str; 2] = [ACTIVE, PAUSED];

/// A public host that the workspace allows, unless it is paused.
#[derive(Clone, Debug, Deserialize, FromQueryResult)]
pub struct Destination {
    pub id: Uuid,
    /// The ASCII form: lower case, punycode.
    pub host: String,
    pub description: String,
    pub created_at: Timestamp,
    /// When it was paused; `None` if it is active.
    pub paused_at: Option<Timestamp>,
    /// The name of the person or key that added it.
    pub creator: String,
}

/// Selects [`Destination`]s of the workspace.
const SELECT: &str =
    "SELECT d.id, d.host, d.description, d.created_at, d.paused_at, COALESCE(k.name, u.name) AS creator
    FROM destinations d JOIN users u ON u.id = d.created_by
        LEFT JOIN api_keys k ON k.id = d.created_by_key_id WHERE d.workspace_id = $1";

/// The columns of [`SELECT`], in the order of the fields.
const FIELDS: [&str; 6] = ["id", "host", "description", "created_at", "paused_at", "creator"];

impl Destination {
    /// # Errors
    /// [`Refused::NotFound`] where this workspace has no such destination.
    async fn load(scope: &impl Scoped, id: Uuid) -> Result<Self, Refused> {
        let destination = scope.first(&format!("{SELECT} AND d.id = $2"), vec![id.into()]).await?;
        destination.ok_or(Refused::NotFound)
    }

    /// The host as people read it, in Unicode; equal to `host` if that has no punycode.
    pub fn displayed(&self) -> String {
        displayed(&self.host)
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
        role::fingerprint(self.id.as_bytes(), [self.description.as_str(), self.status()])
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
