//! Audit events of people outside of workspaces and accounts. Only they see them, on their own page, where
//! the sentences have no subject. That of a sign-up that was deleted is in the record of the installation.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<SignedUp>(),
    EventKind::of::<SignedIn>(),
    EventKind::of::<SignedOut>(),
    EventKind::of::<EmailConfirmed>(),
    EventKind::of::<EmailChanged>(),
    EventKind::of::<ProfileUpdated>(),
    EventKind::of::<PasswordChanged>(),
    EventKind::of::<PasswordReset>(),
    EventKind::of::<SessionsRevoked>(),
    EventKind::of::<SignUpGivenUp>(),
]);

/// A new person signed up.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SignedUp {}

impl AuditEvent for SignedUp {
    const NAME: &'static str = "signed_up";
    const KIND: &'static str = "user.signed-up";
    const LABEL: &'static str = "Signed up";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Signed up", "")
    }
}

/// A session began.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SignedIn {}

impl AuditEvent for SignedIn {
    const NAME: &'static str = "signed_in";
    const KIND: &'static str = "user.signed-in";
    const LABEL: &'static str = "Signed in";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Signed in", "")
    }
}

/// The person signed out.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SignedOut {}

impl AuditEvent for SignedOut {
    const NAME: &'static str = "signed_out";
    const KIND: &'static str = "user.signed-out";
    const LABEL: &'static str = "Signed out";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Signed out", "")
    }
}

/// The person opened the link that was mailed to their address.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EmailConfirmed {
    pub email: String,
}

impl AuditEvent for EmailConfirmed {
    const NAME: &'static str = "email_confirmed";
    const KIND: &'static str = "user.email-confirmed";
    const LABEL: &'static str = "Address confirmed";
    const RECORDED_IN: RecordedIn = RecordedIn::User;
    const NAMES_ACTOR: bool = true;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new(format!("Confirmed {}", self.email), "")
    }
}

/// The person's address changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct EmailChanged {
    pub before: String,
    pub after: String,
}

impl AuditEvent for EmailChanged {
    const NAME: &'static str = "email_changed";
    const KIND: &'static str = "user.email-changed";
    const LABEL: &'static str = "Address changed";
    const RECORDED_IN: RecordedIn = RecordedIn::User;
    const NAMES_ACTOR: bool = true;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new(format!("Changed e-mail address from {} to {}", self.before, self.after), "")
    }
}

/// The person's name changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ProfileUpdated {
    pub name_before: String,
    pub name_after: String,
}

impl AuditEvent for ProfileUpdated {
    const NAME: &'static str = "profile_updated";
    const KIND: &'static str = "user.profile-updated";
    const LABEL: &'static str = "Profile updated";
    const RECORDED_IN: RecordedIn = RecordedIn::User;
    const NAMES_ACTOR: bool = true;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new(format!("Changed name from {} to {}", self.name_before, self.name_after), "")
    }
}

/// The person changed their password, knowing the old one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PasswordChanged {}

impl AuditEvent for PasswordChanged {
    const NAME: &'static str = "password_changed";
    const KIND: &'static str = "user.password-changed";
    const LABEL: &'static str = "Password changed";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Changed password", "")
    }
}

/// The person reset their password with a mailed link.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PasswordReset {}

impl AuditEvent for PasswordReset {
    const NAME: &'static str = "password_reset";
    const KIND: &'static str = "user.password-reset";
    const LABEL: &'static str = "Password reset";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Reset password by e-mail", "")
    }
}

/// The person ended sessions other than their current one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SessionsRevoked {
    pub count: i64,
}

impl AuditEvent for SessionsRevoked {
    const NAME: &'static str = "sessions_revoked";
    const KIND: &'static str = "user.sessions-revoked";
    const LABEL: &'static str = "Sessions ended";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let what = match self.count {
            1 => "Ended another session".to_owned(),
            count => format!("Ended {count} other sessions"),
        };
        EventSentence::new(what, "")
    }
}

/// A sign-up that was never confirmed and never used was deleted, with its workspaces. The user's id is the target.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SignUpGivenUp {
    /// The number of workspaces that were deleted with it.
    pub workspaces: i64,
}

impl AuditEvent for SignUpGivenUp {
    const NAME: &'static str = "sign_up_given_up";
    const KIND: &'static str = "sign-up.given-up";
    const LABEL: &'static str = "Unused sign-up deleted";
    const RECORDED_IN: RecordedIn = RecordedIn::Installation;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted a sign-up that was never confirmed", "")
    }
}
