//! An offer of membership to one address.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub email: String,
    pub message: String,
    pub status: String,
    pub inviter_id: Uuid,
    pub created_at: Timestamp,
    pub sent_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The key that sent it, if a key did. Then `inviter_id` is the user who is accountable for the key.
    pub inviter_key_id: Option<Uuid>,
    /// The message with its present link, as long as it is in the outbox.
    pub mail_id: Option<Uuid>,
    /// Until when whoever accepts has access; without an end if it is `None`.
    pub access_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
