//! Events of a destination, for services.

use crate::{
    clock::Timestamp,
    domain::{
        Invalid, TextRule,
        base::event_groups::EventGroups,
        nouns::deliveries::{
            endpoint::{self, Endpoint, StopReason},
            list::{self, Attempt, Delivery, Filter},
            path::EventPath,
            replay::{self, Range},
            settings::{self, EventSettings, Saved},
        },
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            input::{self, Empty},
            reply::{Created, NoContent, Ok200, Secret},
            spec,
        },
        checks::{Checked, Validate},
        guard::key::ApiRequest,
        path::{NestedTarget, Target},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Whether a destination receives events, which ones, and how that goes.
#[derive(Serialize, ToSchema)]
pub struct EventEndpointBody {
    is_on: bool,
    /// The path at the host. Empty if events were never turned on.
    path: String,
    /// Groups of events: what stands before the dot in their types.
    #[schema(schema_with = spec::event_groups)]
    kinds: Vec<String>,
    /// Why no events are sent although they are turned on. `null` if they are sent.
    stop_reason: Option<StopReasonBody>,
    /// Since when, in milliseconds since 1970. `null` if they are sent.
    stopped_at: Option<Timestamp>,
    /// Since when each attempt failed. `null` if the last one succeeded.
    failing_since: Option<Timestamp>,
    /// When a message was last delivered. `null` if none was.
    last_success_at: Option<Timestamp>,
    /// Until when the destination asked to wait, by `Retry-After`. `null` if it didn't.
    not_before: Option<Timestamp>,
    /// How many messages wait, up to 1,000.
    waiting: i64,
    /// How many messages could not be delivered and are held, up to 1,000.
    held: i64,
    /// The person who answers for what is sent. Empty while events are off.
    accountable: String,
    /// When the secret was created. `null` while events are off.
    secret_created_at: Option<Timestamp>,
    /// Until when messages are signed with the secret before it too. `null` if they aren't.
    old_secret_ends_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EventStopReason)]
pub enum StopReasonBody {
    /// A message was never taken.
    Failed,
    /// The receiver answered 410.
    Gone,
    /// The person who answers for them may no longer see them.
    Authority,
}

impl From<Endpoint> for EventEndpointBody {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            is_on: endpoint.is_on,
            path: endpoint.path,
            kinds: endpoint.groups.words(),
            stop_reason: endpoint.stopped.map(|(_, reason)| match reason {
                StopReason::Failed => StopReasonBody::Failed,
                StopReason::Gone => StopReasonBody::Gone,
                StopReason::Authority => StopReasonBody::Authority,
            }),
            stopped_at: endpoint.stopped.map(|(at, _)| at),
            failing_since: endpoint.failing_since,
            last_success_at: endpoint.last_success_at,
            not_before: (endpoint.not_before > Timestamp::default()).then_some(endpoint.not_before),
            waiting: endpoint.waiting,
            held: endpoint.held,
            accountable: endpoint.accountable,
            secret_created_at: endpoint.secret_created_at,
            old_secret_ends_at: endpoint.old_secret_ends_at,
        }
    }
}

/// What a change of events returns.
#[derive(Serialize, ToSchema)]
pub struct SavedEventsBody {
    /// The new secret, which is returned only once. `null` if it is the one before.
    secret: Option<String>,
    events: EventEndpointBody,
}

impl From<Saved> for SavedEventsBody {
    fn from(saved: Saved) -> Self {
        let secret = saved.secret.map(|secret| secret.expose().to_owned());
        Self { secret, events: saved.endpoint.into() }
    }
}

pub async fn show(cx: ApiRequest<perm::ReadDestinations, Target>) -> ApiResult<Ok200<EventEndpointBody>> {
    Ok(Ok200(endpoint::get(&cx.scope, cx.input.0).await?.into()))
}

/// Which events a destination receives, and where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEventSettings {
    #[schema(schema_with = spec::text::<EventPath>)]
    path: String,
    #[schema(schema_with = spec::chosen_event_groups)]
    kinds: Vec<String>,
}

impl Validate for NewEventSettings {
    type Valid = EventSettings;

