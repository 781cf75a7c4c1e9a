//! The header `Idempotency-Key` of a POST: a repeated request is executed once.

use crate::{
    domain::{
        Invalid, Refused,
        base::{
            idempotency::{self, Attempt, HEADER, STILL_RUNNING, StoredResponse},
            principal::Credential,
        },
        nouns::api_keys,
    },
    random,
    web::{
        api::{reply::HoldsSecret, spec::MAX_IDEMPOTENCY_KEY},
        app::App,
        bearer::secret,
        matched,
        origin::AttemptId,
        problem, wire,
    },
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::Payload,
    http::{StatusCode, header},
    web::Data,
};
use sha2::{Digest, Sha256};

/// A request under an Idempotency-Key; its body was read, and is put back.
///
/// # Errors
/// The response to an invalid header, or to a body that is too large or slow.
pub(super) async fn attempt(
    req: &HttpRequest,
    payload: &mut Payload,
) -> Result<Option<Attempt>, HttpResponse> {
    let takes_one = matched::facts(req).takes_idempotency_key;
    let Some(name) = req.headers().get(HEADER).filter(|_| takes_one) else { return Ok(None) };
    let Some(app) = req.app_data::<Data<App>>() else { return Ok(None) };
    // Without a live key the request is refused anyway, by its own admission.
    let Ok(credential) = secret(req).map(|secret| Credential::of_api_key(&secret)) else { return Ok(None) };
    let (key, home) = match api_keys::authenticate_with_home(&app.db, &credential).await {
        Ok(claimed) => claimed,
        Err(Refused::Unauthenticated) => return Ok(None),
        Err(other) => return Err(problem::respond(req, &other)),
    };
    let name = name.to_str().unwrap_or_default();
    let is_one = req.headers().get_all(HEADER).count() == 1;
    if !is_one
        || !(1..=MAX_IDEMPOTENCY_KEY).contains(&name.len())
        || !name.bytes().all(|b| b.is_ascii_graphic())
    {
        let sentence = format!("Use 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters.");
        return Err(problem::respond(req, &Invalid::field(HEADER, sentence).into()));
    }
    let body = wire::read_body(payload.take())
        .await
        .map_err(|malformed| problem::malformed_request(req, &malformed))?;
    let address = req.uri().path_and_query().map_or("", |address| address.as_str());
    // A request that names no workspace applies to the key's home workspace.
    let hash = Sha256::new()
        .chain_update(home.unwrap_or_default())
        .chain_update(address)
        .chain_update([0])
        .chain_update(&body);
    *payload = wire::read_again(body);
    let attempt = Attempt {
        id: random::id(app.db.now()),
        api_key_id: key.id,
        name: name.to_owned(),
        request_hash: hash.finalize().to_vec(),
    };
    req.extensions_mut().insert(AttemptId(attempt.id));
    Ok(Some(attempt))
}

/// Claims the attempt. If the request was already executed, returns the stored response.
pub(super) async fn claim(req: &HttpRequest, attempt: &Attempt) -> Option<HttpResponse> {
    let app = req.app_data::<Data<App>>()?;
    match idempotency::claim(&app.db, attempt).await {
        Ok(None) => None,
        Ok(Some(stored)) => Some(replayed(stored)),
        Err(refused) => {
            let is_running = matches!(refused, Refused::Conflict(STILL_RUNNING));
            let mut response = problem::respond(req, &refused);
            if is_running {
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            }
            Some(response)
        }
    }
}

fn replayed(stored: StoredResponse) -> HttpResponse {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.insert_header(("Idempotency-Replayed", "true"));
    for (name, value) in [(header::LOCATION, stored.location), (header::ETAG, stored.etag)] {
        if let Some(value) = value {
            response.insert_header((name, value));
        }
    }
    if stored.body.is_empty() {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, "application/json")).body(stored.body)
}

/// Stores the response, unless nothing was done or it contains a secret.
pub(super) async fn settle(req: &HttpRequest, attempt: &Attempt, response: HttpResponse) -> HttpResponse {
    let Some(app) = req.app_data::<Data<App>>() else { return response };
    let is_secret = response.extensions().get::<HoldsSecret>().is_some();
    let status = response.status();
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (location, etag) = (text(header::LOCATION), text(header::ETAG));
    let (response, body) = response.into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    let stored = match status.is_success() {
        false => idempotency::release(&app.db, attempt.id).await,
        true if is_secret => idempotency::store_response(&app.db, attempt.id, None).await,
        true => {
            let body = String::from_utf8_lossy(&body).into_owned();
            let stored = StoredResponse { status: status.as_u16(), location, etag, body };
            idempotency::store_response(&app.db, attempt.id, Some(&stored)).await
        }
    };
    if let Err(error) = stored {
        tracing::error!(%error, "could not store the response to a request with an Idempotency-Key");
    }
    response.set_body(actix_web::body::BoxBody::new(body))
}
