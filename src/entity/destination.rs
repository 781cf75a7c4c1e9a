//! A public host that a workspace allows.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destinations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// The ASCII form: lower case, punycode.
    pub host: String,
    pub description: String,
    /// Both forms of the host and the description, without case and accents.
    pub search_text: String,
    pub created_by: Uuid,
    /// The key that added it, if a key did. Then `created_by` is the user who is accountable for the key.
    pub created_by_key_id: Option<Uuid>,
    pub created_at: Timestamp,
    pub paused_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
