//! An archive of a workspace, which is made in the background.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub created_by: Uuid,
    pub created_at: Timestamp,
    /// `waiting`, `running`, `ready` or `failed`.
    pub state: String,
    /// How often it was begun.
    pub tries: i64,
    pub rows_done: i64,
    /// An estimate, before it is begun.
    pub rows_total: i64,
    pub parts: i64,
    /// In bytes.
    pub size: i64,
    pub leased_until: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
