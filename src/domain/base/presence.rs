//! When somebody was last active: collected in memory until it is written.

use crate::clock::{DAY, MINUTE, Timestamp};
use sea_orm::Value;
use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// How old the stored time must be before it is written again, in milliseconds.
pub(in crate::domain) const WRITE_INTERVAL: i64 = MINUTE;

/// Who was active since this was last written.
#[derive(Default)]
pub(in crate::domain) struct Presence(pub(in crate::domain) Mutex<LastSeen>);

#[derive(Clone, Default)]
pub(in crate::domain) struct LastSeen {
    pub(in crate::domain) sessions: HashMap<Uuid, Timestamp>,
    pub(in crate::domain) api_keys: HashMap<Uuid, Timestamp>,
    pub(in crate::domain) members: HashMap<Uuid, Timestamp>,
}

/// How long sessions last, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct SessionLimits {
    /// After signing in, whatever happens.
    lifetime: i64,
    /// Without use.
    idle: i64,
}

impl SessionLimits {
    pub(in crate::domain) fn new(idle_days: u32) -> Self {
        Self { lifetime: 30 * DAY, idle: i64::from(idle_days) * DAY }
    }

    /// When a session ends that begins now and is not used again.
    pub(in crate::domain) fn first_end(self, now: Timestamp) -> Timestamp {
        now + self.lifetime.min(self.idle)
    }
}

impl LastSeen {
    /// Adds who was active before, and not since.
    pub(in crate::domain) fn add_earlier(&mut self, earlier: Self) {
        for (mine, theirs) in [
            (&mut self.sessions, earlier.sessions),
            (&mut self.api_keys, earlier.api_keys),
            (&mut self.members, earlier.members),
        ] {
            for (id, at) in theirs {
                mine.entry(id).or_insert(at);
            }
        }
    }

    /// One statement a row, with its values: the id, the time, and how old the stored time must be at most. At
    /// most one write a minute and row, however many pages were read. The end of a session moves on with it.
    pub(in crate::domain) fn updates(
        self,
        limits: SessionLimits,
    ) -> impl Iterator<Item = (&'static str, Vec<Value>)> {
        // An Owner's session ends as soon as any of their workspaces demands.
        let session = "UPDATE sessions SET last_seen_at = $2, expires_at =
                CASE WHEN created_at + $4 < $2 + l.idle THEN created_at + $4 ELSE $2 + l.idle END
            FROM (SELECT COALESCE(MIN(CASE WHEN w.owner_idle_hours * 3600000 < $5
                    THEN w.owner_idle_hours * 3600000 END), $5) AS idle
                FROM sessions s CROSS JOIN members m CROSS JOIN workspaces w
                WHERE s.id = $1 AND m.user_id = s.user_id AND m.status = 'active'
                    AND ' ' || m.role_set || ' ' LIKE '% owner %'
                    AND w.id = m.workspace_id AND w.owner_idle_hours IS NOT NULL) l
            WHERE id = $1 AND last_seen_at <= $3";
        let member =
            "UPDATE members SET last_active_at = $2 WHERE id = $1 AND COALESCE(last_active_at, 0) <= $3";
        let key = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, 0) <= $3";
        let values = |id: Uuid, at: Timestamp| vec![id.into(), at.into(), (at - WRITE_INTERVAL).into()];
        let sessions = self.sessions.into_iter().map(move |(id, at)| {
            let mut values = values(id, at);
            values.extend([limits.lifetime.into(), limits.idle.into()]);
            (session, values)
        });
        let keys = self.api_keys.into_iter().map(move |(id, at)| (key, values(id, at)));
        sessions.chain(keys).chain(self.members.into_iter().map(move |(id, at)| (member, values(id, at))))
    }
}
