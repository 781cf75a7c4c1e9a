//! What a request's span says in a trace, by the names of OpenTelemetry.

use crate::web::{app::App, forwarded};
use actix_web::{
    HttpRequest,
    dev::ServiceRequest,
    http::{StatusCode, header::HeaderMap},
    web::Data,
};
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::Status,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Names the span, and makes it a part of the trace that a trusted proxy began. Anybody else could fill other people's
/// traces, and decide what is sampled.
pub(super) fn begin(req: &ServiceRequest, span: &Span, name: &str) {
    let Some(app) = req.app_data::<Data<App>>().filter(|app| app.settings.is_traced) else { return };
    span.record("otel.name", name.trim_end());
    span.record("otel.kind", "server");
    if is_by_proxy(req.request(), app) {
        let parent = TraceContextPropagator::new().extract(&Headers(req.headers()));
        // Refused where no layer exports spans.
        let _ = span.set_parent(parent);
    }
}

fn is_by_proxy(req: &HttpRequest, app: &App) -> bool {
    forwarded::is_by_proxy(req, &app.settings)
}

/// Says how the request ended.
pub(super) fn end(span: &Span, status: StatusCode, outcome: &'static str) {
    span.set_attribute("bailiwick.outcome", outcome);
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
