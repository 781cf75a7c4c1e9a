//! The mail that credits run low.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To those who can buy.
#[derive(Template)]
#[template(path = "mail/credits_low.txt", whitespace = "preserve")]
pub(super) struct CreditsLowMail<'a> {
    pub workspace: &'a str,
    /// How many are left, such as "12 credits".
    pub left: &'a str,
    pub below: i64,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for CreditsLowMail<'_> {
    fn subject(&self) -> String {
        format!("{} is running low on credits", self.workspace)
    }
}
