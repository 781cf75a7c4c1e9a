//! A request to the people who run the installation.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "support_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// The person, or who is accountable for the key.
    pub asked_by: Option<Uuid>,
    pub asked_by_key_id: Option<Uuid>,
    pub category: String,
    pub expected: String,
    pub happened: String,
    /// When it happened, in the asker's words.
    pub happened_when: String,
    /// The id of a request, as the asker knows it.
    pub about_request: String,
    pub created_at: Timestamp,
    /// When the last answer came.
    pub answered_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
