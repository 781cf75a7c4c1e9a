//! How somebody goes.

use crate::domain::nouns::members::DependentKeys;
use uuid::Uuid;

/// What becomes of what somebody sent who goes, and that is not answered yet: invitations, links to join by, and domains
/// whose people can join by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PendingOffers {
    /// All of it ends.
    #[default]
    End,
    /// The actor answers for it from now on, as far as they could have sent it. The rest ends.
    TakenOver,
}

/// How to remove a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    pub keys: DependentKeys,
    pub offers: PendingOffers,
    /// Ask for the administration of the account in the same step: the member may stay its admin.
    pub asks: bool,
}

/// How to offboard a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offboarding {
    pub keys: DependentKeys,
    pub offers: PendingOffers,
    /// Other workspaces of the account to remove them from.
    pub elsewhere: Vec<Uuid>,
    /// Remove them as an admin of the account and, if they are in none of its workspaces any more, from the account.
    pub account: bool,
}