    fn validate(&self, invalid: &mut Invalid) -> Option<EventSettings> {
        let path = invalid.check("path", EventPath::parse_exact(&self.path));
        let groups = EventGroups::chosen(&self.kinds);
        let groups = groups.map_err(|complaint| complaint.of("kind").unwrap_or_default().to_owned());
        let groups = invalid.check("kinds", groups);
        Some(EventSettings { path: path?, groups: groups? })
    }
}

pub async fn set(
    cx: ApiRequest<perm::ManageDestinations, (Target, Json<Checked<NewEventSettings>>)>,
) -> ApiResult<Secret<Ok200<SavedEventsBody>>> {
    let (Target(id), Json(new)) = cx.input;
    let new = new.valid?;
    let saved = cx.scope.write(async |s| settings::set(s, id, &new).await).await?;
    Ok(Secret(Ok200(saved.into())))
}

pub async fn turn_off(cx: ApiRequest<perm::ManageDestinations, Target>) -> ApiResult<NoContent> {
    let id = cx.input.0;
    cx.scope.write(async |s| settings::turn_off(s, id).await).await?;
    Ok(NoContent)
}

/// How a secret is rotated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSecretRotation {
    /// Messages are signed with the old secret too for 24 hours, unless this is `false`: then it ends at once.
    #[serde(default)]
    #[schema(schema_with = spec::maybe_flag)]
    keep_old: Option<bool>,
}

pub async fn rotate(
    cx: ApiRequest<perm::ManageDestinations, (Target, Json<EventSecretRotation>)>,
) -> ApiResult<Secret<Ok200<SavedEventsBody>>> {
    let (Target(id), Json(rotation)) = cx.input;
    let keeps_old = rotation.keep_old.unwrap_or(true);
    let saved = cx.scope.write(async |s| settings::rotate(s, id, None, keeps_old).await).await?;
    Ok(Secret(Ok200(saved.into())))
}

/// A message to a destination.
#[derive(Serialize, ToSchema)]
pub struct DeliveryBody {
    /// The ID that it is sent under, as `webhook-id`.
    id: Uuid,
    /// The ID of the audit event. `null` for a test or a probe, and without the permission `read:audit`.
    event_id: Option<Uuid>,
    /// The type of the message, such as `member.suspended`. `null` for an event without the permission `read:audit`.
    kind: Option<String>,
    status: DeliveryStatus,
    /// When it was queued, in milliseconds since 1970.
    queued_at: Timestamp,
    /// When it is sent next. `null` if it doesn't wait.
    due_at: Option<Timestamp>,
    /// How often it was sent.
    attempts: i64,
    /// When it was last sent. `null` if it wasn't yet.
    last_attempt_at: Option<Timestamp>,
    /// The status of the last response. `null` if there was none.
    last_status: Option<i64>,
    /// Why the last attempt failed. `null` if it didn't.
    last_error: Option<String>,
    /// Until when it is kept.
    expires_at: Timestamp,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It is to be sent, for the first time or again.
    Waiting,
    Delivered,
    /// It could not be delivered, and is sent only if someone asks for it.
    Held,
    /// A test or a probe that failed, or an event that is no longer in the record.
    Failed,
}

impl DeliveryStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            status: match delivery.status.as_str() {
                "delivered" => DeliveryStatus::Delivered,
                "held" => DeliveryStatus::Held,
                "failed" => DeliveryStatus::Failed,
                _ => DeliveryStatus::Waiting,
            },
            kind: delivery.kind,
            queued_at: delivery.queued_at,
            due_at: delivery.due_at,
            attempts: delivery.attempts,
            last_attempt_at: delivery.last_attempt_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            expires_at: delivery.expires_at,
        }
    }
}

/// A message, with its latest attempts.
#[derive(Serialize, ToSchema)]
pub struct DeliveryDetailBody {
    #[serde(flatten)]
    delivery: DeliveryBody,
    /// The latest ones, the latest first.
    log: Vec<AttemptBody>,
}

/// An attempt to deliver a message.
#[derive(Serialize, ToSchema)]
pub struct AttemptBody {
    /// When it began, in milliseconds since 1970.
    attempted_at: Timestamp,
    /// The status of the response. `null` if there was none.
    response_status: Option<i64>,
    /// Why it failed. `null` if it didn't.
    error: Option<String>,
    duration_ms: i64,
    /// The first bytes of the response. Empty without the permission `read:audit`.
    response_body: String,
}

