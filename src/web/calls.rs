//! How many calls a key may make in a minute, at this node. In memory: a call that is refused must
//! cost next to nothing.

use crate::{
    clock::{MINUTE, Timestamp},
    web::face::RateLimit,
};

use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// The most callers that are tracked, some hundred bytes each.
const MAX_CALLERS: usize = 100_000;

/// The calls of this minute, by caller.
pub struct Calls {
    /// For each key and minute; 0 means no limit.
    max: u32,
    windows: Mutex<HashMap<Caller, Window>>,
    /// The keys of the secrets that were admitted, by the hash of the secret.
    keys: Mutex<HashMap<Vec<u8>, Uuid>>,
}

/// The limit that calls are counted against, and who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::web) struct Caller(pub(super) RateLimit, pub(super) CallerId);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::web) enum CallerId {
    /// A key, no matter which of its secrets is used.
    Key(Uuid),
    /// The network address of a secret that was never admitted, because anybody can make one up.
    Address(String),
    /// Callers beyond the number that is tracked.
    Others,
}

#[derive(Clone, Copy)]
struct Window {
    ends_at: Timestamp,
    used: u32,
}

/// The state of a caller's limit after a call.
pub(in crate::web) struct RateLimitStatus {
    pub policy: &'static str,
    pub limit: u32,
    pub remaining: u32,
    pub(super) seconds: i64,
    pub(super) is_exceeded: bool,
}

/// The number of calls that a request counts as, if it is not one: the questions of a batch.
pub(in crate::web) struct RequestCost(pub(super) u32);

impl RequestCost {
    pub(in crate::web) fn of(many: usize) -> Self {
        Self(u32::try_from(many).unwrap_or(u32::MAX).max(1))
    }
}

impl Calls {
    pub fn new(max: u32) -> Self {
        Self { max, windows: Mutex::default(), keys: Mutex::default() }
    }

    /// A secret was admitted: from now on its calls are counted for its key.
    pub(in crate::web) fn admitted(&self, secret: Vec<u8>, key: Uuid) {
        let Ok(mut keys) = self.keys.lock() else { return };
        if keys.len() >= MAX_CALLERS {
            keys.clear();
        }
        keys.insert(secret, key);
    }

    pub(super) fn key_of(&self, secret: &[u8]) -> Option<Uuid> {
        self.keys.lock().ok()?.get(secret).copied()
    }

    /// Counts a call of this weight; over it, nothing is done.
    pub(super) fn count(&self, mut caller: Caller, weight: u32, now: Timestamp) -> Option<RateLimitStatus> {
        let RateLimit { policy, factor, .. } = caller.0;
        let limit = self.max.saturating_mul(factor);
        let mut windows = self.windows.lock().ok().filter(|_| limit > 0)?;
        if windows.len() >= MAX_CALLERS && !windows.contains_key(&caller) {
            windows.retain(|_, window| window.ends_at > now);
            if windows.len() >= MAX_CALLERS {
                caller.1 = CallerId::Others;
            }
        }
        let window = windows.entry(caller).or_insert(Window { ends_at: now + MINUTE, used: 0 });
        if window.ends_at <= now {
            *window = Window { ends_at: now + MINUTE, used: 0 };
        }
        let is_exceeded = window.used >= limit;
        window.used = window.used.saturating_add(weight).min(limit);
        let seconds = (window.ends_at - now + 999) / 1_000;
        Some(RateLimitStatus { policy, limit, remaining: limit - window.used, seconds, is_exceeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_calls() {
        let calls = Calls::new(2);
        let key = |who: u128| CallerId::Key(Uuid::from_u128(who));
        let at = Timestamp::from_millis;
        let call = |who: u128, now| calls.count(Caller(RateLimit::CALLS, key(who)), 1, at(now));
        assert!(call(1, 0).is_some_and(|s| !s.is_exceeded && s.remaining == 1 && s.seconds == 60));
        assert!(call(1, 59_000).is_some_and(|s| !s.is_exceeded && s.remaining == 0 && s.seconds == 1));
        assert!(call(1, 59_999).is_some_and(|s| s.is_exceeded));
        assert!(call(2, 59_999).is_some_and(|s| !s.is_exceeded));
        assert!(call(1, 60_000).is_some_and(|s| !s.is_exceeded && s.remaining == 1));
        let decisions = || Caller(RateLimit::DECISIONS, CallerId::Others);
        assert!(calls.count(decisions(), 15, at(0)).is_some_and(|s| s.limit == 20 && s.remaining == 5));
        assert!(calls.count(decisions(), 15, at(0)).is_some_and(|s| !s.is_exceeded && s.remaining == 0));
        assert!(calls.count(decisions(), 1, at(0)).is_some_and(|s| s.is_exceeded));
        assert!(Calls::new(0).count(decisions(), 1, at(0)).is_none());
    }
}
