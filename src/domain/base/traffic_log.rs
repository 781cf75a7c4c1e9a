//! The requests to the gateway since they were last written. Collected in memory within bounds, so that none of them
//! waits for the database: a flood is counted, and listed in part.

pub mod entry;
mod texts;
pub(in crate::domain) mod workspace;

use crate::{
    domain::base::{
        statements::Counter,
        traffic_log::{entry::TrafficEntry, workspace::TrafficByWorkspace},
    },
    random,
};
use std::sync::Mutex;

/// The most entries of one workspace that are listed between two writes, which are about a second apart. The
/// others are counted.
pub const MAX_OF_WORKSPACE: usize = 2_000;

/// The most entries of all workspaces that are kept between two writes.
const MAX_ENTRIES: usize = 20_000;

/// The most days of workspaces, keys and destinations that are counted between two writes. Requests beyond are lost.
const MAX_DAYS: usize = 40_000;

/// What was collected, and not written yet.
#[derive(Default)]
pub struct TrafficLog {
    collected: Mutex<Collected>,
    counters: TrafficCounters,
}

/// What became of requests that could not be listed, since the start.
#[derive(Clone, Debug, Default)]
pub struct TrafficCounters {
    /// Counted by day, and not listed.
    pub unlisted: Counter,
    /// Neither listed nor counted.
    pub lost: Counter,
}

#[derive(Default)]
struct Collected {
    workspaces: TrafficByWorkspace,
    entries: usize,
    days: usize,
}

impl TrafficLog {
    /// Keeps the entry until it is written. Never waits for the database.
    pub fn note(&self, entry: TrafficEntry) {
        let Ok(mut collected) = self.collected.lock() else { return };
        let Collected { workspaces, entries, days } = &mut *collected;
        if *days + DAYS_OF_ENTRY > MAX_DAYS {
            return self.counters.lost.increment();
        }
        let of = workspaces.entry(entry.workspace_id).or_default();
        let is_listed = *entries < MAX_ENTRIES && of.entries.len() < MAX_OF_WORKSPACE;
        let days_before = of.days.len();
        of.count(&entry, is_listed);
        *days += of.days.len() - days_before;
        if is_listed {
            of.entries.push((random::id(entry.started_at), entry.clipped()));
            *entries += 1;
        } else {
            self.counters.unlisted.increment();
        }
    }

    pub fn counters(&self) -> &TrafficCounters {
        &self.counters
    }

    /// What was collected since the last call.
    pub(in crate::domain) fn take(&self) -> TrafficByWorkspace {
        let taken = self.collected.lock().map(|mut collected| std::mem::take(&mut *collected));
        taken.unwrap_or_default().workspaces
    }

    /// Puts back what could not be written.
    pub(in crate::domain) fn put_back(&self, earlier: TrafficByWorkspace) {
        let Ok(mut collected) = self.collected.lock() else { return };
        let later = std::mem::take(&mut *collected).workspaces;
        for (workspace, mut of) in earlier.into_iter().chain(later) {
            if collected.days + of.days.len() > MAX_DAYS {
                let lost = of.days.iter().filter(|((subject, _), _)| subject.is_nil());
                lost.for_each(|(_, counts)| self.counters.lost.add(counts.all().unsigned_abs()));
                continue;
            }
            let all = collected.workspaces.remove(&workspace).unwrap_or_default();
            collected.entries -= all.entries.len();
            collected.days -= all.days.len();
            let room = MAX_ENTRIES.saturating_sub(collected.entries + all.entries.len());
            let max = MAX_OF_WORKSPACE.min(all.entries.len() + room);
            let unlisted = of.leave_out(max.saturating_sub(all.entries.len()));
            self.counters.unlisted.add(unlisted);
            let all = all.and_then(of);
            collected.entries += all.entries.len();
            collected.days += all.days.len();
            collected.workspaces.insert(workspace, all);
        }
    }
}

