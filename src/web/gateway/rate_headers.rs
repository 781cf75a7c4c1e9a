//! What is left to a key and a destination, in the headers of an answer.

use crate::{clock::MINUTE, domain::gateway::RateStatus};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Says what is left (draft-ietf-httpapi-ratelimit-headers), unless the host says something of its own.
pub(super) fn describe_rates(rates: &[RateStatus], headers: &mut HeaderMap) {
    let names = [HeaderName::from_static("ratelimit-policy"), HeaderName::from_static("ratelimit")];
    if rates.is_empty() || names.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let window = MINUTE / 1_000;
    let policies = rates.iter().map(|rate| match rate.policy {
        "at-once" => format!("\"at-once\";q={}", rate.limit),
        policy => format!("\"{policy}\";q={};w={window}", rate.limit),
    });
    let left =
        rates.iter().map(|rate| format!("\"{}\";r={};t={}", rate.policy, rate.remaining, rate.seconds));
    let values = [policies.collect::<Vec<_>>().join(", "), left.collect::<Vec<_>>().join(", ")];
    for (name, value) in names.into_iter().zip(values) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
