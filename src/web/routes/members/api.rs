//! Members of a workspace: people and keys.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, SearchText,
        base::{paging::Position, source::Source},
        nouns::{
            api_keys,
            members::{self, DependentKeys, Detail, Filter, Member, Sort},
            offboarding::{self, PendingOffers},
        },
    },
    policy::{Permission, Scope, perm},
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
        routes::members::end_api::{GivenRoleBody, sources},
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
    /// Until when they have access, in milliseconds since 1970; `null` without an end.
    pub access_until: Option<Timestamp>,
    /// Where each role comes from, and until when they have it.
    pub sources: Vec<GivenRoleBody>,
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
    pub(in crate::web) const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
        }
    }
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        Self {
            access_until: member.access_until,
            sources: sources(&member),
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

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    Soon,
}

/// By what members are sorted; with a hyphen in the opposite order.
#[derive(Clone, Copy, Deserialize, ToSchema)]
pub enum SortWord {
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "roles")]
    Roles,
    #[serde(rename = "-roles")]
    RolesDown,
    #[serde(rename = "status")]
    Status,
    #[serde(rename = "-status")]
    StatusDown,
    #[serde(rename = "active")]
    Active,
    #[serde(rename = "-active")]
    ActiveUp,
    #[serde(rename = "joined")]
    Joined,
    #[serde(rename = "-joined")]
    JoinedUp,
    #[serde(rename = "end")]
    End,
    #[serde(rename = "-end")]
    EndDown,
}

