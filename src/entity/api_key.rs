//! A principal without a person.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub account_id: Uuid,
    pub name: String,
    /// It has the rights of an account admin.
    pub is_admin: bool,
    /// Its home workspace, which requests that name none apply to.
    pub home_id: Option<Uuid>,
    /// The user who is accountable for it.
    pub made_by: Uuid,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// The one scope of its roles that it holds; `None` for all of them.
    pub only_scope: Option<String>,
    /// How many more requests it may send through the gateway; `None` for any number.
    pub requests_left: Option<i64>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
