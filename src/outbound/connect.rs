//! One connection: look the host up once, look at each address, connect to one of them and to nothing else, compare
//! who answered, encrypt.

use crate::outbound::{
    counts::Counts,
    failure::{Failure, Phase},
    limits::Limits,
    names::Names,
    rules::{Place, Rules},
    tls::Tls,
};
use hyper::{
    Uri,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, dns::Name},
    rt::TokioIo,
};
use std::{
    error::Error,
    future::{Ready, ready},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// The most addresses of a host that are tried.
const MAX_TRIED: usize = 8;

/// Opens connections for the pool.
#[derive(Clone)]
pub(in crate::outbound) struct Connector {
    pub rules: Arc<Rules>,
    pub names: Names,
    pub tls: Tls,
    pub counts: Arc<Counts>,
    pub limits: Limits,
}

/// The address that a connection leads to.
#[derive(Clone, Copy, Debug)]
pub(in crate::outbound) struct Peer(pub IpAddr);

/// An encrypted connection.
pub(in crate::outbound) struct Encrypted {
    stream: TokioIo<TlsStream<TcpStream>>,
    peer: Peer,
}

impl Connector {
    async fn open(&self, uri: &Uri) -> Result<Encrypted, Failure> {
        let host = uri.host().unwrap_or_default();
        let place = self.rules.place(host.trim_start_matches('[').trim_end_matches(']'))?;
        let addresses = self.names.addresses(&place.host, self.limits.connect).await?;
        self.rules.check(&place, &addresses)?;
        self.counts.connecting();
        let tcp = self.connect(&place, &addresses).await?;
        let peer = tcp.peer_addr().map_err(|error| Failure::Connect(error.kind()))?.ip();
        if !addresses.contains(&peer) {
            tracing::error!(%peer, host = place.host, "a connection leads to an address that was not looked at");
            return Err(Failure::Connect(io::ErrorKind::Other));
        }
        let encrypted = timeout(self.limits.connect, self.tls.encrypt(&place.host, tcp)).await;
        let stream = encrypted.map_err(|_| Failure::Timeout(Phase::Tls))??;
        Ok(Encrypted { stream: TokioIo::new(stream), peer: Peer(peer) })
    }

    async fn connect(&self, place: &Place, addresses: &[IpAddr]) -> Result<TcpStream, Failure> {
        let tried = addresses.iter().take(MAX_TRIED).map(|address| SocketAddr::new(*address, place.port));
        let mut connector = HttpConnector::new_with_resolver(Pinned(tried.collect()));
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(60)));
        connector.set_connect_timeout(Some(self.limits.connect));
        // The name is not looked up any more: the connector has the addresses. It must be no address, which the
        // connector would read as one.
        let uri = Uri::builder().scheme("https").authority(format!("pinned.invalid:{}", place.port));
        let uri =
            uri.path_and_query("/").build().map_err(|_| Failure::Connect(io::ErrorKind::InvalidInput))?;
        match timeout(self.limits.connect, connector.call(uri)).await {
            Ok(Ok(stream)) => Ok(stream.into_inner()),
            Ok(Err(error)) => Err(Failure::Connect(kind(&error))),
            Err(_) => Err(Failure::Timeout(Phase::Connect)),
        }
    }
}

fn kind(error: &(dyn Error + 'static)) -> io::ErrorKind {
    let mut error = Some(error);
    while let Some(one) = error {
        if let Some(one) = one.downcast_ref::<io::Error>() {
            return one.kind();
        }
        error = one.source();
    }
    io::ErrorKind::Other
}

impl Service<Uri> for Connector {
    type Response = Encrypted;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.open(&uri).await })
    }
}

/// Leads any name to the addresses that were looked at.
#[derive(Clone)]
struct Pinned(Vec<SocketAddr>);

impl Service<Name> for Pinned {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}

impl Connection for Encrypted {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.peer)
    }
}

impl Read for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
