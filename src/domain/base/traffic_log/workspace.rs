//! What was collected of a workspace: requests, their numbers by day, and how its destinations are doing.

use crate::{
    clock::Timestamp,
    domain::base::{
        gateway_stage::GatewayStage,
        traffic_log::entry::{Ending, TrafficEntry},
    },
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What was collected of each workspace, in the order of their ids: nodes that write at once don't wait in a circle.
pub(in crate::domain) type TrafficByWorkspace = BTreeMap<Uuid, WorkspaceTraffic>;

/// What was collected of a workspace.
#[derive(Clone, Default)]
pub(in crate::domain) struct WorkspaceTraffic {
    /// Each with its id.
    pub(in crate::domain) entries: Vec<(Uuid, TrafficEntry)>,
    /// By subject and day: of the whole workspace (all zeros), of keys and of destinations.
    pub(in crate::domain) days: BTreeMap<(Uuid, Timestamp), DayCounts>,
    pub(in crate::domain) destinations: BTreeMap<Uuid, LastUse>,
}

/// The requests of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::domain) struct DayCounts {
    pub(in crate::domain) answered: i64,
    pub(in crate::domain) client_errors: i64,
    pub(in crate::domain) failed: i64,
    pub(in crate::domain) refused: i64,
    pub(in crate::domain) bytes_in: i64,
    pub(in crate::domain) bytes_out: i64,
    pub(in crate::domain) unlisted: i64,
}

/// The last use of a destination, and the last time that it failed.
#[derive(Clone, Debug, Default)]
pub(in crate::domain) struct LastUse {
    pub(in crate::domain) used_at: Option<Timestamp>,
    pub(in crate::domain) error: Option<(Timestamp, String)>,
}

impl WorkspaceTraffic {
    pub(super) fn count(&mut self, entry: &TrafficEntry, is_listed: bool) {
        let day = entry.day();
        let subjects = [Some(Uuid::nil()), entry.api_key_id, entry.destination_id];
        for subject in subjects.into_iter().flatten() {
            self.days.entry((subject, day)).or_default().count(entry, is_listed);
        }
        if let Some(destination) = entry.destination_id {
            self.destinations.entry(destination).or_default().note(entry);
        }
    }

    /// Keeps so many entries, and returns how many are only counted.
    pub(super) fn leave_out(&mut self, max: usize) -> u64 {
        let left_out = self.entries.split_off(max.min(self.entries.len()));
        for (_, entry) in &left_out {
            let subjects = [Some(Uuid::nil()), entry.api_key_id, entry.destination_id];
            for subject in subjects.into_iter().flatten() {
                if let Some(counts) = self.days.get_mut(&(subject, entry.day())) {
                    counts.unlisted += 1;
                }
            }
        }
        left_out.len() as u64
    }

    pub(super) fn and_then(mut self, later: Self) -> Self {
        self.entries.extend(later.entries);
        for (key, counts) in later.days {
            self.days.entry(key).or_default().add(counts);
        }
        for (destination, later) in later.destinations {
            let all = self.destinations.entry(destination).or_default();
            all.used_at = all.used_at.max(later.used_at);
            all.error = later.error.or(all.error.take());
        }
        self
    }
}

impl DayCounts {
    fn count(&mut self, entry: &TrafficEntry, is_listed: bool) {
        match entry.ending() {
            Ending::Answered => self.answered += 1,
            Ending::ClientError => self.client_errors += 1,
            Ending::Failed => self.failed += 1,
            Ending::Refused => self.refused += 1,
        }
        self.bytes_in = self.bytes_in.saturating_add_unsigned(entry.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add_unsigned(entry.bytes_out);
        self.unlisted += i64::from(!is_listed);
    }

    fn add(&mut self, more: Self) {
        self.answered += more.answered;
        self.client_errors += more.client_errors;
        self.failed += more.failed;
        self.refused += more.refused;
        self.bytes_in = self.bytes_in.saturating_add(more.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(more.bytes_out);
        self.unlisted += more.unlisted;
    }

    /// The number of requests.
    pub(in crate::domain) fn all(&self) -> i64 {
        self.answered + self.client_errors + self.failed + self.refused
    }
}

impl LastUse {
    fn note(&mut self, entry: &TrafficEntry) {
        let ending = entry.ending();
        if ending != Ending::Refused {
            self.used_at = self.used_at.max(Some(entry.started_at));
        }
        // A caller who went away says nothing of the destination.
        let is_callers = entry.status.is_none() && entry.stage.is_none();
        if ending == Ending::Failed && !is_callers || entry.stage == Some(GatewayStage::Address) {
            self.error = Some((entry.started_at, entry.error_sentence()));
        }
    }
}
