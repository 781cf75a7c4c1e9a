//! People, as a workspace and its applications know them: entered and changed. They are listed in
//! [`super::directory`].

use crate::{
    domain::{
        Complaint, Email, ExternalId, Invalid, Refused,
        members::{self, Entered, Newcomer},
    },
    policy::{BuiltIn, perm},
    web::{
        api::{
            body::Json,
            call::ApiResult,
            input::{self, IfMatch},
            reply::{Created, Tagged},
            spec,
        },
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user in the workspace that was asked.
#[derive(Serialize, ToSchema)]
pub struct UserBody {
    user_id: Uuid,
    /// What the customer's own applications call them.
    external_id: Option<String>,
    workspaces: Vec<OwnRolesBody>,
}

/// A workspace that a user is a member of.
#[derive(Serialize, ToSchema)]
pub struct OwnRolesBody {
    workspace_id: Uuid,
    /// Slugs of every role held there, through teams too.
    roles: Vec<String>,
    /// Slugs of the roles that are their own: what PATCH sets.
    own_roles: Vec<String>,
}

fn body(workspace_id: Uuid, entered: Entered) -> UserBody {
    UserBody {
        user_id: entered.user_id,
        external_id: entered.external_id,
        workspaces: vec![OwnRolesBody { workspace_id, roles: entered.roles, own_roles: entered.own }],
    }
}

/// Somebody to enter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    #[schema(schema_with = spec::email)]
    email: String,
    /// Made from the address where it is left out.
    #[schema(schema_with = spec::maybe_name)]
    name: Option<String>,
    #[schema(schema_with = spec::maybe_external_id)]
    external_id: Option<String>,
    /// Slugs; Viewer where they are left out.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
}

impl NewUser {
    fn read(self) -> Result<Newcomer, Invalid> {
        let mut invalid = Invalid::default();
        let email = Email::parse(&self.email);
        // A page tidies up what was typed around it.
        let is_plain = self.email.chars().count() <= 254 && !self.email.contains(char::is_whitespace);
        let email = email.and_then(|email| if is_plain { Ok(email) } else { Err("Send the address alone.") });
        let email = kept(&mut invalid, "email", email);
        let local = self.email.split('@').next().unwrap_or_default().to_owned();
        let name = match input::name(&self.name.unwrap_or(local)) {
            Ok(name) => Some(name),
            Err(wrong) => {
                invalid.add("name", wrong.of("name").unwrap_or_default());
                None
            }
        };
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

pub async fn create(cx: ApiRequest<perm::InviteMembers, Json<NewUser>>) -> ApiResult<Created<UserBody>> {
    let new = cx.input.0.read()?;
    let workspace = cx.scope.actor().workspace.id;
    members::may_provision(&cx.scope).await?;
    let entered = cx.scope.write(async |s| members::provision(s, &new).await).await?;
    Ok(Created(body(workspace, entered)))
}

/// What to change about a user in this workspace; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Slugs: exactly these roles of their own.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "said")]
    #[schema(schema_with = spec::maybe_external_id, required = false)]
    external_id: Option<Option<String>>,
}

/// Tells `null` from what was left out.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl UserChange {
    fn read(self) -> Result<members::UserChange, Invalid> {
        let external_id = self.external_id.map(|id| id.map(|id| ExternalId::parse(&id)).transpose());
        let external_id =
            external_id.transpose().map_err(|complaint| Invalid::field("external_id", complaint))?;
        Ok(members::UserChange { roles: self.roles, external_id })
    }
}

pub async fn update(
    cx: ApiRequest<perm::UpdateMemberRoles, (Target, IfMatch, Json<UserChange>)>,
) -> ApiResult<Tagged<UserBody>> {
    let (Target(user), seen, Json(change)) = cx.input;
    let change = change.read()?;
    let workspace = cx.scope.actor().workspace.id;
    let mut version = String::new();
    let change = async |s: &mut _| {
        let id = members::of_user_under_lock(s, user).await?;
        seen.check(&members::tag_under_lock(s, id).await?)?;
        let changed = members::update_user(s, user, &change).await?;
        version = members::tag_under_lock(s, id).await?;
        Ok::<_, Refused>(changed)
    };
    let entered = cx.scope.write(change).await?;
    Ok(Tagged { body: body(workspace, entered), version })
}
