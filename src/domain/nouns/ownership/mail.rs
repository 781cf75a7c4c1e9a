//! The mail of an offer of ownership, and of its answer.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To the member to whom the ownership is offered.
#[derive(Template)]
#[template(path = "mail/ownership_offered.txt", whitespace = "preserve")]
pub(in crate::domain) struct OwnershipOfferedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub from: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    /// The administration of the account is offered with it.
    pub with_account: bool,
}

impl MailTemplate for OwnershipOfferedMail<'_> {
    fn subject(&self) -> String {
        format!("{} wants to transfer {} to you", self.from, self.workspace)
    }
}

/// To whoever made the offer.
#[derive(Template)]
#[template(path = "mail/ownership_answered.txt", whitespace = "preserve")]
pub(super) struct OwnershipAnsweredMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    /// The name of whoever answered.
    pub by: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    /// "accepted" or "declined".
    pub answer: &'a str,
    /// What follows from it, in a sentence.
    pub next: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
}

impl MailTemplate for OwnershipAnsweredMail<'_> {
    fn subject(&self) -> String {
        format!("{} {} your offer to transfer {}", self.by, self.answer, self.workspace)
    }
}
