//! A domain whose people can join by themselves.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "join_domains")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// In ASCII, lower case.
    pub domain: String,
    /// The role that they get.
    pub role_id: Uuid,
    /// Who answers for it; for a key, the user who is accountable for the key.
    pub inviter_id: Uuid,
    pub inviter_key_id: Option<Uuid>,
    /// What the domain's DNS must say.
    pub challenge: String,
    pub created_at: Timestamp,
    pub verified_at: Option<Timestamp>,
    /// When DNS last said so.
    pub checked_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
