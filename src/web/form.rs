//! What people send: forms and the queries of lists. Bounded in size and time, one value a field,
//! no field that the action does not know, and no form without the token of its session.

use crate::web::{
    problem, session,
    wire::{MalformedRequest, pairs, parse, read_body},
};
use actix_web::{
    Error, FromRequest, HttpRequest, dev::Payload, error::InternalError, http::header, web::Bytes,
};
use futures_util::future::LocalBoxFuture;

use serde::de::DeserializeOwned;

use subtle::ConstantTimeEq;

/// The input of a POST: it ends in a [`Form`], so that the session's token is always checked.
pub trait Submitted: FromRequest {}

impl<T: DeserializeOwned + 'static> Submitted for Form<T> {}

impl<A: FromRequest + 'static, T: DeserializeOwned + 'static> Submitted for (A, Form<T>) {}

/// The fields of a form, as they were typed.
pub struct Form<T>(pub T);

/// A form without fields of its own.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmptyForm {}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let refuse = |malformed: &MalformedRequest| refusal(&req, malformed);
            let body = read(&req, payload).await.map_err(|malformed| refuse(&malformed))?;
            let mut pairs = pairs(&body).map_err(|malformed| refuse(&malformed))?;
            check_token(&req, &mut pairs).map_err(|malformed| refuse(&malformed))?;
            parse(&pairs).map(Self).map_err(|malformed| refuse(&malformed))
        })
    }
}

pub(super) fn refusal(req: &HttpRequest, malformed: &MalformedRequest) -> Error {
    InternalError::from_response("broken input", problem::malformed_request(req, malformed)).into()
}

pub(in crate::web) async fn read(req: &HttpRequest, payload: Payload) -> Result<Bytes, MalformedRequest> {
    let kind = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(MalformedRequest::NotAForm);
    }
    read_body(payload).await
}

fn check_token(req: &HttpRequest, pairs: &mut Vec<(String, String)>) -> Result<(), MalformedRequest> {
    let sent: Vec<String> =
        pairs.extract_if(.., |(name, _)| name == "csrf").map(|(_, value)| value).collect();
    let [sent] = sent.as_slice() else { return Err(MalformedRequest::Token) };
    let expected = session::expected_csrf(req).ok_or(MalformedRequest::Token)?;
    if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) { Ok(()) } else { Err(MalformedRequest::Token) }
}
