//! People, as a workspace and its applications know them.

use super::{Json, Said, input::IfMatch, reply::Tagged, spec};
use crate::{
    domain::{Refused, members},
    policy::perm,
    web::{form::Target, guard::Called},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What to change about a user in this workspace.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Slugs: exactly these roles of their own.
    #[schema(schema_with = spec::roles)]
    roles: Vec<String>,
}

/// What a user has in this workspace now.
#[derive(Serialize, ToSchema)]
pub struct UserChanged {
    user_id: Uuid,
    roles: Vec<String>,
}

pub async fn update(
    cx: Called<perm::UpdateMemberRoles, (Target, IfMatch, Json<UserChange>)>,
) -> Said<Tagged<UserChanged>> {
    let (Target(user), seen, Json(change)) = cx.input;
    let roles = change.roles;
    let mut version = String::new();
    let change = async |s: &mut _| {
        let id = members::of_user_under_lock(s, user).await?;
        seen.check(&members::version_under_lock(s, id).await?)?;
        let changed = members::change_roles(s, id, &roles).await?;
        version = members::version_under_lock(s, id).await?;
        Ok::<_, Refused>(changed)
    };
    cx.scope.write(change).await?;
    Ok(Tagged { body: UserChanged { user_id: user, roles }, version })
}
