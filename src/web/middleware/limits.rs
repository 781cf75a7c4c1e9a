//! Middleware that limits the calls of a key in a minute, on this node.

use crate::{
    domain::Refused,
    web::{
        app::App,
        bearer,
        calls::{Caller, CallerId, Calls, RateLimitStatus, RequestCost},
        face::CountedBy,
        matched, origin, problem,
    },
};
use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};

/// The limit that the call is counted against, and the caller: the key of the secret or, if it was not
/// admitted yet, the network address. `None` if the call is not counted.
fn caller(req: &HttpRequest, calls: &Calls) -> Option<Caller> {
    let limit = matched::facts(req).rate_limit?;
    let key = || calls.key_of(&bearer::secret(req).ok()?.hash());
    let who = match limit.counted_by {
        CountedBy::Key => key().map(CallerId::Key),
        CountedBy::Address => None,
    };
    // An address that is not known is not counted: it would be that of everybody.
    let address = || origin::known_address(req).map(CallerId::Address);
    Some(Caller(limit, who.or_else(address)?))
}

/// Middleware: counts every call, and reports the caller's rate limit
/// (draft-ietf-httpapi-ratelimit-headers).
pub(crate) async fn limit_calls<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let app = req.app_data::<Data<App>>().cloned();
    let who = |req: &HttpRequest| app.as_ref().and_then(|app| caller(req, &app.calls));
    let count = |caller: &Option<Caller>, weight| {
        let (app, caller) = (app.as_ref()?, caller.clone()?);
        app.calls.count(caller, weight, app.db.now())
    };
    let before = who(req.request());
    let mut status = count(&before, 1);
    let mut response = match &status {
        Some(status) if status.is_exceeded => {
            let refused = Refused::RateLimited { retry_after_seconds: status.seconds };
            let response = problem::respond(req.request(), &refused);
            req.into_response(response).map_into_left_body()
        }
        _ => next.call(req).await?.map_into_right_body(),
    };
    // By now the owner of the secret and the cost of the request are known.
    let after = who(response.request());
    let weight = response.request().extensions().get::<RequestCost>().map_or(1, |weight| weight.0);
    let more = if after == before { weight - 1 } else { weight };
    if more > 0 {
        status = count(&after, more);
    }
    if let Some(RateLimitStatus { policy, limit, remaining, seconds, .. }) = status {
        for (name, value) in [
            ("ratelimit-policy", format!("\"{policy}\";q={limit};w=60")),
            ("ratelimit", format!("\"{policy}\";r={remaining};t={seconds}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
    Ok(response)
}
