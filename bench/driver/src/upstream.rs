//! The host that requests and events are sent to: it listens on this machine by https, has many names, and a DNS server
//! that leads them here. It answers at once, in a stream, or never.

use crate::Bench;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    header::HOST,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    collections::HashSet,
    convert::Infallible,
    fs,
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    task::{Context as Poller, Poll},
    thread,
};
use tokio::{
    net::{TcpListener, TcpSocket, UdpSocket},
    runtime,
};
use tokio_rustls::TlsAcceptor;

/// What it answers at once.
pub const ANSWER: usize = 1_024;

/// What it streams, in parts.
pub const STREAM: &str = "/stream";
pub const STREAMED: usize = PART * PARTS;
const PART: usize = 16 * 1_024;
const PARTS: usize = 64;

const DOMAIN: &str = "upstream.example.com";

/// Names that begin with it never get an answer.
const HANG: &str = "hang";

/// Open until the driver ends.
pub struct Upstream {
    pub address: SocketAddr,
    /// The certificate to trust.
    pub root: PathBuf,
    dns: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answered: AtomicU64,
    hanging: AtomicU64,
    /// The ids of the messages that were taken.
    messages: Mutex<HashSet<String>>,
}

/// A name that answers.
pub fn host(name: &str) -> String {
    format!("{name}.{DOMAIN}")
}

/// A name that never does.
pub fn hanging_host(name: &str) -> String {
    format!("{HANG}-{name}.{DOMAIN}")
}

impl Upstream {
    /// Listens, in a thread of its own, so that it does not hold up the load.
    pub fn open(bench: &Bench) -> Result<Self> {
        let dir = bench.cli.dir.join("upstream");
        fs::create_dir_all(&dir)?;
        let acceptor = acceptor(&dir)?;
        let state = Arc::new(State::default());
        let (told, addresses) = mpsc::channel();
        let serving = state.clone();
        thread::spawn(move || -> Result<()> {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let socket = TcpSocket::new_v4()?;
                socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
                // Many connect at the same moment.
                let listener = socket.listen(4_096)?;
                let dns = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                told.send((listener.local_addr()?, dns.local_addr()?))?;
                tokio::spawn(resolve(dns));
                serve(listener, acceptor, serving).await;
                anyhow::Ok(())
            })
        });
        let (address, dns) = addresses.recv().context("the upstream does not listen")?;
        Ok(Self { address, root: dir.join("root.pem"), dns, state })
    }

    /// Leads the product here: it may send to these hosts.
    pub fn settings(&self, hosts: &[String]) -> Vec<(&'static str, String)> {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("{host}:{}", self.address.port())).collect();
        vec![
            ("BAILIWICK_OUTBOUND_ALLOW", hosts.join(",")),
            ("BAILIWICK_OUTBOUND_RESOLVER", self.dns.to_string()),
            ("BAILIWICK_OUTBOUND_ROOT_CERTIFICATES", self.root.display().to_string()),
        ]
    }

    /// How many requests it has answered so far.
    pub fn answered(&self) -> u64 {
        self.state.answered.load(Ordering::Relaxed)
    }

    /// How many requests wait for an answer that never comes.
    pub fn hanging(&self) -> u64 {
        self.state.hanging.load(Ordering::Relaxed)
    }

    /// How many different messages it has taken.
    pub fn messages(&self) -> usize {
        self.state.messages().len()
    }

    pub fn forget_messages(&self) {
        self.state.messages().clear();
    }
}

impl State {
    fn messages(&self) -> MutexGuard<'_, HashSet<String>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else { continue };
        let (acceptor, state) = (acceptor.clone(), state.clone());
        tokio::spawn(async move {
            tcp.set_nodelay(true).ok();
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = service_fn(move |request| answer(state.clone(), request));
            http1::Builder::new().serve_connection(TokioIo::new(tls), service).await.ok();
        });
    }
}

/// A request without an answer, until its client is gone.
struct Hanging(Arc<State>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.hanging.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Parts>, hyper::Error> {
    let text = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let (host, message) = (text(HOST.as_str()).unwrap_or_default(), text("webhook-id"));
    let is_stream = request.uri().path() == STREAM;
    let body = request.into_body().collect().await?.to_bytes();
    if host.starts_with(HANG) {
        state.hanging.fetch_add(1, Ordering::Relaxed);
        let _hanging = Hanging(state);
        return pending().await;
    }
    if let Some(message) = message.filter(|_| memmem::find(&body, b"\"type\":").is_some()) {
        state.messages().insert(message);
    }
    state.answered.fetch_add(1, Ordering::Relaxed);
    let parts = match is_stream {
        true => Parts { part: Bytes::from(vec![b'x'; PART]), left: PARTS, is_sized: false },
        false => Parts { part: Bytes::from(vec![b'x'; ANSWER]), left: 1, is_sized: true },
    };
    let mut response = Response::new(parts);
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// The same part so many times.
struct Parts {
    part: Bytes,
    left: usize,
    is_sized: bool,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(self.part.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_sized {
            true => SizeHint::with_exact((self.part.len() * self.left) as u64),
            false => SizeHint::default(),
        }
    }
}

/// Answers every question for an IPv4 address with this machine, and says of no other kind that there is one.
async fn resolve(socket: UdpSocket) {
    let mut query = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut query).await {
        if let Some(answer) = resolved(&query[..length]) {
            socket.send_to(&answer, from).await.ok();
        }
    }
}

fn resolved(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? > 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = query.get(12..end + 5)?;
    let is_v4 = question.ends_with(&[0, 1, 0, 1]);
    let mut answer = query.get(..2)?.to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
    answer.extend(question);
    if is_v4 {
        // The name of the question, an address of the internet, to be kept for five minutes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

/// Makes an authority, and a certificate of it for every name.
fn acceptor(dir: &Path) -> Result<TlsAcceptor> {
    let openssl = |arguments: &str| -> Result<()> {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
        let output = output.context("openssl is missing")?;
        ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    fs::write(dir.join("ext"), format!("subjectAltName=DNS:*.{DOMAIN}\n"))?;
    openssl(&format!("req -x509 -keyout root.key -out root.pem -days 2 -subj /CN=bench {key}"))?;
    openssl(&format!("req -keyout host.key -out host.csr -subj /CN={DOMAIN} {key}"))?;
    openssl(
        "x509 -req -in host.csr -CA root.pem -CAkey root.key -CAcreateserial -days 2 -extfile ext -out host.pem",
    )?;
    let chain = vec![CertificateDer::from_pem_file(dir.join("host.pem"))?];
    let key = PrivateKeyDer::from_pem_file(dir.join("host.key"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
