//! The unit of isolation.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub slug: String,
    pub name: String,
    pub suspended_at: Option<Timestamp>,
    /// Since then it can be restored for a while, and nobody is admitted to it.
    pub deleted_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Kept by triggers: another value after each change of a role or a grant.
    pub roles_version: Option<Uuid>,
    /// After so many hours without use the sessions of its Owners end.
    pub owner_idle_hours: Option<i64>,
    /// Since then its rows are being removed, and nobody can restore it.
    pub purge_began_at: Option<Timestamp>,
    /// Until when support access runs, if it does.
    pub support_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
