//! The same domain functions for programs: JSON in and out, by API key. A noun a file, the same nouns
//! as in `pages/`.

pub(super) mod access;
pub(super) mod api_keys;
pub(super) mod members;
pub(super) mod resources;
pub(super) mod users;

use super::form::{self, Broken};
use crate::domain::{Invalid, Purpose, Refused, Token};
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
};
use futures_util::future::LocalBoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use std::future::{Ready, ready};

/// The request asks for JSON and not for a page.
pub(super) fn is_asked(req: &HttpRequest) -> bool {
    let path = req.path();
    ["/api/", "/access/", "/.well-known/", "/openapi.json"].iter().any(|start| path.starts_with(start))
}

/// The secret that a request carries: `Authorization: Bearer …`, or `x-api-key`.
///
/// # Errors
/// [`Refused::SignedOut`] for none, for what was never one, and for two.
pub(super) fn secret(req: &HttpRequest) -> Result<Token, Refused> {
    let headers = req.headers();
    let bearers = headers.get_all(header::AUTHORIZATION).map(|value| {
        let (scheme, secret) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
    });
    let keys = headers.get_all("x-api-key").map(|value| value.to_str().ok().map(str::trim));
    let mut all = bearers.chain(keys);
    match (all.next(), all.next()) {
        (Some(Some(secret)), None) => Token::parse(Purpose::ApiKey, secret).ok_or(Refused::SignedOut),
        _ => Err(Refused::SignedOut),
    }
}

/// The parameter that names the workspace.
const WORKSPACE: &str = "workspace";

/// The workspace that the query names, if it names one.
///
/// # Errors
/// [`Refused::Invalid`] on `workspace` where it is named twice.
pub(super) fn named_workspace(req: &HttpRequest) -> Result<Option<String>, Refused> {
    let pairs = form::pairs(req.query_string().as_bytes()).unwrap_or_default();
    let mut named = pairs.into_iter().filter(|(name, _)| name == WORKSPACE).map(|(_, value)| value);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(Invalid::field(WORKSPACE, "Name one workspace.").into()),
        (named, None) => Ok(named),
    }
}

/// What a key is told that is at home nowhere and names no workspace.
pub(super) fn homeless() -> Refused {
    let sentence = "This key is at home in no workspace. Say which one you mean, as in ?workspace=acme.";
    Invalid::field(WORKSPACE, sentence).into()
}

/// A body of JSON, whatever its Content-Type says: `curl -d` says that it is a form.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let body = form::whole(payload).await;
            let read = body.and_then(|body| parse(&body));
            read.map(Self).map_err(|broken| form::refusal(&req, &broken))
        })
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Broken> {
    // Serde would read a list as an object whose fields come in their order.
    match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(body).map_err(|error| unread(&error)),
        _ => Err(Broken::Other("The body is not a JSON object.".into())),
    }
}

fn unread(error: &serde_json::Error) -> Broken {
    let said = error.to_string();
    match error.classify() {
        serde_json::error::Category::Data => match said.split("unknown field `").nth(1) {
            Some(rest) => Broken::Unknown(form::shorten(rest.split('`').next().unwrap_or_default())),
            None => Broken::Shape(format!("{}.", said.chars().take(200).collect::<String>())),
        },
        _ => Broken::Other(format!("The body is not JSON: {said}.")),
    }
}

/// The query of a list, beside the workspace.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = form::pairs(req.query_string().as_bytes()).and_then(|mut pairs| {
            pairs.retain(|(name, _)| name != WORKSPACE);
            form::parse(&pairs)
        });
        ready(parsed.map(Self).map_err(|broken| form::refusal(req, &broken)))
    }
}

/// Answers JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(text) => HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// What a problem page would say.
pub(super) struct Told<'a> {
    pub headline: &'a str,
    pub sentence: &'a str,
    pub points: &'a [String],
    pub fields: &'a [(String, String)],
}

/// A problem as RFC 9457 has it.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: String,
    /// What is wrong with what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError<'a>>,
}

#[derive(Serialize)]
struct FieldError<'a> {
    field: &'a str,
    detail: &'a str,
}

/// Tells a program what it would tell a person: what happened and what to do next.
pub(super) fn problem(status: StatusCode, told: &Told<'_>) -> HttpResponse {
    let points = if told.fields.is_empty() { told.points } else { &[] };
    let mut detail = told.sentence.to_owned();
    for point in points {
        detail.push(' ');
        detail.push_str(point);
    }
    let errors = told.fields.iter().map(|(field, detail)| FieldError { field, detail }).collect();
    let body =
        Problem { r#type: "about:blank", title: told.headline, status: status.as_u16(), detail, errors };
    let mut response = json(status, &body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response
}

/// No live key came with the request.
pub(super) fn unauthorized() -> HttpResponse {
    let told = Told {
        headline: "No live API key",
        sentence: "Send one as “Authorization: Bearer …”. It may have been revoked, replaced or expired.",
        points: &[],
        fields: &[],
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, &told);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer realm=\"bailiwick\""));
    response
}
