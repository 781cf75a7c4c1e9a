//! Who may call a route: as a value, for code that reads the table, and as a type, so that the compiler
//! compares a row with its handler.

use crate::policy::{self, Needs};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Anybody.
    Public,
    /// Anybody who is signed in.
    SignedIn,
    /// Any live API key.
    Key,
    /// An active member, with these permissions, of the workspace in the path; in the API, of the workspace
    /// in the query, or of the key's home workspace.
    Member(Needs),
    /// An admin of the account in the path.
    Account,
}

/// A [`Requirement`] as a type: a permission of [`policy::perm`], or one of the types below.
pub trait Required: Copy + 'static {
    const REQUIREMENT: Requirement;
}

impl<P: policy::Access> Required for P {
    const REQUIREMENT: Requirement = Requirement::Member(P::NEEDS);
}

/// Everybody, signed in or not.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

/// A user who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct AnyUser;

/// A live API key.
#[derive(Clone, Copy, Debug)]
pub struct AnyKey;

/// An admin of the account in the path.
#[derive(Clone, Copy, Debug)]
pub struct AdminOfAccount;

impl Required for Anyone {
    const REQUIREMENT: Requirement = Requirement::Public;
}

impl Required for AnyUser {
    const REQUIREMENT: Requirement = Requirement::SignedIn;
}

impl Required for AnyKey {
    const REQUIREMENT: Requirement = Requirement::Key;
}

impl Required for AdminOfAccount {
    const REQUIREMENT: Requirement = Requirement::Account;
}
