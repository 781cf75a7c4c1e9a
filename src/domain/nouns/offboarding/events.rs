//! Audit events of offboarding.

use crate::domain::base::{
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn},
    words::pluralize,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[EventKind::of::<PersonOffboarded>()]);

/// Everything that a person had in the account was ended, as far as it was chosen.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PersonOffboarded {
    /// Other workspaces that they were removed from.
    pub other_workspaces: i64,
    pub keys_revoked: i64,
    /// Pending invitations, links and domains that the actor answers for from now on.
    pub taken_over: i64,
    pub was_account_admin: bool,
    /// They belong to the account no more.
    pub left_account: bool,
}

impl AuditEvent for PersonOffboarded {
    const NAME: &'static str = "person_offboarded";
    const KIND: &'static str = "member.offboarded";
    const LABEL: &'static str = "Person offboarded";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let counted = |count: i64, one: &str, many: &str, done: &str| {
            (count > 0).then(|| format!("{} {done}", pluralize(count, one, many)))
        };
        let details = [
            counted(self.other_workspaces, "other workspace", "other workspaces", "left"),
            counted(self.keys_revoked, "API key", "API keys", "revoked"),
            counted(self.taken_over, "offer", "offers", "taken over"),
            self.left_account.then(|| "no longer in the account".to_owned()),
            (self.was_account_admin && !self.left_account).then(|| "no longer an account admin".to_owned()),
        ];
        let details: Vec<String> = details.into_iter().flatten().collect();
        EventSentence::new("offboarded", row.target).detail(details.join("; "))
    }
}
