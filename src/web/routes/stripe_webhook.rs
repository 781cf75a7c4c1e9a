//! What Stripe sends. It is checked, noted once, and believed in nothing but what to look at again.

use crate::{
    domain::nouns::billing::hints::{self, Hint},
    stripe::{event::Event, signature},
    web::{app::App, problem, wire},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Data, Payload},
};

/// Where Stripe is to send its messages.
pub(crate) const PATH: &str = "/webhooks/stripe";

/// Takes a message. Stripe sends it again unless the answer is a success.
pub(crate) async fn receive(req: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let Some(stripe) = &app.stripe else { return problem::not_found(req).await };
    let body = match wire::read_body(payload.into_inner()).await {
        Ok(body) => body,
        Err(malformed) => return problem::malformed_request(&req, &malformed),
    };
    let header = req.headers().get("stripe-signature").and_then(|value| value.to_str().ok());
    let now = app.db.now();
    let secret = stripe.webhook_secret();
    if let Err(error) = signature::verify(secret, header.unwrap_or_default(), &body, now.as_seconds()) {
        if stripe.logs_refusal(now) {
            tracing::warn!(%error, "a message that says it is of Stripe was refused");
        }
        return said(StatusCode::BAD_REQUEST, "The signature is not valid.");
    }
    let Some(event) = Event::parse(&body) else {
        return said(StatusCode::BAD_REQUEST, "This is no event.");
    };
    let hint = Hint {
        id: &event.id,
        kind: &event.kind,
        invoice: event.invoice.as_deref(),
        customer: event.customer.as_deref(),
        session: event.session.as_deref(),
    };
    match hints::take(&app.db, &hint).await {
        Ok(_) => said(StatusCode::OK, "Taken."),
        Err(error) => {
            if !app.db.note_outage(&error) {
                tracing::warn!(%error, "could not take a message of Stripe");
            }
            said(StatusCode::SERVICE_UNAVAILABLE, "Send it again later.")
        }
    }
}

/// The answer to whatever is no message.
pub(crate) async fn refuse(req: HttpRequest, app: Data<App>) -> HttpResponse {
    match app.stripe {
        Some(_) => problem::method_not_allowed(&req, "POST"),
        None => problem::not_found(req).await,
    }
}

fn said(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text)
}
