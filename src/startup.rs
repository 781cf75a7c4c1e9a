//! Puts the parts together and listens.

pub use crate::domain::base::statements::{Counter, Transcript};
use crate::{
    clock::Clock,
    config::Config,
    domain::{Db, OpenError, base::outbox, housekeeping},
    mail::{Mailer, MailerError},
    secret::{InstallationSecret, SecretError},
    web::{
        self, app,
        routes::{index::index, mount},
    },
};
use actix_web::{
    App, HttpServer,
    cookie::Key,
    dev::{Server, ServerHandle},
    http::{KeepAlive, header},
    middleware::{Compress, DefaultHeaders, from_fn},
    web::Data,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio::task::JoinHandle;
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};
use url::Url;

/// Why the server did not start. The sentence is for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("can't listen on {bind}: {error}. Choose another address with BAILIWICK_BIND.")]
    Bind { bind: SocketAddr, error: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "BAILIWICK_PUBLIC_URL must be an http or https address without a path, such as https://access.example.com"
    )]
    PublicUrl,
    #[error(transparent)]
    Mail(#[from] MailerError),
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// A server that listens and is ready to run.
pub struct Application {
    server: Server,
    address: SocketAddr,
    public_url: String,
    db: Db,
    workers: Vec<JoinHandle<()>>,
}

/// The most connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4_096;

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection stays open between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long running requests may take to end when the server stops, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 15;

impl Application {
    /// Opens the database, brings its schema up to date, and listens.
    ///
    /// # Errors
    /// What is wrong with the settings or the machine, as a sentence.
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let listener = TcpListener::bind(config.bind)
            .map_err(|error| StartupError::Bind { bind: config.bind, error })?;
        let address = listener.local_addr()?;
        let public_url = public_url(&config, address)?;
        let shown_url = public_url.as_str().trim_end_matches('/').to_owned();
        let secret = InstallationSecret::find_or_create(&config)?;
        let db = Db::open(&config, shown_url.clone(), clock).await?;
        let mailer = Mailer::new(&config, &public_url)?;
        let settings = app::Settings::new(&config, &public_url, Key::from(&*secret.derive("cookies")));
        let calls = web::Calls::new(config.calls_per_minute);
        let app = Data::new(app::App { db: db.with_counter(), settings, calls, routes: index() });
        let server = listen(listener, app, config.workers)?;
        let workers =
            vec![tokio::spawn(send_mail(db.clone(), mailer)), tokio::spawn(run_housekeeping(db.clone()))];
        Ok(Self { server, address, public_url: shown_url, db, workers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The public URL, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Counts passwords that were hashed.
    pub fn hashes(&self) -> Counter {
        self.db.hashes()
    }

    /// Counts SQL statements.
    pub fn statements(&self) -> Counter {
        self.db.statements()
    }

    /// The SQL statements that were sent.
    pub fn transcript(&self) -> Transcript {
        self.db.transcript()
    }

    /// Stops the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is stopped by a signal or its handle; then lets running requests end.
    ///
    /// # Errors
    /// What the system says about its sockets.
    pub async fn run(self) -> io::Result<()> {
        let served = self.server.await;
        for worker in &self.workers {
            worker.abort();
        }
        // Whoever was seen last is written down before the connections go.
        if let Err(error) = housekeeping::housekeeping(&self.db).await {
            tracing::warn!(%error, "could not save the last activity times");
        }
        self.db.close().await;
        served
    }
}

fn listen(listener: TcpListener, app: Data<app::App>, workers: Option<usize>) -> io::Result<Server> {
    let factory = move || {
        App::new()
            .app_data(app.clone())
            .wrap(web::session_middleware(&app))
            .wrap(security_headers(&app))
            .wrap(Compress::default())
            .wrap(from_fn(name_request))
            .wrap(TracingLogger::<RequestLog>::new())
            .configure(mount::mount)
    };
    let mut server = HttpServer::new(factory)
        .keep_alive(KeepAlive::Timeout(IDLE_TIMEOUT))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(Duration::from_secs(2))
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(SHUTDOWN_TIMEOUT);
    if let Some(workers) = workers {
        server = server.workers(workers.max(1));
    }
    Ok(server.listen(listener)?.run())
}

/// The headers of every response: no script or style but ours, no frame, no referrer.
fn security_headers(app: &app::App) -> DefaultHeaders {
    let headers = DefaultHeaders::new()
        .add((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"));
    if app.settings.is_secure {
        headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"))
    } else {
        headers
    }
}

/// Middleware: adds the id under which the request is logged to the response.
async fn name_request<B: actix_web::body::MessageBody>(
    req: actix_web::dev::ServiceRequest,
    next: actix_web::middleware::Next<B>,
) -> Result<actix_web::dev::ServiceResponse<B>, actix_web::Error> {
    use actix_web::HttpMessage;
    let name = header::HeaderName::from_static("x-request-id");
    // One that the caller chose comes back, in place of ours: short, and of what can be seen.
    let is_plain = |value: &header::HeaderValue| {
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    let theirs = req.headers().get(&name).filter(|value| is_plain(value)).cloned();
    let id = req.extensions().get::<RequestId>().copied();
    let mut response = next.call(req).await?;
    let ours = || id.and_then(|id| header::HeaderValue::from_str(&id.to_string()).ok());
    if let Some(value) = theirs.or_else(ours) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// What is logged of a request: the pattern of its path and never the path, which may hold the
/// secret of a link.
struct RequestLog;

impl RootSpanBuilder for RequestLog {
    fn on_request_start(req: &actix_web::dev::ServiceRequest) -> tracing::Span {
        use actix_web::HttpMessage;
        let id = req.extensions().get::<RequestId>().copied();
        let route = req.match_pattern().unwrap_or_default();
        tracing::info_span!(
            "request",
            request_id = id.map(tracing::field::display),
            method = %req.method(),
            route,
            status = tracing::field::Empty,
        )
    }

    fn on_request_end<B: actix_web::body::MessageBody>(
        span: tracing::Span,
        outcome: &Result<actix_web::dev::ServiceResponse<B>, actix_web::Error>,
    ) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        let _entered = span.enter();
        tracing::info!("answered");
    }
}

/// The public URL of a server with these settings, without a trailing slash.
///
/// # Errors
/// [`StartupError::PublicUrl`].
pub fn shown_url(config: &Config) -> Result<String, StartupError> {
    Ok(public_url(config, config.bind)?.as_str().trim_end_matches('/').to_owned())
}

fn public_url(config: &Config, address: SocketAddr) -> Result<Url, StartupError> {
    let url = match &config.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}")).map_err(|_| StartupError::PublicUrl)?,
    };
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if is_plain { Ok(url) } else { Err(StartupError::PublicUrl) }
}

/// Sends what waits in the outbox, one message at a time.
async fn send_mail(db: Db, mailer: Mailer) {
    loop {
        match outbox::lease_next(&db).await {
            Ok(Some(message)) => deliver(&db, &mailer, message).await,
            Ok(None) => outbox::wait(&db).await,
            Err(error) => {
                tracing::warn!(%error, "can't read the outbox");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

async fn deliver(db: &Db, mailer: &Mailer, message: outbox::OutgoingMail) {
    let noted = match mailer.send(&message).await {
        Ok(()) => outbox::mark_sent(db, message.id).await,
        Err(error) => {
            tracing::warn!(message = %message.id, attempts = message.attempts, %error, "could not send e-mail");
            outbox::mark_failed(db, &message, &error).await
        }
    };
    if let Err(error) = noted {
        tracing::error!(message = %message.id, %error, "can't update the outbox");
    }
}

/// How often presence is written.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// The number of rounds after which expired data is deleted.
const SWEEP_INTERVAL: u64 = 720;

async fn run_housekeeping(db: Db) {
    for round in 1_u64.. {
        tokio::time::sleep(HOUSEKEEPING).await;
        let mut done = housekeeping::housekeeping(&db).await;
        if done.is_ok() && round % SWEEP_INTERVAL == 0 {
            done = housekeeping::sweep(&db).await;
        }
        if let Err(error) = done {
            tracing::warn!(%error, "housekeeping failed");
        }
    }
}
