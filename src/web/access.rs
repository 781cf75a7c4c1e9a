//! Who may call a route: as a value, for those who read the table, and as a type, so that the compiler
//! compares what a row says with what its handler takes.

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
    /// An active member of the workspace in the path, with this; in the API, of the workspace that the
    /// query names, or that the key is at home in.
    Member(Needs),
    /// An admin of the account in the path.
    Account,
}

/// A [`Requirement`] as a type: a permission of [`policy::perm`], or one of those below.
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
