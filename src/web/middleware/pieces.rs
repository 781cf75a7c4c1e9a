//! Hands long bodies to a connection piece by piece.

use actix_web::{
    Error,
    body::{BodySize, BoxBody, MessageBody, to_bytes},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::ErrorInternalServerError,
    http::header,
    middleware::Next,
    web::Bytes,
};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// The most bytes that are handed to a connection at a time.
pub(in crate::web) const PIECE: usize = 4 * 1024;

/// What is left unread of the request's body, as an extension of its response. As long as somebody holds it, the
/// connection is closed after the response; otherwise actix-http waits without a limit for the end of a chunked body.
pub(super) struct Unread {
    pub(super) _payload: Payload,
}

/// The body comes as it is made, in pieces that are short already, and is never there as a whole: an extension of its
/// response.
pub(in crate::web) struct Streamed;

/// Middleware: a connection copies each piece of a body that it is handed, and holds it until the client has read
/// it. A body in one piece would be there twice. One that is compressed on the way is compressed to its end first:
/// the encoder takes much more memory than what comes out.
pub(crate) async fn in_pieces<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (req, mut response) = next.call(req).await?.into_parts();
    if response.extensions_mut().remove::<Streamed>().is_some() {
        // It kept the body from being compressed on the way, and is no name of an encoding.
        response.headers_mut().remove(header::CONTENT_ENCODING);
        return Ok(ServiceResponse::new(req, response.map_into_boxed_body()));
    }
    let (mut response, body) = response.into_parts();
    let unread = response.extensions_mut().remove::<Unread>();
    let body = match body.size() {
        BodySize::None => body.boxed(),
        _ => BoxBody::new(Pieces { rest: whole(body).await?, _unread: unread }),
    };
    Ok(ServiceResponse::new(req, response.set_body(body)))
}

async fn whole(body: impl MessageBody) -> Result<Bytes, Error> {
    match body.try_into_bytes() {
        Ok(bytes) => Ok(bytes),
        Err(body) => to_bytes(body).await.map_err(|error| {
            let error: Box<dyn std::error::Error> = error.into();
            ErrorInternalServerError(error)
        }),
    }
}

/// What is left of a body.
struct Pieces {
    rest: Bytes,
    _unread: Option<Unread>,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let size = PIECE.min(self.rest.len());
        Poll::Ready((size > 0).then(|| Ok(self.rest.split_to(size))))
    }
}
