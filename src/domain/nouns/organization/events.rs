//! Audit events of the workspace itself: its name, its address, its deletion.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<OrganizationUpdated>(),
    EventKind::of::<AllowedOriginsChanged>(),
    EventKind::of::<OrganizationDeleted>(),
    EventKind::of::<OrganizationRestored>(),
    EventKind::of::<OrganizationPurged>(),
]);

/// The name or address of a workspace changed, or how long the sessions of its Owners last without use.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OrganizationUpdated {
    pub name_before: String,
    pub name_after: String,
    pub slug_before: String,
    pub slug_after: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_idle_hours_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_idle_hours_after: Option<i64>,
}

/// What the event shows of a workspace: its name, its address, and the limit for its Owners' sessions, if any.
fn shown(name: &str, slug: &str, owner_idle_hours: Option<i64>) -> Vec<String> {
    let mut shown = vec![name.to_owned(), format!("/w/{slug}")];
    shown.extend(owner_idle_hours.map(|hours| format!("Owners are signed out after {hours} h without use")));
    shown
}

impl AuditEvent for OrganizationUpdated {
    const NAME: &'static str = "organization_updated";
    const KIND: &'static str = "organization.updated";
    const LABEL: &'static str = "Organization updated";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("updated the workspace", row.target)
            .before(shown(&self.name_before, &self.slug_before, self.owner_idle_hours_before))
            .after(shown(&self.name_after, &self.slug_after, self.owner_idle_hours_after))
    }
}

/// The websites whose pages may call the API changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AllowedOriginsChanged {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl AuditEvent for AllowedOriginsChanged {
    const NAME: &'static str = "allowed_origins_changed";
    const KIND: &'static str = "organization.origins-changed";
    const LABEL: &'static str = "Websites for the API changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed which websites can call the API of", row.target)
            .before(self.before.clone())
            .after(self.after.clone())
    }
}

/// A workspace was deleted. It can be restored for a while. Its events outlive it.
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

/// A workspace that was deleted was restored, with everything in it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OrganizationRestored {
    pub name: String,
    pub slug: String,
}

impl AuditEvent for OrganizationRestored {
    const NAME: &'static str = "organization_restored";
    const KIND: &'static str = "organization.restored";
    const LABEL: &'static str = "Organization restored";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("restored the workspace", row.target)
    }
}

/// Nobody restored a workspace that was deleted, so everything in it is gone.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OrganizationPurged {
    pub name: String,
    pub slug: String,
}

impl AuditEvent for OrganizationPurged {
    const NAME: &'static str = "organization_purged";
    const KIND: &'static str = "organization.purged";
    const LABEL: &'static str = "Organization permanently deleted";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("permanently deleted the workspace", row.target)
    }
}