/// The days that one entry counts in: of the workspace, the key and the destination.
const DAYS_OF_ENTRY: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{DAY, Timestamp},
        domain::base::{
            gateway_stage::GatewayStage,
            traffic_log::entry::{Ending, MAX_PATH},
        },
    };
    use uuid::Uuid;

    const WORKSPACE: Uuid = Uuid::from_u128(1);
    const DESTINATION: Uuid = Uuid::from_u128(3);

    fn entry(workspace: Uuid, key: u128) -> TrafficEntry {
        TrafficEntry {
            workspace_id: workspace,
            api_key_id: Some(Uuid::from_u128(key)),
            key_name: "A key".into(),
            destination_id: Some(DESTINATION),
            host: "api.example.com".into(),
            method: "GET".into(),
            path: "/v1/things".into(),
            status: Some(200),
            stage: None,
            error: None,
            bytes_in: 3,
            bytes_out: 5,
            started_at: Timestamp::from_millis(DAY + 7),
            duration_ms: 2,
        }
    }

    #[test]
    fn a_flood_of_one_workspace_is_counted_and_leaves_room_for_others() {
        let log = TrafficLog::default();
        for _ in 0..MAX_OF_WORKSPACE + 10 {
            log.note(entry(WORKSPACE, 2));
        }
        log.note(entry(Uuid::from_u128(9), 2));
        let taken = log.take();
        assert_eq!(taken[&WORKSPACE].entries.len(), MAX_OF_WORKSPACE);
        assert_eq!(taken[&Uuid::from_u128(9)].entries.len(), 1);
        for subject in [Uuid::nil(), Uuid::from_u128(2), DESTINATION] {
            let day = taken[&WORKSPACE].days[&(subject, Timestamp::from_millis(DAY))];
            assert_eq!((day.all(), day.unlisted), (MAX_OF_WORKSPACE as i64 + 10, 10));
        }
        assert_eq!((log.counters().unlisted.count(), log.counters().lost.count()), (10, 0));
        assert!(log.take().is_empty());
    }

    #[test]
    fn memory_is_bounded_whatever_is_sent() {
        let log = TrafficLog::default();
        for n in 0..MAX_DAYS as u128 {
            log.note(entry(Uuid::from_u128(n % 50), n));
        }
        let taken = log.take();
        let entries: usize = taken.values().map(|of| of.entries.len()).sum();
        let days: usize = taken.values().map(|of| of.days.len()).sum();
        assert!(entries <= MAX_ENTRIES && days <= MAX_DAYS, "{entries} entries, {days} days");
        assert!(log.counters().lost.count() > 0);
        // Nor when a database that is away makes it come back again and again.
        for n in 0..MAX_DAYS as u128 {
            log.note(entry(Uuid::from_u128(n % 50), MAX_DAYS as u128 + n));
        }
        log.put_back(taken);
        let taken = log.take();
        let entries: usize = taken.values().map(|of| of.entries.len()).sum();
        let days: usize = taken.values().map(|of| of.days.len()).sum();
        assert!(entries <= MAX_ENTRIES && days <= MAX_DAYS, "{entries} entries, {days} days");
    }

    #[test]
    fn what_is_put_back_comes_first_and_is_counted_once() {
        let log = TrafficLog::default();
        log.note(entry(WORKSPACE, 2));
        let taken = log.take();
        let failed = TrafficEntry { status: Some(503), path: "/later".into(), ..entry(WORKSPACE, 2) };
        log.note(failed);
        log.put_back(taken);
        let of = log.take().remove(&WORKSPACE).unwrap();
        let paths: Vec<&str> = of.entries.iter().map(|(_, entry)| entry.path.as_str()).collect();
        assert_eq!(paths, ["/v1/things", "/later"]);
        let day = of.days[&(Uuid::nil(), Timestamp::from_millis(DAY))];
        assert_eq!((day.answered, day.failed, day.bytes_in, day.unlisted), (1, 1, 6, 0));
        let error = of.destinations[&DESTINATION].error.as_ref().unwrap();
        assert_eq!(error.1, "It answered with the status 503.");
    }

    #[test]
    fn neither_a_query_nor_endless_texts_are_kept() {
        let log = TrafficLog::default();
        let path = format!("/{}?canary", "x".repeat(5_000));
        log.note(TrafficEntry { path, ..entry(WORKSPACE, 2) });
        log.note(TrafficEntry { path: "/a?canary#canary".into(), ..entry(WORKSPACE, 2) });
        let of = log.take().remove(&WORKSPACE).unwrap();
        assert_eq!(of.entries[0].1.path.chars().count(), MAX_PATH);
        assert_eq!(of.entries[1].1.path, "/a");
    }

    #[test]
    fn a_key_in_the_wrong_place_is_not_kept() {
        let log = TrafficLog::default();
        let text = |text: &str| text.to_owned();
        log.note(TrafficEntry { path: text("/a/blw_key_canary/b"), ..entry(WORKSPACE, 2) });
        log.note(TrafficEntry { path: text("/%62lw_key_canary"), ..entry(WORKSPACE, 2) });
        log.note(TrafficEntry { host: text("blw_key_canary"), ..entry(WORKSPACE, 2) });
        log.note(TrafficEntry { method: text("blw_key_canary"), ..entry(WORKSPACE, 2) });
        let of = log.take().remove(&WORKSPACE).unwrap();
        let kept = |at: usize| {
            let entry = &of.entries[at].1;
            [entry.host.as_str(), &entry.method, &entry.path]
        };
        assert_eq!(kept(0), ["api.example.com", "GET", "/a/***"]);
        assert_eq!(kept(1), ["api.example.com", "GET", "/***"]);
        assert_eq!(kept(2), ["***", "GET", "/v1/things"]);
        assert_eq!(kept(3), ["api.example.com", "***", "/v1/things"]);
    }

    #[test]
    fn endings_follow_from_status_and_stage() {
        assert_eq!(Ending::of(Some(204), None), Ending::Answered);
        assert_eq!(Ending::of(Some(404), None), Ending::ClientError);
        assert_eq!(Ending::of(Some(500), None), Ending::Failed);
        assert_eq!(Ending::of(None, None), Ending::Failed);
        assert_eq!(Ending::of(Some(502), Some(GatewayStage::Upstream)), Ending::Failed);
        assert_eq!(Ending::of(Some(429), Some(GatewayStage::Rate)), Ending::Refused);
    }
}
