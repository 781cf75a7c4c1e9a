//! Timestamps, and the only clock. It is passed in, so that a test can advance it.

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// A moment: milliseconds since 1970-01-01 UTC, as in the database and the API. Spans, such as the difference
/// between two moments or [`DAY`], are in milliseconds too.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(since_1970: i64) -> Self {
        Self(since_1970)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;

    fn add(self, span: i64) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub<i64> for Timestamp {
    type Output = Self;

    fn sub(self, span: i64) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

impl Sub for Timestamp {
    type Output = i64;

    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The number of milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source of the current time. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The time of this machine.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that does not move until it is advanced.
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's time")]
    pub fn now(&self) -> Timestamp {
        Timestamp(match &self.0 {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
            }
        })
    }

    /// Advances a manual clock. Does nothing to the system's clock.
    pub fn advance(&self, by: Duration) {
        if let Some(manual) = &self.0 {
            manual.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
        }
    }
}

/// Spans of time in milliseconds.
pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_number_to_everybody_else() {
        let at = Timestamp::from_millis(1_800_000_000_999);
        assert_eq!(serde_json::to_string(&at).unwrap(), "1800000000999");
        assert_eq!(serde_json::from_str::<Timestamp>("1800000000999").unwrap(), at);
        assert_eq!(sea_orm::Value::from(at), sea_orm::Value::from(1_800_000_000_999_i64));
        assert_eq!((at.as_seconds(), at + DAY - at), (1_800_000_000, DAY));
        assert_eq!(Timestamp::from_millis(i64::MAX) + DAY, Timestamp::from_millis(i64::MAX));
    }
}
