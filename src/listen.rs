//! Listens: connections with their limits, and the HTTP service on them.

use crate::{
    config::{Config, bind::Listener},
    connection::{Connection, registry::Connections},
    web::{self, app, routes::mount},
};
use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};

use actix_web::{
    App, Error,
    dev::AppConfig,
    dev::Extensions,
    http::{KeepAlive, header},
    middleware::{Compress, DefaultHeaders, from_fn},
    web::{Data, ServiceConfig, scope},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tracing_actix_web::{RequestId, TracingLogger};

/// The most connections at once, of all workers; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4_096;

/// Files that may be open beside them: databases, mail, connections to other servers.
#[cfg(unix)]
const OTHER_FILES: u64 = 512;

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may take to end.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What is set aside of a response before it is written, in bytes.
const WRITE_BUFFER: usize = 8 * 1024;

/// How long running requests may take to end when the server stops, in seconds.
const SHUTDOWN_TIMEOUT: u64 = 15;

/// How many connections this process may hold. Its limit of open files is raised for them as far as it may be, so
/// that no client takes the files that the database needs.
pub fn max_connections() -> usize {
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

/// What is served at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Pages and API, and the gateway beside them.
    All,
    /// Pages and API.
    Pages,
    /// The gateway alone.
    Gateway,
}

/// Serves the application on these sockets.
///
/// # Errors
/// What the system says about a socket.
pub fn listen(
    listener: Listener,
    served: Served,
    app: Data<app::App>,
    connections: Connections,
    config: &Config,
) -> io::Result<Server> {
    let workers = config.worker_count();
    let keep_alive = KeepAlive::Timeout(config.keep_alive);
    let mut builder = ServerBuilder::new()
        .workers(workers)
        .max_concurrent_connections(max_connections().div_ceil(workers))
        .shutdown_timeout(SHUTDOWN_TIMEOUT);
    let is_stopping = builder.graceful_shutdown_signal();
    // The type of the HTTP service has no name that could be written.
    macro_rules! serve {
        ($accept:expr) => {{
            let (app, connections, is_stopping) = (app.clone(), connections.clone(), is_stopping.clone());
            move || {
                let (app, connections, is_stopping) = (app.clone(), connections.clone(), is_stopping.clone());
                let service = App::new()
                    .app_data(app.clone())
                    .wrap(TracingLogger::<web::Observed>::new())
                    .configure(|config| served.mount(config, &app))
                    .into_factory()
                    .map_err(|error: Error| error.error_response());
                let http = HttpService::build()
                    .on_connect_ext(|connection: &Connection, data: &mut Extensions| {
                        data.insert(connection.departure());
                    })
                    .graceful_shutdown_signal(move || {
                        let is_stopping = is_stopping.clone();
                        async move { is_stopping.notified().await }
                    })
                    .keep_alive(keep_alive)
                    .client_request_timeout(HEAD_TIMEOUT)
                    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                    .h1_write_buffer_size(WRITE_BUFFER)
                    .finish(map_config(service, |()| AppConfig::default()));
                let accept = fn_service(move |stream| {
                    let accepted = $accept(&connections, stream);
                    async move { http_connection(accepted) }
                });
                accept.and_then(http)
            }
        }};
    }
    match listener {
        Listener::Tcp(listeners) => {
            for listener in listeners {
                let accept = |connections: &Connections, stream: TcpStream| connections.accept(stream);
                builder = builder.listen("bailiwick", listener, serve!(accept))?;
            }
        }
        #[cfg(unix)]
        Listener::Unix(listener) => {
            let accept =
                |connections: &Connections, stream: UnixStream| Some(connections.accept_local(stream));
            builder = builder.listen_uds("bailiwick", listener, serve!(accept))?;
        }
    }
    Ok(builder.run())
}

impl Served {
    /// Mounts it. The answers of destinations pass through nothing that is for pages: no session, no headers, no
    /// compression, and no buffer.
    fn mount(self, config: &mut ServiceConfig, app: &app::App) {
        if self != Self::Pages {
            config.configure(mount::mount_gateway);
        }
        if self == Self::Gateway {
            config.configure(mount::mount_nothing_else);
            return;
        }
        let pages = scope("")
            .wrap(from_fn(web::measure))
            .wrap(web::session_middleware(app))
            .wrap(security_headers(app))
            .wrap(Compress::default())
            .wrap(from_fn(name_request))
            .wrap(from_fn(web::in_pieces))
            .configure(mount::mount);
        // Scopes within the scope take it for their own.
        config.configure(mount::mount_elsewhere).service(pages);
    }
}

/// What the HTTP service takes: an accepted connection with its protocol and peer.
fn http_connection(
    accepted: Option<Connection>,
) -> Result<(Connection, Protocol, Option<SocketAddr>), DispatchError> {
    let connection = accepted.ok_or_else(|| DispatchError::Io(io::ErrorKind::ConnectionRefused.into()))?;
    let peer = connection.peer_addr();
    Ok((connection, Protocol::Http1, peer))
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
