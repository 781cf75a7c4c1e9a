//! Hosts of the internet, as far as the app under test is concerned: they listen on this machine by https, record each
//! byte that they get, and answer as a test says.
//!
//! ```ignore
//! let upstream = Upstream::open(&["api.example.com"]).await;
//! let app = TestApp::on(backend).with(upstream.settings()).spawn().await;
//! upstream.answer(|request| Reply::new(200, &[("content-type", "text/plain")], b"hello"));
//! ```

use super::{Authority, Dns, product::Config, until};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// With its query.
    pub path: String,
    /// The lines of the head as they came, without the first.
    pub fields: Vec<(String, String)>,
    /// The whole head as it came.
    pub head: String,
    /// Empty while the body is still to come.
    pub body: Vec<u8>,
    /// The number of the connection, from 0.
    pub connection: usize,
}

impl Received {
    /// The value of the first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    /// The values of all fields of this name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// What a host does in answer to a request.
#[derive(Clone, Default)]
pub struct Reply {
    steps: Vec<Step>,
    skips_body: bool,
}

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    Wait(Arc<Notify>),
    Hang,
    Close,
}

impl Reply {
    /// An answer with its length.
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len().to_string();
        let headers = [headers, &[("content-length", length.as_str())]].concat();
        Self::head(status, &headers).then(body)
    }

    /// Only the head of an answer, as it is.
    pub fn head(status: u16, headers: &[(&str, &str)]) -> Self {
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Self::raw(format!("HTTP/1.1 {status} Scripted\r\n{fields}\r\n"))
    }

    /// The head of an answer in chunks; see [`Reply::chunk`].
    pub fn chunked(status: u16, headers: &[(&str, &str)]) -> Self {
        Self::head(status, &[headers, &[("transfer-encoding", "chunked")]].concat())
    }

    /// These bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::default().then(bytes)
    }

    /// Says nothing, and keeps the connection open.
    pub fn hang() -> Self {
        Self::default().and_hang()
    }

    /// And then these bytes.
    #[must_use]
    pub fn then(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// And then one chunk; an empty one is the last.
    #[must_use]
    pub fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.then([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    #[must_use]
    pub fn pause(self, pause: Duration) -> Self {
        self.step(Step::Pause(pause))
    }

    /// Goes on when the test says so.
    #[must_use]
    pub fn wait_for(self, notify: &Arc<Notify>) -> Self {
        self.step(Step::Wait(Arc::clone(notify)))
    }

    /// Says nothing more, and keeps the connection open.
    #[must_use]
    pub fn and_hang(self) -> Self {
        self.step(Step::Hang)
    }

    #[must_use]
    pub fn and_close(self) -> Self {
        self.step(Step::Close)
    }

    /// Answers as soon as the head is there, and does not read the body.
    #[must_use]
    pub fn before_the_body(mut self) -> Self {
        self.skips_body = true;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

type Answer = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// Open until the test is over. It answers 200 and `ok` until it is told something else.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    pub dns: Dns,
    hosts: Arc<Vec<String>>,
    authority: Arc<Authority>,
    state: Arc<State>,
}

struct State {
    answer: Mutex<Answer>,
    requests: Mutex<Vec<Received>>,
    /// Connections that were accepted, before any encryption.
    connections: AtomicUsize,
    open: AtomicUsize,
    /// Bytes of bodies.
    received: AtomicUsize,
    /// Bytes of answers.
    sent: AtomicUsize,
}

impl Upstream {
    /// Listens on 127.0.0.1 for these hosts, which lead there.
    pub async fn open(hosts: &[&str]) -> Self {
        Self::at([127, 0, 0, 1].into(), hosts).await
    }

    /// Listens on another address of this machine.
    pub async fn at(address: IpAddr, hosts: &[&str]) -> Self {
        let authority = Arc::new(Authority::new());
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let dns = Dns::open().await;
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            dns,
            hosts: Arc::new(hosts.iter().map(|&host| host.to_owned()).collect()),
            state: Arc::new(State {
                answer: Mutex::new(Arc::new(|_| Reply::new(200, &[], b"ok"))),
                requests: Mutex::default(),
                connections: AtomicUsize::new(0),
                open: AtomicUsize::new(0),
                received: AtomicUsize::new(0),
                sent: AtomicUsize::new(0),
            }),
            authority,
        };
        let ip = address.to_string();
        hosts.iter().for_each(|host| upstream.dns.set(host, &[&ip]));
        let acceptor = upstream.acceptor();
        let serving = upstream.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (serving, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move { serving.serve(acceptor, tcp).await });
            }
        });
        upstream
    }

    /// For [`super::Builder::with`]: the app may reach these hosts, looks names up here, and trusts this authority.
    pub fn settings(&self) -> impl Fn(&mut Config) + Send + Sync + 'static {
        let (dns, root) = (self.dns.address, self.root());
        let hosts = self.hosts();
        move |config| {
            config.outbound_allow.extend(hosts.iter().map(|host| host.parse().unwrap()));
            config.outbound_resolver = Some(dns);
            config.outbound_root_certificates = Some(root.clone());
        }
    }

    /// The same, for the environment of the program.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("BAILIWICK_OUTBOUND_ALLOW", self.hosts().join(",")),
            ("BAILIWICK_OUTBOUND_RESOLVER", self.dns.address.to_string()),
            ("BAILIWICK_OUTBOUND_ROOT_CERTIFICATES", self.root().display().to_string()),
        ]
    }

    /// Each host with the port at which it listens.
    pub fn hosts(&self) -> Vec<String> {
        self.hosts.iter().map(|host| format!("{host}:{}", self.address.port())).collect()
    }

    /// The certificate of the authority.
    pub fn root(&self) -> PathBuf {
        self.authority.root()
    }

    /// Answers so from now on. It is asked with the head of a request, and again once the body is there, unless the
    /// reply is [`Reply::before_the_body`].
    pub fn answer(&self, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap() = Arc::new(answer);
    }

    /// The requests whose heads were received so far; a body that is not all there is missing.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The requests since the last call of this.
    pub fn take_requests(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.requests.lock().unwrap())
    }

    /// Connections that were accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Bytes of bodies that were received so far.
    pub fn bytes_received(&self) -> usize {
        self.state.received.load(Ordering::SeqCst)
    }

    /// Bytes of answers that somebody took off our hands so far.
    pub fn bytes_sent(&self) -> usize {
        self.state.sent.load(Ordering::SeqCst)
    }

    /// Waits until as many requests were received.
    pub async fn has_requests(&self, count: usize) {
        until("the host got too few requests", async || self.requests().len() >= count).await;
    }

    fn acceptor(&self) -> TlsAcceptor {
        let names: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let files = self.authority.issue_for(&names, Some(self.address.ip()));
        let chain = vec![CertificateDer::from_pem_file(files.certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(files.key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    async fn serve(&self, acceptor: TlsAcceptor, tcp: TcpStream) {
        let number = self.state.connections.fetch_add(1, Ordering::SeqCst);
        self.state.open.fetch_add(1, Ordering::SeqCst);
        if let Ok(tls) = acceptor.accept(tcp).await {
            self.talk(tls, number).await.ok();
        }
        self.state.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn talk(&self, tls: TlsStream<TcpStream>, number: usize) -> io::Result<()> {
        let mut stream = BufReader::new(tls);
        while let Some(mut received) = head(&mut stream, number).await? {
            let at = {
                let mut requests = self.state.requests.lock().unwrap();
                requests.push(received.clone());
                requests.len() - 1
            };
            let answer = Arc::clone(&*self.state.answer.lock().unwrap());
            let early = answer(&received);
            let reply = if early.skips_body {
                early
            } else {
                received.body = self.body(&mut stream, &received).await?;
                if let Some(known) = self.state.requests.lock().unwrap().get_mut(at) {
                    known.body.clone_from(&received.body);
                }
                answer(&received)
            };
            if !perform(&mut stream, &reply, &self.state.sent).await? || reply.skips_body {
                return stream.get_mut().shutdown().await;
            }
        }
        Ok(())
    }

    async fn body(&self, stream: &mut BufReader<TlsStream<TcpStream>>, of: &Received) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if of.header("transfer-encoding").is_some() {
            loop {
                let size = line(stream).await?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
                self.take(stream, size, &mut body).await?;
                line(stream).await?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let length = of.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        self.take(stream, length, &mut body).await?;
        Ok(body)
    }

    async fn take(
        &self,
        stream: &mut BufReader<TlsStream<TcpStream>>,
        mut rest: usize,
        body: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        while rest > 0 {
            let most = rest.min(buffer.len());
            let read = stream.read(&mut buffer[..most]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.state.received.fetch_add(read, Ordering::SeqCst);
            body.extend_from_slice(&buffer[..read]);
            rest -= read;
        }
        Ok(())
    }
}

async fn line(stream: &mut BufReader<TlsStream<TcpStream>>) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned())
}

/// The next request without its body; `None` if the client has ended the connection.
async fn head(
    stream: &mut BufReader<TlsStream<TcpStream>>,
    connection: usize,
) -> io::Result<Option<Received>> {
    let Ok(first) = line(stream).await else { return Ok(None) };
    let (mut fields, mut head) = (Vec::new(), format!("{first}\r\n"));
    loop {
        let line = line(stream).await?;
        head.push_str(&format!("{line}\r\n"));
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Some(Received { method, path, fields, head, body: Vec::new(), connection }))
}

/// Whether the connection goes on after it.
async fn perform(
    stream: &mut BufReader<TlsStream<TcpStream>>,
    reply: &Reply,
    sent: &AtomicUsize,
) -> io::Result<bool> {
    for step in &reply.steps {
        match step {
            Step::Send(bytes) => {
                stream.get_mut().write_all(bytes).await?;
                stream.get_mut().flush().await?;
                sent.fetch_add(bytes.len(), Ordering::SeqCst);
            }
            Step::Pause(pause) => tokio::time::sleep(*pause).await,
            Step::Wait(notify) => notify.notified().await,
            // Until the client hangs up.
            // What comes of the body is left unread.
            Step::Hang if reply.skips_body => std::future::pending().await,
            Step::Hang => return stream.read_u8().await.map(|_| false),
            Step::Close => return Ok(false),
        }
    }
    Ok(true)
}
