//! A connection of a client, with what keeps one client from holding what all need: connections, memory, time.
//!
//! While a client does not read its responses, nothing more is read from it, so that what it has piled up
//! stays small; and it does not get long to go on. The HTTP library has no such deadline.

use crate::domain::{
    Counter,
    base::counters::{Entered, Level},
};
use ipnet::IpNet;
use std::{
    collections::HashMap,
    io::{self, Write},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
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

/// How long a client may take to read [`MIN_PROGRESS`] of what waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// [`PATIENCE`] while more than [`MANY_UNREAD`] clients leave responses unread.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

const MANY_UNREAD: usize = 512;

/// How long the head of a request may take to arrive, once it has begun. The HTTP library has a shorter deadline for
/// the first one of a connection, which gets a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(12);

/// How much longer than between two requests a connection stays open while nothing is read or written and no request is
/// being handled. The HTTP library ends it before; but a body that was refused, and never ends, has no other deadline.
const IDLE_GRACE: Duration = Duration::from_secs(5);

/// The bytes that a slow client must read to have as long again.
const MIN_PROGRESS: usize = 16 * 1024;

/// The most bytes that are read at a time.
const READ_AT_ONCE: usize = 4 * 1024;

/// The most requests that are handed on while none is answered. The HTTP library itself parses whatever it is
/// handed, and each request takes many times the memory of its bytes.
const MAX_AHEAD: usize = 8;

/// The connections of this program. Clones share their state.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    /// The most connections from one network; 0 means no limit.
    max_per_network: usize,
    /// Many people share these.
    exempt: Vec<IpNet>,
    /// How long a connection stays open while nothing happens.
    idle_timeout: Duration,
    /// How many each network has, and each wider one: by address and length of the prefix.
    by_network: Mutex<HashMap<IpNet, usize>>,
    /// Clients that leave responses unread.
    unread: AtomicUsize,
    open: Level,
    refused: Counter,
}

impl Connections {
    /// `keep_alive` is how long a connection stays open between two requests.
    pub fn new(max_per_network: usize, exempt: Vec<IpNet>, keep_alive: Duration) -> Self {
        Self(Arc::new(Shared {
            max_per_network,
            exempt,
            idle_timeout: keep_alive + IDLE_GRACE,
            by_network: Mutex::default(),
            unread: AtomicUsize::default(),
            open: Level::default(),
            refused: Counter::default(),
        }))
    }

    /// How many are open.
    pub fn open(&self) -> u64 {
        self.0.open.now()
    }

    /// How many were refused since the start, because their network had too many.
    pub fn refused(&self) -> u64 {
        self.0.refused.count()
    }

    /// Takes the connection in; `None` if its network has too many. That one gets an answer, and is closed.
    pub fn accept(&self, stream: TcpStream) -> Option<Connection> {
        let peer = stream.peer_addr().ok()?.ip().to_canonical();
        // A response is written in pieces. The kernel would hold back the last one until those before are acknowledged,
        // which clients delay.
        stream.set_nodelay(true).ok()?;
        let Some(place) = self.place_for(peer) else {
            // It fits into the empty buffer of a new connection, or is not worth waiting for.
            let _ = stream.into_std().and_then(|mut stream| stream.write(TOO_MANY));
            self.0.refused.increment();
            return None;
        };
        Some(self.connection(Stream::Tcp(stream), place))
    }

    /// Takes in a connection of a proxy on this machine.
    #[cfg(unix)]
    pub fn accept_local(&self, stream: UnixStream) -> Connection {
        self.connection(Stream::Unix(stream), Place { connections: self.clone(), networks: Vec::new() })
    }

    fn connection(&self, stream: Stream, place: Place) -> Connection {
        Connection {
            stream,
            rest: Vec::new(),
            has_more: false,
            is_new_line: false,
            in_head: false,
            head_deadline: None,
            idle_deadline: None,
            ahead: 0,
            unread: None,
            read_waits: false,
            connections: self.clone(),
            _place: place,
            _open: self.0.open.enter(),
        }
    }

    fn place_for(&self, peer: IpAddr) -> Option<Place> {
        let max = self.0.max_per_network;
        let mut place = Place { connections: self.clone(), networks: Vec::new() };
        if max == 0 || self.0.exempt.iter().any(|network| network.contains(&peer)) {
            return Some(place);
        }
        let networks = networks(peer);
        let mut by_network = self.0.by_network.lock().ok()?;
        let is_full = |(network, factor): &(IpNet, usize)| {
            by_network.get(network).is_some_and(|count| *count >= max.saturating_mul(*factor))
        };
        if networks.iter().any(is_full) {
            return None;
        }
        for (network, _) in networks {
            *by_network.entry(network).or_default() += 1;
            place.networks.push(network);
        }
        Some(place)
    }

    /// How long one more client may leave its response unread.
    fn patience(&self) -> Duration {
        match self.0.unread.load(Ordering::Relaxed) {
            ..MANY_UNREAD => PATIENCE,
            _ => SHORT_PATIENCE,
        }
    }
}

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// How many times the connections of one network all networks of one customer of a provider may have together.
const WIDE_FACTOR: usize = 4;

