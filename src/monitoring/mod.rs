//! What the program says of itself to those who run it: metrics for Prometheus, at an address of their own.
//!
//! `docs/monitoring/` says what each of them means.

mod metrics;

use crate::{
    clock::Timestamp,
    config::bind::Listener,
    connection::Connections,
    domain::{
        Db,
        checkpoint::{self, SigningState},
        outbox::{self, QueueState},
    },
    web::app,
};
use actix_web::{
    App, HttpResponse, HttpServer,
    dev::Server,
    http::header,
    middleware::Compress,
    web::{self, Data},
};
use prometheus_client::encoding::prometheus_text;
use sea_orm::DbErr;
use std::{io, time::Duration};
use tokio::sync::Mutex;

/// How long the database may take to say how the queues are. The rest is served without.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The most connections at once.
const MAX_CONNECTIONS: usize = 16;

/// What there is to see.
pub struct Monitor {
    app: Data<app::App>,
    /// Its statements are not counted as those of requests.
    db: Db,
    connections: Connections,
    started_at: Timestamp,
    /// One scrape at a time, however many ask.
    scraping: Mutex<()>,
}

/// What the database says.
struct Queues {
    mail: QueueState,
    audit: SigningState,
}

impl Monitor {
    pub fn new(app: Data<app::App>, db: Db, connections: Connections) -> Self {
        Self { app, started_at: db.now(), db, connections, scraping: Mutex::default() }
    }

    /// The metrics, in the text format of Prometheus.
    async fn scrape(&self) -> Result<String, std::fmt::Error> {
        let _turn = self.scraping.lock().await;
        let queues = match tokio::time::timeout(DATABASE_TIMEOUT, self.queues()).await {
            Ok(Ok(queues)) => Some(queues),
            Ok(Err(error)) => {
                tracing::warn!(%error, "can't read the queues for the metrics");
                None
            }
            Err(_) => {
                tracing::warn!("the database took too long to say how the queues are");
                None
            }
        };
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry(queues.as_ref()))?;
        Ok(text)
    }

    async fn queues(&self) -> Result<Queues, DbErr> {
        Ok(Queues { mail: outbox::state(&self.db).await?, audit: checkpoint::state(&self.db).await? })
    }
}

/// Serves the metrics on this socket, and nothing else.
///
/// # Errors
/// What the system says about the socket.
pub fn serve(listener: Listener, monitor: Monitor) -> io::Result<Server> {
    let monitor = Data::new(monitor);
    let factory = move || {
        App::new()
            .app_data(monitor.clone())
            .wrap(Compress::default())
            .route("/metrics", web::get().to(metrics))
    };
    let mut server = HttpServer::new(factory)
        .workers(1)
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(1)
        .disable_signals();
    match listener {
        Listener::Tcp(listeners) => {
            for listener in listeners {
                server = server.listen(listener)?;
            }
        }
        #[cfg(unix)]
        Listener::Unix(listener) => server = server.listen_uds(listener)?,
    }
    Ok(server.run())
}

async fn metrics(monitor: Data<Monitor>) -> HttpResponse {
    match monitor.scrape().await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
