//! One request to the gateway, as it is shown to the workspace. Neither body, query, headers nor secrets.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "traffic")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    /// When it began.
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: Timestamp,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `None` where no key was recognized.
    pub api_key_id: Option<Uuid>,
    /// The key's name at that moment.
    pub key_name: String,
    /// `None` where the workspace has no such destination.
    pub destination_id: Option<Uuid>,
    /// The ASCII form.
    pub host: String,
    pub method: String,
    /// Without a query.
    pub path: String,
    /// What the caller was answered. `None` where they were gone before.
    pub status: Option<i64>,
    /// Where Bailiwick itself ended the request. `None` where the destination's answer was passed on.
    pub stage: Option<String>,
    pub bytes_in: i64,
    pub bytes_out: i64,
    pub ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
