//! Mail that is to be sent.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub recipient: String,
    pub subject: String,
    pub body: String,
    pub created_at: Timestamp,
    pub next_attempt_at: Timestamp,
    pub attempts: i64,
    pub last_error: Option<String>,
    /// When it was given up.
    pub failed_at: Option<Timestamp>,
    /// The invitation that it is about, if it is about one.
    pub about: Option<Uuid>,
    /// The workspace of that invitation.
    pub about_workspace: Option<Uuid>,
    /// The kind of mail that its recipient can stop, if it is one.
    pub choice: Option<String>,
    /// The person whom it is for then.
    pub recipient_id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
