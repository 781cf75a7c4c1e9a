//! When somebody was last active: collected in memory until it is written.

use crate::clock::{MINUTE, Timestamp};
use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// How old the stored time must be before it is written again, in milliseconds.
pub(in crate::domain) const WRITE_INTERVAL: i64 = MINUTE;

/// Who was active since this was last written.
#[derive(Default)]
pub(in crate::domain) struct Presence(pub(in crate::domain) Mutex<LastSeen>);

#[derive(Default)]
pub(in crate::domain) struct LastSeen {
    pub(in crate::domain) sessions: HashMap<Uuid, Timestamp>,
    pub(in crate::domain) api_keys: HashMap<Uuid, Timestamp>,
    pub(in crate::domain) members: HashMap<Uuid, Timestamp>,
}

impl LastSeen {
    /// One statement a row: the id, the time, and how old the stored time must be at most. At most
    /// one write a minute and row, however many pages were read.
    pub(in crate::domain) fn updates(
        self,
    ) -> impl Iterator<Item = (&'static str, Uuid, Timestamp, Timestamp)> {
        let session = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at <= $3";
        let member =
            "UPDATE members SET last_active_at = $2 WHERE id = $1 AND COALESCE(last_active_at, 0) <= $3";
        let key = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, 0) <= $3";
        let sessions = self.sessions.into_iter().map(move |(id, at)| (session, id, at, at - WRITE_INTERVAL));
        let keys = self.api_keys.into_iter().map(move |(id, at)| (key, id, at, at - WRITE_INTERVAL));
        sessions
            .chain(keys)
            .chain(self.members.into_iter().map(move |(id, at)| (member, id, at, at - WRITE_INTERVAL)))
    }
}
