//! The bodies of requests and answers, passed on as they come and never held as a whole.

use crate::outbound::{
    failure::{Failure, Part, Phase},
    limits::Limits,
    progress::Progress,
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a request carries.
pub enum OutboundBody {
    Empty,
    Bytes(Bytes),
    /// With its length in bytes, if that is known.
    Stream(Option<u64>, BodyStream),
}

/// The parts of a body as they arrive.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Whoever sends the request did not send all of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's body broke off")]
pub struct BodyError;

impl OutboundBody {
    /// Its length in bytes, if that is known.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Stream(length, _) => *length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

/// The body of a request on its way: bounded, and as long as it says.
pub(in crate::outbound) struct RequestBody {
    rest: Option<OutboundBody>,
    length: Option<u64>,
    sent: u64,
    bound: u64,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub fn new(body: OutboundBody, bound: u64, progress: Arc<Progress>) -> Self {
        let length = body.len();
        Self { rest: (!body.is_empty()).then_some(body), length, sent: 0, bound, progress }
    }

    fn end(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.rest = None;
        self.progress.fail(failure.clone());
        Poll::Ready(Some(Err(failure)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let next = match &mut self.rest {
            None | Some(OutboundBody::Empty) => None,
            Some(OutboundBody::Bytes(bytes)) => Some(Ok(mem::take(bytes))).filter(|_| self.sent == 0),
            Some(OutboundBody::Stream(_, stream)) => match stream.poll_next_unpin(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => {
                    self.progress.waits_for_body();
                    return Poll::Pending;
                }
            },
        };
        match next {
            Some(Ok(bytes)) => {
                self.sent += bytes.len() as u64;
                if self.sent > self.bound {
                    return self.end(Failure::TooLarge(Part::Request));
                }
                if self.length.is_some_and(|length| self.sent > length) {
                    return self.end(Failure::Body);
                }
                self.progress.moved(self.length == Some(self.sent));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            None if self.length.is_none_or(|length| self.sent == length) => {
                self.rest = None;
                self.progress.moved(true);
                Poll::Ready(None)
            }
            None | Some(Err(BodyError)) => self.end(Failure::Body),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() || self.length == Some(self.sent)
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.sent)),
            None => SizeHint::default(),
        }
    }
}

/// The body of an answer as it comes: bounded in size, in time, and in the pauses between its parts.
pub struct ResponseBody {
    incoming: Option<Incoming>,
    received: u64,
    bound: u64,
    idle: Duration,
    /// Ends when the part that is being waited for is late.
    late: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    progress: Arc<Progress>,
}

impl ResponseBody {
    pub(in crate::outbound) fn new(incoming: Incoming, limits: &Limits, progress: Arc<Progress>) -> Self {
        Self {
            incoming: Some(incoming),
            received: 0,
            bound: limits.max_response_bytes,
            idle: limits.idle,
            late: None,
            is_waiting: false,
            progress,
        }
    }

    /// Its length, if the host said so.
    pub fn len(&self) -> Option<u64> {
        self.incoming.as_ref().map_or(Some(0), |incoming| incoming.size_hint().exact())
    }

    /// Whether nothing comes any more.
    pub fn is_empty(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    /// Its first bytes, at most as many. The rest is not read.
    ///
    /// # Errors
    /// Why it broke off before that.
    pub async fn first_bytes(mut self, max: usize) -> Result<Bytes, Failure> {
        let mut first = BytesMut::new();
        while first.len() < max
            && let Some(part) = self.next().await
        {
            first.extend_from_slice(&part?);
        }
        first.truncate(max);
        Ok(first.freeze())
    }

    /// Waits for the next part no longer than it may take.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        let whole = self.progress.whole;
        if !self.is_waiting {
            let until = whole.min(Instant::now() + self.idle);
            match &mut self.late {
                Some(late) => late.as_mut().reset(until),
                None => self.late = Some(Box::pin(sleep_until(until))),
            }
            self.is_waiting = true;
        }
        let is_late = self.late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready());
        match is_late {
            true if whole <= Instant::now() => Poll::Ready(Phase::Whole),
            true => Poll::Ready(Phase::Idle),
            false => Poll::Pending,
        }
    }

    fn end(&mut self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.incoming = None;
        Poll::Ready(Some(Err(failure)))
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
            let frame = match Pin::new(incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => match self.poll_late(cx) {
                    Poll::Ready(phase) => return self.end(Failure::Timeout(phase)),
                    Poll::Pending => return Poll::Pending,
                },
            };
            self.is_waiting = false;
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => {
                    self.incoming = None;
                    return Poll::Ready(None);
                }
                Some(Err(_)) => {
                    let failure = self.progress.failure().unwrap_or(Failure::Broken);
                    return self.end(failure);
                }
                // Trailers end here.
                Some(Ok(Err(_))) => {}
                Some(Ok(Ok(bytes))) => {
                    self.received += bytes.len() as u64;
                    if self.received > self.bound {
                        return self.end(Failure::TooLarge(Part::Response));
                    }
                    // A host that sends a byte now and then is as slow as one that sends none.
                    if self.progress.whole <= Instant::now() {
                        return self.end(Failure::Timeout(Phase::Whole));
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
            }
        }
    }
}
