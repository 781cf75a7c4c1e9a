//! The mail to members about themselves, and before access ends.

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

/// To a person whose roles somebody changed.
#[derive(Template)]
#[template(path = "mail/roles_changed.txt", whitespace = "preserve")]
pub(super) struct RolesChangedMail<'a> {
    /// The public URL of this installation.
    pub url: &'a str,
    pub signature: &'a str,
    pub workspace: &'a str,
    pub slug: &'a str,
    /// Their names, as a list in words.
    pub before: &'a str,
    pub after: &'a str,
}

impl MailTemplate for RolesChangedMail<'_> {
    fn subject(&self) -> String {
        format!("Your roles in {} changed", self.workspace)
    }
}

/// To a person whom somebody suspended, reactivated or removed.
#[derive(Template)]
#[template(path = "mail/membership.txt", whitespace = "preserve")]
pub(super) struct MembershipMail<'a> {
    pub signature: &'a str,
    /// What was done, such as "suspended you in".
    pub verb: &'a str,
    pub workspace: &'a str,
    /// What follows from it, in sentences.
    pub next: &'a str,
    /// The address of the workspace, for somebody who can open it; empty otherwise.
    pub page: &'a str,
}

impl MailTemplate for MembershipMail<'_> {
    fn subject(&self) -> String {
        let verb = self.verb.split(' ').next().unwrap_or_default();
        let place = self.verb.rsplit(' ').next().unwrap_or_default();
        format!("You were {verb} {place} {}", self.workspace)
    }
}

/// Before access ends: to the person whose it is, and to whoever gave it.
#[derive(Template)]
#[template(path = "mail/access_ends.txt", whitespace = "preserve")]
pub(in crate::domain) struct AccessEndsMail<'a> {
    /// It is to the person whose access ends.
    pub is_own: bool,
    /// Whose access ends: the name, with the address.
    pub who: &'a str,
    /// What ends: "access", "role Admin".
    pub what: &'a str,
    pub workspace: &'a str,
    /// The moment, in UTC.
    pub until: &'a str,
    /// Who gave it: the name, with the address; empty if they have left.
    pub giver: &'a str,
    /// The page where it is extended, or seen.
    pub page: &'a str,
}

impl MailTemplate for AccessEndsMail<'_> {
    fn subject(&self) -> String {
        match self.is_own {
            true => format!("Your {} in {} ends soon", self.what, self.workspace),
            false => format!("The {} of {} in {} ends soon", self.what, self.who, self.workspace),
        }
    }
}
