//! A connection of a client, with what keeps one client from holding what all need: connections, memory, time.
//!
//! While a client does not read its responses, nothing more is read from it, so that what it has piled up
//! stays small; and it does not get long to go on. The HTTP library has no such deadline.

pub mod registry;

use self::registry::{Connections, Place, Unread};
use crate::{departure::Departure, domain::base::counters::Entered, framing::Framing};
use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long the head of a request may take to arrive, once it has begun. The HTTP library has a shorter deadline for
/// the first one of a connection, which gets a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(12);

/// The bytes that a slow client must read to have as long again.
const MIN_PROGRESS: usize = 16 * 1024;

/// The most bytes that are read at a time.
const READ_AT_ONCE: usize = 4 * 1024;

/// The most requests that are handed on while none is answered. The HTTP library itself parses whatever it is
/// handed, and each request takes many times the memory of its bytes.
const MAX_AHEAD: usize = 8;

impl Connections {
    /// Takes the connection in; `None` if its network has too many. That one gets an answer, and is closed.
    pub fn accept(&self, stream: TcpStream) -> Option<Connection> {
        let peer = stream.peer_addr().ok()?.ip().to_canonical();
        // A response is written in pieces. The kernel would hold back the last one until those before are acknowledged,
        // which clients delay.
        stream.set_nodelay(true).ok()?;
        let Some(place) = self.place_for(peer) else {
            // It fits into the empty buffer of a new connection, or is not worth waiting for.
            let _ = stream.into_std().and_then(|mut stream| stream.write(TOO_MANY));
            self.note_refusal();
            return None;
        };
        Some(self.connection(Stream::Tcp(stream), place))
    }

    /// Takes in a connection of a proxy on this machine.
    #[cfg(unix)]
    pub fn accept_local(&self, stream: UnixStream) -> Connection {
        self.connection(Stream::Unix(stream), Place::without_limit(self))
    }

    fn connection(&self, stream: Stream, place: Place) -> Connection {
        Connection {
            stream,
            rest: Vec::new(),
            has_more: false,
            framing: Framing::default(),
            head_deadline: None,
            idle_deadline: None,
            ahead: 0,
            unread: None,
            read_waits: false,
            departure: Departure::default(),
            connections: self.clone(),
            _place: place,
            _open: self.enter(),
        }
    }
}

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What a client is connected by.
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    /// Reads more.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// What is to be written, or how that ends.
    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream),
        }
    }

    /// Drops what the kernel holds for a client that does not read it, once the connection ends.
    fn forget_unread(&self) {
        if let Self::Tcp(stream) = self {
            let _ = stream.set_zero_linger();
        }
    }
}

/// The stream of bytes of one client.
pub struct Connection {
    stream: Stream,
    /// What was read and not handed on yet: requests that follow another.
    rest: Vec<u8>,
    /// There may be more to hand on, once what was is parsed.
    has_more: bool,
    /// Where the heads of requests are in what was handed on.
    framing: Framing,
    head_deadline: Option<Pin<Box<Sleep>>>,
    idle_deadline: Option<Pin<Box<Sleep>>>,
    /// Requests that were handed on since a response was written.
    ahead: usize,
    unread: Option<Unread>,
    /// A read waits until something is written, or the client has read.
    read_waits: bool,
    departure: Departure,
    connections: Connections,
    _place: Place,
    _open: Entered,
}

impl Connection {
    /// The address of the client; `None` for a Unix socket.
    pub fn peer_addr(&self) -> Option<std::net::SocketAddr> {
        match &self.stream {
            Stream::Tcp(stream) => stream.peer_addr().ok(),
            #[cfg(unix)]
            Stream::Unix(_) => None,
        }
    }

    /// When the client ends its side of the connection.
    pub(crate) fn departure(&self) -> Departure {
        self.departure.clone()
    }

    /// Hands on what was read, up to the end of the first head of a request. Returns how many bytes that is.
    fn hand_on(&mut self, bytes: &[u8], buffer: &mut ReadBuf<'_>) -> usize {
        let bytes = &bytes[..bytes.len().min(buffer.remaining())];
        let (end, is_head) = self.framing.advance(bytes);
        buffer.put_slice(&bytes[..end]);
        if is_head {
            self.ahead += 1;
            self.head_deadline = None;
        }
        end
    }

