//! What people send: forms and the queries of lists. Bounded in size and time, one value a field,
//! no field that the action does not know, and no form without the token of its session.

use super::{problem, session};
use crate::{
    domain::{Invalid, Refused, Slug, paging::Position},
    policy::Permission,
};
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    error::InternalError,
    http::{StatusCode, header},
    web::{Bytes, BytesMut},
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use percent_encoding::percent_decode;
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    future::{Ready, ready},
    time::Duration,
};
use subtle::ConstantTimeEq;
use url::form_urlencoded;
use uuid::Uuid;
use validator::{Validate, ValidationErrors};

/// The most that a form may weigh, in bytes: 200 invitations fit many times over.
const MOST_BYTES: usize = 128 * 1024;
/// How long a body may take to arrive as a whole.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// The query of a list.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = pairs(req.query_string().as_bytes()).and_then(|pairs| parse(&pairs));
        ready(parsed.map(Self).map_err(|broken| refusal(req, &broken)))
    }
}

/// The id of the thing that a path names, beside its workspace or account.
pub struct Target(pub Uuid);

impl FromRequest for Target {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = ids(req).next().flatten();
        ready(id.map(Self).ok_or_else(|| hidden(req)))
    }
}

/// The permission that a path names.
pub struct NamedPermission(pub Permission);

impl FromRequest for NamedPermission {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let permission = named(req).and_then(Permission::of_scope);
        ready(permission.map(Self).ok_or_else(|| hidden(req)))
    }
}

/// The role that a path names, by its slug.
pub struct NamedRole(pub String);

impl FromRequest for NamedRole {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Only as it is written: ` editor` would be a second address for one thing.
        let slug = named(req).filter(|text| Slug::parse(text).is_ok_and(|slug| slug.as_str() == *text));
        ready(slug.map(|slug| Self(slug.to_owned())).ok_or_else(|| hidden(req)))
    }
}

/// The id of the thing that a path names, and of the thing in it.
pub struct Within(pub Uuid, pub Uuid);

impl FromRequest for Within {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut ids = ids(req);
        let both = ids.next().flatten().zip(ids.next().flatten());
        ready(both.map(|(whole, part)| Self(whole, part)).ok_or_else(|| hidden(req)))
    }
}

fn named(req: &HttpRequest) -> Option<&str> {
    parts(req).next()
}

fn parts(req: &HttpRequest) -> impl Iterator<Item = &str> {
    let is_thing = |name: &str| name != "workspace" && name != "account";
    req.match_info().iter().filter(move |(name, _)| is_thing(name)).map(|(_, value)| value)
}

/// The ids in a path, in their order.
fn ids(req: &HttpRequest) -> impl Iterator<Item = Option<Uuid>> {
    parts(req).map(id)
}

/// Only the usual way to write an id: another would be a second address for one thing.
pub(super) fn id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.to_string() == text)
}

fn hidden(req: &HttpRequest) -> Error {
    InternalError::from_response("hidden", problem::respond(req, &Refused::Hidden)).into()
}

/// What is wrong with the envelope, before anybody looks at what it says.
pub(super) enum Broken {
    TooLarge,
    TooSlow,
    NotAForm,
    /// No token, or one of another session.
    Token,
    /// A field whose bytes are no text.
    Encoding(String),
    Repeated(String),
    Unknown(String),
    Other(String),
    /// JSON that says something else than is asked for: which field, and what is wrong with it.
    Shape(String, String),
}

impl Broken {
    /// Status, headline and what to do next.
    pub(super) fn tell(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That is too much at once",
                format!("It may weigh at most {} KiB. Make it shorter and send it again.", MOST_BYTES / 1024),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "It took too long to arrive",
                "Nothing was changed. Go back and send it again.".into(),
            ),
            Self::NotAForm => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This is not a form",
                "Send it as application/x-www-form-urlencoded, as the page's own form does.".into(),
            ),
            Self::Token => (
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "It belongs to a session that has ended, or did not come from our page. Nothing was changed. Go back, load the page again and send it once more.".into(),
            ),
            Self::Encoding(field) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Something here is not text",
                format!("The field “{field}” is not valid UTF-8. Nothing was changed. Go back and type it again."),
            ),
            Self::Repeated(field) => (
                StatusCode::BAD_REQUEST,
                "A field came twice",
                format!("The field “{field}” can have one value only. Nothing was changed."),
            ),
            Self::Unknown(field) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "A field is not known here",
                format!("The field “{field}” is none that is taken here. Nothing was changed."),
            ),
            Self::Shape(field, what) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Something needs another look",
                format!("{field}: {what} Nothing was changed."),
            ),
            Self::Other(what) => (
                StatusCode::BAD_REQUEST,
                "This can't be read",
                format!("{what} Nothing was changed."),
            ),
        }
    }
}

pub(super) fn refusal(req: &HttpRequest, broken: &Broken) -> Error {
    InternalError::from_response("broken input", problem::broken(req, broken)).into()
}

async fn read(req: &HttpRequest, payload: Payload) -> Result<Bytes, Broken> {
    let kind = req.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Broken::NotAForm);
    }
    whole(payload).await
}

