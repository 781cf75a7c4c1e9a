//! Audit events of support: what was asked and answered, and of access for a limited time. Texts of requests are in none.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
    words::pluralize,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<SupportRequested>(),
    EventKind::of::<SupportAnswered>(),
    EventKind::of::<SupportAccessRequested>(),
    EventKind::of::<SupportAccessGranted>(),
    EventKind::of::<SupportAccessDeclined>(),
    EventKind::of::<SupportAccessEnded>(),
]);

/// The name of the target is the category.
pub(in crate::domain) const SUPPORT_REQUEST: TargetKind = TargetKind::new("support-request");

/// The name of the target is that of whoever runs the installation.
pub(in crate::domain) const SUPPORT_ACCESS: TargetKind = TargetKind::new("support-access");

/// Somebody asked for support.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportRequested {
    pub category: String,
}

impl AuditEvent for SupportRequested {
    const NAME: &'static str = "support_requested";
    const KIND: &'static str = "support.requested";
    const LABEL: &'static str = "Support requested";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("asked for support:", row.target)
    }
}

/// A request for support was answered.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportAnswered {
    pub category: String,
}

impl AuditEvent for SupportAnswered {
    const NAME: &'static str = "support_answered";
    const KIND: &'static str = "support.answered";
    const LABEL: &'static str = "Support request answered";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("answered a request for support:", row.target)
    }
}

/// Somebody who runs the installation asked for access.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportAccessRequested {
    pub permissions: Vec<String>,
    pub hours: i64,
}

impl AuditEvent for SupportAccessRequested {
    const NAME: &'static str = "support_access_requested";
    const KIND: &'static str = "support.access-requested";
    const LABEL: &'static str = "Support access requested";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let hours = pluralize(self.hours, "hour", "hours");
        EventSentence::new("asked for support access for", row.target)
            .rest(format!("for {hours}"))
            .after(self.permissions.clone())
    }
}

/// It was granted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportAccessGranted {
    pub permissions: Vec<String>,
    pub hours: i64,
}

impl AuditEvent for SupportAccessGranted {
    const NAME: &'static str = "support_access_granted";
    const KIND: &'static str = "support.access-granted";
    const LABEL: &'static str = "Support access granted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let hours = pluralize(self.hours, "hour", "hours");
        EventSentence::new("granted support access to", row.target)
            .rest(format!("for {hours}"))
            .after(self.permissions.clone())
    }
}

/// It was declined.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportAccessDeclined {}

impl AuditEvent for SupportAccessDeclined {
    const NAME: &'static str = "support_access_declined";
    const KIND: &'static str = "support.access-declined";
    const LABEL: &'static str = "Support access declined";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined support access for", row.target)
    }
}

/// It ended: somebody ended it, or its time was over.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SupportAccessEnded {
    /// How many pages were looked at.
    pub views: i64,
    /// The addresses of these, the first ones.
    pub pages: Vec<String>,
    pub timed_out: bool,
}

impl AuditEvent for SupportAccessEnded {
    const NAME: &'static str = "support_access_ended";
    const KIND: &'static str = "support.access-ended";
    const LABEL: &'static str = "Support access ended";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let viewed = match self.views {
            0 => "no page was viewed".to_owned(),
            views => format!("{} viewed", pluralize(views, "page was", "pages were")),
        };
        EventSentence::new("ended the support access of", row.target).detail(viewed).after(self.pages.clone())
    }
}
