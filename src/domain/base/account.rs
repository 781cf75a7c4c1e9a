//! An account, the tenant, as its admins see it.

use crate::clock::Timestamp;
use uuid::Uuid;

/// An account, as its admins see it.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: Uuid,
    pub name: String,
    pub creation: CreationPolicy,
    pub created_at: Timestamp,
    pub people: i64,
}

/// Who may create workspaces in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationPolicy {
    Admins,
    /// Everybody who belongs to the account.
    People,
}

impl CreationPolicy {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admins => "admins",
            Self::People => "people",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        [Self::Admins, Self::People].into_iter().find(|creation| creation.word() == word)
    }
}

pub(in crate::domain) const SUSPENDED: &str = "This account";
