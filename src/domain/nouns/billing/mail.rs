//! The mail of billing.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To the contact, or to those who can manage billing.
#[derive(Template)]
#[template(path = "mail/invoice_issued.txt", whitespace = "preserve")]
pub(super) struct InvoiceIssuedMail<'a> {
    pub workspace: &'a str,
    /// As `INV-000042`.
    pub invoice: &'a str,
    pub month: &'a str,
    pub total: &'a str,
    pub due: &'a str,
    pub how_to_pay: &'a str,
    /// A line each.
    pub items: &'a [String],
    /// The address of the page; empty where the workspace is deleted for good.
    pub page: &'a str,
}

impl MailTemplate for InvoiceIssuedMail<'_> {
    fn subject(&self) -> String {
        format!("Invoice {} for {}", self.invoice, self.workspace)
    }
}
