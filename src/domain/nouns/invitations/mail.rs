//! The mail of an invitation.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// An invitation, with the link that proves that its bearer reads the mailbox.
#[derive(Template)]
#[template(path = "mail/invitation.txt", whitespace = "preserve")]
pub(in crate::domain) struct InvitationMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub token: &'a str,
    pub inviter: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    pub workspace: &'a str,
    /// Their names, as a list in words.
    pub roles: &'a str,
    /// What the inviter wrote; may be empty.
    pub message: &'a str,
    /// The number of days in which it can be accepted.
    pub days: i64,
}

impl MailTemplate for InvitationMail<'_> {
    fn subject(&self) -> String {
        format!("{} invited you to {}", self.inviter, self.workspace)
    }
}
