//! Roles of a workspace, and what they hold.

use crate::{
    domain::{
        Description, Invalid, Name, Refused, Slug, TextRule,
        base::role::Role,
        enforce::write::WriteScope,
        nouns::roles::{self, Bundle, Listed, Look, Named, Wanted},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            reply::{Defined, Done, Ok200, Tagged},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::NamedRole,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A role.
#[derive(Serialize, ToSchema)]
pub struct RoleBody {
    slug: String,
    name: String,
    description: String,
    built_in: bool,
    /// All its permissions of the catalogue and scopes of applications.
    scopes: Vec<String>,
    /// Number of active members who have it.
    members: i64,
}

impl RoleBody {
    fn new(role: &Role, members: i64) -> Self {
        Self {
            slug: role.slug.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            built_in: role.built_in,
            scopes: role.holdings.scopes(),
            members,
        }
    }
}

impl From<Listed> for RoleBody {
    fn from(listed: Listed) -> Self {
        Self::new(&listed.role, listed.people)
    }
}

pub async fn index(cx: ApiRequest<perm::ReadMembers>) -> ApiResult<Ok200<PageBody<RoleBody>>> {
    Ok(Ok200(PageBody::whole(roles::list(&cx.scope).await?)))
}

/// A role, and who has it.
#[derive(Serialize, ToSchema)]
pub struct RoleDetailBody {
    #[serde(flatten)]
    role: RoleBody,
    /// Number of suspended members who have it.
    suspended: i64,
    /// Number of pending invitations that include it.
    invited: i64,
    /// Teams that have it.
    teams: i64,
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, NamedRole>) -> ApiResult<Tagged<RoleDetailBody>> {
    let look: Look = roles::look(&cx.scope, &cx.input.0).await?;
    let version = look.role.version();
    let role = RoleBody::new(&look.role, look.people);
    let body = RoleDetailBody { role, suspended: look.suspended, invited: look.invited, teams: look.teams };
    Ok(Tagged { body, version })
}

/// A role to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    #[schema(schema_with = spec::text::<Name>)]
    name: String,
    /// If omitted, created from the name. Use the slug of a built-in role to set its application scopes.
    #[schema(schema_with = spec::maybe_text::<Slug>)]
    slug: Option<String>,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
    /// Scopes of applications and permissions of the catalogue. For a built-in role, only scopes of applications.
    #[serde(default)]
    #[schema(schema_with = spec::scopes)]
    scopes: Vec<String>,
}

impl Validate for NewRole {
    type Valid = (Name, Option<Slug>, Option<Description>, Bundle);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.keep("name", Name::parse_exact(&self.name));
        let slug = invalid.keep("slug", input::maybe(&self.slug));
        let description = invalid.keep("description", input::maybe(&self.description));
        let scopes = invalid.keep_all(Bundle::of(&self.scopes));
        Some((name?, slug?, description?, scopes?))
    }
}

/// The current state of a role.
#[derive(Serialize, ToSchema)]
pub struct RoleMade {
    slug: String,
    name: String,
    description: String,
    scopes: Vec<String>,
}

impl From<&Role> for RoleMade {
    fn from(role: &Role) -> Self {
        Self {
            slug: role.slug.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            scopes: role.holdings.scopes(),
        }
    }
}

pub async fn create(
    cx: ApiRequest<perm::ManageRoles, Json<Checked<NewRole>>>,
) -> ApiResult<Defined<RoleMade>> {
    let (name, slug, description, scopes) = cx.input.0.valid?;
    let mut after = None;
    let change = async |s: &mut WriteScope<perm::ManageRoles>| {
        let defined = roles::define(s, &name, slug.as_ref(), description.as_ref(), &scopes).await?;
        after = roles::by_slug(s, &defined.value().slug).await?.map(|role| RoleMade::from(&role));
        Ok::<_, Refused>(defined)
    };
    let defined = cx.scope.write(change).await?;
    let made = after.ok_or(Refused::Hidden)?;
    Ok(if defined.is_new { Defined::New(made) } else { Defined::Known(made) })
}

/// Changes to a role. Omitted fields stay the same.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    #[schema(schema_with = spec::maybe_text::<Name>)]
    name: Option<String>,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
}

impl Validate for RoleChange {
    type Valid = (Option<Name>, Option<Description>);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.keep("name", input::maybe(&self.name));
        let description = invalid.keep("description", input::maybe(&self.description));
        Some((name?, description?))
    }
}

pub async fn update(
    cx: ApiRequest<perm::ManageRoles, (NamedRole, IfMatch, Json<Checked<RoleChange>>)>,
) -> ApiResult<Tagged<RoleMade>> {
    let (NamedRole(slug), seen, Json(change)) = cx.input;
    let (name, description) = change.valid?;
    let describe = async |s: &mut _, role: Role| {
        let named = Named {
            name: input::or_stored(name, "name", &role.name)?,
            description: input::or_stored(description, "description", &role.description)?,
        };
        let changed = roles::describe(s, &slug, &named, &role.details_version()).await?;
        let after = roles::by_slug(s, &slug).await?.ok_or(Refused::Hidden)?;
        Ok(changed.map(|_| Tagged::of(&after)))
    };
    seen.write(cx.scope, async |s| now(s, &slug), describe).await
}

/// The role as it is under the lock.
fn now<P>(s: &WriteScope<P>, slug: &str) -> Result<Role, Refused> {
    s.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::Hidden)
}

impl Versioned for Role {
    fn tag(&self) -> String {
        self.version()
    }
}

/// All permissions and scopes of a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleScopes {
    #[schema(schema_with = spec::scopes)]
    scopes: Vec<String>,
    /// Set to true to confirm a change that takes “Update permissions” from the key itself.
    #[serde(default)]
    confirm: bool,
}

pub async fn set_scopes(
    cx: ApiRequest<perm::UpdatePermissions, (NamedRole, IfMatch, Json<RoleScopes>)>,
) -> ApiResult<Tagged<RoleMade>> {
    let (NamedRole(slug), seen, Json(change)) = cx.input;
    let scopes = Bundle::of(&change.scopes)?;
    let set = async |s: &mut _, role: Role| {
        let wanted = Wanted { scopes, version: role.scopes_version(), confirmed: change.confirm };
        let changed = roles::set_scopes(s, &slug, &wanted).await?;
        let after = roles::by_slug(s, &slug).await?.ok_or(Refused::Hidden)?;
        Ok(changed.map(|_| Tagged::of(&after)))
    };
    seen.write(cx.scope, async |s| now(s, &slug), set).await
}

/// The deletion of a role.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    /// The slug of the role that replaces it.
    #[param(schema_with = spec::text::<Slug>)]
    replacement: Option<String>,
}

pub async fn delete(
    cx: ApiRequest<perm::ManageRoles, (NamedRole, IfMatch, Query<Deletion>)>,
) -> ApiResult<Done> {
    let (NamedRole(slug), seen, Query(deletion)) = cx.input;
    let replacement = deletion.replacement.as_deref();
    let delete = async |s: &mut _, _| roles::delete(s, &slug, replacement).await;
    seen.write(cx.scope, async |s| now(s, &slug), delete).await?;
    Ok(Done)
}
