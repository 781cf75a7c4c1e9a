//! The mail of a request for the administration of an account.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;
use uuid::Uuid;

/// To the admins of an account, when an Owner of one of its workspaces asks to become one.
#[derive(Template)]
#[template(path = "mail/administration_requested.txt", whitespace = "preserve")]
pub(in crate::domain) struct AdministrationRequestedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub from: &'a str,
    /// The name with the address.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub account: &'a str,
    pub account_id: Uuid,
}

impl MailTemplate for AdministrationRequestedMail<'_> {
    fn subject(&self) -> String {
        format!("{} asks to become an admin of {}", self.from, self.account)
    }
}
