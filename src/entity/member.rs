//! A principal's membership in one workspace.

use crate::clock::Timestamp;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub kind: String,
    pub user_id: Option<Uuid>,
    pub status: String,
    pub origin: String,
    pub invited_by: Option<Uuid>,
    pub joined_at: Timestamp,
    pub last_active_at: Option<Timestamp>,
    /// The text that lists sort by and search in; see `records::members::sort_key`.
    #[sea_orm(column_name = "listed_as")]
    pub sort_key: String,
    /// Kept by a trigger: slugs of the roles held, sorted, apart by spaces.
    pub role_set: String,
    pub api_key_id: Option<Uuid>,
    /// The member's id in the customer's own applications.
    pub external_id: Option<String>,
    /// The person who last gave a key its roles here. The key holds no more than they do.
    pub vouched_by: Option<Uuid>,
    /// Sessions that began before do not open the workspace: the member was suspended in the meantime.
    pub sessions_from: Option<Timestamp>,
    /// The id that the user had when a service entered them, before they accepted.
    pub provisioned_as: Option<Uuid>,
    /// Who answers for a membership that waits for a person; `None` once it does not wait any more.
    pub entered_by: Option<Uuid>,
    /// The key by which they entered it.
    pub entered_by_key: Option<Uuid>,
    /// From then on it is as if the membership had been ended.
    pub access_until: Option<Timestamp>,
    /// Who set that, and hears before it comes.
    pub access_set_by: Option<Uuid>,
    /// Kept by triggers: the soonest end, of the membership or of one of its roles.
    pub next_end_at: Option<Timestamp>,
    /// The end that mail was sent about.
    pub end_noticed_for: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::InWorkspace for Entity {
    const WORKSPACE: Column = Column::WorkspaceId;
}
