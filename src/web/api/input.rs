//! What calls carry beside or instead of JSON, and how the texts in it are read.

use crate::{
    domain::{Invalid, SearchText, TextRule},
    web::{
        api::{
            body::Json,
            operation::{Input, Operation},
        },
        form,
        guard::decision::AnyJson,
        wire,
    },
};
use actix_web::{Error, FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::path::ParameterIn;

/// The body of a call that needs none: empty, or `{}`.
pub struct Empty;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyObject {}

impl FromRequest for Empty {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let read = wire::read_body(payload).await.and_then(|body| match body.trim_ascii() {
                b"" => Ok(()),
                some => crate::web::api::body::parse::<EmptyObject>(some).map(drop),
            });
            read.map(|()| Self).map_err(|malformed| form::refusal(&req, &malformed))
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

/// An invalid body of a decision request is always 400.
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

/// Reads a field that can be `null`, which is not the same as left out; with `#[serde(default)]`.
pub(in crate::web) fn present_or_null<'de, T, D>(value: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(value).map(Some)
}

/// A text that may be left out.
pub(in crate::web) fn optional<T: TextRule>(text: &Option<String>) -> Result<Option<T>, String> {
    text.as_deref().map(T::parse_exact).transpose()
}

/// The value that was sent for a field, or otherwise the stored one.
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