impl SortWord {
    const fn order(self) -> Sort {
        match self {
            Self::Name => Sort::Name,
            Self::NameDown => Sort::NameDown,
            Self::Roles => Sort::Roles,
            Self::RolesDown => Sort::RolesDown,
            Self::Status => Sort::Status,
            Self::StatusDown => Sort::StatusDown,
            Self::Active => Sort::Active,
            Self::ActiveUp => Sort::ActiveUp,
            Self::Joined => Sort::Joined,
            Self::JoinedUp => Sort::JoinedUp,
            Self::End => Sort::End,
            Self::EndDown => Sort::EndDown,
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
    /// Only those with a role that holds this permission.
    #[param(schema_with = spec::permission_held)]
    permission: String,
    /// Only those with a role that holds this scope of your applications.
    #[param(schema_with = spec::scope_held)]
    scope: String,
    /// Only those in the team with this ID; requires `read:teams`.
    team: Option<Uuid>,
    /// Only API keys for which the person with this user ID vouches; requires `read:api-keys`.
    vouched_by: Option<Uuid>,
    /// Only those whose access, or one of whose roles, ends within 30 days.
    #[param(inline)]
    ends: Option<Ends>,
    /// Only those who were not active for so many days.
    #[param(schema_with = spec::inactive_days)]
    inactive: Option<i64>,
    /// The order of the list. If omitted, by name.
    #[param(inline)]
    sort: Option<SortWord>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        let permission = match self.permission.as_str() {
            "" => None,
            text => Some(
                Permission::of_scope(text)
                    .ok_or_else(|| Invalid::field("permission", "There is no such permission."))?,
            ),
        };
        let scope = match self.scope.as_str() {
            "" => None,
            text => Some(Scope::parse(text).map_err(|error| Invalid::field("scope", error.to_string()))?),
        };
        if self.inactive.is_some_and(|days| !(1..=spec::MAX_INACTIVE_DAYS).contains(&days)) {
            let sentence = format!("Choose between 1 and {} days.", spec::MAX_INACTIVE_DAYS);
            return Err(Invalid::field("inactive", sentence).into());
        }
        Ok(Filter {
            text: input::search(&self.q)?,
            role: self.role.clone(),
            status: self.status.map(|status| status.word().to_owned()).unwrap_or_default(),
            kind: self.kind.map(|kind| kind.word().to_owned()).unwrap_or_default(),
            permission,
            scope,
            team: self.team,
            vouched_by: self.vouched_by,
            ends_soon: self.ends.is_some(),
            inactive_days: self.inactive,
            sort: self.sort.map(SortWord::order).unwrap_or_default(),
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
    /// Which of the roles assigned directly they replace. If omitted, all of them.
    #[serde(default, deserialize_with = "input::or_default")]
    replaces: Replaces,
}

/// The roles assigned directly that are replaced.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReplacedRoles)]
pub enum Replaces {
    #[default]
    All,
    /// Those that API keys assigned. What people assigned stays, whatever is sent.
    Api,
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
    let MemberChange { roles, replaces } = change;
    let now = async |s: &mut _| members::tag_under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let changed = match replaces {
            Replaces::All => members::change_roles(s, id, &roles).await?,
            Replaces::Api => members::change_roles_from(s, id, &roles, Source::Api).await?,
        };
        let version = members::tag_under_lock(s, id).await?;
        Ok(changed.map(|changed| {
            let own_roles = if let Replaces::All = replaces { roles } else { changed.slugs };
            Tagged { version, body: MemberChanged { id, own_roles } }
        }))
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
    /// What happens to pending invitations, join links and join domains that they answer for. If omitted, they end.
    #[param(inline)]
    offers: Option<Offers>,
}

#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    Stay,
    Revoked,
}

/// What happens to what somebody sent who goes.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PendingOffers)]
pub enum Offers {
    End,
    TakeOver,
}

impl Offers {
    fn pending(offers: Option<Self>) -> PendingOffers {
        match offers {
            Some(Self::TakeOver) => PendingOffers::TakenOver,
            Some(Self::End) | None => PendingOffers::End,
        }
    }
}

/// What happens to API keys of somebody who goes.
fn dependent_keys(keys: Option<Keys>, overlap_seconds: Option<i64>) -> DependentKeys {
    match (keys, overlap_seconds.unwrap_or(0)) {
        (Some(Keys::Revoked), _) => DependentKeys::Revoked,
        (Some(Keys::Stay) | None, 0) => DependentKeys::SecretsEnd,
        (Some(Keys::Stay) | None, seconds) => DependentKeys::SecretsEndAfter(seconds.saturating_mul(1_000)),
    }
}

pub async fn remove(cx: ApiRequest<perm::RemoveMembers, (Target, Query<Removal>)>) -> ApiResult<NoContent> {
    let (Target(id), Query(removal)) = cx.input;
    let keys = dependent_keys(removal.keys, removal.overlap_seconds);
    let removal = offboarding::Removal { keys, offers: Offers::pending(removal.offers), asks: false };
    offboarding::remove(cx.scope, id, removal).await?;
    Ok(NoContent)
}

/// How to offboard a person.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewOffboarding {
    /// What happens to the API keys they vouch for or know a secret of. If omitted, the keys stay, and the secrets they
    /// know stop working here.
    keys: Option<Keys>,
    /// If the keys stay: how long secrets they know keep working, in seconds, up to seven days.
    #[schema(schema_with = spec::maybe_overlap)]
    overlap_seconds: Option<i64>,
    /// What happens to pending invitations, join links and join domains that they answer for. If omitted, they end.
    offers: Option<Offers>,
}

/// What was ended.
#[derive(Serialize, ToSchema)]
pub struct OffboardingBody {
    name: String,
    /// Names of the roles and teams they had.
    roles: Vec<String>,
    teams: Vec<String>,
    keys_revoked: i64,
    invitations_cancelled: i64,
    links_revoked: i64,
    domains_removed: i64,
    /// What the key making the request answers for from now on.
    taken_over: i64,
}

pub async fn offboard(
    cx: ApiRequest<perm::RemoveMembers, (Target, Json<NewOffboarding>)>,
) -> ApiResult<Ok200<OffboardingBody>> {
    let (Target(id), Json(new)) = cx.input;
    let keys = dependent_keys(new.keys, new.overlap_seconds);
    let offers = Offers::pending(new.offers);
    let options = offboarding::Offboarding { keys, offers, ..offboarding::Offboarding::default() };
    let report = offboarding::offboard(cx.scope, id, &options).await?;
    Ok(Ok200(OffboardingBody {
        name: report.name,
        roles: report.roles,
        teams: report.teams,
        keys_revoked: i64::try_from(report.keys_revoked).unwrap_or(i64::MAX),
        invitations_cancelled: report.invitations_cancelled,
        links_revoked: report.links_revoked,
        domains_removed: report.domains_removed,
        taken_over: report.taken_over.sum(),
    }))
}

/// Keys that were revoked.
#[derive(Serialize, ToSchema)]
pub struct RevokedKeys {
    names: Vec<String>,
}

pub async fn revoke_keys(
    cx: ApiRequest<perm::ManageApiKeys, (Target, Empty)>,
) -> ApiResult<Ok200<RevokedKeys>> {
    let (Target(id), _) = cx.input;
    Ok(Ok200(RevokedKeys { names: api_keys::revoke_all_of(cx.scope, id).await? }))
}

/// The key itself leaves.
pub async fn leave(cx: ApiRequest<perm::Membership, Empty>) -> ApiResult<NoContent> {
    cx.scope.write(async |s| members::leave(s).await).await?;
    Ok(NoContent)
}
