//! The same domain functions for programs: JSON in and out, by API key. A noun a file, the same nouns
//! as in `pages/`.

pub(super) mod access;
pub(super) mod api_keys;
pub(super) mod audit;
pub(super) mod directory;
pub(super) mod invitations;
pub(super) mod members;
pub(super) mod ownership;
pub(super) mod permissions;
pub(super) mod resources;
pub(super) mod roles;
pub(super) mod teams;
pub(super) mod users;
pub(super) mod workspaces;

pub(super) mod idempotency;
mod input;
pub(super) mod limits;
pub mod openapi;
mod reply;
mod spec;

use super::{
    form::{self, Broken},
    problem as pages,
};
use crate::domain::{Invalid, Purpose, Refused, Slug, Token, paging::Page};
use actix_web::{
    Error, FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header},
};
use futures_util::future::LocalBoxFuture;
use openapi::Reply;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    borrow::Cow,
    future::{Ready, ready},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, Type},
    },
};

/// What a call comes to; a [`Reply`] of some kind.
pub(super) type Said<T> = Result<T, Refused>;

/// One page of a list.
#[derive(Serialize)]
pub struct PageBody<T> {
    items: Vec<T>,
    /// For `after`, to go on; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> PageBody<T> {
    /// Of a list that comes as a whole.
    fn whole<U: Into<T>>(items: impl IntoIterator<Item = U>) -> Self {
        Self { items: items.into_iter().map(U::into).collect(), next: None }
    }
}

impl<T: From<U>, U> From<Page<U>> for PageBody<T> {
    fn from(page: Page<U>) -> Self {
        Self { next: page.after.clone(), items: page.rows.into_iter().map(T::from).collect() }
    }
}

impl<T: ToSchema> PartialSchema for PageBody<T> {
    fn schema() -> RefOr<Schema> {
        let next = ObjectBuilder::new().schema_type(Type::String);
        let next = next.description(Some("For `after`, to go on; left out on the last page."));
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let page = ObjectBuilder::new().property("items", items).property("next", next).required("items");
        page.into()
    }
}

impl<T: ToSchema> ToSchema for PageBody<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

/// Answers a call: reads what it takes, which admits it, and does once what is asked for twice.
///
/// `known` are the names that its query may hold.
pub(super) async fn answer<I, O, H>(
    req: HttpRequest,
    mut payload: Payload,
    known: &[String],
    handler: &H,
) -> HttpResponse
where
    I: FromRequest + 'static,
    O: Reply,
    H: AsyncFn(I) -> Said<O>,
{
    let attempt = match idempotency::attempt(&req, &mut payload).await {
        Ok(attempt) => attempt,
        Err(response) => return response,
    };
    let input = match I::from_request(&req, &mut payload).await {
        Ok(input) => input,
        Err(error) => return HttpResponse::from_error(error),
    };
    let sent = match form::pairs(req.query_string().as_bytes()) {
        Ok(sent) => sent,
        Err(broken) => return pages::broken(&req, &broken),
    };
    if let Some((name, _)) = sent.iter().find(|(name, _)| !known.contains(name)) {
        return pages::broken(&req, &Broken::Unknown(form::shorten(name)));
    }
    if let Some(attempt) = &attempt
        && let Some(before) = idempotency::claim(&req, attempt).await
    {
        return before;
    }
    let response = match handler(input).await {
        Ok(reply) => reply.respond(),
        Err(refused) => pages::respond(&req, &refused),
    };
    match &attempt {
        Some(attempt) => idempotency::settle(&req, attempt, response).await,
        None => response,
    }
}

/// The request asks for JSON and not for a page. By the path that the router goes by, which has
/// `/%61pi` as `/api`.
pub(super) fn is_asked(req: &HttpRequest) -> bool {
    let path = req.match_info().as_str();
    let mut parts = path.split('/').skip(1);
    matches!(parts.next(), Some("api" | "access" | ".well-known" | "openapi.json"))
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

/// The workspace that the path or the query names, if one does. What cannot be a slug names no
/// workspace, and is asked for as none.
///
/// # Errors
/// [`Refused::Invalid`] on `workspace` where it is named twice, or where the query cannot be read.
pub(super) fn named_workspace(req: &HttpRequest) -> Result<Option<String>, Refused> {
    let unread =
        |_| Invalid::field(WORKSPACE, "The query can't be read, so nor can which workspace it names.");
    let pairs = form::pairs(req.query_string().as_bytes()).map_err(unread)?;
    let queried = pairs.into_iter().filter(|(name, _)| name == WORKSPACE).map(|(_, value)| value);
    let mut named = req.match_info().get(WORKSPACE).map(str::to_owned).into_iter().chain(queried);
    let is_slug = |text: &String| Slug::parse(text).is_ok_and(|slug| slug.as_str() == text);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(Invalid::field(WORKSPACE, "Name one workspace.").into()),
        (named, None) => Ok(named.map(|text| Some(text).filter(is_slug).unwrap_or_default())),
    }
}

