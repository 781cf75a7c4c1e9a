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
    EventKind::of::<ApiKeyShared>(),
    EventKind::of::<ApiKeyRenamed>(),
    EventKind::of::<ApiKeyRotated>(),
    EventKind::of::<ApiKeyVouchedFor>(),
    EventKind::of::<ApiKeyRevoked>(),
    EventKind::of::<ApiKeyAdminChanged>(),
    EventKind::of::<ApiKeyRemoved>(),
    EventKind::of::<ApiKeyHomeChanged>(),
    EventKind::of::<ApiKeyConsentGiven>(),
    EventKind::of::<ApiKeyConsentWithdrawn>(),
]);

pub(in crate::domain) const API_KEY: TargetKind = TargetKind::new("api_key");

/// A key was created.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyCreated {
    /// Empty if the key was created in the account.
    pub roles: Vec<String>,
    /// 1970 if the key does not expire.
    pub expires_at: Timestamp,
    /// How many requests a test key may send; `None` for any other key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
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
        let detail = match self.requests {
            Some(requests) => format!("{detail}, for at most {requests} test requests"),
            None => detail,
        };
        EventSentence::new("created the API key", row.target).after(self.roles.clone()).detail(detail)
    }
}

/// A key of the account became a member of a workspace.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyAdded {
    pub roles: Vec<String>,
    /// The name of the person who allowed it in the key's home workspace; empty if nobody had to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub consent: String,
}

impl AuditEvent for ApiKeyAdded {
    const NAME: &'static str = "api_key_added";
    const KIND: &'static str = "api-key.added";
    const LABEL: &'static str = "API key added";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("added the API key", row.target).after(self.roles.clone());
        match self.consent.as_str() {
            "" => sentence,
            by => sentence.detail(format!("which {by} allowed in its home workspace")),
        }
    }
}

/// A key became a member of another workspace. Recorded in its home.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyShared {
    /// The address of the other workspace, if the home allowed it to add the key. Otherwise empty: the home knows no
    /// more of workspaces that its members are not in.
    pub workspace: String,
}

impl AuditEvent for ApiKeyShared {
    const NAME: &'static str = "api_key_shared";
    const KIND: &'static str = "api-key.shared";
    const LABEL: &'static str = "API key added to another workspace";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("added the API key", row.target)
            .rest("to another workspace")
            .detail(self.workspace.clone())
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
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceOrAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the account rights of the API key", row.target).detail(
            match self.is_admin {
                true => "which can now create workspaces",
                false => "which can no longer create workspaces",
            },
        )
    }
}

/// A key was removed from one workspace, and stays in the account and in others.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyRemoved {
    pub roles: Vec<String>,
    /// Its home workspace rotated the secret, for somebody who does not manage the key here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_rotation: bool,
}

impl AuditEvent for ApiKeyRemoved {
    const NAME: &'static str = "api_key_removed";
    const KIND: &'static str = "api-key.removed";
    const LABEL: &'static str = "API key removed from the workspace";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("removed the API key", row.target)
            .rest("from this workspace")
            .before(self.roles.clone());
        match self.by_rotation {
            true => sentence.detail("because its home workspace rotated the secret"),
            false => sentence,
        }
    }
}

/// A key is at home in another workspace.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyHomeChanged {
    pub before: String,
    pub after: String,
}

impl AuditEvent for ApiKeyHomeChanged {
    const NAME: &'static str = "api_key_home_changed";
    const KIND: &'static str = "api-key.home-changed";
    const LABEL: &'static str = "API key's home changed";
    const RECORDED_IN: RecordedIn = RecordedIn::WorkspaceAndAccount;

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the home of the API key", row.target)
            .before([self.before.clone()])
            .after([self.after.clone()])
    }
}

/// The home of a key allows another workspace to add it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyConsentGiven {
    /// The address of the other workspace.
    pub workspace: String,
    pub expires_at: Timestamp,
}

impl AuditEvent for ApiKeyConsentGiven {
    const NAME: &'static str = "api_key_consent_given";
    const KIND: &'static str = "api-key.consent-given";
    const LABEL: &'static str = "API key allowed in another workspace";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("allowed another workspace to add the API key", row.target).detail(format!(
            "{} until {}",
            self.workspace,
            exact(self.expires_at)
        ))
    }
}

/// The home of a key no longer allows another workspace to add it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ApiKeyConsentWithdrawn {
    /// The address of the other workspace.
    pub workspace: String,
}

impl AuditEvent for ApiKeyConsentWithdrawn {
    const NAME: &'static str = "api_key_consent_withdrawn";
    const KIND: &'static str = "api-key.consent-withdrawn";
    const LABEL: &'static str = "API key no longer allowed in another workspace";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("no longer allows another workspace to add the API key", row.target)
            .detail(self.workspace.clone())
    }
}
