//! Roles of a workspace, and what they hold.

use crate::{
    domain::{
        Description, Invalid, Name, Refused, Slug, TextRule,
        base::role::Role,
        enforce::write::WriteScope,
        nouns::roles::{self, RoleDetail, RoleDetails, RoleWithCounts, ScopeSet, ScopesChange},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            operation::Operation,
            part::Part,
            reply::{Created, CreatedOrUpdated, NoContent, Ok200, Tagged, WithVersion},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::NamedRole,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
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

impl From<RoleWithCounts> for RoleBody {
    fn from(row: RoleWithCounts) -> Self {
        Self::new(&row.role, row.people)
    }
}

pub async fn index(cx: ApiRequest<perm::ReadMembers, Query<Part>>) -> ApiResult<Ok200<PageBody<RoleBody>>> {
    let roles = roles::list(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(roles, |role: &RoleBody| role.slug.clone())?))
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
    let detail: RoleDetail = roles::get(&cx.scope, &cx.input.0).await?;
    let version = detail.role.version();
    let role = RoleBody::new(&detail.role, detail.people);
    let body =
        RoleDetailBody { role, suspended: detail.suspended, invited: detail.invited, teams: detail.teams };
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
    #[serde(default, deserialize_with = "input::or_default")]
    #[schema(schema_with = spec::maybe_scopes, required = false)]
    scopes: Vec<String>,
}

impl Validate for NewRole {
    type Valid = (Name, Option<Slug>, Option<Description>, ScopeSet);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse_exact(&self.name));
        let slug = invalid.check("slug", input::optional(&self.slug));
        let description = invalid.check("description", input::optional(&self.description));
        let scopes = invalid.check_all(ScopeSet::of(&self.scopes));
        Some((name?, slug?, description?, scopes?))
    }
}

/// The current state of a role.
#[derive(Serialize, ToSchema)]
pub struct RoleDefinition {
    slug: String,
    name: String,
    description: String,
    scopes: Vec<String>,
}

impl From<&Role> for RoleDefinition {
    fn from(role: &Role) -> Self {
        Self {
            slug: role.slug.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            scopes: role.holdings.scopes(),
        }
    }
}

/// A role to create, with scopes of an application.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example =
        Some(json!({"name": "Incident lead", "scopes": ["read:incidents", "close:incidents"]}));
}

pub async fn create(
    cx: ApiRequest<perm::ManageRoles, Json<Checked<NewRole>>>,
) -> ApiResult<WithVersion<CreatedOrUpdated<RoleDefinition>>> {
    let (name, slug, description, scopes) = cx.input.0.valid?;
    let mut after = None;
    let change = async |s: &mut WriteScope<perm::ManageRoles>| {
        let defined = roles::define(s, &name, slug.as_ref(), description.as_ref(), &scopes).await?;
        after = roles::by_slug(s, &defined.value().slug).await?;
        Ok::<_, Refused>(defined)
    };
    let defined = cx.scope.write(change).await?;
    let saved = after.ok_or(Refused::NotFound)?;
    let (body, version) = (RoleDefinition::from(&saved), saved.version());
    let reply = match defined.is_new {
        true => {
            CreatedOrUpdated::Created(Created { body, location: format!("/api/sso/v1/roles/{}", saved.slug) })
        }
        false => CreatedOrUpdated::Updated(body),
    };
    Ok(WithVersion { reply, version })
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
        let name = invalid.check("name", input::optional(&self.name));
        let description = invalid.check("description", input::optional(&self.description));
        Some((name?, description?))
    }
}

pub async fn update(
    cx: ApiRequest<perm::ManageRoles, (NamedRole, IfMatch, Json<Checked<RoleChange>>)>,
) -> ApiResult<Tagged<RoleDefinition>> {
    let (NamedRole(slug), seen, Json(change)) = cx.input;
    let (name, description) = change.valid?;
    let describe = async |s: &mut _, role: Role| {
        let named = RoleDetails {
            name: input::or_stored(name, "name", &role.name)?,
            description: input::or_stored(description, "description", &role.description)?,
        };
        let changed = roles::describe(s, &slug, &named, &role.details_version()).await?;
        let after = roles::by_slug(s, &slug).await?.ok_or(Refused::NotFound)?;
        Ok(changed.map(|_| Tagged::of(&after)))
    };
    seen.write(cx.scope, async |s| now(s, &slug), describe).await
}

/// The role as it is under the lock.
fn now<P>(s: &WriteScope<P>, slug: &str) -> Result<Role, Refused> {
    s.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::NotFound)
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
    #[serde(default, deserialize_with = "input::or_default")]
    #[schema(schema_with = spec::maybe_flag, required = false)]
    confirm: bool,
}

pub async fn set_scopes(
    cx: ApiRequest<perm::UpdatePermissions, (NamedRole, IfMatch, Json<RoleScopes>)>,
) -> ApiResult<Tagged<RoleDefinition>> {
    let (NamedRole(slug), seen, Json(change)) = cx.input;
    let scopes = ScopeSet::of(&change.scopes)?;
    let set = async |s: &mut _, role: Role| {
        let requested = ScopesChange { scopes, version: role.scopes_version(), confirmed: change.confirm };
        let changed = roles::set_scopes(s, &slug, &requested).await?;
        let after = roles::by_slug(s, &slug).await?.ok_or(Refused::NotFound)?;
        Ok(changed.map(|_| Tagged::of(&after)))
    };
    seen.write(cx.scope, async |s| now(s, &slug), set).await
}

/// The deletion of a role.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    /// The slug of the role that replaces it.
    #[param(schema_with = spec::replacement)]
    replacement: Option<String>,
}

pub async fn delete(
    cx: ApiRequest<perm::ManageRoles, (NamedRole, IfMatch, Query<Deletion>)>,
) -> ApiResult<NoContent> {
    let (NamedRole(slug), seen, Query(deletion)) = cx.input;
    let replacement = deletion.replacement.as_deref();
    let delete = async |s: &mut _, _| roles::delete(s, &slug, replacement).await;
    seen.write(cx.scope, async |s| now(s, &slug), delete).await?;
    Ok(NoContent)
}
