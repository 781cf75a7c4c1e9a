//! The names and addresses of one audit event. The event's hash covers the commitments alone, so what they
//! commit to can be erased: then it is null, with its salt.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_identities")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: Uuid,
    pub actor_commitment: Vec<u8>,
    pub actor_salt: Option<Vec<u8>>,
    pub actor_name: Option<String>,
    pub actor_email: Option<String>,
    /// The network address that the request came from.
    pub address: Option<String>,
    pub user_agent: Option<String>,
    /// The user or the API key that the target is.
    pub target_subject: Option<Uuid>,
    pub target_commitment: Vec<u8>,
    pub target_salt: Option<Vec<u8>>,
    pub target_name: Option<String>,
    pub target_email: Option<String>,
    /// The user whom the payload names; only then the payload is here.
    pub payload_subject: Option<Uuid>,
    pub payload_commitment: Option<Vec<u8>>,
    pub payload_salt: Option<Vec<u8>>,
    pub payload: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
