//! The tenant.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub suspended_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// `admins` or `people`: who may create workspaces in it.
    pub workspace_creation: String,
    /// Kept by a trigger: how many belong to it.
    pub people: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
