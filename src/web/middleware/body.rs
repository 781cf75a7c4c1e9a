//! Reads bodies that do not say how long they are, and refuses encodings that are not read.

use crate::web::{middleware::pieces::Unread, problem, wire, wire::MalformedRequest};
use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::Next,
};

/// Middleware: a chunked body is read here, whoever sent it and whatever becomes of the request, within the bounds
/// of any other body. actix-http waits without a limit for the end of one that nobody reads, so a few hundred of
/// them would hold as many connections for ever.
pub(crate) async fn read_chunked<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let malformed = if is_encoded(req.headers()) {
        MalformedRequest::Encoded
    } else if !req.headers().contains_key(header::TRANSFER_ENCODING) {
        return Ok(next.call(req).await?.map_into_right_body());
    } else if is_ambiguous(req.headers()) {
        MalformedRequest::Other("The length of the body is not clear.".into())
    } else {
        let mut unread = req.take_payload();
        match wire::read_from(&mut unread).await {
            Ok(body) => {
                req.set_payload(wire::read_again(body));
                return Ok(next.call(req).await?.map_into_right_body());
            }
            Err(malformed) => {
                req.set_payload(unread);
                malformed
            }
        }
    };
    let unread = req.take_payload();
    let mut response = problem::malformed_request(req.request(), &malformed);
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    if matches!(malformed, MalformedRequest::Encoded) {
        response.headers_mut().insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
    }
    response.extensions_mut().insert(Unread { _payload: unread });
    Ok(req.into_response(response).map_into_left_body())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let is_identity =
        |value: &header::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    headers.get_all(header::CONTENT_ENCODING).any(|value| !is_identity(value))
}

/// Whether proxies may read the length in another way: another encoding than `chunked`, or a length beside it.
fn is_ambiguous(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING);
    let is_chunked = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    let is_one = encodings.next().is_some_and(is_chunked) && encodings.next().is_none();
    !is_one || headers.contains_key(header::CONTENT_LENGTH)
}
