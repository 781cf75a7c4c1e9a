//! What calls carry beside their JSON: the version that they mean, and nothing at all.

use crate::{
    domain::{Invalid, Refused, SearchText, TextRule},
    web::{
        api::{
            body::Json,
            operation::{Input, Operation},
            spec,
        },
        form,
        guard::decision::AnyJson,
        problem, wire,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload, error::InternalError, http::header};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use std::future::{Ready, ready};
use utoipa::openapi::path::ParameterIn;

/// The versions that the caller has seen, one of which the thing must still have.
#[derive(Debug)]
pub struct IfMatch(Option<String>);

impl IfMatch {
    /// To be asked under the lock, so that nothing changes between the look and the change.
    ///
    /// # Errors
    /// [`Refused::Stale`].
    pub fn check(&self, version: &str) -> Result<(), Refused> {
        let Some(seen) = &self.0 else { return Ok(()) };
        let tag = etag(version);
        // A weak tag is never as good as the thing itself (RFC 9110, 13.1.1).
        let fits = |one: &str| one == "*" || one == tag;
        if seen.split(',').map(str::trim).any(fits) { Ok(()) } else { Err(Refused::Stale) }
    }
}

/// A version as its header says it.
pub(super) fn etag(version: &str) -> String {
    format!("\"{version}\"")
}

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let all: Vec<&str> = match req.headers().get_all(header::IF_MATCH).map(|v| v.to_str()).collect() {
            Ok(all) => all,
            Err(_) => return ready(Err(invalid(req, "If-Match", "Send what an ETag said."))),
        };
        if all.iter().any(|one| !is_etags(one)) {
            return ready(Err(invalid(req, "If-Match", "Send what an ETag said, with its quotes.")));
        }
        ready(Ok(Self((!all.is_empty()).then(|| all.join(",")))))
    }
}

fn is_etags(text: &str) -> bool {
    let is_tag = |one: &str| {
        let inner =
            one.strip_prefix("W/").unwrap_or(one).strip_prefix('"').and_then(|one| one.strip_suffix('"'));
        inner.is_some_and(|inner| inner.bytes().all(|b| b == b'!' || (b'#'..=b'~').contains(&b)))
    };
    text.trim() == "*" || text.split(',').map(str::trim).all(is_tag)
}

fn invalid(req: &HttpRequest, field: &str, sentence: &str) -> Error {
    let refused = Invalid::field(field, sentence).into();
    InternalError::from_response("invalid header", problem::respond(req, &refused)).into()
}

impl Input for IfMatch {
    fn describe(operation: &mut Operation) {
        let about = "The ETag that you have seen. If it is another by now, nothing is changed: 412.";
        operation.parameter("If-Match", ParameterIn::Header, false, about, spec::etags());
        operation.refusals.extend([412, 422]);
    }
}

/// A call that says no more than its address does: its body is empty, or `{}`.
pub struct Empty;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl FromRequest for Empty {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let read = wire::whole(payload).await.and_then(|body| match body.trim_ascii() {
                b"" => Ok(()),
                some => crate::web::api::body::parse::<Nothing>(some).map(drop),
            });
            read.map(|()| Self).map_err(|broken| form::refusal(&req, &broken))
        })
    }
}

impl Input for Empty {
    fn describe(operation: &mut Operation) {
        operation.refusals.extend([400, 408, 413, 422]);
    }
}

impl<T: utoipa::ToSchema> Input for Json<T> {
    fn describe(operation: &mut Operation) {
        operation.body::<T>();
        operation.refusals.extend([400, 408, 411, 413, 422]);
    }
}

/// What is wrong with the body of a question is always 400.
impl Input for AnyJson {
    fn describe(operation: &mut Operation) {
        operation.needs_content_type = true;
        operation.refusals.extend([408, 411, 413]);
    }
}

impl<T: utoipa::IntoParams> Input for crate::web::api::body::Query<T> {
    fn describe(operation: &mut Operation) {
        operation.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
        operation.refusals.extend([400, 422]);
    }
}

/// A text that may be left out.
pub(in crate::web) fn maybe<T: TextRule>(text: &Option<String>) -> Result<Option<T>, String> {
    text.as_deref().map(T::parse_exact).transpose()
}

/// What was sent for a field, or else what stands there already.
pub(in crate::web) fn or_stored<T: TextRule>(
    sent: Option<T>,
    field: &str,
    stored: &str,
) -> Result<T, Invalid> {
    sent.map_or_else(|| T::parse_exact(stored).map_err(|complaint| Invalid::field(field, complaint)), Ok)
}

/// The text to search for.
pub(in crate::web) fn search(text: &str) -> Result<String, Invalid> {
    match SearchText::parse_exact(text) {
        Ok(text) => Ok(text.into()),
        Err(complaint) => Err(Invalid::field("q", complaint)),
    }
}
