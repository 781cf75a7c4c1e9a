//! Destinations of a workspace.

use crate::{
    clock::Timestamp,
    domain::{
        Description, Invalid, SearchText, TextRule,
        nouns::destinations::{self, Change, Destination, Filter, HostPattern},
    },
    policy::perm,
    web::{
        api::{
            body::{Json, PageBody, Query},
            call::ApiResult,
            if_match::{IfMatch, Versioned},
            input,
            reply::{Created, NoContent, Ok200, Tagged, WithVersion},
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

/// A public host that the workspace allows, unless it is paused; or every host one level below a domain.
#[derive(Serialize, ToSchema)]
pub struct DestinationBody {
    id: Uuid,
    /// In ASCII: lower case, punycode. That of a wildcard is `*.` and a domain.
    host: String,
    /// In Unicode. Equal to `host` if that has no punycode.
    display_host: String,
    /// Whether it stands for every host that is one label below its domain. An exact host decides before a wildcard.
    is_wildcard: bool,
    description: String,
    status: DestinationStatus,
    /// Whether API keys can send requests to it through the gateway.
    allows_requests: bool,
    /// Whether the events of the workspace are sent to it.
    receives_events: bool,
    /// Whether only its senders may send requests to it.
    is_restricted: bool,
    /// The most requests a minute. `null` for the installation's default.
    requests_per_minute: Option<i64>,
    /// What a request costs, in credits. `0` for nothing.
    price_credits: i64,
    /// The name of the header that carries its credential. `null` if it has none. The value is never returned.
    credential_header: Option<String>,
    /// When something was last sent to it, in milliseconds since 1970. `null` if nothing was.
    last_used_at: Option<Timestamp>,
    /// When sending last failed, in milliseconds since 1970. `null` if it never did.
    last_error_at: Option<Timestamp>,
    /// Why sending last failed.
    last_error: Option<String>,
    /// The name of the person or key that added it.
    created_by: String,
    /// Milliseconds since 1970.
    created_at: Timestamp,
    /// When it was paused, in milliseconds since 1970. `null` if it is active.
    paused_at: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DestinationStatus {
    Active,
    Paused,
}

impl DestinationStatus {
    fn is_paused(self) -> bool {
        self == Self::Paused
    }
}

impl From<Destination> for DestinationBody {
    fn from(destination: Destination) -> Self {
        Self {
            id: destination.id,
            display_host: destination.displayed(),
            status: match destination.is_paused() {
                true => DestinationStatus::Paused,
                false => DestinationStatus::Active,
            },
            host: destination.host,
            is_wildcard: destination.is_wildcard,
            allows_requests: destination.allows_requests,
            receives_events: destination.receives_events,
            is_restricted: destination.is_restricted,
            requests_per_minute: destination.requests_per_minute,
            price_credits: destination.price_credits,
            credential_header: destination.credential_header,
            last_used_at: destination.last_used_at,
            last_error_at: destination.last_error_at,
            last_error: destination.last_error,
            description: destination.description,
            created_by: destination.creator,
            created_at: destination.created_at,
            paused_at: destination.paused_at,
        }
    }
}

impl Versioned for Destination {
    fn tag(&self) -> String {
        self.version()
    }
}

/// Which destinations to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Part of the host, in ASCII or Unicode, or of the description.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// Only those with this status.
    #[param(inline)]
    status: Option<DestinationStatus>,
    /// The value of `next` from the previous page.
    #[param(schema_with = spec::cursor)]
    after: String,
    /// How many items to return at most.
    #[param(schema_with = spec::limit)]
    limit: Option<i64>,
}

pub async fn index(
    cx: ApiRequest<perm::ReadDestinations, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<DestinationBody>>> {
    let query = cx.input.0;
    let is_paused = query.status.map(DestinationStatus::is_paused);
    let filter = Filter { text: input::search(&query.q)?, is_paused };
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(destinations::list(&cx.scope, &filter, &at).await?.into()))
}

pub async fn show(cx: ApiRequest<perm::ReadDestinations, Target>) -> ApiResult<Tagged<DestinationBody>> {
    Ok(Tagged::of(destinations::get(&cx.scope, cx.input.0).await?))
}

/// A destination to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDestination {
    #[schema(schema_with = spec::text::<HostPattern>)]
    host: String,
    /// Must be `true` for a wildcard such as `*.example.com`, and for nothing else.
    #[schema(schema_with = spec::maybe_flag)]
    #[serde(default, deserialize_with = "input::or_default")]
    is_wildcard: bool,
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
}

impl Validate for NewDestination {
    type Valid = (HostPattern, Description);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let host = invalid.check("host", HostPattern::parse_exact_ticked(&self.host, self.is_wildcard));
        let description = self.description.as_deref().unwrap_or_default();
        let description = invalid.check("description", Description::parse_exact(description));
        Some((host?, description?))
    }
}

pub async fn create(
    cx: ApiRequest<perm::ManageDestinations, Json<Checked<NewDestination>>>,
) -> ApiResult<WithVersion<Created<DestinationBody>>> {
    let (host, description) = cx.input.0.valid?;
    let added = cx.scope.write(async |s| destinations::add(s, &host, &description).await).await?;
    let (location, version) = (format!("/api/sso/v1/destinations/{}", added.id), added.version());
    Ok(WithVersion { reply: Created { body: added.into(), location }, version })
}

/// Changes to a destination. Omitted fields stay the same. The host can't be changed: another host is a new
/// destination.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationChange {
    #[schema(schema_with = spec::maybe_text::<Description>)]
    description: Option<String>,
    status: Option<DestinationStatus>,
    /// Whether API keys can send requests to it through the gateway.
    allows_requests: Option<bool>,
    /// The most requests a minute. `null` for the installation's default.
    #[schema(schema_with = spec::maybe_rate)]
    #[serde(default, deserialize_with = "input::present_or_null")]
    requests_per_minute: Option<Option<i64>>,
    /// What a request costs, in credits. `0` for nothing.
    #[schema(schema_with = spec::maybe_price)]
    price_credits: Option<i64>,
}

impl Validate for DestinationChange {
    type Valid = Change;

    fn validate(&self, invalid: &mut Invalid) -> Option<Change> {
        let description = invalid.check("description", input::optional(&self.description))?;
        Some(Change {
            description,
            is_paused: self.status.map(DestinationStatus::is_paused),
            allows_requests: self.allows_requests,
            rate: self.requests_per_minute,
            price: self.price_credits,
        })
    }
}

pub async fn update(
    cx: ApiRequest<perm::ManageDestinations, (Target, IfMatch, Json<Checked<DestinationChange>>)>,
) -> ApiResult<Tagged<DestinationBody>> {
    let (Target(id), seen, Json(change)) = cx.input;
    let change = change.valid?;
    let now = async |s: &mut _| destinations::to_change(s, id).await;
    seen.write(cx.scope, now, async |s, _| {
        let changed = destinations::update(s, id, &change).await?;
        Ok(changed.map(|changed| Tagged::of(changed.destination)))
    })
    .await
}

pub async fn delete(cx: ApiRequest<perm::ManageDestinations, (Target, IfMatch)>) -> ApiResult<NoContent> {
    let (Target(id), seen) = cx.input;
    let now = async |s: &mut _| destinations::to_change(s, id).await;
    seen.write(cx.scope, now, async |s, _| destinations::delete(s, id).await).await?;
    Ok(NoContent)
}
