//! Requests for access, for services that answer them. People alone ask.

use crate::{
    clock::Timestamp,
    domain::{
        Description, Invalid, TextRule,
        nouns::access_requests::{
            Acceptance, AccessRequest, State,
            answer::{self, accept as accept_request},
            list::{self, Filter},
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input,
            reply::Ok200,
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What became of a request.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessRequestStatus {
    Waiting,
    Expired,
    Accepted,
    Declined,
    Withdrawn,
}

impl From<State> for AccessRequestStatus {
    fn from(state: State) -> Self {
        match state {
            State::Waiting => Self::Waiting,
            State::Expired => Self::Expired,
            State::Accepted => Self::Accepted,
            State::Declined => Self::Declined,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

/// A member's request for access.
#[derive(Serialize, ToSchema)]
pub struct AccessRequestBody {
    id: Uuid,
    /// The member who asks.
    member_id: Uuid,
    /// Their name.
    asked_by: String,
    /// The scope or the slug of the role that is asked for.
    wanted: String,
    reason: String,
    /// Until when it is wanted, in milliseconds since 1970. `null` for no end.
    until: Option<Timestamp>,
    status: AccessRequestStatus,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// When nobody can answer it anymore, in milliseconds since 1970.
    expires_at: Timestamp,
    /// The name of whoever answered it. `null` if nobody did, or they are gone.
    answered_by: Option<String>,
    /// When it was answered, in milliseconds since 1970. `null` if it wasn't.
    answered_at: Option<Timestamp>,
    /// What they wrote. May be empty.
    answer: String,
    /// The slug of the role that was given. `null` unless it was accepted.
    given_role: Option<String>,
    /// Until when it was given, in milliseconds since 1970. `null` for no end.
    given_until: Option<Timestamp>,
}

impl AccessRequestBody {
    fn new(request: AccessRequest, now: Timestamp) -> Self {
        Self {
            id: request.id,
            member_id: request.member_id,
            wanted: request.wanted_text().to_owned(),
            status: request.state(now).into(),
            asked_by: request.asker,
            reason: request.reason,
            until: request.ends_at,
            created_at: request.created_at,
            expires_at: request.expires_at,
            answered_by: request.answered_by,
            answered_at: request.answered_at,
            answer: request.answer,
            given_role: Some(request.given_role).filter(|role| !role.is_empty()),
            given_until: request.given_until,
        }
    }
}

/// Which requests to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Only those that wait for an answer, or all others.
    waiting: Option<bool>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(
    cx: ApiRequest<perm::UpdateMemberRoles, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<AccessRequestBody>>> {
    let query = cx.input.0;
    let at = input::position(&query.after, query.limit)?;
    let found = list::list(&cx.scope, &Filter { is_waiting: query.waiting }, &at).await?;
    let now = cx.scope.now();
    Ok(Ok200(found.map(|request| AccessRequestBody::new(request, now)).into()))
}

pub async fn show(cx: ApiRequest<perm::UpdateMemberRoles, Target>) -> ApiResult<Ok200<AccessRequestBody>> {
    let request = list::get(&cx.scope, cx.input.0).await?;
    Ok(Ok200(AccessRequestBody::new(request, cx.scope.now())))
}

/// What to give.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessAcceptance {
    /// The slug of a role that gives what was asked for. Can be omitted if there is only one.
    #[schema(schema_with = spec::maybe_role, required = false)]
    role: Option<String>,
    /// Until when, in milliseconds since 1970: what was asked for, or sooner. `null` for no end, if none was asked for.
    #[schema(schema_with = spec::maybe_moment, required = false)]
    until: Option<Timestamp>,
}

pub async fn accept(
    cx: ApiRequest<perm::UpdateMemberRoles, (Target, Json<AccessAcceptance>)>,
) -> ApiResult<Ok200<AccessRequestBody>> {
    let (Target(id), Json(body)) = cx.input;
    let now = cx.scope.now();
    let given = Acceptance { role: body.role.unwrap_or_default(), until: body.until };
    let request = cx.scope.write(async |s| accept_request(s, id, &given).await).await?;
    Ok(Ok200(AccessRequestBody::new(request, now)))
}

/// What to tell whoever asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRefusal {
    #[schema(schema_with = spec::maybe_text::<Description>)]
    answer: Option<String>,
}

impl Validate for AccessRefusal {
    type Valid = Description;

    fn validate(&self, invalid: &mut Invalid) -> Option<Description> {
        invalid.check("answer", Description::parse_exact(self.answer.as_deref().unwrap_or_default()))
    }
}

pub async fn decline(
    cx: ApiRequest<perm::UpdateMemberRoles, (Target, Json<Checked<AccessRefusal>>)>,
) -> ApiResult<Ok200<AccessRequestBody>> {
    let (Target(id), Json(body)) = cx.input;
    let (now, text) = (cx.scope.now(), body.valid?);
    let request = cx.scope.write(async |s| answer::decline(s, id, &text).await).await?;
    Ok(Ok200(AccessRequestBody::new(request, now)))
}
