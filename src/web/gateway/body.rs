//! Bodies on their way through the gateway, part by part: nothing is held as a whole.

use crate::{
    departure::Departure,
    domain::gateway::Turn,
    outbound::body::{BodyError, OutboundBody, ResponseBody},
    web::gateway::{pass::PassedBody, record::Record},
};
use actix_web::{
    HttpRequest,
    body::{BodySize, MessageBody},
    dev::Payload,
    http::header,
    rt,
    web::Bytes,
};
use futures_util::{Stream, StreamExt, stream};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::sync::{mpsc, oneshot};

/// Keeps what is left of a request's body, until it is dropped. As long as somebody holds it, the connection is closed
/// after the response; otherwise actix-http waits without a limit for the end of a chunked body.
#[derive(Default)]
pub(super) struct Unread {
    /// The body is being read by a task.
    reader: Option<oneshot::Sender<()>>,
    /// Nobody reads it.
    payload: Option<Payload>,
}

impl Unread {
    /// All of the body of a request, if it has one.
    pub(super) fn of(req: &HttpRequest, payload: Payload) -> Self {
        let has_body = |name| req.headers().get(name).is_some_and(|value| value.as_bytes() != b"0");
        let is_something = has_body(header::CONTENT_LENGTH) || has_body(header::TRANSFER_ENCODING);
        Self { reader: None, payload: is_something.then_some(payload) }
    }

    /// Whether there was a body.
    pub(super) fn is_something(&self) -> bool {
        self.reader.is_some() || self.payload.is_some()
    }
}

/// The body of a request as it arrives. It belongs to the thread of its connection, and is read there.
pub(super) fn stream_request(
    mut payload: Payload,
    length: Option<u64>,
    received: Arc<AtomicU64>,
) -> (OutboundBody, Unread) {
    let (parts, mut arriving) = mpsc::channel::<Result<Bytes, BodyError>>(1);
    let (held, release) = oneshot::channel::<()>();
    rt::spawn(async move {
        loop {
            let part = tokio::select! {
                part = payload.next() => part,
                () = parts.closed() => break,
            };
            let Some(part) = part else { break };
            let is_last = part.is_err();
            if let Ok(bytes) = &part {
                received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            if parts.send(part.map_err(|_| BodyError)).await.is_err() || is_last {
                break;
            }
        }
        drop(parts);
        // Ends when the response does.
        let _ = release.await;
        drop(payload);
    });
    let arriving = stream::poll_fn(move |cx| arriving.poll_recv(cx));
    (OutboundBody::Stream(length, Box::pin(arriving)), Unread { reader: Some(held), payload: None })
}

/// Why an answer is not passed on to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the caller is gone")]
    Gone,
    #[error("the answer of a host broke off: {0}")]
    Host(String),
}

/// The body of an answer as it is passed on.
pub(super) struct AnswerBody {
    rest: Rest,
    size: BodySize,
    gone: Option<Pin<Box<dyn Future<Output = ()>>>>,
    record: Record,
    _turn: Turn,
    _unread: Unread,
}

enum Rest {
    Whole(Option<Bytes>),
    Stream(ResponseBody),
}

impl AnswerBody {
    pub(super) fn new(
        body: PassedBody,
        size: BodySize,
        departure: Option<Departure>,
        record: Record,
        turn: Turn,
        unread: Unread,
    ) -> Self {
        let rest = match body {
            PassedBody::Whole(bytes) => Rest::Whole(Some(bytes)),
            PassedBody::Stream(body) => Rest::Stream(body),
        };
        let gone = departure.map(|departure| {
            let gone: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { departure.happened().await });
            gone
        });
        Self { rest, size, gone, record, _turn: turn, _unread: unread }
    }
}

impl MessageBody for AnswerBody {
    type Error = Broken;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let this = &mut *self;
        if this.gone.as_mut().is_some_and(|gone| gone.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(Broken::Gone)));
        }
        let next = match &mut this.rest {
            Rest::Whole(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()).map(Ok),
            // An empty part would be taken for the end.
            Rest::Stream(body) => loop {
                match ready!(Pin::new(&mut *body).poll_next(cx)) {
                    Some(Ok(bytes)) if bytes.is_empty() => {}
                    next => break next,
                }
            },
        };
        Poll::Ready(match next {
            None => None,
            Some(Ok(bytes)) => {
                this.record.passed_on(bytes.len());
                Some(Ok(bytes))
            }
            Some(Err(failure)) => {
                this.record.broke_off(failure.sentence());
                Some(Err(Broken::Host(failure.sentence())))
            }
        })
    }
}

/// A body of our own, that keeps what is left of the request's until it is sent.
pub(super) struct OwnBody {
    pub bytes: Bytes,
    pub _unread: Unread,
}

impl MessageBody for OwnBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, std::convert::Infallible>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
    }
}
