//! The home of a key allows another workspace to add it.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_consents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The home of the key.
    pub workspace_id: Uuid,
    pub api_key_id: Uuid,
    /// The workspace that may add it.
    pub to_workspace_id: Uuid,
    /// The consent holds only as long as this person may manage the key at home.
    pub given_by: Uuid,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
