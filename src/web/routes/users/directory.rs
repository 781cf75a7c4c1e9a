//! The users of a workspace, and their other workspaces.

use crate::{
    domain::{
        ExternalId, Invalid, SearchText, TextRule,
        nouns::{
            directory::{self, User},
            members::Filter,
        },
    },
    policy::perm,
    web::{
        api::{
            body::{PageBody, Query},
            call::ApiResult,
            input,
            reply::{Ok200, Tagged},
            spec,
        },
        guard::key::ApiRequest,
        path::NamedUser,
        routes::members::api::Status,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A user, with the workspaces where the key can view members.
#[derive(Serialize, ToSchema)]
pub struct UserDetailBody {
    user_id: Option<Uuid>,
    /// The ID your own applications use for this user in this workspace.
    external_id: Option<String>,
    name: String,
    email: String,
    /// The status of the membership in this workspace.
    status: Status,
    workspaces: Vec<MembershipBody>,
}

/// A user's membership in one workspace.
#[derive(Serialize, ToSchema)]
pub struct MembershipBody {
    workspace_id: Uuid,
    slug: String,
    /// Slugs of all roles there, including roles from teams.
    roles: Vec<String>,
    /// Slugs of the roles assigned directly there. PATCH sets these.
    own_roles: Vec<String>,
}

impl From<User> for UserDetailBody {
    fn from(user: User) -> Self {
        let membership = |membership: directory::WorkspaceMembership| MembershipBody {
            workspace_id: membership.workspace_id,
            slug: membership.slug,
            roles: membership.roles,
            own_roles: membership.own,
        };
        Self {
            user_id: user.member.user_id,
            external_id: user.external_id,
            name: user.member.name,
            email: user.member.email,
            status: Status::of(user.member.is_active),
            workspaces: user.memberships.into_iter().map(membership).collect(),
        }
    }
}

/// Which users to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Part of a name or e-mail address.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// The slug of a role they have.
    #[param(schema_with = spec::role_of_members)]
    role: String,
    /// Only those with this status.
    #[param(inline)]
    status: Option<Status>,
    /// Only the user with this ID of your own applications.
    #[param(schema_with = spec::external_id_of_user)]
    external_id: String,
    /// The number of the page, instead of `after`: 1 is the first.
    #[param(schema_with = spec::page_number)]
    page: Option<i64>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(
    cx: ApiRequest<perm::ReadMembers, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<UserDetailBody>>> {
    let query = cx.input.0;
    let filter = Filter {
        text: input::search(&query.q)?,
        role: query.role,
        status: query.status.map(|status| status.word().to_owned()).unwrap_or_default(),
        kind: "user".to_owned(),
        external_id: external_id(&query.external_id)?,
        ..Filter::default()
    };
    let at = input::numbered_position(&query.after, query.page, query.limit)?;
    Ok(Ok200(directory::list(&cx.scope, &filter, &at).await?.into()))
}

/// The ID to find, if there is one to find.
fn external_id(text: &str) -> Result<String, Invalid> {
    match text {
        "" => Ok(String::new()),
        text => ExternalId::parse_exact(text)
            .map(|id| id.to_string())
            .map_err(|complaint| Invalid::field("external_id", complaint)),
    }
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, NamedUser>) -> ApiResult<Tagged<UserDetailBody>> {
    let (user, version) = directory::get(&cx.scope, &cx.input.0).await?;
    Ok(Tagged { body: user.into(), version })
}
