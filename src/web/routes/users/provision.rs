//! Adding and changing users of a workspace. They are listed in [`super::directory`].

use crate::{
    domain::{
        Email, ExternalId, Invalid, Name, Refused, TextRule,
        base::subject::Subject,
        enforce::write::WriteScope,
        nouns::members::{self, NewMember, ProvisionedUser},
    },
    policy::{BuiltIn, perm},
    web::{
        api::{
            body::Json,
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            operation::Operation,
            reply::{Created, Tagged, WithVersion},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::NamedUser,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user in this workspace.
#[derive(Serialize, ToSchema)]
pub struct UserBody {
    user_id: Uuid,
    /// The ID your own applications use for this user.
    external_id: Option<String>,
    workspaces: Vec<OwnRolesBody>,
}

/// A workspace the user is a member of.
#[derive(Serialize, ToSchema)]
pub struct OwnRolesBody {
    workspace_id: Uuid,
    /// Slugs of all roles there, including roles from teams.
    roles: Vec<String>,
    /// Slugs of the roles assigned directly. PATCH sets these.
    own_roles: Vec<String>,
}

fn body(workspace_id: Uuid, user: ProvisionedUser) -> UserBody {
    UserBody {
        user_id: user.user_id,
        external_id: user.external_id,
        workspaces: vec![OwnRolesBody { workspace_id, roles: user.roles, own_roles: user.own }],
    }
}

/// A user to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    #[schema(schema_with = spec::text::<Email>)]
    email: String,
    /// If omitted, created from the address.
    #[schema(schema_with = spec::maybe_text::<Name>)]
    name: Option<String>,
    #[schema(schema_with = spec::maybe_text::<ExternalId>)]
    external_id: Option<String>,
    /// Slugs of roles. If omitted, Viewer.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
}

impl Validate for NewUser {
    type Valid = NewMember;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewMember> {
        let local = || self.email.split('@').next().unwrap_or_default();
        let email = invalid.check("email", Email::parse_exact(&self.email));
        let name = invalid.check("name", Name::parse_exact(self.name.as_deref().unwrap_or_else(local)));
        let external_id = invalid.check("external_id", input::optional(&self.external_id));
        let roles = self.roles.clone().unwrap_or_else(|| vec![BuiltIn::Viewer.slug().to_owned()]);
        Some(NewMember { email: email?, name: name?, external_id: external_id?, roles })
    }
}

/// A user to add, under an ID of one's own.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example =
        Some(json!({"email": "ada@example.com", "external_id": "employee-7", "roles": ["developer"]}));
}

pub async fn create(
    cx: ApiRequest<perm::InviteMembers, Json<Checked<NewUser>>>,
) -> ApiResult<WithVersion<Created<UserBody>>> {
    let new = cx.input.0.valid?;
    let workspace = cx.scope.actor().workspace.id;
    members::may_provision(&cx.scope).await?;
    let create = async |s: &mut WriteScope<_>| {
        let created = members::provision(s, &new).await?;
        let id = members::of_user_under_lock(s, &Subject::User(created.value().user_id)).await?;
        let version = members::tag_under_lock(s, id).await?;
        Ok::<_, Refused>(created.map(|user| (user, version)))
    };
    let (user, version) = cx.scope.write(create).await?;
    let location = format!("/api/sso/v1/users/{}", user.user_id);
    Ok(WithVersion { reply: Created { body: body(workspace, user), location }, version })
}

/// Changes to a user in this workspace. Omitted fields stay the same.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// Slugs of all the roles to assign directly. They replace the current ones.
    #[schema(schema_with = spec::maybe_roles)]
    roles: Option<Vec<String>>,
    /// `null` removes it.
    #[serde(default, deserialize_with = "input::present_or_null")]
    #[schema(schema_with = spec::maybe_text::<ExternalId>, required = false)]
    external_id: Option<Option<String>>,
}

impl Validate for UserChange {
    type Valid = members::UserChange;

    fn validate(&self, invalid: &mut Invalid) -> Option<members::UserChange> {
        let external_id = self.external_id.as_ref().map(input::optional).transpose();
        let external_id = invalid.check("external_id", external_id)?;
        Some(members::UserChange { roles: self.roles.clone(), external_id })
    }
}

pub async fn update(
    cx: ApiRequest<perm::UpdateMemberRoles, (NamedUser, IfMatch, Json<Checked<UserChange>>)>,
) -> ApiResult<Tagged<UserBody>> {
    let (NamedUser(user), seen, Json(change)) = cx.input;
    let change = change.valid?;
    let workspace = cx.scope.actor().workspace.id;
    let now = async |s: &mut _| {
        let id = members::of_user_under_lock(s, &user).await?;
        Ok(Entry { id, version: members::tag_under_lock(s, id).await? })
    };
    seen.write(cx.scope, now, async |s, now| {
        let changed = members::update_user(s, &user, &change).await?;
        let version = members::tag_under_lock(s, now.id).await?;
        Ok(changed.map(|user| Tagged { version, body: body(workspace, user) }))
    })
    .await
}

/// The membership of a user, as it is under the lock.
struct Entry {
    id: Uuid,
    version: String,
}

impl Versioned for Entry {
    fn tag(&self) -> String {
        self.version.clone()
    }
}
