//! Audit events of destinations. The name of the target is the host.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
    words::nonempty,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<DestinationAdded>(),
    EventKind::of::<DestinationUpdated>(),
    EventKind::of::<DestinationPaused>(),
    EventKind::of::<DestinationResumed>(),
    EventKind::of::<DestinationDeleted>(),
]);

pub(in crate::domain) const DESTINATION: TargetKind = TargetKind::new("destination");

/// A host was added to those that the workspace allows.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationAdded {
    pub description: String,
}

impl AuditEvent for DestinationAdded {
    const NAME: &'static str = "destination_added";
    const KIND: &'static str = "destination.added";
    const LABEL: &'static str = "Destination added";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("added the destination", row.target);
        match self.description.as_str() {
            "" => sentence,
            description => sentence.detail(format!("“{description}”")),
        }
    }
}

/// The description of a destination changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationUpdated {
    pub description_before: String,
    pub description_after: String,
}

impl AuditEvent for DestinationUpdated {
    const NAME: &'static str = "destination_updated";
    const KIND: &'static str = "destination.updated";
    const LABEL: &'static str = "Destination description changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the description of the destination", row.target)
            .before(nonempty([&self.description_before]))
            .after(nonempty([&self.description_after]))
    }
}

/// A destination was paused: the host stays on the list, but is not allowed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationPaused {}

impl AuditEvent for DestinationPaused {
    const NAME: &'static str = "destination_paused";
    const KIND: &'static str = "destination.paused";
    const LABEL: &'static str = "Destination paused";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("paused the destination", row.target)
    }
}

/// A paused destination was resumed: the host is allowed again.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationResumed {}

impl AuditEvent for DestinationResumed {
    const NAME: &'static str = "destination_resumed";
    const KIND: &'static str = "destination.resumed";
    const LABEL: &'static str = "Destination resumed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("resumed the destination", row.target)
    }
}

/// A destination was deleted: the workspace no longer allows the host.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct DestinationDeleted {
    pub description: String,
    pub was_paused: bool,
}

impl AuditEvent for DestinationDeleted {
    const NAME: &'static str = "destination_deleted";
    const KIND: &'static str = "destination.deleted";
    const LABEL: &'static str = "Destination deleted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("deleted the destination", row.target);
        if self.was_paused { sentence.detail("which was paused") } else { sentence }
    }
}
