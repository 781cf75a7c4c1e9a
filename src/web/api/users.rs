//! People, as a workspace and its applications know them.

use super::{Json, json};
use crate::{
    domain::{
        Complaint, Email, ExternalId, Invalid, Name,
        members::{self, Entered, Newcomer, UserChange},
    },
    policy::{BuiltIn, perm},
    web::{
        form::Target,
        guard::{Answer, Called},
    },
};
use actix_web::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// A user in a workspace.
#[derive(Serialize)]
pub struct UserBody {
    pub user_id: Uuid,
    /// What the customer's own applications call them.
    pub external_id: Option<String>,
    pub workspaces: Vec<PlaceBody>,
}

/// A workspace that a user is a member of.
#[derive(Serialize)]
pub struct PlaceBody {
    pub workspace_id: Uuid,
    /// Slugs of the roles that are their own.
    pub roles: Vec<String>,
}

fn body(workspace_id: Uuid, entered: Entered) -> UserBody {
    UserBody {
        user_id: entered.user_id,
        external_id: entered.external_id,
        workspaces: vec![PlaceBody { workspace_id, roles: entered.roles }],
    }
}

/// Somebody to enter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    email: String,
    /// Made from the address where it is left out.
    name: Option<String>,
    external_id: Option<String>,
    /// Slugs; Viewer where they are left out.
    roles: Option<Vec<String>>,
}

impl New {
    fn read(self) -> Result<Newcomer, Invalid> {
        let mut invalid = Invalid::default();
        let email = kept(&mut invalid, "email", Email::parse(&self.email));
        let local = self.email.split('@').next().unwrap_or_default().to_owned();
        let name = kept(&mut invalid, "name", Name::parse(&self.name.unwrap_or(local)));
        let external_id = self.external_id.map(|id| ExternalId::parse(&id)).transpose();
        let external_id = kept(&mut invalid, "external_id", external_id);
        let roles = self.roles.unwrap_or_else(|| vec![BuiltIn::Viewer.slug().to_owned()]);
        match (email, name, external_id) {
            (Some(email), Some(name), Some(external_id)) => Ok(Newcomer { email, name, external_id, roles }),
            _ => Err(invalid),
        }
    }
}

fn kept<T>(invalid: &mut Invalid, field: &str, read: Result<T, Complaint>) -> Option<T> {
    read.map_err(|complaint| invalid.add(field, complaint)).ok()
}

pub async fn create(cx: Called<perm::InviteMembers, Json<New>>) -> Answer {
    let new = cx.input.0.read()?;
    let workspace = cx.scope.actor().workspace.id;
    let entered = cx.scope.write(async |s| members::provision(s, &new).await).await?;
    Ok(json(StatusCode::CREATED, &body(workspace, entered)))
}

/// What to change about a user in this workspace; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Slugs: exactly these roles of their own.
    roles: Option<Vec<String>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "said")]
    external_id: Option<Option<String>>,
}

/// Tells `null` from what was left out.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl Change {
    fn read(self) -> Result<UserChange, Invalid> {
        let external_id = self.external_id.map(|id| id.map(|id| ExternalId::parse(&id)).transpose());
        let external_id =
            external_id.transpose().map_err(|complaint| Invalid::field("external_id", complaint))?;
        Ok(UserChange { roles: self.roles, external_id })
    }
}

pub async fn update(cx: Called<perm::UpdateMemberRoles, (Target, Json<Change>)>) -> Answer {
    let (Target(user), Json(change)) = cx.input;
    let change = change.read()?;
    let workspace = cx.scope.actor().workspace.id;
    let entered = cx.scope.write(async |s| members::update_user(s, user, &change).await).await?;
    Ok(json(StatusCode::OK, &body(workspace, entered)))
}
