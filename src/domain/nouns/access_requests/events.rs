//! Audit events of requests for access. Reasons and answers, which are free texts, are in none.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
        words::exact,
    },
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<AccessRequested>(),
    EventKind::of::<AccessRequestAccepted>(),
    EventKind::of::<AccessRequestDeclined>(),
    EventKind::of::<AccessRequestWithdrawn>(),
]);

/// The name of the target is what was asked for.
pub(in crate::domain) const ACCESS_REQUEST: TargetKind = TargetKind::new("access-request");

/// A member asked for access.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRequested {
    /// Until when; `None` for no end.
    pub until: Option<Timestamp>,
}

impl AuditEvent for AccessRequested {
    const NAME: &'static str = "access_requested";
    const KIND: &'static str = "access-request.created";
    const LABEL: &'static str = "Access requested";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("asked for access:", row.target).detail(until(self.until))
    }
}

/// Somebody accepted it, and gave a role for it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRequestAccepted {
    pub role: String,
    pub until: Option<Timestamp>,
}

impl AuditEvent for AccessRequestAccepted {
    const NAME: &'static str = "access_request_accepted";
    const KIND: &'static str = "access-request.accepted";
    const LABEL: &'static str = "Access request accepted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("accepted a request for access:", row.target)
            .detail(until(self.until))
            .after(vec![self.role.clone()])
    }
}

/// Somebody declined it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRequestDeclined {}

impl AuditEvent for AccessRequestDeclined {
    const NAME: &'static str = "access_request_declined";
    const KIND: &'static str = "access-request.declined";
    const LABEL: &'static str = "Access request declined";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined a request for access:", row.target)
    }
}

/// Who asked does not need it anymore.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRequestWithdrawn {}

impl AuditEvent for AccessRequestWithdrawn {
    const NAME: &'static str = "access_request_withdrawn";
    const KIND: &'static str = "access-request.withdrawn";
    const LABEL: &'static str = "Access request withdrawn";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("withdrew their request for access:", row.target)
    }
}

fn until(at: Option<Timestamp>) -> String {
    at.map(|at| format!("until {}", exact(at))).unwrap_or_default()
}
