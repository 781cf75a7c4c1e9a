//! A message to a destination that receives events.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_deliveries")]
pub struct Model {
    /// The id of the message.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub destination_id: Uuid,
    /// The audit event; `None` for a test or a probe.
    pub event_id: Option<Uuid>,
    pub kind: String,
    pub status: String,
    pub queued_at: Timestamp,
    /// When it is sent next, if it waits.
    pub due_at: Option<Timestamp>,
    pub attempts: i64,
    /// How many attempts are left of its schedule.
    pub tries_left: i64,
    pub last_attempt_at: Option<Timestamp>,
    /// The status of the last response.
    pub last_status: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
