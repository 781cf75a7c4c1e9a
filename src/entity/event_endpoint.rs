//! How the workspace's events are sent to a destination.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub destination_id: Uuid,
    pub workspace_id: Uuid,
    /// Sealed.
    pub secret: String,
    pub secret_created_at: Timestamp,
    /// Sealed; the one before, which messages are signed with too until it ends.
    pub old_secret: Option<String>,
    pub old_secret_ends_at: Option<Timestamp>,
    /// Who turned events on: nothing is sent that they could not see.
    pub accountable_user_id: Uuid,
    pub stopped_at: Option<Timestamp>,
    pub stop_reason: Option<String>,
    pub failing_since: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    /// The receiver asked for nothing before this moment.
    pub not_before: Timestamp,
    pub next_probe_at: Option<Timestamp>,
    /// When something is to be sent.
    pub next_due_at: Timestamp,
    /// Until when one node sends.
    pub leased_until: Timestamp,
    /// When people were last notified of it by mail.
    pub mailed_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
