//! What is counted of requests. No label names a tenant, a person or an address: routes are rows of the table.

use crate::web::outcome::{PrincipalId, Stage};
use actix_web::http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// The upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The route of requests that match no row.
pub(in crate::web) const NO_ROUTE: &str = "none";

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(in crate::web) struct Row {
    pub method: &'static str,
    pub route: &'static str,
}

impl Row {
    /// A row by its pattern. Methods that HTTP does not define count as one.
    pub(in crate::web) fn new(method: &Method, route: Option<&'static str>) -> Self {
        const KNOWN: [&str; 9] =
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
        let known = KNOWN.into_iter().find(|known| *known == method.as_str());
        Self { method: known.unwrap_or("other"), route: route.unwrap_or(NO_ROUTE) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Admission {
    to: &'static str,
    credential: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    stage: &'static str,
}

/// The metrics of requests.
pub struct RequestMetrics {
    requests: Family<Answer, Counter>,
    durations: Family<Row, Histogram, fn() -> Histogram>,
    in_progress: Gauge,
    admissions: Family<Admission, Counter>,
    refusals: Family<Refusal, Counter>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        let refusals = Family::<Refusal, Counter>::default();
        // A series that begins with its first event has no increase to alert on.
        for stage in Stage::ALL {
            drop(refusals.get_or_create(&Refusal { stage: stage.word() }));
        }
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_progress: Gauge::default(),
            admissions: Family::default(),
            refusals,
        }
    }
}

impl RequestMetrics {
    /// Counts a request that began; it is in progress until the guard is dropped.
    pub(in crate::web) fn begin(&self) -> InProgress {
        self.in_progress.inc();
        InProgress(self.in_progress.clone())
    }

    /// Counts a response.
    pub(in crate::web) fn answered(&self, row: &Row, status: StatusCode, took: Duration) {
        let Row { method, route } = *row;
        self.requests.get_or_create(&Answer { method, route, status: status.as_u16() }).inc();
        self.durations.get_or_create(row).observe(took.as_secs_f64());
    }

    pub(in crate::web) fn admitted(&self, to: &'static str, by: PrincipalId) {
        self.admissions.get_or_create(&Admission { to, credential: by.credential() }).inc();
    }

    pub(in crate::web) fn refused(&self, stage: Stage) {
        self.refusals.get_or_create(&Refusal { stage: stage.word() }).inc();
    }

    /// Adds them to a registry, which shares their state.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests that were answered, by row of the route table and status",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to its response, by row of the route table",
            self.durations.clone(),
        );
        registry.register(
            "http_requests_in_progress",
            "Requests that are being handled",
            self.in_progress.clone(),
        );
        registry.register(
            "admissions",
            "Requests that were admitted, by what they were admitted to and the kind of credential",
            self.admissions.clone(),
        );
        registry.register(
            "refusals",
            "Requests that were refused, by the stage that refused them",
            self.refusals.clone(),
        );
    }
}

/// A request that is being handled.
pub(in crate::web) struct InProgress(Gauge);

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_make_up_is_one_series() {
        let row = |method: &[u8]| Row::new(&Method::from_bytes(method).expect("a method"), None);
        assert_eq!(row(b"BREW"), row(b"STEEP"));
        assert_eq!(row(b"GET"), Row { method: "GET", route: NO_ROUTE });
    }
}
