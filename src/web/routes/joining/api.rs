//! Join links and join domains of a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, Slug, TextRule, Title,
        nouns::joining::{
            CreatedLink, JoinDomain, JoinLink, JoinLinkUse, NewDomain, NewLink, domains, links,
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input::{self, Empty},
            operation::Operation,
            part::Part,
            reply::{Created, NoContent, Ok200, Secret},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
        routes::joining::domains::look_up,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A link by which several people can join.
#[derive(Serialize, ToSchema)]
pub struct JoinLinkBody {
    id: Uuid,
    name: String,
    /// The name of the person or API key that answers for it.
    inviter: String,
    /// The e-mail address of that person; `null` for an API key.
    inviter_email: Option<String>,
    status: LinkState,
    /// Slugs of the roles that people get.
    roles: Vec<String>,
    /// Names of the teams that they come into.
    teams: Vec<String>,
    /// The domains of the addresses that may use it. Empty for all.
    domains: Vec<String>,
    max_uses: i64,
    uses: i64,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JoinLinkState)]
pub enum LinkState {
    Open,
    UsedUp,
    Expired,
    Revoked,
}

impl From<JoinLink> for JoinLinkBody {
    fn from(link: JoinLink) -> Self {
        Self {
            id: link.id,
            status: match link.status {
                "open" => LinkState::Open,
                "used-up" => LinkState::UsedUp,
                "revoked" => LinkState::Revoked,
                _ => LinkState::Expired,
            },
            name: link.name,
            inviter: link.inviter,
            inviter_email: link.inviter_email,
            roles: link.role_slugs,
            teams: link.teams,
            domains: link.domains,
            max_uses: link.max_uses,
            uses: link.uses,
            created_at: link.created_at,
            expires_at: link.expires_at,
            revoked_at: link.revoked_at,
        }
    }
}

/// Which page of a list.
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

pub async fn index(
    cx: ApiRequest<perm::ReadInvitations, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<JoinLinkBody>>> {
    let at = input::position(&cx.input.0.after, cx.input.0.limit)?;
    Ok(Ok200(links::list(&cx.scope, &at).await?.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadInvitations, Target>) -> ApiResult<Ok200<JoinLinkBody>> {
    let first = input::position("", Some(1))?;
    Ok(Ok200(links::get(&cx.scope, cx.input.0, &first).await?.0.into()))
}

/// Somebody who joined by a link.
#[derive(Serialize, ToSchema)]
pub struct JoinLinkUseBody {
    user_id: Uuid,
    name: String,
    email: String,
    /// Milliseconds since 1970.
    at: Timestamp,
    /// The ID of their membership, if they still have it.
    member_id: Option<Uuid>,
}

impl From<JoinLinkUse> for JoinLinkUseBody {
    fn from(one: JoinLinkUse) -> Self {
        let JoinLinkUse { user_id, name, email, used_at, member_id } = one;
        Self { user_id, name, email, at: used_at, member_id }
    }
}

pub async fn uses(
    cx: ApiRequest<perm::ReadInvitations, (Target, Query<ListQuery>)>,
) -> ApiResult<Ok200<PageBody<JoinLinkUseBody>>> {
    let (Target(id), Query(query)) = cx.input;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(links::get(&cx.scope, id, &at).await?.1.into()))
}

/// A link to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinLink {
    #[schema(schema_with = spec::text::<Title>)]
    name: String,
    #[schema(schema_with = spec::roles)]
    roles: Vec<String>,
    #[schema(schema_with = spec::maybe_teams)]
    teams: Option<Vec<Uuid>>,
    /// How many days it works.
    #[schema(minimum = 1, maximum = 90)]
    days: i64,
    /// How many people can join by it.
    #[schema(minimum = 1, maximum = 1000)]
    max_uses: i64,
    #[schema(schema_with = spec::maybe_domains)]
    domains: Option<Vec<String>>,
}

impl Validate for NewJoinLink {
    type Valid = NewLink;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewLink> {
        let name = invalid.check("name", Title::parse_exact(&self.name));
        if self.roles.is_empty() {
            invalid.add("roles", "Choose at least one role.");
        }
        Some(NewLink {
            name: name?,
            roles: self.roles.clone(),
            teams: self.teams.clone().unwrap_or_default(),
            days: self.days,
            max_uses: self.max_uses,
            domains: self.domains.clone().unwrap_or_default().join("\n"),
        })
    }
}

/// A link that was created.
#[derive(Serialize, ToSchema)]
pub struct NewJoinLinkBody {
    id: Uuid,
    name: String,
    /// Shown only once. Anyone who has it can join.
    link: String,
    /// Milliseconds since 1970.
    expires_at: Timestamp,
}

/// For ten people.
pub(in crate::web) fn example(operation: &mut Operation) {
    operation.example = Some(
        json!({"name": "Summer interns", "roles": ["viewer"], "days": 7, "max_uses": 10, "domains": ["example.com"]}),
    );
}

pub async fn create(
    cx: ApiRequest<perm::InviteMembers, Json<Checked<NewJoinLink>>>,
) -> ApiResult<Secret<Created<NewJoinLinkBody>>> {
    let CreatedLink { id, name, link, expires_at } = links::create(cx.scope, &cx.input.0.valid?).await?;
    let location = format!("/api/sso/v1/join-links/{id}");
    Ok(Secret(Created { body: NewJoinLinkBody { id, name, link, expires_at }, location }))
}

pub async fn revoke(cx: ApiRequest<perm::CancelInvitations, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| links::revoke(s, id).await).await?;
    Ok(NoContent)
}

