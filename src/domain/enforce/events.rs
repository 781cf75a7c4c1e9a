//! The event of a refused request, and the reasons that belong to no noun.

use crate::domain::base::{
    conflict::CONFLICT,
    event::{
        AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Outcome, RecordedIn, RefusedRequest,
    },
    invariants::{LAST_ADMIN_REASON, LAST_OWNER_REASON},
    refused::{CEILING, NOT_ADMIN, NOT_ALLOWED, PERMISSION, SUSPENDED},
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[EventKind::of::<AccessRefused>()])
    .with_reasons(&[
        SUSPENDED,
        PERMISSION,
        NOT_ADMIN,
        CEILING,
        NOT_ALLOWED,
        CONFLICT,
        LAST_OWNER_REASON,
        LAST_ADMIN_REASON,
    ]);

/// A request was refused.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccessRefused {
    /// Method and pattern of the path.
    pub route: String,
    /// The word of an `AuditReason`.
    pub reason: String,
}

impl AuditEvent for AccessRefused {
    const NAME: &'static str = "access_refused";
    const KIND: &'static str = "access.refused";
    const LABEL: &'static str = "Access refused";
    const OUTCOME: Outcome = Outcome::Refused;
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let refusal = RefusedRequest { route: self.route.clone(), reason: self.reason.clone() };
        EventSentence { refusal: Some(refusal), ..EventSentence::new("was refused", "") }
    }
}