/// The networks that an address counts for, each with how many times the connections of one network it may have. A
/// household has a /64 of IPv6, a customer of a provider up to a /48.
fn networks(address: IpAddr) -> Vec<(IpNet, usize)> {
    let prefixes: &[(u8, usize)] = match address {
        IpAddr::V6(v6) if !v6.is_loopback() => &[(64, 1), (48, WIDE_FACTOR)],
        IpAddr::V6(_) => &[(128, 1)],
        IpAddr::V4(_) => &[(32, 1)],
    };
    let network = |&(length, factor): &(u8, usize)| {
        // All of these lengths are valid.
        let network = IpNet::new(address, length).unwrap_or_else(|_| address.into());
        (network.trunc(), factor)
    };
    prefixes.iter().map(network).collect()
}

/// A connection that counts for its networks, until it is dropped.
struct Place {
    connections: Connections,
    networks: Vec<IpNet>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.networks.is_empty() {
            return;
        }
        let Ok(mut by_network) = self.connections.0.by_network.lock() else { return };
        for network in &self.networks {
            match by_network.get_mut(network) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(by_network.remove(network)),
            }
        }
    }
}

/// A response that the client does not read.
struct Unread {
    connections: Connections,
    deadline: Pin<Box<Sleep>>,
    /// The bytes that it has read since.
    progress: usize,
}

impl Unread {
    fn new(connections: &Connections) -> Self {
        let deadline = Box::pin(sleep(connections.patience()));
        connections.0.unread.fetch_add(1, Ordering::Relaxed);
        Self { connections: connections.clone(), deadline, progress: 0 }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.connections.0.unread.fetch_sub(1, Ordering::Relaxed);
    }
}

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
    /// What was handed on ends with a line.
    is_new_line: bool,
    /// What was handed on ends within the head of a request.
    in_head: bool,
    head_deadline: Option<Pin<Box<Sleep>>>,
    idle_deadline: Option<Pin<Box<Sleep>>>,
    /// Requests that were handed on since a response was written.
    ahead: usize,
    unread: Option<Unread>,
    /// A read waits until something is written, or the client has read.
    read_waits: bool,
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

    /// Hands on what was read, up to the end of the first head of a request. Returns how many bytes that is.
    fn hand_on(&mut self, bytes: &[u8], buffer: &mut ReadBuf<'_>) -> usize {
        let bytes = &bytes[..bytes.len().min(buffer.remaining())];
        let end = end_of_head(bytes, &mut self.is_new_line);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        buffer.put_slice(part);
        self.in_head |= is_request_line(part);
        if end.is_some() && std::mem::take(&mut self.in_head) {
            self.ahead += 1;
            self.head_deadline = None;
        }
        part.len()
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

/// Whether this starts like `GET /`, or ends before that is known. No body that is accepted here does.
fn is_request_line(bytes: &[u8]) -> bool {
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    method > 0 && matches!(&bytes[method..], [] | [b' '] | [b' ', b'/' | b'*' | b'h', ..])
}

/// The end of the first empty line, which ends the head of a request. `is_new_line` says of what was before, and then of
/// these bytes, whether it ended with a line.
fn end_of_head(bytes: &[u8], is_new_line: &mut bool) -> Option<usize> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if *is_new_line => return Some(at + 1),
            b'\n' => *is_new_line = true,
            b'\r' => {}
            _ => *is_new_line = false,
        }
    }
    None
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
            Poll::Ready(read) => read?,
            Poll::Pending if self.in_head => {
                let deadline = self.head_deadline.get_or_insert_with(|| Box::pin(sleep(HEAD_TIMEOUT)));
                ready!(deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending if self.ahead == 0 => {
                let timeout = self.connections.0.idle_timeout;
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

    #[test]
    fn a_head_ends_with_an_empty_line_wherever_it_is_split() {
        for head in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n"] {
            let bytes = format!("{head}GET").into_bytes();
            for split in 0..head.len() {
                let mut is_new_line = false;
                assert_eq!(end_of_head(&bytes[..split], &mut is_new_line), None);
                assert_eq!(
                    end_of_head(&bytes[split..], &mut is_new_line),
                    Some(head.len() - split),
                    "{split}"
                );
            }
        }
    }

    #[test]
    fn many_networks_of_one_provider_have_a_bounded_number_of_connections_too() {
        let connections = Connections::new(2, Vec::new(), Duration::from_secs(75));
        let place = |address: &str| connections.place_for(address.parse().expect("an address"));
        let mut held: Vec<Place> = Vec::new();
        for n in 0..4 {
            let address = format!("2001:db8:1:{n}::7");
            held.extend([place(&address), place(&address)].into_iter().flatten());
            assert!(place(&address).is_none(), "a third one from one network");
        }
        assert_eq!(held.len(), 8);
        assert!(place("2001:db8:1:ffff::1").is_none(), "a ninth one from one provider's customer");
        // Others are not concerned.
        let others = [place("2001:db8:2::1"), place("203.0.113.7"), place("203.0.113.8"), place("::1")];
        assert!(others.iter().all(Option::is_some));
        held.pop();
        assert!(place("2001:db8:1:ffff::1").is_some(), "a place that was given up is free");
        drop((held, others));
        assert!(connections.0.by_network.lock().expect("a lock").is_empty());
    }

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
