//! The users of a workspace, and where else they are.

use crate::{
    domain::{
        SearchText, Slug,
        base::paging::Position,
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
        path::Target,
        routes::members::api::Status,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A user, in the workspaces in which the key may view members.
#[derive(Serialize, ToSchema)]
pub struct UserDetailBody {
    user_id: Option<Uuid>,
    /// What the customer's own applications call them in the workspace that was asked.
    external_id: Option<String>,
    name: String,
    email: String,
    /// Of the membership in the workspace that was asked.
    status: Status,
    workspaces: Vec<MembershipBody>,
}

/// A user's membership in one workspace.
#[derive(Serialize, ToSchema)]
pub struct MembershipBody {
    workspace_id: Uuid,
    slug: String,
    /// Slugs of every role held there, through teams too.
    roles: Vec<String>,
    /// Slugs of the roles that are their own there: what PATCH sets.
    own_roles: Vec<String>,
}

impl From<User> for UserDetailBody {
    fn from(user: User) -> Self {
        let membership = |place: directory::Place| MembershipBody {
            workspace_id: place.workspace_id,
            slug: place.slug,
            roles: place.roles,
            own_roles: place.own,
        };
        Self {
            user_id: user.member.user_id,
            external_id: user.external_id,
            name: user.member.name,
            email: user.member.email,
            status: Status::of(user.member.is_active),
            workspaces: user.places.into_iter().map(membership).collect(),
        }
    }
}

/// Which users to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Part of a name or an address.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// A role that they hold, by its slug.
    #[param(schema_with = spec::text::<Slug>)]
    role: String,
    #[param(inline)]
    status: Option<Status>,
    /// `next` of the page before.
    #[param(schema_with = spec::cursor)]
    after: String,
}

pub async fn index(
    cx: ApiRequest<perm::ReadMembers, Query<Asked>>,
) -> ApiResult<Ok200<PageBody<UserDetailBody>>> {
    let asked = cx.input.0;
    let filter = Filter {
        text: input::search(&asked.q)?,
        role: asked.role,
        status: asked.status.map(|status| status.word().to_owned()).unwrap_or_default(),
        kind: "user".to_owned(),
        ..Filter::default()
    };
    let at = Position::parse(&asked.after, "")?;
    Ok(Ok200(directory::list(&cx.scope, &filter, &at).await?.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, Target>) -> ApiResult<Tagged<UserDetailBody>> {
    let (user, version) = directory::look(&cx.scope, cx.input.0).await?;
    Ok(Tagged { body: user.into(), version })
}
