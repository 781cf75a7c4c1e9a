//! What happened since the program started, and what goes on now, for the metrics. Nothing here is about a tenant.

use crate::domain::base::statements::Counter;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What has happened beside requests since the start. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pub mail: MailCounters,
    pub events: EventCounters,
    /// Rounds of housekeeping, and the audit checkpoints that were due.
    pub housekeeping: TaskCounters,
    pub checkpoints: TaskCounters,
}

/// What became of deliveries.
#[derive(Clone, Debug, Default)]
pub struct MailCounters {
    /// The mail server took it, or it was written to a file.
    pub sent: Counter,
    /// It failed, and is tried again.
    pub retried: Counter,
    /// It was refused for good, or tried for too long.
    pub given_up: Counter,
    /// Nobody wants it any more.
    pub dropped: Counter,
}

/// What became of attempts to deliver events.
#[derive(Clone, Debug, Default)]
pub struct EventCounters {
    /// The destination took it.
    pub delivered: Counter,
    /// It failed, and is tried again.
    pub retried: Counter,
    /// It failed, and is held for someone to send it again.
    pub given_up: Counter,
}

/// The runs of a task that comes back.
#[derive(Clone, Debug, Default)]
pub struct TaskCounters {
    pub succeeded: Counter,
    pub failed: Counter,
}

impl TaskCounters {
    /// Counts a run.
    pub fn count<T, E>(&self, done: &Result<T, E>) {
        match done {
            Ok(_) => self.succeeded.increment(),
            Err(_) => self.failed.increment(),
        }
    }
}

/// How many there are at the moment.
#[derive(Clone, Debug, Default)]
pub struct Level(Arc<AtomicU64>);

impl Level {
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until it is dropped.
    pub fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(self.clone())
    }
}

/// One that is counted in a [`Level`].
#[must_use = "it is counted until it is dropped"]
pub struct Entered(Level);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The state of a pool of connections to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    pub max: u64,
    pub in_use: u64,
    /// Open, and free.
    pub idle: u64,
    /// Those who wait for a connection.
    pub waiting: u64,
    /// Those who waited for too long, since the start.
    pub timeouts: u64,
}

/// The state of the queue in front of the cores that hash passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashingState {
    /// How many passwords are hashed at a time, at most.
    pub max: u64,
    pub running: u64,
    /// People with a session, a link or a known browser who wait.
    pub waiting_known: u64,
    pub waiting_strangers: u64,
    /// Those who waited for too long, since the start.
    pub timeouts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_falls_when_those_who_entered_leave() {
        let level = Level::default();
        let (one, two) = (level.enter(), level.clone().enter());
        assert_eq!(level.now(), 2);
        drop(one);
        assert_eq!(level.now(), 1);
        drop(two);
        assert_eq!(level.now(), 0);
    }
}
