//! The mail to a new member.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To a person of the account who was added without an invitation.
#[derive(Template)]
#[template(path = "mail/member_added.txt", whitespace = "preserve")]
pub(in crate::domain) struct MemberAddedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub by: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    /// Their names, as a list in words.
    pub roles: &'a str,
}

impl MailTemplate for MemberAddedMail<'_> {
    fn subject(&self) -> String {
        format!("{} added you to {}", self.by, self.workspace)
    }
}
