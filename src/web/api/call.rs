//! Runs a call of the API: admission, input, execution (once), response.

use crate::{
    domain::Refused,
    web::{
        api::{idempotency, operation::Reply},
        problem,
        wire::{self, MalformedRequest},
    },
};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload};

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
        Ok(reply) => reply.respond(),
        Err(refused) => problem::respond(&req, &refused),
    };
    match &attempt {
        Some(attempt) => idempotency::settle(&req, attempt, response).await,
        None => response,
    }
}
