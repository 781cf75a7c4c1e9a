//! How many requests were sent in this minute.

use crate::clock::{MINUTE, Timestamp};

/// What limits requests in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateStatus {
    /// Its name in the headers `RateLimit` and `RateLimit-Policy`.
    pub policy: &'static str,
    pub limit: u32,
    pub remaining: u32,
    /// Until the minute is over.
    pub seconds: i64,
}

/// The minute that a moment is in: all nodes have the same.
pub(super) fn period(now: Timestamp) -> Timestamp {
    now - now.as_millis().rem_euclid(MINUTE)
}

/// The requests of one key or to one destination in a minute, on this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub period: Timestamp,
    /// How many this node may send in it.
    pub leased: u32,
    pub used: u32,
    /// How many the other nodes had taken when this one last asked.
    pub elsewhere: u32,
}

impl Window {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { period: period(now), leased: 0, used: 0, elsewhere: 0 }
    }

    /// The end of its minute.
    pub(super) fn ends_at(&self) -> Timestamp {
        self.period + MINUTE
    }

    /// Begins anew if the minute is over. It never goes back: another request may have read the time before this one
    /// did, and come after.
    pub(super) fn roll(&mut self, now: Timestamp) {
        if self.period < period(now) {
            *self = Self::new(now);
        }
    }

    /// Whether this node may send no more of what it has leased. A limit that was lowered since counts at once: then
    /// the node that leased last gives way first, and all of them together keep to it.
    pub(super) fn is_used_up(&self, limit: u32) -> bool {
        self.used >= self.leased.min(limit.saturating_sub(self.elsewhere))
    }

    /// Whether nothing more can be leased: of a minute nothing is given back.
    pub(super) fn is_over(&self, limit: u32) -> bool {
        self.is_used_up(limit) && self.leased.saturating_add(self.elsewhere) >= limit
    }

    pub(super) fn status(&self, policy: &'static str, limit: u32, now: Timestamp) -> RateStatus {
        let seconds = ((self.ends_at() - now + 999) / 1_000).max(1);
        let remaining = limit.saturating_sub(self.elsewhere).saturating_sub(self.used);
        RateStatus { policy, limit, remaining, seconds }
    }
}

/// How many requests more a node takes of a limit at a time: a tenth, so that it asks ten times in a minute at most,
/// and has at most a tenth that others would need.
pub(super) fn chunk(limit: u32) -> u32 {
    limit.div_ceil(10).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_limit_counts_for_what_was_leased_before() {
        let mut window = Window::new(Timestamp::from_millis(0));
        (window.leased, window.used, window.elsewhere) = (10, 3, 0);
        assert!(!window.is_used_up(10) && !window.is_used_up(4));
        assert!(window.is_used_up(3) && window.is_over(3));
        // Raised again, what was leased is there, and then there is more to lease.
        assert!(!window.is_over(10));
        window.used = 10;
        assert!(window.is_used_up(20) && !window.is_over(20));
        // Another node took its part before this one did.
        (window.leased, window.used, window.elsewhere) = (10, 0, 10);
        assert!(!window.is_used_up(20) && window.is_over(10));
    }

    #[test]
    fn a_minute_that_has_begun_is_not_begun_again() {
        let at = Timestamp::from_millis;
        let mut window = Window::new(at(MINUTE - 1));
        (window.leased, window.used) = (9, 9);
        window.roll(at(MINUTE));
        assert_eq!((window.period, window.leased, window.used), (at(MINUTE), 0, 0));
        (window.leased, window.used) = (9, 7);
        // A request that read the time a moment earlier.
        window.roll(at(MINUTE - 1));
        assert_eq!((window.period, window.leased, window.used), (at(MINUTE), 9, 7));
        assert_eq!(window.status("key", 9, at(MINUTE - 1)).seconds, 61);
    }
}
