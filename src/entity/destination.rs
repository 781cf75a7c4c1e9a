//! A public host that a workspace allows.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destinations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// The ASCII form: lower case, punycode. That of a wildcard is `*.example.com`.
    pub host: String,
    pub description: String,
    /// Both forms of the host and the description, without case and accents.
    pub search_text: String,
    pub created_by: Uuid,
    /// The key that added it, if a key did. Then `created_by` is the user who is accountable for the key.
    pub created_by_key_id: Option<Uuid>,
    pub created_at: Timestamp,
    pub paused_at: Option<Timestamp>,
    pub is_wildcard: bool,
    /// Whether requests are sent to it.
    pub allows_requests: bool,
    /// Whether the workspace's events are sent to it.
    pub receives_events: bool,
    /// Whether only its senders may send requests to it. Without any sender, nobody may.
    pub is_restricted: bool,
    /// The most requests a minute; `None` for the installation's default.
    pub requests_per_minute: Option<i64>,
    /// What a request costs; 0 for nothing.
    pub price_credits: i64,
    pub last_used_at: Option<Timestamp>,
    pub last_error_at: Option<Timestamp>,
    /// A short sentence, without secrets.
    pub last_error: Option<String>,
    pub event_path: Option<String>,
    pub event_kinds: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
