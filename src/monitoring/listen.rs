//! Listens for scrapers. One that connects and then sends or reads nothing must not keep others from the metrics: a
//! connection is for one request and a few seconds, and where there are too many, the oldest one ends.

use crate::config::bind::Listener;
use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, Error, dev::AppConfig, http::KeepAlive, middleware::Compress, web::ServiceConfig};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time::{Sleep, sleep},
};

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take to end.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may take in all.
const LIFETIME: Duration = Duration::from_secs(15);

/// The most connections at once. The oldest one makes room.
const MAX_OPEN: usize = 32;

/// The most that are accepted: those that end take a moment.
const MAX_ACCEPTED: usize = 4 * MAX_OPEN;

/// Serves these routes on this socket.
///
/// # Errors
/// What the system says about the socket.
pub(super) fn listen<C>(listener: Listener, routes: C) -> io::Result<Server>
where
    C: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let mut builder = ServerBuilder::new()
        .workers(1)
        .max_concurrent_connections(MAX_ACCEPTED)
        .shutdown_timeout(1)
        .disable_signals();
    let open = Open::default();
    // The type of the HTTP service has no name that could be written.
    macro_rules! serve {
        ($stream:ty) => {{
            let (routes, open) = (routes.clone(), open.clone());
            move || {
                let (routes, open) = (routes.clone(), open.clone());
                let service = App::new()
                    .wrap(Compress::default())
                    .configure(move |config| routes(config))
                    .into_factory()
                    .map_err(|error: Error| error.error_response());
                let http = HttpService::build()
                    .keep_alive(KeepAlive::Disabled)
                    .client_request_timeout(HEAD_TIMEOUT)
                    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                    .finish(map_config(service, |()| AppConfig::default()));
                let accept = fn_service(move |stream: $stream| {
                    let connection = open.accept(stream);
                    async move { Ok::<_, DispatchError>((connection, Protocol::Http1, None)) }
                });
                accept.and_then(http)
            }
        }};
    }
    match listener {
        Listener::Tcp(listeners) => {
            for listener in listeners {
                builder = builder.listen("metrics", listener, serve!(TcpStream))?;
            }
        }
        #[cfg(unix)]
        Listener::Unix(listener) => builder = builder.listen_uds("metrics", listener, serve!(UnixStream))?,
    }
    Ok(builder.run())
}

/// The connections that are open, the oldest one first. Each ends when its sender is dropped.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<VecDeque<oneshot::Sender<()>>>>);

impl Open {
    fn accept<S>(&self, stream: S) -> Brief<S> {
        let (sender, ended) = oneshot::channel();
        if let Ok(mut open) = self.0.lock() {
            open.retain(|one| !one.is_closed());
            while open.len() >= MAX_OPEN {
                open.pop_front();
            }
            open.push_back(sender);
        }
        Brief { stream, deadline: Box::pin(sleep(LIFETIME)), ended }
    }
}

/// A connection that ends in time, whatever its client does.
struct Brief<S> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    /// Another one needs its place.
    ended: oneshot::Receiver<()>,
}

impl<S> Brief<S> {
    /// What became of waiting for the client.
    fn or_end<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let is_over = |brief: &mut Self, cx: &mut Context<'_>| {
            brief.deadline.as_mut().poll(cx).is_ready() || Pin::new(&mut brief.ended).poll(cx).is_ready()
        };
        match done {
            Poll::Pending if is_over(self, cx) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            done => done,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Brief<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.or_end(read, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Brief<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.or_end(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.or_end(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.or_end(ended, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn the_oldest_connection_makes_room_and_each_ends_in_time() {
        let open = Open::default();
        let mut pairs: Vec<_> = (0..MAX_OPEN)
            .map(|_| {
                let (here, there) = tokio::io::duplex(16);
                (open.accept(here), there)
            })
            .collect();
        let (here, mut there) = tokio::io::duplex(16);
        let mut latest = open.accept(here);
        let mut buffer = [0; 8];
        let ended = pairs[0].0.read(&mut buffer).await.expect_err("it makes room");
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        there.write_all(b"GET").await.expect("sent");
        assert_eq!(latest.read(&mut buffer).await.expect("it is open"), 3);
        pairs[1].1.write_all(b"GET").await.expect("sent");
        assert_eq!(pairs[1].0.read(&mut buffer).await.expect("it is open too"), 3);
        let (here, _there) = tokio::io::duplex(16);
        let (_open, ended) = oneshot::channel();
        let deadline = Box::pin(sleep(Duration::from_millis(1)));
        let mut late = Brief { stream: here, deadline, ended };
        let unread = late.write_all(&[0; 32]).await.expect_err("nobody reads it");
        assert_eq!(unread.kind(), io::ErrorKind::TimedOut);
    }
}
