//! Audit events of workspaces as a whole.

use crate::{
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn},
        values::{Name, Slug},
    },
    policy::Setup,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[EventKind::of::<WorkspaceCreated>()]);

/// A workspace was created.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct WorkspaceCreated {
    pub name: String,
    pub slug: String,
    /// Its roles began with technical and billing work separate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub separate_billing: bool,
}

impl WorkspaceCreated {
    pub(in crate::domain) fn new(name: &Name, slug: &Slug, setup: Setup) -> Self {
        let separate_billing = setup == Setup::SeparateBilling;
        Self { name: name.to_string(), slug: slug.to_string(), separate_billing }
    }
}

impl AuditEvent for WorkspaceCreated {
    const NAME: &'static str = "workspace_created";
    const KIND: &'static str = "workspace.created";
    const LABEL: &'static str = "Workspace created";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("created the workspace", row.target);
        match self.separate_billing {
            true => sentence.detail("with technical and billing work separate"),
            false => sentence,
        }
    }
}
