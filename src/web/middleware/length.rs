//! Refuses bodies that do not say how long they are.

use crate::web::problem;
use actix_web::{
    Error, HttpMessage,
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web::Bytes,
};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Middleware: a body has a Content-Length. Every browser's form has one; a chunked body that stalls
/// would hold its connection for ever, because actix-http waits without a limit for the end of a
/// chunked body that nobody reads.
pub(crate) async fn require_length<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    if !req.headers().contains_key(header::TRANSFER_ENCODING) {
        return Ok(next.call(req).await?.map_into_right_body());
    }
    let unread = req.take_payload();
    let response = problem::length_required(req.request());
    let response = response.map_body(|_, body| BoxBody::new(Held { body, _unread: unread }));
    Ok(req.into_response(response).map_into_left_body())
}

/// A body that keeps the request's unread payload alive until it is sent: as long as somebody holds
/// it, the connection is closed after the answer instead of being drained.
struct Held {
    body: BoxBody,
    _unread: Payload,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
