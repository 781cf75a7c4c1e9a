//! The hash of a secret of an API key.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub api_key_id: Uuid,
    /// The secret's last characters, to tell one from another.
    pub hint: String,
    pub created_at: Timestamp,
    /// Set when another takes its place.
    pub expires_at: Option<Timestamp>,
    /// The person who was shown it. In a workspace that they are or were a member of, it is worth no more than
    /// they hold there.
    pub shown_to: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
