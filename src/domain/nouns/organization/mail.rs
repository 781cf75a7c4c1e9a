//! The mail that a workspace was deleted, or restored.

use crate::domain::base::outbox::MailTemplate;
use askama::Template;

/// To the Owners.
#[derive(Template)]
#[template(path = "mail/workspace_deleted.txt", whitespace = "preserve")]
pub(super) struct WorkspaceDeletedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    /// Name and address of whoever deleted it.
    pub signature: &'a str,
    pub workspace: &'a str,
    /// The moment until which it can be restored.
    pub until: &'a str,
}

impl MailTemplate for WorkspaceDeletedMail<'_> {
    fn subject(&self) -> String {
        format!("The workspace {} was deleted", self.workspace)
    }
}

/// To the Owners.
#[derive(Template)]
#[template(path = "mail/workspace_restored.txt", whitespace = "preserve")]
pub(super) struct WorkspaceRestoredMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    /// Name and address of whoever restored it.
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
}

impl MailTemplate for WorkspaceRestoredMail<'_> {
    fn subject(&self) -> String {
        format!("The workspace {} was restored", self.workspace)
    }
}
