//! One conversation with a mail server a message.

use crate::mail::{
    error::MailerError,
    replies::{Replies, Transport},
};
use lettre::{
    AsyncSmtpTransport, Message, Tokio1Executor,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::AsyncSmtpConnection,
        extension::ClientId,
    },
};
use percent_encoding::percent_decode_str;
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use secrecy::{ExposeSecret, SecretString};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Url;

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a server may take to say goodbye. The message is delivered by then.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Smtp(#[from] Error),
    #[error("can't connect to the mail server: {0}")]
    Connect(io::Error),
    #[error("can't encrypt the connection to the mail server: {0}")]
    Tls(io::Error),
    #[error("the mail server does not encrypt connections, and BAILIWICK_MAIL demands it")]
    NoTls,
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    Never,
    /// By STARTTLS, if the server offers it.
    IfOffered,
    /// By STARTTLS.
    Required,
    /// From the start.
    AtOnce,
}

/// A mail server, as `BAILIWICK_MAIL` names it.
pub(super) struct MailServer {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: TlsConnector,
    hello: ClientId,
    credentials: Option<Credentials>,
}

impl MailServer {
    /// Reads an URL as the library does, which says what is wrong with it.
    ///
    /// # Errors
    /// [`MailerError::Smtp`], [`MailerError::Tls`].
    pub(super) fn parse(text: &SecretString) -> Result<Self, MailerError> {
        let text = text.expose_secret();
        AsyncSmtpTransport::<Tokio1Executor>::from_url(text).map_err(MailerError::Smtp)?;
        let url = Url::parse(text).map_err(|_| MailerError::Url)?;
        let host = match url.host().ok_or(MailerError::Url)? {
            // As an address without its brackets.
            url::Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        if host.is_empty() {
            return Err(MailerError::Url);
        }
        let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
        let (encryption, port) = match (url.scheme(), tls.as_deref()) {
            ("smtps", _) => (Encryption::AtOnce, 465),
            (_, Some("required")) => (Encryption::Required, 587),
            (_, Some("opportunistic")) => (Encryption::IfOffered, 587),
            _ => (Encryption::Never, 25),
        };
        let name = url.path().trim_matches('/');
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials =
            url.password().map(|password| Credentials::new(decoded(url.username()), decoded(password)));
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            encryption,
            tls: TlsConnector::from(Arc::new(tls_config()?)),
            hello: if name.is_empty() { ClientId::default() } else { ClientId::Domain(name.to_owned()) },
            credentials,
        })
    }

    /// Delivers a message.
    ///
    /// # Errors
    /// What the server or the network said.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut connection = self.connect().await?;
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        connection.send(message.envelope(), &message.formatted()).await?;
        // It is delivered, whatever the server says now.
        let _ = tokio::time::timeout(QUIT_TIMEOUT, connection.abort()).await;
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((&*self.host, self.port)));
        let late = |_| SendError::Connect(io::ErrorKind::TimedOut.into());
        let stream = connecting.await.map_err(late)?.map_err(SendError::Connect)?;
        let server = stream.peer_addr().map_err(SendError::Connect)?;
        match self.encryption {
            Encryption::Never => self.talk(Replies::new(stream, server)).await,
            Encryption::AtOnce => {
                let stream = self.encrypt(stream).await?;
                self.talk(Replies::new(stream, server)).await
            }
            Encryption::IfOffered | Encryption::Required => self.start_tls(stream, server).await,
        }
    }

    async fn talk(
        &self,
        stream: Replies<impl Transport + 'static>,
    ) -> Result<AsyncSmtpConnection, SendError> {
        Ok(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await?)
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, SendError> {
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|error| SendError::Tls(io::Error::other(error)))?;
        self.tls.connect(name, stream).await.map_err(SendError::Tls)
    }

    async fn start_tls(
        &self,
        stream: TcpStream,
        server: SocketAddr,
    ) -> Result<AsyncSmtpConnection, SendError> {
        let lent = Lent(Arc::new(Mutex::new(Some(stream))));
        let mut plain = self.talk(Replies::new(lent.clone(), server)).await?;
        if !plain.can_starttls() {
            return match self.encryption {
                Encryption::Required => Err(SendError::NoTls),
                _ => Ok(plain),
            };
        }
        plain.command("STARTTLS\r\n").await?;
        // What the server has sent after its reply, unencrypted, ends with this.
        drop(plain);
        let stream = lent.take().ok_or_else(|| SendError::Tls(io::ErrorKind::NotConnected.into()))?;
        let stream = self.encrypt(stream).await?;
        self.talk(Replies::greeted(stream, server)).await
    }
}

/// TLS as the library does it.
fn tls_config() -> Result<ClientConfig, MailerError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.and_then(BuilderVerifierExt::with_platform_verifier);
    Ok(builder.map_err(MailerError::Tls)?.with_no_client_auth())
}

/// A connection that is taken back to be encrypted.
#[derive(Clone)]
struct Lent(Arc<Mutex<Option<TcpStream>>>);

impl Lent {
    fn take(&self) -> Option<TcpStream> {
        self.0.lock().ok()?.take()
    }

    fn poll<T>(&self, poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.0.lock().as_mut().map(|lent| lent.as_mut()) {
            Ok(Some(stream)) => poll(Pin::new(stream)),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_the_library_reads_them() {
        for (url, host, port, encryption) in [
            ("smtp://mail.example.com", "mail.example.com", 25, Encryption::Never),
            ("smtp://mail.example.com?tls=required", "mail.example.com", 587, Encryption::Required),
            ("smtp://mail.example.com:26?tls=opportunistic", "mail.example.com", 26, Encryption::IfOffered),
            ("smtps://[::1]/me", "::1", 465, Encryption::AtOnce),
        ] {
            let server = MailServer::parse(&url.to_owned().into()).expect("a mail server");
            assert_eq!((&*server.host, server.port, server.encryption), (host, port, encryption));
        }
        let server =
            MailServer::parse(&"smtp://me:p%40ss@mail.example.com/here".to_owned().into()).expect("one");
        assert_eq!(server.credentials, Some(Credentials::new("me".to_owned(), "p@ss".to_owned())));
        assert_eq!(server.hello, ClientId::Domain("here".to_owned()));
        assert!(MailServer::parse(&"smtp://mail.example.com?tls=maybe".to_owned().into()).is_err());
    }
}