    /// Notes that bytes were written: a client that reads enough of them has another deadline.
    fn note_progress(&mut self, bytes: usize, cx: &mut Context<'_>) {
        self.ahead = 0;
        self.idle_deadline = None;
        if let Some(unread) = &mut self.unread {
            unread.progress += bytes;
            if unread.progress < MIN_PROGRESS {
                return;
            }
        }
        self.go_on(cx);
    }

    /// Nothing is unread any more, so that the client is read from again.
    fn go_on(&mut self, cx: &mut Context<'_>) {
        self.unread = None;
        if std::mem::take(&mut self.read_waits) {
            cx.waker().wake_by_ref();
        }
    }

    /// Waits for the client to read.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] where it took too long, which ends the connection.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let connections = &self.connections;
        let unread = self.unread.get_or_insert_with(|| Unread::new(connections));
        ready!(unread.deadline.as_mut().poll(cx));
        self.stream.forget_unread();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_some() || self.ahead >= MAX_AHEAD {
            self.read_waits = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut self.has_more) {
            // What was handed on is parsed before more is.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.rest.is_empty() {
            let mut rest = std::mem::take(&mut self.rest);
            rest.drain(..self.hand_on(&rest, buffer));
            self.rest = rest;
            self.has_more = true;
            return Poll::Ready(Ok(()));
        }
        let mut part = [0; READ_AT_ONCE];
        let mut part = ReadBuf::new(&mut part);
        match self.stream.poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {
                if part.filled().is_empty() {
                    self.departure.note();
                }
            }
            Poll::Ready(Err(error)) => {
                self.departure.note();
                return Poll::Ready(Err(error));
            }
            Poll::Pending if self.framing.is_in_head() => {
                let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT)));
                ready!(deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending if self.ahead == 0 => {
                let timeout = self.connections.idle_timeout();
                let deadline = self.idle_deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending => {
                // The deadlines above begin once the response is written.
                self.read_waits = true;
                return Poll::Pending;
            }
        }
        self.idle_deadline = None;
        let bytes = part.filled();
        let size = self.hand_on(bytes, buffer);
        self.rest = bytes[size..].to_vec();
        self.has_more = bytes.len() == READ_AT_ONCE || size < bytes.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.stream.writer().poll_write(cx, bytes) {
            Poll::Ready(Ok(written)) => {
                self.note_progress(written, cx);
                Poll::Ready(Ok(written))
            }
            Poll::Pending => self.poll_patience(cx),
            failed => failed,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Called once everything was written.
        if self.unread.is_some() {
            self.go_on(cx);
        }
        self.stream.writer().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.writer().poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (Connection, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let there = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("connected");
        let (here, _) = listener.accept().await.expect("a connection");
        let connections = Connections::new(1, Vec::new(), Duration::from_secs(75));
        (connections.accept(here).expect("a place"), there)
    }

    #[tokio::test]
    async fn requests_are_handed_on_one_by_one_and_few_of_them_before_one_is_answered() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut here, mut there) = pair().await;
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        there.write_all(&request.repeat(MAX_AHEAD + 2)).await.expect("sent");
        let mut buffer = [0; 1_024];
        for _ in 0..MAX_AHEAD {
            assert_eq!(here.read(&mut buffer).await.expect("a request"), request.len());
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), here.read(&mut buffer)).await.is_err());
        here.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("answered");
        assert_eq!(here.read(&mut buffer).await.expect("the next one"), request.len());
    }

    #[tokio::test]
    async fn the_last_piece_of_a_response_is_not_held_back() {
        let (here, _there) = pair().await;
        let Stream::Tcp(stream) = &here.stream else { panic!("it is no Unix socket") };
        assert!(stream.nodelay().expect("an option of the socket"));
    }

    #[tokio::test]
    async fn empty_lines_in_a_body_are_no_requests() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut here, mut there) = pair().await;
        let body = "{\n\n\"a\": 1,\r\n\r\n".repeat(400);
        let sent = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        there.write_all(sent.as_bytes()).await.expect("sent");
        let mut read = vec![0; sent.len()];
        here.read_exact(&mut read).await.expect("all of it");
        assert_eq!(read, sent.as_bytes());
    }
}
