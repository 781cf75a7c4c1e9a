//! The requests that went through the gateway.

use crate::{
    clock::Timestamp,
    domain::{
        GatewayStage, Invalid, SearchText,
        nouns::traffic::{self, Filter, Request, StageFilter},
    },
    policy::perm,
    web::{
        api::{
            body::{PageBody, Query},
            call::ApiResult,
            input,
            reply::Ok200,
            spec,
        },
        guard::key::ApiRequest,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A request that went through the gateway, or was refused there. Neither its body, nor its query, nor its headers are
/// kept.
#[derive(Serialize, ToSchema)]
pub struct TrafficBody {
    id: Uuid,
    /// When it began, in milliseconds since 1970.
    at: Timestamp,
    /// The API key that sent it.
    api_key_id: Option<Uuid>,
    /// The name of the key at that moment.
    api_key_name: String,
    /// `null` if the workspace had no such destination.
    destination_id: Option<Uuid>,
    /// In ASCII: lower case, punycode.
    host: String,
    method: String,
    /// Without the query.
    path: String,
    /// The status of the response that the caller got. `null` if the caller was gone before.
    status: Option<u16>,
    /// Where Bailiwick itself ended the request. `null` if the response came from the destination.
    stage: Option<Stage>,
    /// The size of the request's body.
    bytes_in: i64,
    /// The size of the response's body.
    bytes_out: i64,
    duration_ms: i64,
}

/// A stage of a request through the gateway.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GatewayStage)]
pub enum Stage {
    Request,
    Key,
    Membership,
    Permission,
    Destination,
    Address,
    Rate,
    Queue,
    Credits,
    Upstream,
    Response,
}

impl From<GatewayStage> for Stage {
    fn from(stage: GatewayStage) -> Self {
        match stage {
            GatewayStage::Request => Self::Request,
            GatewayStage::Key => Self::Key,
            GatewayStage::Membership => Self::Membership,
            GatewayStage::Permission => Self::Permission,
            GatewayStage::Destination => Self::Destination,
            GatewayStage::Address => Self::Address,
            GatewayStage::Rate => Self::Rate,
            GatewayStage::Queue => Self::Queue,
            GatewayStage::Credits => Self::Credits,
            GatewayStage::Upstream => Self::Upstream,
            GatewayStage::Response => Self::Response,
        }
    }
}

impl From<Request> for TrafficBody {
    fn from(request: Request) -> Self {
        Self {
            id: request.id,
            at: request.at,
            api_key_id: request.api_key_id,
            destination_id: request.destination_id,
            status: request.status,
            stage: request.stage().map(Stage::from),
            api_key_name: request.key_name,
            host: request.host,
            method: request.method,
            path: request.path,
            bytes_in: request.bytes_in,
            bytes_out: request.bytes_out,
            duration_ms: request.ms,
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum StatusClass {
    #[serde(rename = "2xx")]
    Success,
    #[serde(rename = "3xx")]
    Redirection,
    #[serde(rename = "4xx")]
    ClientError,
    #[serde(rename = "5xx")]
    ServerError,
}

impl StatusClass {
    fn digit(self) -> u16 {
        match self {
            Self::Success => 2,
            Self::Redirection => 3,
            Self::ClientError => 4,
            Self::ServerError => 5,
        }
    }
}

/// Which requests to list.
#[derive(Deserialize, IntoParams, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// Part of the host or the path.
    #[param(schema_with = spec::text::<SearchText>)]
    q: String,
    /// The ID of the API key that sent them.
    key: Option<Uuid>,
    /// The ID of the destination that they were sent to.
    destination: Option<Uuid>,
    /// Only those with this method.
    #[param(inline)]
    method: Option<Method>,
    /// Only those with such a status.
    #[param(inline)]
    status: Option<StatusClass>,
    #[param(schema_with = spec::stage)]
    stage: String,
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

impl ListQuery {
    pub(in crate::web) fn filter(&self) -> ApiResult<Filter> {
        for (field, moment) in [("from", self.from), ("until", self.until)] {
            if moment.is_some_and(|moment| !spec::is_moment(moment)) {
                return Err(Invalid::field(field, "Use milliseconds since 1970.").into());
            }
        }
        let stage = match self.stage.as_str() {
            "" => None,
            "any" => Some(StageFilter::Any),
            word => match GatewayStage::of_word(word) {
                Some(stage) => Some(StageFilter::At(stage)),
                None => return Err(Invalid::field("stage", "Unknown stage.").into()),
            },
        };
        Ok(Filter {
            text: input::search(&self.q)?,
            api_key: self.key,
            destination: self.destination,
            method: self.method.map(Method::word).unwrap_or_default().to_owned(),
            status_class: self.status.map(StatusClass::digit),
            stage,
            from: self.from,
            until: self.until,
        })
    }
}

pub async fn index(
    cx: ApiRequest<perm::ReadDestinations, Query<ListQuery>>,
) -> ApiResult<Ok200<PageBody<TrafficBody>>> {
    let query = cx.input.0;
    let filter = query.filter()?;
    let at = input::position(&query.after, query.limit)?;
    Ok(Ok200(traffic::list(&cx.scope, &filter, &at).await?.into()))
}
