//! Access for a limited time that somebody who runs the installation asks a workspace for.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "support_grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// Of the link that was printed.
    pub token_hash: Vec<u8>,
    /// The name of whoever asks.
    pub operator: String,
    pub reason: String,
    /// The id of a request for support, in their words.
    pub about_request: String,
    /// The permissions that were asked for.
    pub scopes: String,
    pub hours: i64,
    pub status: String,
    pub created_at: Timestamp,
    /// When nobody can answer it any more.
    pub expires_at: Timestamp,
    pub answered_by: Option<Uuid>,
    pub answered_at: Option<Timestamp>,
    /// Those that were granted.
    pub granted_scopes: String,
    /// When granted access ends by itself.
    pub ends_at: Option<Timestamp>,
    /// `None` where it ended by itself.
    pub ended_by: Option<Uuid>,
    pub ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
