//! The mail of purchases.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To those who can approve a request.
#[derive(Template)]
#[template(path = "mail/purchase_requested.txt", whitespace = "preserve")]
pub(super) struct PurchaseRequestedMail<'a> {
    pub signature: &'a str,
    pub workspace: &'a str,
    pub pack: &'a str,
    pub price: &'a str,
    pub until: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for PurchaseRequestedMail<'_> {
    fn subject(&self) -> String {
        format!("A purchase in {} waits for approval", self.workspace)
    }
}

/// To whoever asked.
#[derive(Template)]
#[template(path = "mail/purchase_decided.txt", whitespace = "preserve")]
pub(super) struct PurchaseDecidedMail<'a> {
    pub signature: &'a str,
    pub workspace: &'a str,
    pub pack: &'a str,
    pub price: &'a str,
    pub is_approved: bool,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for PurchaseDecidedMail<'_> {
    fn subject(&self) -> String {
        let done = if self.is_approved { "approved" } else { "declined" };
        format!("Your purchase in {} was {done}", self.workspace)
    }
}
