//! Audit events of requests for the administration of an account.

use crate::{
    clock::Timestamp,
    domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn},
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents =
    NounEvents::new(&[EventKind::of::<AdministrationRequested>(), EventKind::of::<AdministrationDeclined>()]);

/// An Owner of a workspace asked the admins of its account to become one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AdministrationRequested {
    pub expires_at: Timestamp,
}

impl AuditEvent for AdministrationRequested {
    const NAME: &'static str = "administration_requested";
    const KIND: &'static str = "account.administration-requested";
    const LABEL: &'static str = "Account administration requested";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("asked to become an admin of the account", row.target)
    }
}

/// An admin of the account declined the request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AdministrationDeclined {}

impl AuditEvent for AdministrationDeclined {
    const NAME: &'static str = "administration_declined";
    const KIND: &'static str = "account.administration-declined";
    const LABEL: &'static str = "Account administration declined";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined the request to become an admin of the account of", row.target)
    }
}
