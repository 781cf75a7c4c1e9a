//! What people send: forms and the queries of lists. Bounded in size and time, one value a field,
//! no field that the action does not know, and no form without the token of its session.

use crate::web::{
    draft::SentFields,
    problem, session, site,
    wire::{MalformedRequest, pairs, parse, read_body},
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::InternalError,
    http::{StatusCode, header},
    web::Bytes,
};
use futures_util::future::LocalBoxFuture;

use serde::de::DeserializeOwned;
/// The input of a POST: it ends in a [`Form`], so that the session's token is always checked; [`OneClick`] says what stands
/// in its place there.
pub trait Submitted: FromRequest {}

impl<T: DeserializeOwned + 'static> Submitted for Form<T> {}

impl<A: FromRequest + 'static, T: DeserializeOwned + 'static> Submitted for (A, Form<T>) {}

impl<T: DeserializeOwned + 'static> Submitted for PublicForm<T> {}

impl Submitted for OneClick {}

/// The fields of a form, as they were typed.
pub struct Form<T>(pub T);

/// The fields of a form that anybody may send, such as the one to sign in. In another tab of the browser the
/// session may have changed since the form was drawn; then it is drawn again, with what was typed.
pub enum PublicForm<T> {
    /// It has the token of the present session.
    Current(T),
    /// It has another token, or none: nothing of it may be executed. The browser says that a page of ours sent it.
    Stale(T),
}

/// A form without fields that a page of ours sends with the token of its session, and a mail program without one: one
/// click there (RFC 8058). The address that it is sent to must itself be a secret that allows what is done.
pub struct OneClick;

/// What a mail program sends, in either kind of form.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

impl FromRequest for OneClick {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let read = async {
                if content_type(&req).eq_ignore_ascii_case("multipart/form-data") {
                    let body = read_body(payload).await?;
                    let has = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
                    let is_click = has(ONE_CLICK.0) && has(ONE_CLICK.1);
                    return if is_click { Ok(Self) } else { Err(MalformedRequest::NotAForm) };
                }
                let mut pairs = pairs(&read(&req, payload).await?)?;
                let is_click = pairs.iter().any(|(name, value)| (name.as_str(), value.as_str()) == ONE_CLICK);
                match is_click || check_token(&req, &mut pairs) {
                    true if is_click => Ok(Self),
                    true => parse::<EmptyForm>(&pairs).map(|_| Self),
                    false => Err(MalformedRequest::Token),
                }
            };
            read.await.map_err(|malformed| refusal(&req, &malformed))
        })
    }
}

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
            let read = async {
                let mut pairs = sent_fields(&req, payload).await?;
                if check_token(&req, &mut pairs) {
                    parse(&pairs).map(Self)
                } else {
                    Err(MalformedRequest::Token)
                }
            };
            read.await.map_err(|malformed| refusal(&req, &malformed))
        })
    }
}

impl<T> PublicForm<T> {
    /// The fields and, if nothing of them may be executed, the status to draw the form again with.
    pub(in crate::web) fn parts(&self) -> (Option<StatusCode>, &T) {
        match self {
            Self::Current(form) => (None, form),
            Self::Stale(form) => (Some(StatusCode::FORBIDDEN), form),
        }
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for PublicForm<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let read = async {
                let mut pairs = sent_fields(&req, payload).await?;
                let is_current = check_token(&req, &mut pairs);
                if !is_current && !site::is_own(&req) {
                    // It may come from another site, which is not to fill in a form of ours, nor to replace the
                    // cookie of a session that the browser did not send along.
                    return Err(MalformedRequest::Token);
                }
                parse(&pairs).map(if is_current { Self::Current } else { Self::Stale })
            };
            read.await.map_err(|malformed| refusal(&req, &malformed))
        })
    }
}

/// Reads the fields of the form, and leaves a copy of them with the request: if it is refused because its session
/// has ended, the form comes back with them.
///
/// # Errors
/// What is wrong with the body.
async fn sent_fields(req: &HttpRequest, payload: Payload) -> Result<Vec<(String, String)>, MalformedRequest> {
    let pairs = pairs(&read(req, payload).await?)?;
    req.extensions_mut().insert(SentFields(pairs.clone()));
    Ok(pairs)
}

/// [`sent_fields`] of a request that is refused before its form was read.
pub(in crate::web) async fn keep_fields(req: &HttpRequest, payload: Payload) {
    if !req.extensions().contains::<SentFields>() {
        // What can't be read can't be kept either, and is refused all the same.
        let _ = sent_fields(req, payload).await;
    }
}

pub(super) fn refusal(req: &HttpRequest, malformed: &MalformedRequest) -> Error {
    InternalError::from_response("broken input", problem::malformed_request(req, malformed)).into()
}

pub(in crate::web) async fn read(req: &HttpRequest, payload: Payload) -> Result<Bytes, MalformedRequest> {
    if !content_type(req).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(MalformedRequest::NotAForm);
    }
    read_body(payload).await
}

/// The kind of the body, without its parameters.
fn content_type(req: &HttpRequest) -> &str {
    let kind = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    kind.split(';').next().unwrap_or("").trim()
}

/// Whether the form has the token of the present session, which is removed from its fields.
fn check_token(req: &HttpRequest, pairs: &mut Vec<(String, String)>) -> bool {
    let sent: Vec<String> =
        pairs.extract_if(.., |(name, _)| name == "csrf").map(|(_, value)| value).collect();
    matches!(sent.as_slice(), [sent] if session::is_csrf(req, sent))
}
