//! Who was refused how often: kept in memory, so that a flood of refusals costs nothing and fills no record. The
//! first ones are recorded one by one, and the flood after them as one event with a count.

use crate::{
    clock::{HOUR, MINUTE, SECOND, Timestamp},
    domain::base::{event::Actor, principal::Origin},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};
use uuid::Uuid;

/// How many refusals of one person and their API keys in one record are recorded one by one within a minute,
/// whatever the route.
const MAX_A_MINUTE: u32 = 20;

/// How many of them add an event within an hour, those that stand for a flood included.
const MAX_AN_HOUR: u32 = 200;

/// A flood is over when so much time passed without a refusal, in milliseconds.
const QUIET: i64 = 30 * SECOND;

/// A flood that goes on is recorded after so much time, in milliseconds.
const MAX_DURATION: i64 = HOUR;

/// The most people and records that are tracked by themselves; all others are counted together.
const MAX_TRACKED: usize = 10_000;

/// The most routes and the most actors of one flood that are counted by themselves.
const MAX_PARTS: usize = 50;

/// The record that refusals belong to, and the user who is accountable for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::domain) struct FloodKey {
    /// The kind of the boundary whose record it is.
    pub boundary: &'static str,
    pub id: Uuid,
    /// `None` for the program itself.
    pub accountable: Option<Uuid>,
}

impl FloodKey {
    /// Stands for everybody, once too many are tracked.
    pub(in crate::domain) const SHARED: Self = Self { boundary: "", id: Uuid::nil(), accountable: None };
}

/// Refusals that were counted and not recorded.
#[derive(Debug)]
pub(in crate::domain) struct Flood {
    /// Of the first one.
    pub by: Actor,
    /// Of the first one.
    pub origin: Origin,
    /// Their ids.
    pub actors: HashSet<Option<Uuid>>,
    /// How many, by route and reason.
    pub counts: HashMap<(String, String), i64>,
    pub total: i64,
    pub since: Timestamp,
    last_at: Timestamp,
}

impl Flood {
    /// The route and the reason that occurred most.
    pub(in crate::domain) fn most_frequent(&self) -> (String, String) {
        let most = self.counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
        most.map(|(request, _)| request.clone()).unwrap_or_default()
    }
}

/// The refusals of one key: within a minute, and within an hour.
struct Window {
    started_at: Timestamp,
    recorded: u32,
    hour_started_at: Timestamp,
    recorded_in_hour: u32,
    flood: Option<Flood>,
}

impl Window {
    fn new(now: Timestamp) -> Self {
        Self { started_at: now, recorded: 0, hour_started_at: now, recorded_in_hour: 0, flood: None }
    }

    /// Begins the minute and the hour again, if they are over.
    fn roll(&mut self, now: Timestamp) {
        if self.started_at + MINUTE <= now {
            (self.started_at, self.recorded) = (now, 0);
        }
        if self.hour_started_at + HOUR <= now {
            (self.hour_started_at, self.recorded_in_hour) = (now, 0);
        }
    }

    /// Whether one more is recorded by itself, which is counted then.
    fn records(&mut self) -> bool {
        // One is left for the flood.
        let has_room = self.recorded < MAX_A_MINUTE && self.recorded_in_hour + 1 < MAX_AN_HOUR;
        if self.flood.is_none() && has_room {
            self.recorded += 1;
            self.recorded_in_hour += 1;
            return true;
        }
        false
    }

    /// Whether its flood is to be recorded: it is over, or has lasted long enough. Who filled the hour waits for its
    /// end.
    fn is_due(&self, now: Timestamp) -> bool {
        let is_full = self.recorded_in_hour + 1 >= MAX_AN_HOUR && now < self.hour_started_at + HOUR;
        self.flood.as_ref().is_some_and(|flood| {
            flood.since + MAX_DURATION <= now || (!is_full && flood.last_at + QUIET <= now)
        })
    }

    fn is_remembered(&self, now: Timestamp) -> bool {
        self.flood.is_some() || self.hour_started_at + HOUR > now
    }
}

/// The refusals of this node.
#[derive(Default)]
pub(in crate::domain) struct Refusals(Mutex<HashMap<FloodKey, Window>>);

impl Refusals {
    /// Whether this refusal is to be recorded by itself; otherwise it was counted.
    pub(in crate::domain) fn is_recorded_alone(
        &self,
        key: FloodKey,
        by: &Actor,
        origin: &Origin,
        reason: &str,
        now: Timestamp,
    ) -> bool {
        let Ok(mut windows) = self.0.lock() else { return true };
        let key = tracked(&mut windows, key, now);
        let is_shared = key == FloodKey::SHARED;
        let window = windows.entry(key).or_insert_with(|| Window::new(now));
        if window.flood.is_none() {
            window.roll(now);
        }
        if !is_shared && window.records() {
            return true;
        }
        let flood = window.flood.get_or_insert_with(|| Flood {
            by: by.clone(),
            origin: origin.clone(),
            actors: HashSet::new(),
            counts: HashMap::new(),
            total: 0,
            since: now,
            last_at: now,
        });
        flood.total += 1;
        flood.last_at = now;
        if flood.actors.len() < MAX_PARTS {
            flood.actors.insert(by.id);
        }
        let request = (origin.route.clone(), reason.to_owned());
        if flood.counts.len() < MAX_PARTS || flood.counts.contains_key(&request) {
            *flood.counts.entry(request).or_default() += 1;
        }
        false
    }

