//! The audit event of a sign-in that was deleted. What ended with it is recorded where it was: in each workspace and
//! account.

use crate::domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedIn};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[EventKind::of::<SignInDeleted>()]);

/// The person deleted their sign-in. It is the last event of their own record.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SignInDeleted {}

impl AuditEvent for SignInDeleted {
    const NAME: &'static str = "sign_in_deleted";
    const KIND: &'static str = "user.deleted";
    const LABEL: &'static str = "Sign-in deleted";
    const RECORDED_IN: RecordedIn = RecordedIn::User;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("Deleted the sign-in", "")
    }
}