/// A body, bounded in size and time.
pub(super) async fn whole(mut payload: Payload) -> Result<Bytes, Broken> {
    let all = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Broken::Other("The body broke off.".into()))?;
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(PATIENCE, all).await.map_err(|_| Broken::TooSlow)?
}

/// Names and values, decoded strictly.
pub(super) fn pairs(body: &[u8]) -> Result<Vec<(String, String)>, Broken> {
    let decode = |bytes: &[u8]| {
        let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        String::from_utf8(percent_decode(&spaced).collect()).ok()
    };
    body.split(|b| *b == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = match piece.iter().position(|b| *b == b'=') {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (piece, &piece[piece.len()..]),
            };
            let name = decode(name).ok_or_else(|| Broken::Encoding("a field's name".into()))?;
            let value = decode(value).ok_or_else(|| Broken::Encoding(shorten(&name)))?;
            Ok((name, value))
        })
        .collect()
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn check_token(req: &HttpRequest, pairs: &mut Vec<(String, String)>) -> Result<(), Broken> {
    let sent: Vec<String> =
        pairs.extract_if(.., |(name, _)| name == "csrf").map(|(_, value)| value).collect();
    let [sent] = sent.as_slice() else { return Err(Broken::Token) };
    let expected = session::expected_csrf(req).ok_or(Broken::Token)?;
    if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) { Ok(()) } else { Err(Broken::Token) }
}

pub(super) fn parse<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Broken> {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(pairs);
    serde_html_form::from_str(&encoded.finish()).map_err(|error| explain(&error.to_string(), pairs))
}

fn explain(error: &str, pairs: &[(String, String)]) -> Broken {
    if let Some(rest) = error.split("unknown field `").nth(1) {
        return Broken::Unknown(shorten(rest.split('`').next().unwrap_or("")));
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in pairs {
        *seen.entry(name).or_default() += 1;
    }
    // One that may be repeated would not have been an error; the first other is.
    let repeatable = ["role", "member", "invitation", "permission"];
    match seen.iter().find(|(name, count)| **count > 1 && !repeatable.contains(name)) {
        Some((name, _)) => Broken::Repeated(shorten(name)),
        None => Broken::Other(format!("{}.", shorten(error))),
    }
}

/// Complaints by field, as templates ask for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(Invalid);

impl Errors {
    /// The complaint about a field; empty where there is none.
    pub(super) fn of(&self, field: &str) -> &str {
        self.0.of(field).unwrap_or("")
    }

    /// None of these fields has a complaint.
    pub(super) fn none_of(&self, fields: &[&str]) -> bool {
        fields.iter().all(|field| self.of(field).is_empty())
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter()
    }
}

/// The list that a query asks for. Where the query is refused: the list as it is without one, with
/// what is wrong, for the fields of its filter.
///
/// # Errors
/// Every other refusal.
pub(super) async fn listed<F: Default, L>(
    asked: Result<(F, Position), Refused>,
    list: impl AsyncFn(&F, &Position) -> Result<L, Refused>,
) -> Result<(L, StatusCode, Errors), Refused> {
    let found = match asked {
        Ok((filter, at)) => list(&filter, &at).await,
        Err(refused) => Err(refused),
    };
    match found {
        Ok(listing) => Ok((listing, StatusCode::OK, Errors::default())),
        Err(Refused::Invalid(invalid)) => {
            let listing = list(&F::default(), &Position::First).await?;
            Ok((listing, StatusCode::UNPROCESSABLE_ENTITY, invalid.into()))
        }
        Err(other) => Err(other),
    }
}

impl From<Invalid> for Errors {
    fn from(invalid: Invalid) -> Self {
        Self(invalid)
    }
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

/// Runs a form's checks.
///
/// # Errors
/// One complaint a field.
pub(super) fn check(form: &impl Validate) -> Result<(), Invalid> {
    form.validate().map_err(|errors| complaints(&errors))
}

fn complaints(errors: &ValidationErrors) -> Invalid {
    let mut invalid = Invalid::default();
    for (field, errors) in errors.field_errors() {
        let said = errors.first().and_then(|error| error.message.clone());
        invalid.add(&field, said.unwrap_or_else(|| "Check this field.".into()));
    }
    invalid
}

/// Checks of single fields, for `#[validate(custom(function = …))]`: the domain's own readers, asked
/// for their complaint.
pub(super) mod checks {
    use crate::domain::{Complaint, Description, Email, Message, Name, Slug, search_text};
    use validator::ValidationError;

    fn verdict<T>(read: Result<T, Complaint>) -> Result<(), ValidationError> {
        read.map(drop).map_err(|complaint| ValidationError::new("invalid").with_message(complaint.into()))
    }

    pub fn email(text: &str) -> Result<(), ValidationError> {
        verdict(Email::parse(text))
    }
    pub fn name(text: &str) -> Result<(), ValidationError> {
        verdict(Name::parse(text))
    }
    pub fn description(text: &str) -> Result<(), ValidationError> {
        verdict(Description::parse(text))
    }
    pub fn slug(text: &str) -> Result<(), ValidationError> {
        verdict(Slug::parse(text))
    }
    pub fn message(text: &str) -> Result<(), ValidationError> {
        verdict(Message::parse(text))
    }
    pub fn search(text: &str) -> Result<(), ValidationError> {
        verdict(search_text(text))
    }
}
