//! Events of a workspace that are delivered to its destinations, as signed webhooks.
//!
//! [`settings`] turns events of a destination on and off, [`endpoint`] says how they are doing, [`mod@list`] is the log,
//! [`replay`] sends again. [`lease`], [`turn`] and [`health`] are for the program that sends: whose turn it is, what is due,
//! and what follows from a response; [`queue`] is what waits. What is queued is decided where events are recorded, in `enforce/receivers.rs`.

pub mod endpoint;
pub mod events;
pub mod health;
mod hold;
pub mod lease;
pub mod list;
mod mail;
pub mod path;
pub mod queue;
pub mod replay;
pub mod secret;
pub mod settings;
pub mod turn;

use crate::{
    clock::{HOUR, MINUTE, SECOND},
    domain::enforce::receivers::MAX_ATTEMPTS,
};

/// A message that is to be sent, for the first time or again.
pub const WAITING: &str = "waiting";
pub const DELIVERED: &str = "delivered";
/// It could not be sent. It is kept for a while, for someone to send it again.
pub const HELD: &str = "held";
/// A test or a probe that failed, or an event that is no longer in the record.
pub const FAILED: &str = "failed";

/// What a delivery's status can be.
pub const STATUSES: [&str; 4] = [WAITING, DELIVERED, HELD, FAILED];

/// The kinds of messages that are no events.
pub const TEST: &str = "events.test";
pub const PROBE: &str = "events.probe";

/// How long after each failure a message is sent again, in milliseconds, give or take a fifth.
const DELAYS: [i64; 7] = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

/// The delay after a failure that leaves so many attempts, before it is varied; `None` after the last.
fn delay(tries_left: i64) -> Option<i64> {
    let failures = usize::try_from(MAX_ATTEMPTS - tries_left).ok()?;
    DELAYS.get(failures.checked_sub(1)?).copied().filter(|_| tries_left > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sent_eight_times_within_little_more_than_a_day() {
        let delays: Vec<_> = (0..MAX_ATTEMPTS).rev().map(delay).collect();
        let expected = DELAYS.map(Some).into_iter().chain([None]).collect::<Vec<_>>();
        assert_eq!(delays, expected);
        assert_eq!(delay(MAX_ATTEMPTS), None);
    }
}
