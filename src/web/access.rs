use crate::policy::Needs;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
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
