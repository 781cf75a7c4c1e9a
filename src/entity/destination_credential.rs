//! A secret that is sent to a destination in one header, sealed.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destination_credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub destination_id: Uuid,
    /// In lower case.
    pub header_name: String,
    /// It can be opened for this workspace, destination and host alone.
    pub sealed: String,
    pub created_by: Uuid,
    /// The key that stored it, if a key did. Then `created_by` is the user who is accountable for the key.
    pub created_by_key_id: Option<Uuid>,
    pub created_at: Timestamp,
    /// Set when another takes its place: until then it can be brought back.
    pub ends_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
