//! The mail to the address of a sign-in that was deleted. `url` is the public URL of this installation.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// After the deletion, to the address that it had.
#[derive(Template)]
#[template(path = "mail/sign_in_deleted.txt", whitespace = "preserve")]
pub(in crate::domain) struct SignInDeletedMail<'a> {
    pub url: &'a str,
}

impl MailTemplate for SignInDeletedMail<'_> {
    fn subject(&self) -> String {
        "Your sign-in was deleted".to_owned()
    }
}
