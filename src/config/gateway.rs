//! Settings of the gateway.

use crate::config::bind::Bind;
use clap::{Args, builder::TypedValueParser, value_parser};
use std::{fmt, str::FromStr, time::Duration};

/// Where the gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayPlace {
    /// Nowhere.
    Off,
    /// At the address of the pages.
    On,
    /// At an address of its own, and not at that of the pages.
    At(Bind),
}

impl FromStr for GatewayPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => text.parse().map(Self::At).map_err(|error| format!("use on, off or an address: {error}")),
        }
    }
}

impl fmt::Display for GatewayPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On => f.write_str("on"),
            Self::At(bind) => bind.fmt(f),
        }
    }
}

/// Settings of the gateway.
#[derive(Args, Clone, Debug)]
pub struct GatewaySettings {
    /// Whether keys can send requests to destinations: `on` at the address of the pages, `off`, or an address of its own
    /// (`host:port` or `unix:/path`), where nothing else is.
    #[arg(long = "gateway", env = "BAILIWICK_GATEWAY", default_value = "on")]
    pub place: GatewayPlace,

    /// The largest body of a request through the gateway, in bytes.
    #[arg(
        long = "gateway-request-bytes",
        env = "BAILIWICK_GATEWAY_REQUEST_BYTES",
        default_value = "10485760"
    )]
    pub request_bytes: u64,

    /// The largest body of an answer through the gateway, in bytes.
    #[arg(
        long = "gateway-response-bytes",
        env = "BAILIWICK_GATEWAY_RESPONSE_BYTES",
        default_value = "26214400"
    )]
    pub response_bytes: u64,

    /// Seconds without a byte after which a request through the gateway ends.
    #[arg(long = "gateway-idle-timeout", env = "BAILIWICK_GATEWAY_IDLE_TIMEOUT", default_value = "15")]
    #[arg(value_parser = value_parser!(u32).range(1..=3600).map(|seconds| Duration::from_secs(seconds.into())))]
    pub idle_timeout: Duration,

    /// Seconds after which a request through the gateway ends.
    #[arg(long = "gateway-timeout", env = "BAILIWICK_GATEWAY_TIMEOUT", default_value = "120")]
    #[arg(value_parser = value_parser!(u32).range(1..=3600).map(|seconds| Duration::from_secs(seconds.into())))]
    pub timeout: Duration,

    /// Requests of a key through the gateway at once, on all nodes together.
    #[arg(long = "gateway-at-once-per-key", env = "BAILIWICK_GATEWAY_AT_ONCE_PER_KEY", default_value = "8")]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub at_once_per_key: u32,

    /// Requests of a workspace through the gateway at once, on all nodes together.
    #[arg(
        long = "gateway-at-once-per-workspace",
        env = "BAILIWICK_GATEWAY_AT_ONCE_PER_WORKSPACE",
        default_value = "32"
    )]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub at_once_per_workspace: u32,

    /// Requests through the gateway at once on each node.
    #[arg(long = "gateway-at-once", env = "BAILIWICK_GATEWAY_AT_ONCE", default_value = "256")]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub at_once: u32,

    /// Requests of a workspace that wait for their turn on each node; more are refused.
    #[arg(long = "gateway-queue", env = "BAILIWICK_GATEWAY_QUEUE", default_value = "64")]
    pub queue: usize,

    /// Seconds that a request waits for its turn.
    #[arg(long = "gateway-queue-timeout", env = "BAILIWICK_GATEWAY_QUEUE_TIMEOUT", default_value = "5")]
    #[arg(value_parser = value_parser!(u32).range(1..=60).map(|seconds| Duration::from_secs(seconds.into())))]
    pub queue_timeout: Duration,

    /// Requests of a key through the gateway in a minute, on all nodes together. 0 means no limit.
    #[arg(
        long = "gateway-requests-per-key",
        env = "BAILIWICK_GATEWAY_REQUESTS_PER_KEY",
        default_value = "600"
    )]
    pub requests_per_key: u32,

    /// Requests to a destination in a minute, on all nodes together, unless the destination says otherwise. 0 means no
    /// limit.
    #[arg(
        long = "gateway-requests-per-destination",
        env = "BAILIWICK_GATEWAY_REQUESTS_PER_DESTINATION",
        default_value = "600"
    )]
    pub requests_per_destination: u32,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            place: GatewayPlace::On,
            request_bytes: 10 * 1024 * 1024,
            response_bytes: 25 * 1024 * 1024,
            idle_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(120),
            at_once_per_key: 8,
            at_once_per_workspace: 32,
            at_once: 256,
            queue: 64,
            queue_timeout: Duration::from_secs(5),
            requests_per_key: 600,
            requests_per_destination: 600,
        }
    }
}

impl GatewaySettings {
    /// Each setting with what would be used.
    pub fn summary(&self) -> [(&'static str, String); 12] {
        let seconds = |time: Duration| format!("{} s", time.as_secs());
        [
            ("GATEWAY", self.place.to_string()),
            ("GATEWAY_REQUEST_BYTES", self.request_bytes.to_string()),
            ("GATEWAY_RESPONSE_BYTES", self.response_bytes.to_string()),
            ("GATEWAY_IDLE_TIMEOUT", seconds(self.idle_timeout)),
            ("GATEWAY_TIMEOUT", seconds(self.timeout)),
            ("GATEWAY_AT_ONCE_PER_KEY", self.at_once_per_key.to_string()),
            ("GATEWAY_AT_ONCE_PER_WORKSPACE", self.at_once_per_workspace.to_string()),
            ("GATEWAY_AT_ONCE", self.at_once.to_string()),
            ("GATEWAY_QUEUE", self.queue.to_string()),
            ("GATEWAY_QUEUE_TIMEOUT", seconds(self.queue_timeout)),
            ("GATEWAY_REQUESTS_PER_KEY", self.requests_per_key.to_string()),
            ("GATEWAY_REQUESTS_PER_DESTINATION", self.requests_per_destination.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_off_on_or_at_an_address() {
        assert_eq!("off".parse(), Ok(GatewayPlace::Off));
        assert_eq!("On".parse(), Ok(GatewayPlace::On));
        for text in ["127.0.0.1:8001", "unix:/run/gateway.sock"] {
            assert_eq!(text.parse::<GatewayPlace>().map(|place| place.to_string()).as_deref(), Ok(text));
        }
        assert!("perhaps".parse::<GatewayPlace>().is_err_and(|error| error.contains("on, off")));
    }
}
