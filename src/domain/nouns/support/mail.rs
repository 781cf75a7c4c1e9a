//! The mail of support.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To the people who run the installation.
#[derive(Template)]
#[template(path = "mail/support_requested.txt", whitespace = "preserve")]
pub(super) struct SupportRequestedMail<'a> {
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    pub category: &'a str,
    pub expected: &'a str,
    pub happened: &'a str,
    pub when: &'a str,
    pub about_request: &'a str,
    pub id: &'a str,
}

impl MailTemplate for SupportRequestedMail<'_> {
    fn subject(&self) -> String {
        format!("{} support request from {}", self.category, self.workspace)
    }
}

/// To the asker.
#[derive(Template)]
#[template(path = "mail/support_answered.txt", whitespace = "preserve")]
pub(super) struct SupportAnsweredMail<'a> {
    pub by: &'a str,
    pub workspace: &'a str,
    pub body: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for SupportAnsweredMail<'_> {
    fn subject(&self) -> String {
        format!("An answer to your support request in {}", self.workspace)
    }
}

/// To those who may grant support access.
#[derive(Template)]
#[template(path = "mail/support_access_requested.txt", whitespace = "preserve")]
pub(super) struct SupportAccessRequestedMail<'a> {
    pub by: &'a str,
    pub workspace: &'a str,
    pub reason: &'a str,
    pub about_request: &'a str,
    /// As "2 hours".
    pub hours: &'a str,
    /// Labels of permissions.
    pub permissions: &'a str,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for SupportAccessRequestedMail<'_> {
    fn subject(&self) -> String {
        format!("{} asks for support access to {}", self.by, self.workspace)
    }
}

/// To those who may grant support access.
#[derive(Template)]
#[template(path = "mail/support_access_ended.txt", whitespace = "preserve")]
pub(super) struct SupportAccessEndedMail<'a> {
    pub by: &'a str,
    pub workspace: &'a str,
    /// How it ended, as a sentence.
    pub how: &'a str,
    /// Each page that was looked at, with its moment.
    pub views: &'a [String],
    /// How many more there were.
    pub more: i64,
    /// The address of the page.
    pub page: &'a str,
}

impl MailTemplate for SupportAccessEndedMail<'_> {
    fn subject(&self) -> String {
        format!("Support access to {} ended", self.workspace)
    }
}
