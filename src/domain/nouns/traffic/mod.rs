//! Traffic: the requests that a workspace's keys sent through the gateway, or were refused there.
//!
//! [`mod@list`] lists them, [`mod@days`] counts them by day, [`record`] writes what
//! [`TrafficLog`](crate::domain::TrafficLog) collected.

mod days;
mod list;
mod record;

use crate::clock::DAY;
pub use days::{CHART_DAYS, Day, days};
pub use list::{Filter, Request, StageFilter, list};
pub use record::{MAX_LISTED, flush};

/// How long a request is listed and counted, in milliseconds.
pub const LIFETIME: i64 = 30 * DAY;

/// Methods of requests that a list can be narrowed to.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
