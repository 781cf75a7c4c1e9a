//! Audit events of API keys.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn, TargetKind},
        words::{day, exact},
    },
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<ApiKeyCreated>(),
    EventKind::of::<ApiKeyAdded>(),
    EventKind::of::<ApiKeyRenamed>(),
    EventKind::of::<ApiKeyRotated>(),
    EventKind::of::<ApiKeyVouchedFor>(),
    EventKind::of::<ApiKeyRevoked>(),
    EventKind::of::<ApiKeyAdminChanged>(),
]);

pub(in crate::domain) const API_KEY: TargetKind = TargetKind::new("api_key");

/// A key was created.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyCreated {
    /// Empty if the key was created in the account.
    pub roles: Vec<String>,
    /// 1970 if the key does not expire.
    pub expires_at: Timestamp,
}

impl AuditEvent for ApiKeyCreated {
    const NAME: &'static str = "api_key_created";
    const KIND: &'static str = "api-key.created";
    const LABEL: &'static str = "API key created";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let detail = match self.expires_at == Timestamp::default() {
            true => "which doesn't expire".to_owned(),
            false => format!("which expires on {}", day(self.expires_at)),
        };
        EventSentence::new("created the API key", row.target).after(self.roles.clone()).detail(detail)
    }
}

/// A key of the account became a member of a workspace.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyAdded {
    pub roles: Vec<String>,
}

impl AuditEvent for ApiKeyAdded {
    const NAME: &'static str = "api_key_added";
    const KIND: &'static str = "api-key.added";
    const LABEL: &'static str = "API key added";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("added the API key", row.target).after(self.roles.clone())
    }
}

/// A key got another name.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyRenamed {
    pub name_before: String,
    pub name_after: String,
}

impl AuditEvent for ApiKeyRenamed {
    const NAME: &'static str = "api_key_renamed";
    const KIND: &'static str = "api-key.renamed";
    const LABEL: &'static str = "API key renamed";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("renamed the API key", row.target)
            .before([self.name_before.clone()])
            .after([self.name_after.clone()])
    }
}

/// The secret of a key was rotated.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyRotated {
    /// When the previous secret stops working.
    pub overlap_ends_at: Timestamp,
}

impl AuditEvent for ApiKeyRotated {
    const NAME: &'static str = "api_key_rotated";
    const KIND: &'static str = "api-key.rotated";
    const LABEL: &'static str = "API key rotated";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let detail = match self.overlap_ends_at > row.at {
            true => format!("the old secret works until {}", exact(self.overlap_ends_at)),
            false => "the old secret stopped working immediately".to_owned(),
        };
        EventSentence::new("rotated the secret of the API key", row.target).detail(detail)
    }
}

/// Somebody vouches for a key's roles from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyVouchedFor {
    pub roles: Vec<String>,
}

impl AuditEvent for ApiKeyVouchedFor {
    const NAME: &'static str = "api_key_vouched_for";
    const KIND: &'static str = "api-key.vouched-for";
    const LABEL: &'static str = "API key vouched for";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("vouches for the API key", row.target).after(self.roles.clone())
    }
}

/// A key was revoked.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyRevoked {
    pub roles: Vec<String>,
}

impl AuditEvent for ApiKeyRevoked {
    const NAME: &'static str = "api_key_revoked";
    const KIND: &'static str = "api-key.revoked";
    const LABEL: &'static str = "API key revoked";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("revoked the API key", row.target).before(self.roles.clone())
    }
}

/// A key can create workspaces in the account, or can no longer.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyAdminChanged {
    pub is_admin: bool,
}

impl AuditEvent for ApiKeyAdminChanged {
    const NAME: &'static str = "api_key_admin_changed";
    const KIND: &'static str = "api-key.admin-changed";
    const LABEL: &'static str = "API key's account rights changed";
    const RECORDED_IN: RecordedIn = RecordedIn::Account;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the account rights of the API key", row.target).detail(
            match self.is_admin {
                true => "which can now create workspaces",
                false => "which can no longer create workspaces",
            },
        )
    }
}