    /// Takes the floods that are over, or have lasted long enough; with `all`, every one.
    pub(in crate::domain) fn take(&self, now: Timestamp, all: bool) -> Vec<(FloodKey, Flood)> {
        let Ok(mut windows) = self.0.lock() else { return Vec::new() };
        let mut taken = Vec::new();
        for (key, window) in windows.iter_mut() {
            if all || window.is_due(now) {
                let flood = window.flood.take();
                window.recorded_in_hour += u32::from(flood.is_some());
                taken.extend(flood.map(|flood| (key.clone(), flood)));
            }
        }
        windows.retain(|_, window| window.is_remembered(now));
        taken
    }

    /// Puts back a flood that could not be recorded, for the next time.
    pub(in crate::domain) fn put_back(&self, key: FloodKey, flood: Flood, now: Timestamp) {
        let Ok(mut windows) = self.0.lock() else { return };
        let window = windows.entry(key).or_insert_with(|| Window::new(now));
        window.recorded_in_hour = window.recorded_in_hour.saturating_sub(1);
        match &mut window.flood {
            // What it consists of is that of the newer one; nothing of its number is lost.
            Some(newer) => {
                newer.total += flood.total;
                newer.since = newer.since.min(flood.since);
            }
            none => *none = Some(flood),
        }
    }
}

/// The key under which a refusal is counted: its own, or the shared one where too many are tracked.
fn tracked(windows: &mut HashMap<FloodKey, Window>, key: FloodKey, now: Timestamp) -> FloodKey {
    if windows.len() < MAX_TRACKED || windows.contains_key(&key) {
        return key;
    }
    // Who was refused a few times a while ago is forgotten first.
    windows.retain(|_, window| window.flood.is_some() || window.started_at + MINUTE > now);
    if windows.len() < MAX_TRACKED { key } else { FloodKey::SHARED }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::base::principal::Channel;

    const AT: fn(i64) -> Timestamp = Timestamp::from_millis;

    /// Whether a refusal of this person, through this key if it is not 0, is recorded alone.
    fn refuse(refusals: &Refusals, person: u128, key: u128, route: &str, now: i64) -> bool {
        let person = Uuid::from_u128(person);
        let by = match key {
            0 => Actor::user(person, "Ada", "ada@example.com"),
            key => Actor::api_key(Uuid::from_u128(key), "Robot"),
        };
        let origin = Origin {
            via: Channel::Browser,
            address: String::new(),
            user_agent: String::new(),
            route: route.to_owned(),
            attempt: None,
        };
        let key = FloodKey { boundary: "workspace", id: Uuid::nil(), accountable: Some(person) };
        refusals.is_recorded_alone(key, &by, &origin, "permission", AT(now))
    }

    #[test]
    fn a_flood_is_one_count_whatever_its_routes() {
        let refusals = Refusals::default();
        let refuse = |route: &str, now: i64| refuse(&refusals, 1, 0, route, now);
        let alone = (0..300).filter(|n| refuse(["GET /a", "GET /b", "GET /b"][n % 3], 1_000)).count();
        assert_eq!(alone, 20);
        assert!(refusals.take(AT(2_000), false).is_empty(), "it may go on");
        let (_, flood) = refusals.take(AT(1_000 + QUIET), false).remove(0);
        assert_eq!((flood.total, flood.most_frequent().0.as_str()), (280, "GET /b"));
        assert!(refusals.take(AT(1_000 + QUIET), true).is_empty());
        assert!(!refuse("GET /a", 31_001), "within the same minute");
        assert_eq!(refusals.take(AT(31_002), true).len(), 1);
        assert!(refuse("GET /a", 61_001));
    }

    #[test]
    fn many_keys_of_one_person_are_one_person() {
        let refusals = Refusals::default();
        let alone = (0..300).filter(|n| refuse(&refusals, 1, 100 + n % 30, "GET /a", 1_000)).count();
        assert_eq!(alone, 20);
        let floods = refusals.take(AT(1_000 + QUIET), false);
        assert_eq!(
            floods.iter().map(|(_, flood)| (flood.total, flood.actors.len())).collect::<Vec<_>>(),
            [(280, 30)]
        );
    }

    #[test]
    fn who_goes_on_for_an_hour_adds_a_bounded_number_of_events() {
        let refusals = Refusals::default();
        let mut events = 0;
        // Every minute enough for a flood, and time enough for it to be over.
        for minute in 0..59 {
            let now = minute * MINUTE;
            events += (0..25).filter(|_| refuse(&refusals, 1, 0, "GET /a", now)).count();
            events += refusals.take(AT(now + QUIET), false).len();
        }
        assert!(
            (MAX_AN_HOUR - 1..=MAX_AN_HOUR).contains(&u32::try_from(events).unwrap_or(u32::MAX)),
            "{events}"
        );
        let rest: i64 = refusals.take(AT(2 * HOUR), false).iter().map(|(_, flood)| flood.total).sum();
        assert!(rest > 0, "what was not recorded by itself is counted");
        assert!(refuse(&refusals, 1, 0, "GET /a", 2 * HOUR), "in the next hour it begins anew");
    }

    #[test]
    fn more_people_than_are_tracked_are_counted_together() {
        let refusals = Refusals::default();
        let people = MAX_TRACKED as u128 + 500;
        let alone = (0..people).filter(|person| refuse(&refusals, *person, 0, "GET /a", 1_000)).count();
        assert_eq!(alone, MAX_TRACKED);
        assert_eq!(refusals.0.lock().expect("a lock").len(), MAX_TRACKED + 1);
        let floods = refusals.take(AT(1_000 + QUIET), false);
        assert_eq!(floods.len(), 1);
        assert_eq!((&floods[0].0, floods[0].1.total), (&FloodKey::SHARED, 500));
    }
}
