//! Audit events of workspaces as a whole.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[EventKind::of::<WorkspaceCreated>()]);

/// A workspace was created.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct WorkspaceCreated {
    pub name: String,
    pub slug: String,
}

impl AuditEvent for WorkspaceCreated {
    const NAME: &'static str = "workspace_created";
    const KIND: &'static str = "workspace.created";
    const LABEL: &'static str = "Workspace created";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("created the workspace", row.target)
    }
}
