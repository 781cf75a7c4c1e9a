//! Workspaces: those of the key, and each of them by its slug.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Name, Refused, Slug, TextRule,
        base::principal::Workspace,
        enforce::write::WriteScope,
        nouns::{
            organization::{self, IdleHours, Organization, OrganizationChange, deletion},
            workspaces::{self, WorkspaceOfKey},
        },
    },
    policy::{Setup, perm},
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            reply::{Created, NoContent, Ok200, Tagged, WithVersion},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::{ApiRequest, KeyRequest},
        origin,
        routes::members::api::Status,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A workspace the key is a member of.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceBody {
    id: Uuid,
    slug: String,
    name: String,
    account_id: Uuid,
    /// The status of the key's membership, or of the workspace.
    status: Status,
    /// Slugs of the key's roles there.
    roles: Vec<String>,
    /// Whether this is the key's home workspace. Requests that don't name a workspace use it.
    is_home: bool,
    /// Milliseconds since 1970.
    created_at: Timestamp,
}

impl From<WorkspaceOfKey> for WorkspaceBody {
    fn from(row: WorkspaceOfKey) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            account_id: row.account_id,
            status: Status::of(row.status == "active"),
            roles: row.role_set.split_ascii_whitespace().map(str::to_owned).collect(),
            is_home: row.is_home,
            created_at: row.created_at,
        }
    }
}

/// Which workspaces to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(cx: KeyRequest<Query<ListQuery>>) -> ApiResult<Ok200<PageBody<WorkspaceBody>>> {
    let at = input::position(&cx.input.0.after, cx.input.0.limit)?;
    Ok(Ok200(workspaces::of_key(&cx.view.app.db, cx.key(), &at).await?.into()))
}

/// A workspace to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    #[schema(schema_with = spec::text::<Name>)]
    name: String,
    /// If omitted, created from the name.
    #[schema(schema_with = spec::maybe_text::<Slug>)]
    slug: Option<String>,
    /// The ID of the first Owner, a user in the account. If omitted, the person who created the key.
    owner: Option<Uuid>,
    /// Keeps technical and billing work separate: Admins can't manage billing or purchase credits, and Developers can't
    /// invite members.
    #[schema(schema_with = spec::maybe_flag)]
    #[serde(default, deserialize_with = "input::or_default")]
    separate_billing: bool,
}

impl Validate for NewWorkspace {
    type Valid = (Name, Slug, Option<Uuid>, Setup);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse_exact(&self.name));
        let slug = match &self.slug {
            Some(text) => Slug::parse_exact(text),
            None => Slug::suggest(&self.name).ok_or_else(|| "Choose one, such as my-team.".to_owned()),
        };
        let slug = invalid.check("slug", slug);
        Some((name?, slug?, self.owner, Setup::separate_billing(self.separate_billing)))
    }
}

/// A workspace that was created or changed.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceSummary {
    id: Uuid,
    slug: String,
    name: String,
}

pub async fn create(
    cx: KeyRequest<Json<Checked<NewWorkspace>>>,
) -> ApiResult<WithVersion<Created<WorkspaceSummary>>> {
    let (key, call, Json(new)) = cx.into_parts();
    let (name, slug, owner, setup) = new.valid?;
    let origin = origin::of_call(&call.req);
    let id = workspaces::create_by_key(&call.app.db, &key, owner, &name, &slug, setup, &origin).await?;
    let workspace = Workspace {
        id,
        account_id: key.account_id,
        slug: slug.to_string(),
        name: name.to_string(),
        owner_idle_hours: None,
        support_until: None,
        has_ends_due: false,
    };
    let (location, version) = (format!("/api/sso/v1/workspaces/{slug}"), workspace.version());
    Ok(WithVersion { reply: Created { body: workspace.into(), location }, version })
}

