//! Audit events of the workspace itself: its name, its address, its deletion.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents =
    NounEvents::new(&[EventKind::of::<OrganizationUpdated>(), EventKind::of::<OrganizationDeleted>()]);

/// The name or address of a workspace changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OrganizationUpdated {
    pub name_before: String,
    pub name_after: String,
    pub slug_before: String,
    pub slug_after: String,
}

impl AuditEvent for OrganizationUpdated {
    const NAME: &'static str = "organization_updated";
    const KIND: &'static str = "organization.updated";
    const LABEL: &'static str = "Organization updated";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("updated the workspace", row.target)
            .before([self.name_before.clone(), format!("/w/{}", self.slug_before)])
            .after([self.name_after.clone(), format!("/w/{}", self.slug_after)])
    }
}

/// A workspace was deleted. Its events outlive it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OrganizationDeleted {
    pub name: String,
    pub slug: String,
    pub members: i64,
}

impl AuditEvent for OrganizationDeleted {
    const NAME: &'static str = "organization_deleted";
    const KIND: &'static str = "organization.deleted";
    const LABEL: &'static str = "Organization deleted";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted the workspace", row.target)
    }
}
