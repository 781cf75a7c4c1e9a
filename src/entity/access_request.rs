//! What a member asks those for who can give it.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// Who asks.
    pub member_id: Uuid,
    /// What is asked for; empty where it is a role.
    pub scope: String,
    /// The slug of the role that is asked for; empty where it is a scope.
    pub role: String,
    pub reason: String,
    /// Until when it is wanted; `None` for no end.
    pub ends_at: Option<Timestamp>,
    pub status: String,
    pub created_at: Timestamp,
    /// When nobody can answer it any more.
    pub expires_at: Timestamp,
    pub answered_by: Option<Uuid>,
    pub answered_at: Option<Timestamp>,
    /// What whoever answered wrote; may be empty.
    pub answer: String,
    /// The slug of the role that was given; empty unless it was accepted.
    pub given_role: String,
    /// Until when it was given.
    pub given_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
