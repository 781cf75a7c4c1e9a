//! The matrix of the Security page: which roles hold which permission.

use crate::{
    domain::{
        Refused,
        enforce::write::WriteScope,
        nouns::security::{self, Row, Wanted},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody},
            call::ApiResult,
            if_match::IfMatch,
            reply::{Ok200, Tagged},
            spec,
        },
        guard::key::ApiRequest,
        path::NamedPermission,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permission, and who has it.
#[derive(Serialize, ToSchema)]
pub struct PermissionBody {
    /// As it is granted and asked for.
    permission: &'static str,
    label: &'static str,
    group: &'static str,
    description: &'static str,
    /// Slugs of the roles that hold it, beside Owner.
    roles: Vec<String>,
    /// Active members who hold it, Owners too.
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

pub async fn index(cx: ApiRequest<perm::ReadMembers>) -> ApiResult<Ok200<PageBody<PermissionBody>>> {
    Ok(Ok200(PageBody::whole(security::matrix(&cx.scope).await?)))
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, NamedPermission>) -> ApiResult<Tagged<PermissionBody>> {
    let all = security::matrix(&cx.scope).await?;
    let row = all.into_iter().find(|row| row.permission == cx.input.0).ok_or(Refused::Hidden)?;
    let version = row.version.clone();
    Ok(Tagged { body: row.into(), version })
}

/// The roles that are to hold a permission.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionRoles {
    /// Slugs: all of them, beside Owner, who holds every permission.
    #[schema(schema_with = spec::any_roles)]
    roles: Vec<String>,
    /// True to take “Update permissions” from the key itself.
    #[serde(default)]
    confirm: bool,
}

/// What a change of a permission came to.
#[derive(Serialize, ToSchema)]
pub struct PermissionChanged {
    permission: &'static str,
    roles: Vec<String>,
    /// Active members who hold it now and did not.
    gained: i64,
    /// Active members who held it and do not now.
    lost: i64,
}

pub async fn set(
    cx: ApiRequest<perm::UpdatePermissions, (NamedPermission, IfMatch, Json<PermissionRoles>)>,
) -> ApiResult<Tagged<PermissionChanged>> {
    let (NamedPermission(permission), seen, Json(change)) = cx.input;
    let (roles, confirmed) = (change.roles, change.confirm);
    let wanted = roles.clone();
    let now = async |s: &mut WriteScope<_>| Ok(security::version(&s.actor().all_roles, permission));
    let set = async |s: &mut _, version| {
        security::set(s, &Wanted { permission, roles: wanted, version, confirmed }).await
    };
    let changed = seen.write(cx.scope, now, set).await?;
    let (gained, lost) = (changed.gained, changed.lost);
    let body = PermissionChanged { permission: permission.scope(), roles, gained, lost };
    Ok(Tagged { body, version: changed.version })
}
