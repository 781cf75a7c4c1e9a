//! The requests to the gateway of one day, in UTC: of a workspace, or of one of its keys or destinations.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "traffic_days")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    /// Of a key or a destination; all zeros for the whole workspace.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject_id: Uuid,
    /// Its first moment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Timestamp,
    /// With a status below 400.
    pub answered: i64,
    /// With a status from 400 to 499, by the destination.
    pub client_errors: i64,
    /// With a status from 500 on, by the destination, or without an answer from it.
    pub failed: i64,
    /// Ended before they were sent.
    pub refused: i64,
    pub bytes_in: i64,
    pub bytes_out: i64,
    /// How many of them are counted and not listed.
    pub unlisted: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
