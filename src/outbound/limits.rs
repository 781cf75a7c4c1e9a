//! How long and how large an exchange may be.

use crate::config::gateway::GatewaySettings;
use std::time::Duration;

/// How long and how large an exchange may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To look the host up, to connect and to agree on encryption: each of these.
    pub connect: Duration,
    /// From the end of the request to the head of the answer.
    pub head: Duration,
    /// Without a byte in either direction.
    pub idle: Duration,
    /// From the beginning to the last byte.
    pub whole: Duration,
    pub max_request_bytes: u64,
    pub max_response_bytes: u64,
    /// The head of an answer. What [`crate::outbound::client::Outbound`] was built with counts, at least 8 KiB.
    pub max_head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(60),
            idle: Duration::from_secs(15),
            whole: Duration::from_secs(120),
            max_request_bytes: 10 * 1024 * 1024,
            max_response_bytes: 25 * 1024 * 1024,
            max_head_bytes: 64 * 1024,
        }
    }
}

impl From<&GatewaySettings> for Limits {
    fn from(settings: &GatewaySettings) -> Self {
        let default = Self::default();
        Self {
            head: default.head.min(settings.timeout),
            idle: settings.idle_timeout,
            whole: settings.timeout,
            max_request_bytes: settings.request_bytes,
            max_response_bytes: settings.response_bytes,
            ..default
        }
    }
}
