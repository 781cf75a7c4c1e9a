//! The log, and traces for OpenTelemetry where they are wanted. `docs/monitoring/README.md` says what is in them.

use crate::visible::{Log, Notation};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use std::{env, io, io::IsTerminal, time::Duration};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};
use url::Url;

/// Why traces can't be exported. The sentence is for whoever starts the program.
#[derive(Debug, thiserror::Error)]
#[error("traces can't be exported: {0}. Check BAILIWICK_TRACES and the OTEL_… variables.")]
pub struct TelemetryError(#[from] ExporterBuildError);

/// What must be ended with the program.
#[must_use = "spans that wait to be exported are lost without `end`"]
pub struct Telemetry(Option<SdkTracerProvider>);

/// How long the last spans may take to be exported.
const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Starts the log and, if there is a collector, the export of traces to it.
///
/// # Errors
/// [`TelemetryError`].
pub fn start(collector: Option<&Url>) -> Result<Telemetry, TelemetryError> {
    let provider = collector.map(provider).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("bailiwick"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_exported).with_max_level_hint(LevelFilter::DEBUG))
    });
    tracing_subscriber::registry().with(log()).with(spans).init();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Exports what is left.
    pub fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(LAST_EXPORT)
        {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// Lines for people on a terminal, JSON for machines elsewhere. RUST_LOG chooses what is logged.
fn log<S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static>() -> impl Layer<S> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // What the driver warns of is what requests and tasks get as an error, or that one waited for a connection.
        EnvFilter::new("info,actix_server=warn,actix_web=warn,sqlx=error,sea_orm=warn,sea_orm_migration=warn")
    });
    let is_terminal = io::stderr().is_terminal();
    let notation = if is_terminal { Notation::Braces } else { Notation::Json };
    let lines = fmt::layer().with_writer(move || Log::new(io::stderr(), notation));
    let lines = match is_terminal {
        true => lines.compact().boxed(),
        false => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    lines.with_filter(filter)
}

/// Our own spans, and nothing of what libraries say. Events are in the log.
fn is_exported(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("bailiwick")
}

fn provider(collector: &Url) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(collector))
        .build()?;
    let name = env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    let resource = Resource::builder()
        .with_service_name(name.unwrap_or_else(|| "bailiwick".to_owned()))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Where traces go: to the path that OTLP names, unless another one was given.
fn endpoint(collector: &Url) -> String {
    match collector.path() {
        "/" => collector.join("v1/traces").map_or_else(|_| collector.to_string(), Into::into),
        _ => collector.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn the_path_of_otlp_is_added_where_there_is_none() {
        let of = |url: &str| endpoint(&url.parse().expect("a URL"));
        assert_eq!(of("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(of("http://127.0.0.1:4318/"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(of("http://collector/traces/in"), "http://collector/traces/in");
    }
}
