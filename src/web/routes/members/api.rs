//! Members of a workspace: people and keys.

use crate::{
    clock::Timestamp,
    domain::{
        SearchText,
        base::paging::Position,
        nouns::members::{self, DependentKeys, Detail, Filter, Member},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::IfMatch,
            input::{self, Empty},
            reply::{NoContent, Ok200, Tagged},
            spec,
        },
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A member of a workspace.
#[derive(Serialize, ToSchema)]
pub struct MemberBody {
    /// The ID of the membership.
    pub id: Uuid,
    pub kind: Kind,
    /// The ID of the user or API key.
    pub user_id: Option<Uuid>,
    pub name: String,
    /// Empty for API keys.
    pub email: Option<String>,
    pub status: Status,
    /// Slugs of all roles, including roles from teams.
    pub roles: Vec<String>,
    /// Milliseconds since 1970.
    pub joined_at: Timestamp,
    pub last_active_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    User,
    ApiKey,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    Suspended,
}

impl Status {
    pub(in crate::web) fn of(is_active: bool) -> Self {
        if is_active { Self::Active } else { Self::Suspended }
    }

    pub(in crate::web) const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
        }
    }
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        Self {
            id: member.id,
            kind: if member.kind == "api_key" { Kind::ApiKey } else { Kind::User },
            user_id: member.user_id,
            name: member.name,
            email: Some(member.email).filter(|email| !email.is_empty()),
            status: Status::of(member.is_active),
            roles: member.roles.into_iter().map(|role| role.slug).collect(),
            joined_at: member.joined_at,
            last_active_at: member.last_active_at,
        }
    }
}

/// A member, and where their roles come from.
#[derive(Serialize, ToSchema)]
pub struct MemberDetailBody {
    #[serde(flatten)]
    member: MemberBody,
    /// Slugs of the roles assigned directly. The others come from teams.
    own_roles: Vec<String>,
    /// Empty for keys without `read:teams`.
    teams: Vec<TeamMembershipBody>,
}

/// A team the member is in.
#[derive(Serialize, ToSchema)]
pub struct TeamMembershipBody {
    team_id: Uuid,
    name: String,
    is_lead: bool,
    /// Slugs of the roles of the team.
    roles: Vec<String>,
}

impl From<Detail> for MemberDetailBody {
    fn from(detail: Detail) -> Self {
        let membership = |membership: members::TeamMembership| TeamMembershipBody {
            team_id: membership.team,
            name: membership.name,
            is_lead: membership.is_lead,
            roles: membership.roles.into_iter().map(|role| role.slug).collect(),
        };
        Self {
            member: detail.member.into(),
            own_roles: detail.own,
            teams: detail.teams.into_iter().map(membership).collect(),
        }
    }
}

/// Which members to list.
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
    /// Only people, or only API keys.
    #[param(inline)]
    kind: Option<Kind>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        Ok(Filter {
            text: input::search(&self.q)?,
            role: self.role.clone(),
            status: self.status.map(|status| status.word().to_owned()).unwrap_or_default(),
            kind: self.kind.map(|kind| kind.word().to_owned()).unwrap_or_default(),
            ..Filter::default()
        })
    }

    pub(in crate::web) fn read(&self) -> ApiResult<(Filter, Position)> {
        Ok((self.filter()?, input::position(&self.after, self.limit)?))
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadMembers, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<MemberBody>>> {
    let (filter, at) = cx.input.0.read()?;
    Ok(Ok200(members::list(&cx.scope, &filter, &at).await?.page.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadMembers, Target>) -> ApiResult<Tagged<MemberDetailBody>> {
    let detail = members::detail(&cx.scope, cx.input.0).await?;
    let version = detail.tag();
    Ok(Tagged { body: detail.into(), version })
}

/// The roles to assign to a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// Slugs of all the roles to assign directly. They replace the current ones.
    #[schema(schema_with = spec::roles)]
    roles: Vec<String>,
}

/// The current roles of a member.
#[derive(Serialize, ToSchema)]
pub struct MemberChanged {
    id: Uuid,
    /// Slugs of the roles assigned directly.
    own_roles: Vec<String>,
}

pub async fn update(
    cx: ApiRequest<perm::UpdateMemberRoles, (Target, IfMatch, Json<MemberChange>)>,
) -> ApiResult<Tagged<MemberChanged>> {
    let (Target(id), seen, Json(change)) = cx.input;
    let roles = change.roles;
    let now = async |s: &mut _| members::tag_under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let changed = members::change_roles(s, id, &roles).await?;
        let version = members::tag_under_lock(s, id).await?;
        Ok(changed.map(|_| Tagged { version, body: MemberChanged { id, own_roles: roles } }))
    })
    .await
}

pub async fn suspend(cx: ApiRequest<perm::SuspendMembers, (Target, Empty)>) -> ApiResult<NoContent> {
    let (Target(id), _) = cx.input;
    cx.scope.write(async |s| members::suspend(s, id).await).await?;
    Ok(NoContent)
}

pub async fn reactivate(cx: ApiRequest<perm::SuspendMembers, (Target, Empty)>) -> ApiResult<NoContent> {
    let (Target(id), _) = cx.input;
    cx.scope.write(async |s| members::reactivate(s, id).await).await?;
    Ok(NoContent)
}

/// Options for removing a member.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Removal {
    /// What happens to the API keys they vouch for or know a secret of. If omitted, the keys stay, and the
    /// secrets they know stop working here.
    #[param(inline)]
    keys: Option<Keys>,
    /// If the keys stay: how long secrets they know keep working, in seconds, up to seven days. If omitted, they
    /// stop working immediately.
    #[param(schema_with = spec::maybe_overlap)]
    overlap_seconds: Option<i64>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    Stay,
    Revoked,
}

pub async fn remove(cx: ApiRequest<perm::RemoveMembers, (Target, Query<Removal>)>) -> ApiResult<NoContent> {
    let (Target(id), Query(removal)) = cx.input;
    let keys = match (removal.keys, removal.overlap_seconds.unwrap_or(0)) {
        (Some(Keys::Revoked), _) => DependentKeys::Revoked,
        (Some(Keys::Stay) | None, 0) => DependentKeys::SecretsEnd,
        (Some(Keys::Stay) | None, seconds) => DependentKeys::SecretsEndAfter(seconds.saturating_mul(1_000)),
    };
    members::remove_with(cx.scope, id, keys).await?;
    Ok(NoContent)
}

/// The key itself leaves.
pub async fn leave(cx: ApiRequest<perm::Membership, Empty>) -> ApiResult<NoContent> {
    cx.scope.write(async |s| members::leave(s).await).await?;
    Ok(NoContent)
}
