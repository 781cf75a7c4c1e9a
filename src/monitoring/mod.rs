//! What the program says of itself to those who run it: metrics for Prometheus, at an address of their own.
//!
//! `docs/monitoring/` says what each of them means.

mod listen;
mod metrics;

use crate::{
    clock::Timestamp,
    config::bind::Listener,
    connection::registry::Connections,
    domain::{
        Db,
        checkpoint::{self, SigningState},
        nouns::deliveries::queue,
        outbox::{self, QueueState},
    },
    web::app,
};
use actix_server::Server;
use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Data},
};
use prometheus_client::encoding::prometheus_text;
use sea_orm::DbErr;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// How long the database may take to say how the queues are. The rest is served without.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// What there is to see.
pub struct Monitor {
    app: Data<app::App>,
    /// Its statements are not counted as those of requests.
    db: Db,
    connections: Connections,
    started_at: Timestamp,
    /// Scrapes that were begun.
    begun: AtomicU64,
    /// One scrape at a time, however many ask.
    latest: Mutex<Latest>,
}

/// The latest scrape.
#[derive(Default)]
struct Latest {
    /// How many were begun, itself included.
    number: u64,
    text: Arc<str>,
}

/// What the database says.
struct Queues {
    mail: QueueState,
    events: queue::QueueState,
    audit: SigningState,
}

impl Monitor {
    pub fn new(app: Data<app::App>, db: Db, connections: Connections) -> Self {
        let (begun, latest) = (AtomicU64::default(), Mutex::default());
        Self { app, started_at: db.now(), db, connections, begun, latest }
    }

    /// The metrics, in the text format of Prometheus. Who waits while another scrape is made shares the next one, so
    /// that nobody waits for more than two.
    async fn scrape(&self) -> Result<Arc<str>, std::fmt::Error> {
        let before = self.begun.load(Ordering::Acquire);
        let mut latest = self.latest.lock().await;
        if latest.number > before {
            return Ok(Arc::clone(&latest.text));
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
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
        *latest = Latest { number, text: text.into() };
        Ok(Arc::clone(&latest.text))
    }

    async fn queues(&self) -> Result<Queues, DbErr> {
        let (mail, events) = (outbox::state(&self.db).await?, queue::state(&self.db).await?);
        Ok(Queues { mail, events, audit: checkpoint::state(&self.db).await? })
    }
}

/// Serves the metrics on this socket, and nothing else.
///
/// # Errors
/// What the system says about the socket.
pub fn serve(listener: Listener, monitor: Monitor) -> io::Result<Server> {
    let monitor = Data::new(monitor);
    listen::listen(listener, move |config| {
        config.app_data(monitor.clone()).route("/metrics", web::get().to(metrics));
    })
}

async fn metrics(monitor: Data<Monitor>) -> HttpResponse {
    match monitor.scrape().await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(text.to_string()),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
