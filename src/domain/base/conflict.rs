//! Refusals that a noun declares for its rules: constants, beside the rule. How a refusal is rendered
//! and audited follows from the value, so that nothing else knows the noun.

use crate::domain::base::reason::AuditReason;

/// The default audit reason of a conflict.
pub const CONFLICT: AuditReason = AuditReason::new("conflict", "changed in the meantime");

/// The version that a request was based on is not the present one.
pub const CHANGED: Conflict = Conflict::new(
    "changed",
    "Someone changed this after you opened the page. Nothing was overwritten. Check the current state, then try again.",
);

/// A link to what can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionLink {
    pub path: &'static str,
    pub label: &'static str,
}

/// The state of the workspace or account does not allow a change. 409
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Conflict {
    /// Unique.
    pub code: &'static str,
    /// What happened and what to do next.
    pub sentence: &'static str,
    /// A further sentence; may be empty.
    pub note: &'static str,
    /// Its path is below the workspace or account.
    pub link: Option<ActionLink>,
    pub reason: AuditReason,
    /// It is no refusal in the audit record: nobody tried anything, a page was loaded again.
    pub is_reload: bool,
}

impl Conflict {
    pub(in crate::domain) const fn new(code: &'static str, sentence: &'static str) -> Self {
        Self { code, sentence, note: "", link: None, reason: CONFLICT, is_reload: false }
    }

    pub(in crate::domain) const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    pub(in crate::domain) const fn link(mut self, path: &'static str, label: &'static str) -> Self {
        self.link = Some(ActionLink { path, label });
        self
    }

    pub(in crate::domain) const fn of_reload(mut self) -> Self {
        self.is_reload = true;
        self
    }

    pub(in crate::domain) const fn with_audit_reason(mut self, reason: AuditReason) -> Self {
        self.reason = reason;
        self
    }
}

/// A conflict whose text is computed, such as one with a number. A function of its noun builds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct DetailedConflict {
    /// Unique.
    pub code: &'static str,
    pub sentence: String,
    pub notes: Vec<String>,
    /// Links: a path below the workspace or account, and its label.
    pub links: Vec<(String, String)>,
    pub reason: AuditReason,
}

impl From<Conflict> for DetailedConflict {
    fn from(conflict: Conflict) -> Self {
        Self {
            code: conflict.code,
            sentence: conflict.sentence.to_owned(),
            notes: Some(conflict.note)
                .filter(|note| !note.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
            links: conflict.link.map(|way| (way.path.to_owned(), way.label.to_owned())).into_iter().collect(),
            reason: conflict.reason,
        }
    }
}

/// A link or an offer that is used up. 410
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Gone {
    /// Unique.
    pub code: &'static str,
    pub sentence: &'static str,
    pub link: Option<ActionLink>,
}

impl Gone {
    pub(in crate::domain) const fn new(code: &'static str, sentence: &'static str) -> Self {
        Self { code, sentence, link: None }
    }

    pub(in crate::domain) const fn link(mut self, path: &'static str, label: &'static str) -> Self {
        self.link = Some(ActionLink { path, label });
        self
    }
}

/// A person must do something else first. 403
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Prerequisite {
    pub headline: &'static str,
    pub sentence: String,
    /// A further sentence; may be empty.
    pub note: &'static str,
    pub step: FirstStep,
    /// Where they continue afterwards: address and label.
    pub then: Option<(String, &'static str)>,
    pub reason: AuditReason,
}

/// What a person must do first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstStep {
    SignInWithAnotherAddress,
    ConfirmAddress,
}
