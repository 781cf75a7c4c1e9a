//! What an installation says of itself to those who run it: metrics, the log, traces.

mod documents;
mod log;
mod metrics;
mod prometheus;
mod scrape;
mod traces;
