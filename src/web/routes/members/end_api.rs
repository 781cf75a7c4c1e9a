//! Until when a member has access, by the API.

use crate::{
    clock::Timestamp,
    domain::{
        base::{role::Role, source::Source},
        nouns::members::{self, Ending, Member},
    },
    policy::perm,
    web::{
        api::{body::Json, call::ApiResult, if_match::IfMatch, reply::Tagged, spec},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A role of a member, and where it comes from.
#[derive(Serialize, ToSchema)]
#[schema(as = RoleOfMember)]
pub struct GivenRoleBody {
    /// The slug of the role.
    role: String,
    source: SourceWord,
    /// Until when they have it from this source, in milliseconds since 1970; `null` without an end.
    ends_at: Option<Timestamp>,
}

/// By what a role was given. There may be others later.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RoleSource)]
pub enum SourceWord {
    /// A person assigned it, or invited them with it.
    Hand,
    /// It is a role of a team that they are in.
    Team,
    /// An API key assigned it.
    Api,
    SignOn,
    Provisioning,
    Elevation,
}

impl From<Source> for SourceWord {
    fn from(source: Source) -> Self {
        match source {
            Source::Hand => Self::Hand,
            Source::Team => Self::Team,
            Source::Api => Self::Api,
            Source::SignOn => Self::SignOn,
            Source::Provisioning => Self::Provisioning,
            Source::Elevation => Self::Elevation,
        }
    }
}

/// Where each role of a member comes from. One that was not given one by one comes from a team.
pub(in crate::web) fn sources(member: &Member) -> Vec<GivenRoleBody> {
    let body = |role: &Role| {
        let own = member.grants.iter().find(|own| own.slug == role.slug);
        GivenRoleBody {
            role: role.slug.clone(),
            source: own.map_or(Source::Team, |own| own.source()).into(),
            ends_at: own.and_then(|own| own.ends_at),
        }
    };
    member.roles.iter().map(body).collect()
}

/// Until when a member has access, or one of their roles.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMemberEnd)]
pub struct NewEnd {
    /// The slug of a role that they were assigned directly. If omitted, their whole access ends.
    #[serde(default)]
    #[schema(schema_with = spec::maybe_role, required = false)]
    role: Option<String>,
    /// The moment, in milliseconds since 1970; `null` for no end.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(schema_with = spec::maybe_moment, required = true)]
    until: Option<Timestamp>,
}

/// What ends when.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberEnd)]
pub struct EndBody {
    /// The ID of the membership.
    id: Uuid,
    /// The slug of the role; `null` for their whole access.
    role: Option<String>,
    /// The moment, in milliseconds since 1970; `null` for no end.
    until: Option<Timestamp>,
}

pub async fn set(
    cx: ApiRequest<perm::UpdateMemberRoles, (Target, IfMatch, Json<NewEnd>)>,
) -> ApiResult<Tagged<EndBody>> {
    let (Target(id), seen, Json(NewEnd { role, until })) = cx.input;
    let of = role.clone().map_or(Ending::Membership, Ending::Role);
    let now = async |s: &mut _| members::tag_under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let changed = members::set_end(s, id, &of, until, None).await?;
        let version = members::tag_under_lock(s, id).await?;
        Ok(changed.map(|changed| Tagged { version, body: EndBody { id, role, until: changed.after } }))
    })
    .await
}