impl From<Attempt> for AttemptBody {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempted_at: attempt.attempted_at,
            response_status: attempt.status,
            error: attempt.error,
            duration_ms: attempt.duration_ms,
            response_body: attempt.body,
        }
    }
}

/// Which messages to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Only those with this status.
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// From this moment on.
    #[param(schema_with = spec::from)]
    from: Option<Timestamp>,
    /// Before this moment.
    #[param(schema_with = spec::until)]
    until: Option<Timestamp>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

fn check_moments(moments: [(&str, Option<Timestamp>); 2]) -> Result<(), Invalid> {
    for (field, moment) in moments {
        if moment.is_some_and(|moment| !spec::is_moment(moment)) {
            return Err(Invalid::field(field, "Use milliseconds since 1970."));
        }
    }
    Ok(())
}

pub async fn index(
    cx: ApiRequest<perm::ReadDestinations, (Target, Query<ListQuery>)>,
) -> ApiResult<Ok200<PageBody<DeliveryBody>>> {
    let (Target(id), Query(query)) = cx.input;
    check_moments([("from", query.from), ("until", query.until)])?;
    let status = query.status.map(DeliveryStatus::word).unwrap_or_default().to_owned();
    let filter = Filter { status, from: query.from, until: query.until };
    let at = input::position(&query.after, query.limit)?;
    endpoint::get(&cx.scope, id).await?;
    Ok(Ok200(list::list(&cx.scope, id, &filter, &at).await?.into()))
}

pub async fn get(
    cx: ApiRequest<perm::ReadDestinations, NestedTarget>,
) -> ApiResult<Ok200<DeliveryDetailBody>> {
    let NestedTarget(id, delivery) = cx.input;
    let (delivery, attempts) = list::get(&cx.scope, id, delivery).await?;
    let log = attempts.into_iter().map(AttemptBody::from).collect();
    Ok(Ok200(DeliveryDetailBody { delivery: delivery.into(), log }))
}

pub async fn test(
    cx: ApiRequest<perm::ManageDestinations, (Target, Empty)>,
) -> ApiResult<Created<DeliveryBody>> {
    let (Target(id), _) = cx.input;
    let sent = cx.scope.write(async |s| replay::send_test(s, id).await).await?;
    let location = format!("/api/sso/v1/destinations/{id}/events/deliveries/{}", sent.id);
    Ok(Created { body: sent.into(), location })
}

pub async fn replay(
    cx: ApiRequest<perm::ManageDestinations, (NestedTarget, Empty)>,
) -> ApiResult<Ok200<DeliveryBody>> {
    let (NestedTarget(id, delivery), _) = cx.input;
    let sent = cx.scope.write(async |s| replay::replay(s, id, delivery).await).await?;
    Ok(Ok200(sent.into()))
}

/// Which events to send again, by when they were queued.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRange {
    #[serde(default)]
    #[schema(schema_with = spec::maybe_moment)]
    from: Option<Timestamp>,
    #[serde(default)]
    #[schema(schema_with = spec::maybe_moment)]
    until: Option<Timestamp>,
    /// Those too that were delivered. Otherwise only those that are held.
    #[serde(default)]
    #[schema(schema_with = spec::maybe_flag)]
    with_delivered: Option<bool>,
}

/// How many events are sent again.
#[derive(Serialize, ToSchema)]
pub struct ReplayedBody {
    count: u64,
}

pub async fn replay_range(
    cx: ApiRequest<perm::ManageDestinations, (Target, Json<ReplayRange>)>,
) -> ApiResult<Ok200<ReplayedBody>> {
    let (Target(id), Json(range)) = cx.input;
    check_moments([("from", range.from), ("until", range.until)])?;
    let range = Range {
        from: range.from,
        until: range.until,
        with_delivered: range.with_delivered.unwrap_or_default(),
    };
    let count = cx.scope.write(async |s| replay::replay_range(s, id, range).await).await?;
    Ok(Ok200(ReplayedBody { count }))
}