/// A domain whose people can join by themselves, once it is verified.
#[derive(Serialize, ToSchema)]
pub struct JoinDomainBody {
    id: Uuid,
    domain: String,
    /// The slug of the role that its people get.
    role: String,
    /// The name of whoever answers for it, with their address.
    answers_for_it: String,
    /// The name in DNS that must have this text (TXT).
    record_name: String,
    record_text: String,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// Since when it is verified; `null` while nobody joins by it.
    verified_at: Option<Timestamp>,
    /// When DNS last had the text.
    checked_at: Option<Timestamp>,
}

impl From<JoinDomain> for JoinDomainBody {
    fn from(domain: JoinDomain) -> Self {
        Self {
            id: domain.id,
            domain: domain.domain,
            role: domain.role_slug,
            answers_for_it: domain.inviter,
            record_name: domain.record_name,
            record_text: domain.record_text,
            created_at: domain.created_at,
            verified_at: domain.verified_at,
            checked_at: domain.checked_at,
        }
    }
}

pub async fn domains(
    cx: ApiRequest<perm::ReadInvitations, Query<Part>>,
) -> ApiResult<Ok200<PageBody<JoinDomainBody>>> {
    let domains = domains::list(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(domains, |domain: &JoinDomainBody| domain.id.to_string())?))
}

pub async fn show_domain(cx: ApiRequest<perm::ReadInvitations, Target>) -> ApiResult<Ok200<JoinDomainBody>> {
    let Target(id) = cx.input;
    Ok(Ok200(domains::get(&cx.scope, id).await?.into()))
}

/// A domain to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJoinDomain {
    #[schema(schema_with = spec::domain)]
    domain: String,
    /// The slug of the role that its people get.
    #[schema(schema_with = spec::text::<Slug>)]
    role: String,
}

/// People of a company.
pub(in crate::web) fn domain_example(operation: &mut Operation) {
    operation.example = Some(json!({"domain": "example.com", "role": "viewer"}));
}

pub async fn add_domain(
    cx: ApiRequest<perm::UpdateOrganization, Json<NewJoinDomain>>,
) -> ApiResult<Created<JoinDomainBody>> {
    let NewJoinDomain { domain, role } = cx.input.0;
    let new = NewDomain { domain, role };
    let added = cx.scope.write(async |s| domains::add(s, &new).await).await?;
    let location = format!("/api/sso/v1/join-domains/{}", added.id);
    Ok(Created { body: added.into(), location })
}

pub async fn verify_domain(
    cx: ApiRequest<perm::UpdateOrganization, (Target, Empty)>,
) -> ApiResult<Ok200<JoinDomainBody>> {
    let (Target(id), _) = cx.input;
    let outbound = cx.view.app.outbound.clone();
    let lookup = async |name: &str| look_up(&outbound, name).await;
    Ok(Ok200(domains::verify(cx.scope, id, lookup).await?.into()))
}

pub async fn remove_domain(cx: ApiRequest<perm::UpdateOrganization, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| domains::remove(s, id).await).await?;
    Ok(NoContent)
}
