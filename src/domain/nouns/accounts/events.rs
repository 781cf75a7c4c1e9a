//! Audit events of accounts.

use crate::domain::base::{
    account::CreationPolicy,
    event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn, TargetKind},
    reason::AuditReason,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<AccountUpdated>(),
    EventKind::of::<AccountAdminChanged>(),
    EventKind::of::<AccountPersonRemoved>(),
    EventKind::of::<AccountPersonLeft>(),
    EventKind::of::<AccountHandedOver>(),
])
.with_reasons(&[IN_WORKSPACES]);

pub(in crate::domain) const IN_WORKSPACES: AuditReason =
    AuditReason::new("in-workspaces", "still a member of a workspace");

pub(in crate::domain) const ACCOUNT: TargetKind = TargetKind::new("account");

/// The name of an account, or who can create workspaces in it, changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccountUpdated {
    pub name_before: String,
    pub name_after: String,
    /// The word of a [`CreationPolicy`].
    pub creation_before: String,
    pub creation_after: String,
}

impl AuditEvent for AccountUpdated {
    const NAME: &'static str = "account_updated";
    const KIND: &'static str = "account.updated";
    const LABEL: &'static str = "Account updated";
    const RECORDED_IN: RecordedIn = RecordedIn::Account;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("updated the account", row.target)
            .before([self.name_before.clone(), creation(&self.creation_before).to_owned()])
            .after([self.name_after.clone(), creation(&self.creation_after).to_owned()])
    }
}

/// A person became an admin of the account, or is no longer one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccountAdminChanged {
    pub is_admin: bool,
}

impl AuditEvent for AccountAdminChanged {
    const NAME: &'static str = "account_admin_changed";
    const KIND: &'static str = "account.admin-changed";
    const LABEL: &'static str = "Account admin changed";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new(if self.is_admin { "made" } else { "removed" }, row.target).rest(
            match self.is_admin {
                true => "an admin of the account",
                false => "as an admin of the account",
            },
        )
    }
}

/// A person was removed from the account.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccountPersonRemoved {
    pub was_admin: bool,
}

impl AuditEvent for AccountPersonRemoved {
    const NAME: &'static str = "account_person_removed";
    const KIND: &'static str = "account.person-removed";
    const LABEL: &'static str = "Person removed from the account";
    const RECORDED_IN: RecordedIn = RecordedIn::Account;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("removed", row.target).rest("from the account")
    }
}

/// A person deleted their sign-in, and so left the account.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccountPersonLeft {
    pub was_admin: bool,
}

impl AuditEvent for AccountPersonLeft {
    const NAME: &'static str = "account_person_left";
    const KIND: &'static str = "account.person-left";
    const LABEL: &'static str = "Person left the account";
    const RECORDED_IN: RecordedIn = RecordedIn::Account;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("left the account", "")
    }
}

/// A new Owner became an admin of the account, in place of the Owner before them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct AccountHandedOver {
    /// The name of the person who was an admin before, with their address.
    pub from: String,
}

impl AuditEvent for AccountHandedOver {
    const NAME: &'static str = "account_handed_over";
    const KIND: &'static str = "account.handed-over";
    const LABEL: &'static str = "Account administration transferred";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("became an admin of the account in place of", &self.from)
    }
}

fn creation(word: &str) -> &'static str {
    match CreationPolicy::of(word) {
        Some(CreationPolicy::People) => "Everyone can create workspaces",
        Some(CreationPolicy::Admins) | None => "Admins can create workspaces",
    }
}
