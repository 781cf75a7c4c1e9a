//! Listens: connections with their limits, and the HTTP service on them.

use crate::{
    connection::Connections,
    web::{self, app, routes::mount},
};
use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{
    App, Error,
    dev::AppConfig,
    http::{KeepAlive, header},
    middleware::{Compress, DefaultHeaders, from_fn},
    web::Data,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio::net::{TcpSocket, TcpStream};
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};

/// The most connections at once, of all workers; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4_096;

/// Files that may be open beside them: databases, mail, connections to other servers.
#[cfg(unix)]
const OTHER_FILES: u64 = 512;

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection stays open between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take to end.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What the kernel holds of a response until the client has read it, in bytes. It doubles the number.
const SEND_BUFFER: u32 = 64 * 1024;

/// What is set aside of a response before it is written, in bytes.
const WRITE_BUFFER: usize = 8 * 1024;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// How long running requests may take to end when the server stops, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 15;

/// Listens at this address. The limit of what the kernel holds for a client is inherited by each connection.
///
/// # Errors
/// What the system says about the address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// How many connections this process may hold. Its limit of open files is raised for them as far as it may be, so
/// that no client takes the files that the database needs.
fn max_connections() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let wanted = MAX_CONNECTIONS as u64 + OTHER_FILES;
        let limit = getrlimit(Resource::Nofile);
        let (mut files, most) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
        let raised = wanted.min(most);
        let new = Rlimit { current: Some(raised), maximum: limit.maximum };
        if files < raised && setrlimit(Resource::Nofile, new).is_ok() {
            files = raised;
        }
        let left = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(MAX_CONNECTIONS);
        left.clamp(64, MAX_CONNECTIONS)
    }
    #[cfg(not(unix))]
    {
        MAX_CONNECTIONS
    }
}

/// Serves the application on this listener.
///
/// # Errors
/// What the system says about the socket.
pub fn listen(
    listener: TcpListener,
    app: Data<app::App>,
    connections: Connections,
    workers: Option<usize>,
) -> io::Result<Server> {
    let workers = workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let workers = workers.clamp(1, 512);
    let builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(max_connections().div_ceil(workers))
        .shutdown_timeout(SHUTDOWN_TIMEOUT);
    let is_stopping = builder.graceful_shutdown_signal();
    let address = listener.local_addr()?;
    let builder = builder.listen("bailiwick", listener, move || {
        let (app, connections, is_stopping) = (app.clone(), connections.clone(), is_stopping.clone());
        let service = App::new()
            .app_data(app.clone())
            .wrap(web::session_middleware(&app))
            .wrap(security_headers(&app))
            .wrap(Compress::default())
            .wrap(from_fn(name_request))
            .wrap(from_fn(web::in_pieces))
            .wrap(TracingLogger::<RequestLog>::new())
            .configure(mount::mount)
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let is_stopping = is_stopping.clone();
                async move { is_stopping.notified().await }
            })
            .keep_alive(KeepAlive::Timeout(IDLE_TIMEOUT))
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .h1_write_buffer_size(WRITE_BUFFER)
            .local_addr(address)
            .finish(map_config(service, |()| AppConfig::default()));
        let accept = fn_service(move |stream: TcpStream| {
            let accepted = connections.accept(stream);
            async move {
                let refused = || DispatchError::Io(io::ErrorKind::ConnectionRefused.into());
                let connection = accepted.ok_or_else(refused)?;
                let peer = connection.peer_addr().ok();
                Ok((connection, Protocol::Http1, peer))
            }
        });
        accept.and_then(http)
    })?;
    Ok(builder.run())
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
