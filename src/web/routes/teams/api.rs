//! Teams of a workspace, their people and their roles.

use crate::{
    clock::Timestamp,
    domain::{
        Description, Invalid, Name, Refused, Selection, TextRule,
        base::paging::Position,
        enforce::write::WriteScope,
        nouns::teams::{self, Person, Team, TeamRolesChange},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            part::Part,
            reply::{Created, NoContent, Ok200, Tagged, WithVersion},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::{NestedTarget, Target},
        routes::members::api::Status,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A team.
#[derive(Serialize, ToSchema)]
pub struct TeamBody {
    id: Uuid,
    name: String,
    description: String,
    /// Slugs of the roles that everyone in the team has.
    roles: Vec<String>,
    /// Names of some of its leads.
    leads: Vec<String>,
    /// Number of people in the team.
    members: i64,
    /// Milliseconds since 1970.
    created_at: Timestamp,
}

impl From<Team> for TeamBody {
    fn from(team: Team) -> Self {
        Self {
            id: team.id,
            name: team.name,
            description: team.description,
            roles: team.roles.into_iter().map(|role| role.slug).collect(),
            leads: team.leads,
            members: team.people,
            created_at: team.created_at,
        }
    }
}

impl Versioned for Team {
    fn tag(&self) -> String {
        self.whole_version()
    }
}

pub async fn index(cx: ApiRequest<perm::ReadTeams, Query<Part>>) -> ApiResult<Ok200<PageBody<TeamBody>>> {
    let teams = teams::list(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(teams, |team: &TeamBody| team.id.to_string())?))
}

pub async fn show(cx: ApiRequest<perm::ReadTeams, Target>) -> ApiResult<Tagged<TeamBody>> {
    Ok(Tagged::of(teams::get(&cx.scope, cx.input.0, &Position::FIRST).await?.team))
}

/// A team to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    #[schema(schema_with = spec::text::<Name>)]
    name: String,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
}

impl Validate for NewTeam {
    type Valid = (Name, Description);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse_exact(&self.name));
        let description = self.description.as_deref().unwrap_or_default();
        let description = invalid.check("description", Description::parse_exact(description));
        Some((name?, description?))
    }
}

pub async fn create(
    cx: ApiRequest<perm::CreateTeams, Json<Checked<NewTeam>>>,
) -> ApiResult<WithVersion<Created<TeamBody>>> {
    let (name, description) = cx.input.0.valid?;
    let create = async |s: &mut WriteScope<_>| {
        let created = teams::create(s, &name, &description).await?;
        let team = teams::under_lock(s, *created.value()).await?;
        Ok::<_, Refused>(created.map(|_| team))
    };
    let team = cx.scope.write(create).await?;
    let (location, version) = (format!("/api/sso/v1/teams/{}", team.id), team.tag());
    Ok(WithVersion { reply: Created { body: team.into(), location }, version })
}

/// Changes to a team. Omitted fields stay the same.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamChange {
    #[schema(schema_with = spec::maybe_text::<Name>)]
    name: Option<String>,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
}

impl Validate for TeamChange {
    type Valid = (Option<Name>, Option<Description>);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", input::optional(&self.name));
        let description = invalid.check("description", input::optional(&self.description));
        Some((name?, description?))
    }
}

/// The route only requires a membership: `domain/nouns/teams` checks who may edit the team.
pub async fn update(
    cx: ApiRequest<perm::Membership, (Target, IfMatch, Json<Checked<TeamChange>>)>,
) -> ApiResult<Tagged<TeamBody>> {
    let (Target(id), seen, Json(change)) = cx.input;
    let (name, description) = change.valid?;
    let now = async |s: &mut _| teams::to_edit(s, id).await;
    seen.write(cx.scope, now, async |s, team| {
        let name = input::or_stored(name, "name", &team.name)?;
        let description = input::or_stored(description, "description", &team.description)?;
        let changed = teams::update(s, id, &name, &description).await?;
        let after = teams::under_lock(s, id).await?;
        Ok(changed.map(|_| Tagged::of(after)))
    })
    .await
}

/// The roles of a team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamRoles {
    /// Slugs of all the roles the team should have.
    #[schema(schema_with = spec::any_roles)]
    roles: Vec<String>,
}

pub async fn set_roles(
    cx: ApiRequest<perm::UpdateTeams, (Target, IfMatch, Json<TeamRoles>)>,
) -> ApiResult<Tagged<TeamBody>> {
    let (Target(id), seen, Json(change)) = cx.input;
    let now = async |s: &mut _| teams::under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, team| {
        let requested = TeamRolesChange { roles: change.roles, version: team.version() };
        let changed = teams::set_roles(s, id, &requested).await?;
        let after = teams::under_lock(s, id).await?;
        Ok(changed.map(|_| Tagged::of(after)))
    })
    .await
}

pub async fn delete(cx: ApiRequest<perm::DeleteTeams, (Target, IfMatch)>) -> ApiResult<NoContent> {
    let (Target(id), seen) = cx.input;
    let now = async |s: &mut _| teams::under_lock(s, id).await;
    seen.write(cx.scope, now, async |s, _| teams::delete(s, id).await).await?;
    Ok(NoContent)
}

/// A person in a team.
#[derive(Serialize, ToSchema)]
pub struct TeamMemberBody {
    /// The ID of the membership.
    member_id: Uuid,
    user_id: Option<Uuid>,
    name: String,
    /// Only for keys with `read:members`.
    email: Option<String>,
    status: Status,
    is_lead: bool,
    /// When they joined the team.
    joined_at: Timestamp,
}

impl From<Person> for TeamMemberBody {
    fn from(person: Person) -> Self {
        Self {
            member_id: person.id,
            user_id: person.user_id,
            name: person.name,
            email: person.email,
            status: Status::of(person.is_active),
            is_lead: person.is_lead,
            joined_at: person.joined_at,
        }
    }
}

/// Which of a team's people to list.
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

pub async fn people(
    cx: ApiRequest<perm::ReadTeams, (Target, Query<ListQuery>)>,
) -> ApiResult<Ok200<PageBody<TeamMemberBody>>> {
    let (Target(id), Query(query)) = cx.input;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(teams::get(&cx.scope, id, &at).await?.page.into()))
}

/// Members to add to a team. Either all of them are added or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeamMembers {
    /// IDs of memberships.
    #[schema(min_items = 1, max_items = 100)]
    members: Vec<Uuid>,
}

pub async fn add(cx: ApiRequest<perm::Membership, (Target, Json<NewTeamMembers>)>) -> ApiResult<NoContent> {
    let (Target(id), Json(new)) = cx.input;
    let members = Selection::of("members", &new.members)?;
    cx.scope.write(async |s| teams::add(s, id, &members).await).await?;
    Ok(NoContent)
}

pub async fn remove(cx: ApiRequest<perm::Membership, NestedTarget>) -> ApiResult<NoContent> {
    let NestedTarget(id, member) = cx.input;
    cx.scope.write(async |s| teams::remove(s, id, member).await).await?;
    Ok(NoContent)
}

/// Whether a person leads the team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamLead {
    lead: bool,
}

pub async fn appoint(
    cx: ApiRequest<perm::UpdateTeams, (NestedTarget, Json<TeamLead>)>,
) -> ApiResult<NoContent> {
    let (NestedTarget(id, member), Json(TeamLead { lead })) = cx.input;
    cx.scope.write(async |s| teams::appoint(s, id, member, lead).await).await?;
    Ok(NoContent)
}