/// What a key is told that is at home nowhere and names no workspace.
pub(super) fn homeless() -> Refused {
    let sentence = "This key is at home in no workspace. Say which one you mean, as in ?workspace=acme. If it is a member of none yet, somebody who manages API keys in a workspace adds it there.";
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
    // What is no JSON at all is told from JSON that says something else.
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        return Err(Broken::Other(format!("The body is not JSON: {error}.")));
    }
    // Serde would read a list as an object whose fields come in their order.
    match body.trim_ascii_start().first() {
        Some(b'{') => {
            let mut json = serde_json::Deserializer::from_slice(body);
            serde_path_to_error::deserialize(&mut json).map_err(|error| unread(&error))
        }
        _ => Err(Broken::Other("The body is not a JSON object.".into())),
    }
}

fn unread(error: &serde_path_to_error::Error<serde_json::Error>) -> Broken {
    let said = error.inner().to_string();
    if error.inner().classify() != serde_json::error::Category::Data {
        return Broken::Other(format!("The body is not JSON: {said}."));
    }
    let named = |what: &str| {
        let rest = said.split(&format!("{what} `")).nth(1)?;
        Some(form::shorten(rest.split('`').next().unwrap_or_default()))
    };
    if let Some(field) = named("unknown field") {
        return Broken::Unknown(field);
    }
    let path = error.path().to_string();
    match named("missing field") {
        Some(field) if path == "." => Broken::Shape(field, "It is missing.".into()),
        Some(field) => Broken::Shape(form::shorten(&format!("{path}.{field}")), "It is missing.".into()),
        None => {
            // Where in the text it stands helps nobody: the field is named.
            let said = said.split(" at line ").next().unwrap_or_default();
            Broken::Shape(form::shorten(&path), format!("{}.", said.chars().take(200).collect::<String>()))
        }
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
    /// Scopes of permissions any one of which would have been enough.
    pub permissions: &'a [&'static str],
}

/// Why nothing was changed, as RFC 9457 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `about:blank`: the status says which kind it is.
    r#type: &'static str,
    title: String,
    status: u16,
    /// What happened and what to do next.
    detail: String,
    /// What is wrong with what was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Of a 403: permissions any one of which would have been enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<&'static str>,
}

/// What is wrong with one field.
#[derive(Serialize, ToSchema)]
pub struct FieldError {
    field: String,
    detail: String,
}

/// Fields of a form that are called otherwise here.
const FIELDS: [(&str, &str); 4] =
    [("role", "roles"), ("permission", "scopes"), ("overlap", "overlap_seconds"), ("form", "body")];

impl FieldError {
    fn new((field, detail): &(String, String)) -> Self {
        let renamed = FIELDS.iter().find(|(form, _)| form == field).map(|(_, here)| (*here).to_owned());
        Self { field: renamed.unwrap_or_else(|| field.clone()), detail: detail.clone() }
    }
}

/// Tells a program what it would tell a person: what happened and what to do next.
pub(super) fn problem(status: StatusCode, told: &Told<'_>) -> HttpResponse {
    let points = if told.fields.is_empty() { told.points } else { &[] };
    let mut detail = told.sentence.to_owned();
    for point in points {
        detail.push(' ');
        detail.push_str(point);
    }
    let errors = told.fields.iter().map(FieldError::new).collect();
    let title = told.headline.to_owned();
    let permissions = told.permissions.to_vec();
    let body =
        ProblemBody { r#type: "about:blank", title, status: status.as_u16(), detail, errors, permissions };
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
        sentence: "Send one, and only one, as “Authorization: Bearer …” or as “x-api-key: …”. It may have been revoked, replaced or expired.",
        points: &[],
        fields: &[],
        permissions: &[],
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, &told);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer realm=\"bailiwick\""));
    response
}
