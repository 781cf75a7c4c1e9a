//! One thing that happened, or was refused. Append-only. Names are in [`super::audit_identity`].

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workspace whose chain it is in.
    pub workspace_id: Option<Uuid>,
    /// The account whose record lists it; without a workspace, whose chain it is in.
    pub account_id: Option<Uuid>,
    /// The user whose chain it is in. With none of the three it is in the installation's.
    pub user_id: Option<Uuid>,
    /// The number in its chain, from 1.
    pub seq: i64,
    pub at: Timestamp,
    pub kind: String,
    pub outcome: String,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub target_kind: String,
    pub target_id: Option<Uuid>,
    pub via: String,
    /// `{}` if the payload names a person: then it is with the names.
    pub payload: String,
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