/// A workspace as its members see it.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceDetailBody {
    id: Uuid,
    slug: String,
    name: String,
    account_id: Uuid,
    account: String,
    /// Slugs of the key's roles there.
    roles: Vec<String>,
    created_at: Timestamp,
    members: i64,
    /// Number of pending invitations.
    invitations: i64,
    /// After so many hours without use the sessions of its Owners end; `null`: as those of everybody.
    owner_idle_hours: Option<i64>,
}

pub async fn show(cx: ApiRequest<perm::Membership>) -> ApiResult<Tagged<WorkspaceDetailBody>> {
    let (actor, organization): (_, Organization) = (cx.scope.actor(), organization::get(&cx.scope).await?);
    // The version is that of the returned name and slug.
    let workspace = Workspace {
        name: organization.name,
        slug: organization.slug,
        owner_idle_hours: organization.owner_idle_hours,
        ..actor.workspace.clone()
    };
    let version = workspace.version();
    let body = WorkspaceDetailBody {
        id: workspace.id,
        slug: workspace.slug,
        name: workspace.name,
        account_id: workspace.account_id,
        account: organization.account,
        roles: actor.roles.clone(),
        created_at: organization.created_at,
        members: organization.members,
        invitations: organization.invitations,
        owner_idle_hours: workspace.owner_idle_hours,
    };
    Ok(Tagged { body, version })
}

/// Changes to a workspace. Omitted fields stay the same.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceChange {
    #[schema(schema_with = spec::maybe_text::<Name>)]
    name: Option<String>,
    #[schema(schema_with = spec::maybe_text::<Slug>)]
    slug: Option<String>,
    /// After so many hours without use the sessions of its Owners end. `null`: as those of everybody. Only keys
    /// with the Owner role can change it.
    #[serde(default, deserialize_with = "input::present_or_null")]
    #[schema(schema_with = spec::maybe_idle_hours, required = false)]
    owner_idle_hours: Option<Option<i64>>,
}

impl Validate for WorkspaceChange {
    type Valid = (Option<Name>, Option<Slug>, Option<Option<IdleHours>>);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", input::optional(&self.name));
        let slug = invalid.check("slug", input::optional(&self.slug));
        let idle = self.owner_idle_hours.map(|hours| hours.map(IdleHours::parse).transpose()).transpose();
        let idle = invalid.check("owner_idle_hours", idle);
        Some((name?, slug?, idle?))
    }
}

pub async fn update(
    cx: ApiRequest<perm::UpdateOrganization, (IfMatch, Json<Checked<WorkspaceChange>>)>,
) -> ApiResult<Tagged<WorkspaceSummary>> {
    let (seen, Json(change)) = cx.input;
    let (name, slug, owner_idle) = change.valid?;
    let now = async |s: &mut WriteScope<_>| Ok(s.actor().workspace.clone());
    seen.write(cx.scope, now, async |s, now| {
        let name = input::or_stored(name, "name", &now.name)?;
        let slug = input::or_stored(slug, "slug", &now.slug)?;
        let changed = organization::update(s, &OrganizationChange { name, slug, owner_idle }).await?;
        Ok(changed.map(Tagged::of))
    })
    .await
}

impl Versioned for Workspace {
    fn tag(&self) -> String {
        self.version()
    }
}

impl From<Workspace> for WorkspaceSummary {
    fn from(workspace: Workspace) -> Self {
        Self { id: workspace.id, slug: workspace.slug, name: workspace.name }
    }
}

/// The deletion of a workspace.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// To confirm, the slug of the workspace. Nobody can use it or anything in it from then on.
    #[param(schema_with = spec::confirmation)]
    confirm: String,
}

pub async fn delete(cx: ApiRequest<perm::DeleteOrganization, Query<Deletion>>) -> ApiResult<NoContent> {
    let Query(query) = cx.input;
    cx.scope.write(async |s| deletion::delete(s, &query.confirm).await).await?;
    Ok::<_, Refused>(NoContent)
}
