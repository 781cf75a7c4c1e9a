//! Audit events of deliveries. Their target is the destination.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents},
        event_groups::EventGroups,
        words::pluralize,
    },
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<EventsTurnedOn>(),
    EventKind::of::<EventsChanged>(),
    EventKind::of::<EventsVouchedFor>(),
    EventKind::of::<EventsTurnedOff>(),
    EventKind::of::<EventSecretRotated>(),
    EventKind::of::<EventsTested>(),
    EventKind::of::<EventsReplayed>(),
    EventKind::of::<EventsStopped>(),
    EventKind::of::<EventsRestored>(),
]);

/// Events are sent to a destination from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsTurnedOn {
    pub path: String,
    /// Groups of events.
    pub kinds: Vec<String>,
}

impl AuditEvent for EventsTurnedOn {
    const NAME: &'static str = "events_turned_on";
    const KIND: &'static str = "destination.events-turned-on";
    const LABEL: &'static str = "Events turned on";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("turned on events for", row.target)
            .rest(format!("at {}", self.path))
            .after(labels(&self.kinds))
    }
}

fn labels(kinds: &[String]) -> Vec<String> {
    EventGroups::parse_stored(&kinds.join(" ")).labels()
}

/// Which events are sent, or where, changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsChanged {
    pub path_before: String,
    pub path_after: String,
    pub kinds_before: Vec<String>,
    pub kinds_after: Vec<String>,
}

impl AuditEvent for EventsChanged {
    const NAME: &'static str = "events_changed";
    const KIND: &'static str = "destination.events-changed";
    const LABEL: &'static str = "Events changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("changed the events for", row.target)
            .before(labels(&self.kinds_before))
            .after(labels(&self.kinds_after));
        match self.path_before == self.path_after {
            true => sentence,
            false => sentence.detail(format!("which now go to {} with a new secret", self.path_after)),
        }
    }
}

/// Somebody else answers for the events, or turned them on again.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsVouchedFor {
    pub were_stopped: bool,
}

impl AuditEvent for EventsVouchedFor {
    const NAME: &'static str = "events_vouched_for";
    const KIND: &'static str = "destination.events-vouched-for";
    const LABEL: &'static str = "Events turned on again";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let verb = match self.were_stopped {
            true => "turned events on again for",
            false => "took over the responsibility for the events for",
        };
        EventSentence::new(verb, row.target)
    }
}

/// Nothing is sent to a destination any more.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsTurnedOff {
    /// Messages that were not delivered yet, and never will be.
    pub dropped: u64,
}

impl AuditEvent for EventsTurnedOff {
    const NAME: &'static str = "events_turned_off";
    const KIND: &'static str = "destination.events-turned-off";
    const LABEL: &'static str = "Events turned off";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("turned off events for", row.target);
        match self.dropped {
            0 => sentence,
            dropped => sentence.detail(format!("and {} dropped", messages(dropped, "was", "were"))),
        }
    }
}

fn messages(count: u64, one: &str, many: &str) -> String {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    pluralize(count, &format!("message {one}"), &format!("messages {many}"))
}

/// A destination has a new secret.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventSecretRotated {
    /// Until when messages are signed with the old one too, if they are.
    pub overlap_ends_at: Option<Timestamp>,
}

impl AuditEvent for EventSecretRotated {
    const NAME: &'static str = "event_secret_rotated";
    const KIND: &'static str = "destination.event-secret-rotated";
    const LABEL: &'static str = "Event secret rotated";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("rotated the event secret of", row.target);
        match self.overlap_ends_at {
            Some(_) => sentence.detail("and the old one signs too for 24 hours"),
            None => sentence.detail("and the old one ended at once"),
        }
    }
}

/// A test message was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsTested {}

impl AuditEvent for EventsTested {
    const NAME: &'static str = "events_tested";
    const KIND: &'static str = "destination.events-tested";
    const LABEL: &'static str = "Test event sent";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("sent a test event to", row.target)
    }
}

/// Messages are sent once more.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsReplayed {
    pub count: u64,
}

impl AuditEvent for EventsReplayed {
    const NAME: &'static str = "events_replayed";
    const KIND: &'static str = "destination.events-replayed";
    const LABEL: &'static str = "Events sent again";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        EventSentence::new(format!("sent {} again to", pluralize(count, "event", "events")), row.target)
    }
}

/// The program stopped sending events to a destination.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsStopped {
    /// `failed`, `gone` or `authority`.
    pub reason: String,
    /// Messages that are held.
    pub held: u64,
}

impl AuditEvent for EventsStopped {
    const NAME: &'static str = "events_stopped";
    const KIND: &'static str = "destination.events-stopped";
    const LABEL: &'static str = "Events stopped";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let why = match self.reason.as_str() {
            "gone" => "because it answered that it is gone",
            "authority" => "because who turned them on may no longer see them",
            _ => "because it did not take them",
        };
        EventSentence::new("stopped sending events to", row.target).detail(why)
    }
}

/// The program sends events to a destination again, which took one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EventsRestored {
    /// Messages that are held.
    pub held: u64,
}

impl AuditEvent for EventsRestored {
    const NAME: &'static str = "events_restored";
    const KIND: &'static str = "destination.events-restored";
    const LABEL: &'static str = "Events restored";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("sends events again to", row.target).detail("because it took one")
    }
}
