//! People, as a workspace and its applications know them.

use super::{Json, json};
use crate::{
    domain::members,
    policy::perm,
    web::{
        form::Target,
        guard::{Answer, Called},
    },
};
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What to change about a user in this workspace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Slugs: exactly these roles of their own.
    roles: Vec<String>,
}

#[derive(Serialize)]
struct Changed {
    user_id: Uuid,
    roles: Vec<String>,
}

pub async fn update(cx: Called<perm::UpdateMemberRoles, (Target, Json<Change>)>) -> Answer {
    let (Target(user), Json(change)) = cx.input;
    let roles = change.roles;
    cx.scope.write(async |s| members::change_roles_of_user(s, user, &roles).await).await?;
    Ok(json(StatusCode::OK, &Changed { user_id: user, roles }))
}
