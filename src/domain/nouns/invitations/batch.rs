//! What a form sends, and the result for each address.

use crate::{
    clock::Timestamp,
    domain::{base::values::Message, nouns::billing::seats::Added},
};
use uuid::Uuid;

/// The most addresses in one form.
pub const MAX_BATCH: usize = 200;

/// The invitations that a form sends.
pub struct Batch {
    /// As typed: addresses separated by commas, semicolons, spaces or line breaks; or a table, whose columns are found by
    /// their names and whose roles and teams take the place of those below.
    pub emails: String,
    /// Slugs of the roles to offer. If empty, Viewer.
    pub roles: Vec<String>,
    /// The teams that they come into.
    pub teams: Vec<Uuid>,
    pub message: Message,
    /// Until when those who accept have access; without an end if it is `None`. They can't accept later.
    pub access_until: Option<Timestamp>,
}

/// The result for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The link is shown to the inviter only once, so that invitations work without a mail server.
    Sent {
        link: String,
    },
    /// It is invited, but has had too many e-mails within the hour to get another one. The inviter can pass
    /// the link on.
    NotMailed {
        link: String,
    },
    AlreadyMember,
    AlreadyInvited,
    NotValid,
    /// It stands further up in the list already.
    ListedTwice,
    /// The list names a role or a team that the workspace does not have.
    UnknownRole(String),
    UnknownTeam(String),
    /// The list names roles or teams that the actor may not offer: why.
    NotAllowed(String),
    /// In a preview: it would be sent.
    Ready,
    /// It was to be sent again, but had already ended.
    NotPending,
}

impl Outcome {
    /// There is a new link.
    pub fn is_invited(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::NotMailed { .. })
    }
}

/// One address of a batch and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub email: String,
    pub outcome: Outcome,
}

/// The result of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// Each address, in the order in which they were typed.
    pub each: Vec<Sent>,
    /// Seats that were added for them.
    pub added: Option<Added>,
}
