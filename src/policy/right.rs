//! A right that a principal can hold.

use super::catalogue::Permission;
use std::fmt;

/// A right that a change grants or revokes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Permission(Permission),
    /// A scope of the customer's own applications, as it was granted.
    Scope(String),
    /// Every scope, by the rule for Owners.
    EveryScope,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permission(permission) => permission.label(),
            Self::Scope(scope) => scope,
            Self::EveryScope => "Every scope of your applications",
        })
    }
}
