//! A problem as the caller of the gateway gets it, and as the log and the metrics count it.

use crate::{
    domain::base::gateway_stage::GatewayStage,
    web::{
        gateway::{problem::Problem, rate_headers::describe_rates},
        outcome::{self, Stage},
    },
};
use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;

/// The header of our own problems, which no answer of a host has.
const STAGE_HEADER: HeaderName = HeaderName::from_static("x-bailiwick-stage");

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    stage: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    permissions: &'a [&'static str],
}

impl Problem {
    /// The response to the caller.
    pub(in crate::web) fn respond(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body {
            r#type: "about:blank",
            title: self.title,
            status: self.status,
            stage: self.stage.word(),
            detail: format!("{} {}", self.detail, self.remedy).trim().to_owned(),
            permissions: &self.permissions,
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((STAGE_HEADER, self.stage.word()))
            .body(text);
        if self.status == 401 {
            let challenge = HeaderValue::from_static("Bailiwick-Key realm=\"bailiwick\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.max(1).into());
        }
        describe_rates(&self.rates, response.headers_mut());
        outcome::refused_at(&mut response, self.outcome());
        response
    }

    /// The stage in the log and the metrics, which all requests share.
    fn outcome(&self) -> Stage {
        match self.stage {
            _ if self.status == 500 => Stage::Failure,
            GatewayStage::Request if self.status == 403 => Stage::CrossSite,
            GatewayStage::Request => Stage::Input,
            GatewayStage::Key => Stage::Credential,
            GatewayStage::Membership if self.status == 403 => Stage::Suspension,
            GatewayStage::Membership => Stage::Membership,
            GatewayStage::Permission => Stage::Permission,
            GatewayStage::Destination => Stage::Destination,
            GatewayStage::Address => Stage::Address,
            GatewayStage::Rate | GatewayStage::Credits => Stage::RateLimit,
            GatewayStage::Queue => Stage::Busy,
            GatewayStage::Upstream | GatewayStage::Response => Stage::Upstream,
        }
    }
}
