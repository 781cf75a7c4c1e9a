//! The mail of an offer of ownership.

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
