//! What people send: forms and the queries of lists. Bounded in size and time, one value a field,
//! no field that the action does not know, and no form without the token of its session.

use crate::{
    domain::{Invalid, Refused},
    web::{
        errors::Errors,
        problem, session,
        wire::{Broken, pairs, parse, whole},
    },
};
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    error::InternalError,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::future::LocalBoxFuture;

use serde::de::DeserializeOwned;

use subtle::ConstantTimeEq;

/// What a POST may take as input: something that ends in a [`Form`], so that none goes without the
/// session's token.
pub trait Submitted: FromRequest {}

impl<T: DeserializeOwned + 'static> Submitted for Form<T> {}

impl<A: FromRequest + 'static, T: DeserializeOwned + 'static> Submitted for (A, Form<T>) {}

/// The fields of a form, as they were typed.
pub struct Form<T>(pub T);

/// A form that says no more than its address does.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let refuse = |broken: &Broken| refusal(&req, broken);
            let body = read(&req, payload).await.map_err(|broken| refuse(&broken))?;
            let mut pairs = pairs(&body).map_err(|broken| refuse(&broken))?;
            check_token(&req, &mut pairs).map_err(|broken| refuse(&broken))?;
            parse(&pairs).map(Self).map_err(|broken| refuse(&broken))
        })
    }
}

pub(super) fn refusal(req: &HttpRequest, broken: &Broken) -> Error {
    InternalError::from_response("broken input", problem::broken(req, broken)).into()
}

pub(in crate::web) async fn read(req: &HttpRequest, payload: Payload) -> Result<Bytes, Broken> {
    let kind = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Broken::NotAForm);
    }
    whole(payload).await
}

fn check_token(req: &HttpRequest, pairs: &mut Vec<(String, String)>) -> Result<(), Broken> {
    let sent: Vec<String> =
        pairs.extract_if(.., |(name, _)| name == "csrf").map(|(_, value)| value).collect();
    let [sent] = sent.as_slice() else { return Err(Broken::Token) };
    let expected = session::expected_csrf(req).ok_or(Broken::Token)?;
    if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) { Ok(()) } else { Err(Broken::Token) }
}

/// A form that comes back filled in: with which status, and why.
pub(super) struct Again {
    status: StatusCode,
    errors: Errors,
    retry_after_seconds: Option<i64>,
}

impl Again {
    /// What can be said on the form's own page: a mistake in it, or that it came too often or at a
    /// bad time.
    ///
    /// # Errors
    /// Every other refusal, unchanged: it has a page of its own.
    pub(super) fn of(refused: Refused) -> Result<Self, Refused> {
        let later = |status, seconds: i64, what: &str| {
            let wait = if seconds < 90 {
                format!("{seconds} seconds")
            } else {
                format!("{} minutes", (seconds + 59) / 60)
            };
            let errors =
                Invalid::field("form", format!("{what} Nothing was changed. Try again in {wait}.")).into();
            Self { status, errors, retry_after_seconds: Some(seconds.max(1)) }
        };
        match refused {
            Refused::Invalid(invalid) => Ok(Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                errors: invalid.into(),
                retry_after_seconds: None,
            }),
            Refused::TooMany { retry_after_seconds } => {
                Ok(later(StatusCode::TOO_MANY_REQUESTS, retry_after_seconds, "That was too often."))
            }
            Refused::Busy { retry_after_seconds } => Ok(later(
                StatusCode::SERVICE_UNAVAILABLE,
                retry_after_seconds,
                "There is too much to do right now.",
            )),
            other => Err(other),
        }
    }

    /// The form's page, as `draw` makes it, with word of when to come back.
    pub(super) fn page(self, draw: impl FnOnce(StatusCode, Errors) -> HttpResponse) -> HttpResponse {
        let mut page = draw(self.status, self.errors);
        if let Some(seconds) = self.retry_after_seconds {
            page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        page
    }
}
