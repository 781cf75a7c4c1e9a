//! Mail to people about what others change about their own access.

use crate::domain::{
    base::{mail_choice::MailChoice, refused::Refused, words::inert},
    enforce::write::WriteScope,
    nouns::members::mail::{MembershipMail, RolesChangedMail},
    records::{mail::notify, members::MemberRecord},
};
use uuid::Uuid;

/// What was done to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Suspended,
    Reactivated,
    Removed,
}

impl Done {
    /// The verb, and what follows from it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Suspended => (
                "suspended you in",
                "You can't open it until you are reactivated. You keep your roles. If you think this is a mistake, ask an Owner or Admin of the workspace.",
            ),
            Self::Reactivated => ("reactivated you in", "Sign in again to open it:"),
            Self::Removed => (
                "removed you from",
                "You can't open it anymore. If you think this is a mistake, ask an Owner or Admin of the workspace.",
            ),
        }
    }
}

/// Tells the person, if the member is one.
///
/// # Errors
/// The database's own.
pub(super) async fn membership<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
    done: Done,
) -> Result<(), Refused> {
    let Some(user) = member.user_id else { return Ok(()) };
    let (verb, next) = done.words();
    let (actor, url) = (s.actor(), s.open().db.public_url());
    let page = match done {
        Done::Reactivated => format!("{url}/w/{}", actor.workspace.slug),
        Done::Suspended | Done::Removed => String::new(),
    };
    let mail = MembershipMail {
        signature: &actor.principal.signature(),
        verb,
        workspace: &inert(&actor.workspace.name),
        next,
        page: &page,
    };
    notify(s, user, MailChoice::OwnAccess, &mail).await
}

/// Tells a person that they were removed from another workspace than that of the request.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn removal<P>(
    s: &WriteScope<P>,
    user: Uuid,
    workspace: &str,
) -> Result<(), Refused> {
    let (verb, next) = Done::Removed.words();
    let mail = MembershipMail {
        signature: &s.actor().principal.signature(),
        verb,
        workspace: &inert(workspace),
        next,
        page: "",
    };
    notify(s, user, MailChoice::OwnAccess, &mail).await
}

/// Tells the person that their roles changed, if the member is one.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn roles<P>(
    s: &WriteScope<P>,
    member: &MemberRecord,
    before: &[String],
    after: &[String],
) -> Result<(), Refused> {
    let Some(user) = member.user_id else { return Ok(()) };
    let named = |roles: &[String]| match roles {
        [] => "none".to_owned(),
        some => inert(&some.join(", ")),
    };
    let actor = s.actor();
    let mail = RolesChangedMail {
        url: s.open().db.public_url(),
        signature: &actor.principal.signature(),
        workspace: &inert(&actor.workspace.name),
        slug: &actor.workspace.slug,
        before: &named(before),
        after: &named(after),
    };
    notify(s, user, MailChoice::OwnAccess, &mail).await
}
