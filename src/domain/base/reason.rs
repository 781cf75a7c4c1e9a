//! Why a refusal is audited: the word that is stored, and what Activity says.

/// The reason of a refusal as it is audited. A noun declares its own beside its rules, and registers them
/// with its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditReason {
    /// The stored word, such as `last-owner`. It never changes.
    pub word: &'static str,
    /// The text on Activity.
    pub label: &'static str,
}

impl AuditReason {
    pub(in crate::domain) const fn new(word: &'static str, label: &'static str) -> Self {
        Self { word, label }
    }
}
