//! Audit events of credits. What is used is in the ledger, and not in the record.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Target, TargetKind},
    words::{nonempty, pluralize},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<CreditsGranted>(),
    EventKind::of::<CreditTransferReversed>(),
    EventKind::of::<CreditNoticeChanged>(),
]);

const CREDITS: TargetKind = TargetKind::new("credits");

/// The credits of the workspace, or one transfer of theirs.
pub(super) fn target(transfer: Option<Uuid>) -> Target {
    match transfer {
        Some(id) => Target::new(CREDITS, id, "Credits"),
        None => Target::named(CREDITS, "Credits"),
    }
}

fn credits(amount: i64) -> String {
    pluralize(amount, "credit", "credits")
}

/// Credits came in. Number and hash of the transfer bind the ledger into the record.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct CreditsGranted {
    pub amount: i64,
    /// `included` or `bought`.
    pub source: String,
    /// In milliseconds since 1970.
    pub expires_at: i64,
    pub note: String,
    pub seq: i64,
    pub hash: String,
}

impl AuditEvent for CreditsGranted {
    const NAME: &'static str = "credits_granted";
    const KIND: &'static str = "credit.granted";
    const LABEL: &'static str = "Credits granted";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("granted the workspace", credits(self.amount));
        let sentence = sentence.rest(format!("({})", self.source));
        match self.note.as_str() {
            "" => sentence,
            note => sentence.detail(format!("“{note}”")),
        }
    }
}

/// A transfer was taken back by another one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct CreditTransferReversed {
    pub amount: i64,
    /// The kind of the transfer that was taken back.
    pub kind: String,
    pub reversed: Uuid,
    pub note: String,
    pub seq: i64,
    pub hash: String,
}

impl AuditEvent for CreditTransferReversed {
    const NAME: &'static str = "credit_transfer_reversed";
    const KIND: &'static str = "credit.reversed";
    const LABEL: &'static str = "Credits corrected";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let what = if self.kind == "grant" { "took back a grant of" } else { "gave back a use of" };
        let sentence = EventSentence::new(what, credits(self.amount));
        match self.note.as_str() {
            "" => sentence,
            note => sentence.detail(format!("“{note}”")),
        }
    }
}

/// When those who can buy are notified was changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct CreditNoticeChanged {
    /// `None` for never.
    pub below_before: Option<i64>,
    pub below_after: Option<i64>,
}

impl AuditEvent for CreditNoticeChanged {
    const NAME: &'static str = "credit_notice_changed";
    const KIND: &'static str = "credit.notice-changed";
    const LABEL: &'static str = "Low balance notice changed";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let shown = |below: Option<i64>| match below {
            Some(below) => format!("Below {}", credits(below)),
            None => "Never".to_owned(),
        };
        let (before, after) = (shown(self.below_before), shown(self.below_after));
        EventSentence::new("changed when people are notified that credits run low", "")
            .before(nonempty([&before]))
            .after(nonempty([&after]))
    }
}
