//! Audit events of resources of the customer's own applications.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<ResourceRegistered>(),
    EventKind::of::<ResourceOwnerChanged>(),
    EventKind::of::<ResourceForgotten>(),
]);

/// The name of the target is the resource's type and id.
pub(in crate::domain) const RESOURCE: TargetKind = TargetKind::new("resource");

/// A resource was registered or renamed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ResourceRegistered {
    pub name: String,
}

impl AuditEvent for ResourceRegistered {
    const NAME: &'static str = "resource_registered";
    const KIND: &'static str = "resource.registered";
    const LABEL: &'static str = "Resource registered";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("registered the resource", row.target).detail(&self.name)
    }
}

/// A resource belongs to somebody else, or to nobody any more.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ResourceOwnerChanged {
    /// The name of the member; empty for nobody.
    pub owner: String,
}

impl AuditEvent for ResourceOwnerChanged {
    const NAME: &'static str = "resource_owner_changed";
    const KIND: &'static str = "resource.owner-changed";
    const LABEL: &'static str = "Resource owner changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        match self.owner.as_str() {
            "" => EventSentence::new("removed the owner of the resource", row.target),
            owner => EventSentence::new("changed the owner of the resource", row.target)
                .rest(format!("to {owner}")),
        }
    }
}

/// A resource is no longer registered.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ResourceForgotten {}

impl AuditEvent for ResourceForgotten {
    const NAME: &'static str = "resource_forgotten";
    const KIND: &'static str = "resource.forgotten";
    const LABEL: &'static str = "Resource removed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("removed the resource", row.target)
    }
}
