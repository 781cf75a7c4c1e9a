//! The mail of requests for access.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To those who can give it.
#[derive(Template)]
#[template(path = "mail/access_requested.txt", whitespace = "preserve")]
pub(super) struct AccessRequestedMail<'a> {
    /// The name of whoever asks.
    pub by: &'a str,
    /// Their name with their address.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub wanted: &'a str,
    pub reason: &'a str,
    /// The moment, or that there is none.
    pub until: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for AccessRequestedMail<'_> {
    fn subject(&self) -> String {
        format!("{} asks for access in {}", self.by, self.workspace)
    }
}

/// To whoever asked. That they got it, the mail about their roles says.
#[derive(Template)]
#[template(path = "mail/access_declined.txt", whitespace = "preserve")]
pub(super) struct AccessDeclinedMail<'a> {
    pub signature: &'a str,
    pub workspace: &'a str,
    pub wanted: &'a str,
    /// What they wrote; may be empty.
    pub answer: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for AccessDeclinedMail<'_> {
    fn subject(&self) -> String {
        format!("Your request for access in {} was declined", self.workspace)
    }
}
