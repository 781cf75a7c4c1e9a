//! Runs a call of the API: admission, input, execution (once), response.

use crate::{
    domain::Refused,
    web::{
        api::{idempotency, operation::Reply},
        bearer::WORKSPACE,
        problem,
        wire::{self, MalformedRequest},
    },
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{self, HeaderValue},
};
use url::form_urlencoded;

/// The result of a call; `T` is a [`Reply`].
pub(in crate::web) type ApiResult<T> = Result<T, Refused>;

/// Responds to a call: admits it and reads its input, and executes a repeated request once.
///
/// `known` are the names that its query may contain.
pub(in crate::web) async fn answer<I, O, H>(
    req: HttpRequest,
    mut payload: Payload,
    known: &[String],
    handler: &H,
) -> HttpResponse
where
    I: FromRequest + 'static,
    O: Reply,
    H: AsyncFn(I) -> ApiResult<O>,
{
    let attempt = match idempotency::attempt(&req, &mut payload).await {
        Ok(attempt) => attempt,
        Err(response) => return response,
    };
    let input = match I::from_request(&req, &mut payload).await {
        Ok(input) => input,
        Err(error) => return HttpResponse::from_error(error),
    };
    let sent = match wire::pairs(req.query_string().as_bytes()) {
        Ok(sent) => sent,
        Err(malformed) => return problem::malformed_request(&req, &malformed),
    };
    if let Some((name, _)) = sent.iter().find(|(name, _)| !known.contains(name)) {
        return problem::malformed_request(&req, &MalformedRequest::Unknown(wire::shorten(name)));
    }
    if let Some(attempt) = &attempt
        && let Some(before) = idempotency::claim(&req, attempt).await
    {
        return before;
    }
    let response = match handler(input).await {
        Ok(reply) => in_workspace(reply.respond(), &sent),
        Err(refused) => problem::respond(&req, &refused),
    };
    match &attempt {
        Some(attempt) => idempotency::settle(&req, attempt, response).await,
        None => response,
    }
}

/// Where the query named the workspace, the `Location` of what was created names it too: without it, the address would
/// be one in the key's home workspace.
fn in_workspace(mut response: HttpResponse, query: &[(String, String)]) -> HttpResponse {
    let Some((_, workspace)) = query.iter().find(|(name, _)| name == WORKSPACE) else { return response };
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let Some(location) = location else { return response };
    let sign = if location.contains('?') { '&' } else { '?' };
    let named = form_urlencoded::Serializer::new(String::new()).append_pair(WORKSPACE, workspace).finish();
    if let Ok(location) = HeaderValue::from_str(&format!("{location}{sign}{named}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
