//! The unit of isolation.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub slug: String,
    pub name: String,
    pub suspended_at: Option<i64>,
    pub deleted_at: Option<i64>,
    pub created_at: i64,
    pub audit_seq: i64,
    pub audit_hash: Vec<u8>,
    /// Kept by triggers: another value after each change of a role or a grant.
    pub roles_version: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
