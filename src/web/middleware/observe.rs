//! Observes every request: its line in the log, its metrics, its span in a trace.

use crate::web::{
    app::App,
    matched,
    metrics::{InProgress, Row},
    middleware::traced,
    origin,
    outcome::{self, AdmittedTo, PrincipalId},
};
use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    web::Data,
};
use std::time::{Duration, Instant};
use tracing::field::Empty;
use tracing_actix_web::{RequestId, RootSpanBuilder};

/// What is logged of a request: the pattern of its path and never the path, which may hold the secret of a link.
pub(crate) struct Observed;

/// A request that is being handled, among its extensions.
struct Begun {
    at: Instant,
    _in_progress: Option<InProgress>,
}

impl RootSpanBuilder for Observed {
    fn on_request_start(req: &ServiceRequest) -> tracing::Span {
        let app = req.app_data::<Data<App>>();
        let begun = Begun { at: Instant::now(), _in_progress: app.map(|app| app.metrics.begin()) };
        let id = req.extensions().get::<RequestId>().copied();
        req.extensions_mut().insert(begun);
        let (row, route) = (Row::new(req.method(), None), req.match_pattern().unwrap_or_default());
        let span = tracing::info_span!(
            "request",
            request_id = id.map(tracing::field::display),
            "http.request.method" = row.method,
            "http.route" = %route,
            "http.response.status_code" = Empty,
            "otel.name" = Empty,
            "otel.kind" = Empty,
        );
        traced::begin(req, &span, &format!("{} {route}", row.method));
        span
    }

    fn on_request_end<B: MessageBody>(span: tracing::Span, answered: &Result<ServiceResponse<B>, Error>) {
        let status = match answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.response.status_code", status.as_u16());
        match answered {
            Ok(response) => traced::end(&span, status, note(response, status)),
            Err(error) => span.in_scope(|| tracing::error!(%error, "a request could not be answered")),
        }
    }
}

/// Counts the response and writes its line. Returns the outcome.
fn note<B>(response: &ServiceResponse<B>, status: StatusCode) -> &'static str {
    let req = response.request();
    let took = req.extensions().get::<Begun>().map_or(Duration::ZERO, |begun| begun.at.elapsed());
    let row = Row::new(req.method(), matched::pattern(req));
    let stage = outcome::stage(response.response());
    let principal = req.extensions().get::<PrincipalId>().copied();
    let admitted_to = req.extensions().get::<AdmittedTo>().copied();
    if let Some(app) = req.app_data::<Data<App>>() {
        app.metrics.answered(&row, status, took);
        if let (Some(AdmittedTo(to)), Some(by)) = (admitted_to, principal) {
            app.metrics.admitted(to, by);
        }
        if let Some(stage) = stage {
            app.metrics.refused(stage);
        }
    }
    let outcome = stage.map_or("ok", outcome::Stage::word);
    log(req, &row, status, took, principal, outcome);
    outcome
}

/// One line for each request, complete in itself. Health checks that succeed are left out, unless `RUST_LOG` asks
/// for them: they come every few seconds.
fn log(
    req: &HttpRequest,
    row: &Row,
    status: StatusCode,
    took: Duration,
    principal: Option<PrincipalId>,
    outcome: &'static str,
) {
    let request_id = req.extensions().get::<RequestId>().map(ToString::to_string);
    let latency_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    let client = origin::address_text(req);
    let principal = principal.map(|principal| principal.to_string());
    // The level of an event is a part of its type.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                parent: None,
                request_id,
                method = row.method,
                route = row.route,
                status = status.as_u16(),
                latency_ms,
                client,
                principal,
                outcome,
                "answered"
            )
        };
    }
    match () {
        () if matched::facts(req).is_quiet && status.is_success() => line!(debug),
        () if status.is_server_error() => line!(warn),
        () => line!(info),
    }
}
