//! Calls that a page of another website sends from a browser (CORS, in the Fetch standard). A workspace names the
//! websites whose pages may do that.
//!
//! Before a browser sends such a call, it asks whether it may, without the key: the question tells neither the caller
//! nor, as a rule, the workspace. So the answer depends on the website alone: whether *some* workspace of the
//! installation names it. It would disclose what a workspace names if it depended on the workspace in the address.
//!
//! The call itself has a key, so a workspace is decided on. If that one does not name the website, a change is refused
//! before anything is done, and the browser keeps the response of a read from the page. Where no workspace was
//! decided on (no live key, no membership, too many calls), the page reads no response either.

use crate::{
    domain::{
        Refused,
        enforce::read::ReadScope,
        nouns::organization::{
            WebOrigin,
            origins::{self, NOT_NAMED},
        },
    },
    policy::Access,
    web::{
        app::App,
        matched,
        site::{self, Site},
    },
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
    web::Data,
};

/// Headers of a call that a page may send.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, Prefer, X-Api-Key, X-Request-Id";

/// Headers of a response that a page may read, beside those that it may read anyway.
const RESPONSE_HEADERS: &str = "ETag, Idempotency-Replayed, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";

/// How long a browser may keep the answer to its question, in seconds: as long as any does. Nobody is let in by an old
/// answer, because each call is checked.
const MAX_AGE: &str = "7200";

/// The website that the workspace decided on names.
struct NamedOrigin(HeaderValue);

/// The other website whose page sent this request, if its route can be called from other websites.
pub(in crate::web) fn origin_of(req: &HttpRequest) -> Option<&str> {
    let can_be_called = matched::facts(req).admits_other_origins && site::of(req) != Site::Own;
    let mut all = req.headers().get_all(header::ORIGIN).filter(|_| can_be_called);
    let origin = all.next()?.to_str().ok()?;
    let is_one = all.next().is_none() && origin != "null" && origin.len() <= WebOrigin::MAX_LENGTH;
    let is_ours = || req.app_data::<Data<App>>().is_some_and(|app| app.settings.origin == origin);
    (is_one && !is_ours()).then_some(origin)
}

/// Concludes an admission by API key: a change that a page of another website sends is refused, unless the workspace
/// names the website.
///
/// # Errors
/// The refusal of the admission, or [`NOT_NAMED`], which is audited.
pub(in crate::web) async fn check<P: Access>(
    req: &HttpRequest,
    app: &App,
    admitted: Result<ReadScope<P>, Refused>,
) -> Result<ReadScope<P>, Refused> {
    let Some(origin) = origin_of(req) else { return admitted };
    let workspace = match &admitted {
        Ok(scope) => scope.actor().workspace.id,
        // The page may read which permission is missing.
        Err(Refused::Forbidden(missing)) => match &missing.actor {
            Some(actor) => actor.workspace.id,
            None => return admitted,
        },
        Err(_) => return admitted,
    };
    if origins::names(&app.db, workspace, origin).await? {
        if let Some(origin) = req.headers().get(header::ORIGIN) {
            req.extensions_mut().insert(NamedOrigin(origin.clone()));
        }
        return admitted;
    }
    match admitted {
        Ok(scope) if !req.method().is_safe() => Err(scope.refuse(NOT_NAMED).await),
        admitted => admitted,
    }
}

/// Says in the headers of a response whether the page may read it. It depends on the website, for caches too.
pub(in crate::web) fn describe(req: &HttpRequest, headers: &mut HeaderMap) {
    if !matched::facts(req).admits_other_origins {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(NamedOrigin(origin)) = req.extensions().get::<NamedOrigin>() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    }
}

/// Notes that the workspace names the website whose page sent the request.
pub(in crate::web) fn name(req: &HttpRequest) {
    if let Some(origin) = req.headers().get(header::ORIGIN) {
        req.extensions_mut().insert(NamedOrigin(origin.clone()));
    }
}

/// Says in the headers of an answer through the gateway whether the page may read it. It may read all of its headers:
/// they are the destination's.
pub(in crate::web) fn describe_gateway(req: &HttpRequest, headers: &mut HeaderMap) {
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS) {
        describe(req, headers);
    }
    if headers.contains_key(header::ACCESS_CONTROL_EXPOSE_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    }
}

/// The answer to the question of a browser whether a page of another website may send a request through the gateway;
/// `None` if it is no such question. Methods and headers are the destination's to judge.
///
/// # Errors
/// The database's own.
pub(in crate::web) async fn gateway_preflight(req: &HttpRequest) -> Result<Option<HttpResponse>, Refused> {
    let asked = |name| req.headers().get(name).cloned();
    let method = asked(header::ACCESS_CONTROL_REQUEST_METHOD);
    let Some(methods) = method.as_ref().and_then(|method| method.to_str().ok()) else { return Ok(None) };
    let Some(mut answer) = preflight(req, methods).await? else { return Ok(None) };
    let head = answer.headers_mut();
    let headers = asked(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let headers = headers.unwrap_or_else(|| HeaderValue::from_static("x-bailiwick-key"));
    head.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers);
    Ok(Some(answer))
}

/// The answer to the question of a browser whether a page of another website may send a call with one of these
/// methods; `None` if it is no such question, or no workspace names the website.
///
/// # Errors
/// The database's own.
pub(in crate::web) async fn preflight(
    req: &HttpRequest,
    methods: &str,
) -> Result<Option<HttpResponse>, Refused> {
    let asks =
        req.method() == Method::OPTIONS && req.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let (Some(origin), Some(app)) = (origin_of(req).filter(|_| asks), req.app_data::<Data<App>>()) else {
        return Ok(None);
    };
    if !origins::is_known(&app.db, origin).await? {
        return Ok(None);
    }
    let mut response = HttpResponse::NoContent();
    response
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(Some(response.finish()))
}
