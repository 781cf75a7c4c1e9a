//! The matrix of the Security page: which roles hold which permission.

use crate::{
    domain::{
        Refused,
        enforce::write::WriteScope,
        nouns::security::{self, PermissionChange, Row},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::IfMatch,
            part::Part,
            reply::{Ok200, Tagged},
            spec,
        },
        guard::key::ApiRequest,
        path::NamedPermission,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permission and the roles that have it.
#[derive(Serialize, ToSchema)]
pub struct PermissionBody {
    /// The scope of the permission.
    permission: &'static str,
    label: &'static str,
    group: &'static str,
    description: &'static str,
    /// Slugs of the roles that have it, except Owner.
    roles: Vec<String>,
    /// Number of active members who have it, including Owners.
    members: i64,
}

impl From<Row> for PermissionBody {
    fn from(row: Row) -> Self {
        let held = row.roles.into_iter().filter(|role| role.ticked);
        Self {
            permission: row.permission.scope(),
            label: row.permission.label(),
            group: row.permission.group().label(),
            description: row.permission.sentence(),
            roles: held.map(|role| role.slug).collect(),
            members: row.people,
        }
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadMembers, Query<Part>>,
) -> ApiResult<Ok200<PageBody<PermissionBody>>> {
    let rows = security::matrix(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(rows, |row: &PermissionBody| row.permission.to_owned())?))
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, NamedPermission>) -> ApiResult<Tagged<PermissionBody>> {
    let all = security::matrix(&cx.scope).await?;
    let row = all.into_iter().find(|row| row.permission == cx.input.0).ok_or(Refused::NotFound)?;
    let version = row.version.clone();
    Ok(Tagged { body: row.into(), version })
}

/// The roles that should have a permission.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionRoles {
    /// Slugs of all the roles that should have it, except Owner, which has every permission.
    #[schema(schema_with = spec::any_roles)]
    roles: Vec<String>,
    /// Set to true to confirm a change that takes “Update permissions” from the key itself.
    #[serde(default)]
    confirm: bool,
}

/// The result of changing a permission.
#[derive(Serialize, ToSchema)]
pub struct PermissionChanged {
    permission: &'static str,
    roles: Vec<String>,
    /// Number of active members who gained it.
    gained: i64,
    /// Number of active members who lost it.
    lost: i64,
}

pub async fn set(
    cx: ApiRequest<perm::UpdatePermissions, (NamedPermission, IfMatch, Json<PermissionRoles>)>,
) -> ApiResult<Tagged<PermissionChanged>> {
    let (NamedPermission(permission), seen, Json(change)) = cx.input;
    let (roles, confirmed) = (change.roles, change.confirm);
    let requested = roles.clone();
    let now = async |s: &mut WriteScope<_>| Ok(security::version(&s.actor().all_roles, permission));
    let set = async |s: &mut _, version| {
        security::set(s, &PermissionChange { permission, roles: requested, version, confirmed }).await
    };
    let changed = seen.write(cx.scope, now, set).await?;
    let (gained, lost) = (changed.gained, changed.lost);
    let body = PermissionChanged { permission: permission.scope(), roles, gained, lost };
    Ok(Tagged { body, version: changed.version })
}
