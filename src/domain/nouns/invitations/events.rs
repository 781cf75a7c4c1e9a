//! Audit events of invitations.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Target, TargetKind},
        reason::AuditReason,
        words::exact,
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<InvitationSent>(),
    EventKind::of::<InvitationResent>(),
    EventKind::of::<InvitationCancelled>(),
    EventKind::of::<InvitationAccepted>(),
    EventKind::of::<InvitationDeclined>(),
    EventKind::of::<InvitationRolesChanged>(),
    EventKind::of::<InvitationTakenOver>(),
])
.with_reasons(&[UNVERIFIED, WRONG_ADDRESS]);

pub(in crate::domain) const UNVERIFIED: AuditReason =
    AuditReason::new("unverified", "e-mail address not confirmed");

pub(in crate::domain) const WRONG_ADDRESS: AuditReason =
    AuditReason::new("wrong-address", "signed in with a different address");

const INVITATION: TargetKind = TargetKind::new("invitation");

/// An invitation as a target: its name is the invited address.
pub(in crate::domain) fn target(id: Uuid, email: &str) -> Target {
    Target::new(INVITATION, id, email).with_address(email)
}

/// An address was invited.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationSent {
    pub roles: Vec<String>,
    pub expires_at: Timestamp,
    /// Until when whoever accepts has access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<Timestamp>,
    /// Names of the teams that it leads into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

impl AuditEvent for InvitationSent {
    const NAME: &'static str = "invitation_sent";
    const KIND: &'static str = "invitation.sent";
    const LABEL: &'static str = "Invitation sent";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let until = self.access_until.map(|at| format!(", with access until {}", exact(at)));
        let detail = format!("{}{}", as_offered(&self.roles, &self.teams), until.unwrap_or_default());
        EventSentence::new("invited", row.target).detail(detail)
    }
}

/// An invitation was sent again, under new links.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationResent {
    pub roles: Vec<String>,
    pub expires_at: Timestamp,
    /// Names of the teams that it leads into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

impl AuditEvent for InvitationResent {
    const NAME: &'static str = "invitation_resent";
    const KIND: &'static str = "invitation.resent";
    const LABEL: &'static str = "Invitation resent";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("resent the invitation to", row.target)
            .detail(as_offered(&self.roles, &self.teams))
    }
}

/// An invitation was cancelled.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationCancelled {
    pub roles: Vec<String>,
}

impl AuditEvent for InvitationCancelled {
    const NAME: &'static str = "invitation_cancelled";
    const KIND: &'static str = "invitation.cancelled";
    const LABEL: &'static str = "Invitation cancelled";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("cancelled the invitation to", row.target).detail(as_roles(&self.roles))
    }
}

/// The invited person became a member.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationAccepted {
    pub roles: Vec<String>,
    /// The inviter's name with their address.
    pub invited_by: String,
    /// Names of the teams that it leads into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
}

impl AuditEvent for InvitationAccepted {
    const NAME: &'static str = "invitation_accepted";
    const KIND: &'static str = "invitation.accepted";
    const LABEL: &'static str = "Invitation accepted";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("accepted the invitation from", &self.invited_by)
            .detail(as_offered(&self.roles, &self.teams))
    }
}

/// The invited person declined.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationDeclined {
    pub roles: Vec<String>,
}

impl AuditEvent for InvitationDeclined {
    const NAME: &'static str = "invitation_declined";
    const KIND: &'static str = "invitation.declined";
    const LABEL: &'static str = "Invitation declined";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined the invitation", "")
    }
}

/// A pending invitation offers other roles, because one of them was deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationRolesChanged {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl AuditEvent for InvitationRolesChanged {
    const NAME: &'static str = "invitation_roles_changed";
    const KIND: &'static str = "invitation.roles-changed";
    const LABEL: &'static str = "Roles of an invitation changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the roles in the invitation to", row.target)
            .before(self.before.clone())
            .after(self.after.clone())
    }
}

/// Somebody else answers for a pending invitation, because its inviter was removed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvitationTakenOver {
    pub roles: Vec<String>,
    /// The name of who answered for it before, with their address.
    pub from: String,
}

impl AuditEvent for InvitationTakenOver {
    const NAME: &'static str = "invitation_taken_over";
    const KIND: &'static str = "invitation.taken-over";
    const LABEL: &'static str = "Invitation taken over";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("took over the invitation to", row.target).detail(format!("from {}", self.from))
    }
}

/// Roles and teams of an offer, as the end of a sentence.
pub(in crate::domain) fn as_offered(roles: &[String], teams: &[String]) -> String {
    match teams {
        [] => as_roles(roles),
        [team] => format!("{}, in the team {team}", as_roles(roles)),
        teams => format!("{}, in the teams {}", as_roles(roles), teams.join(", ")),
    }
}

fn as_roles(roles: &[String]) -> String {
    format!("as {}", roles.join(", "))
}
