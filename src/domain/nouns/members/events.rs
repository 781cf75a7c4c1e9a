//! Audit events of members.

use crate::{
    clock::Timestamp,
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents},
        role::RoleIds,
        words::{exact, nonempty, pluralize},
    },
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<MemberRolesChanged>(),
    EventKind::of::<MemberSuspended>(),
    EventKind::of::<MemberReactivated>(),
    EventKind::of::<MemberRemoved>(),
    EventKind::of::<MemberLeft>(),
    EventKind::of::<UserProvisioned>(),
    EventKind::of::<ExternalIdChanged>(),
    EventKind::of::<MemberAdded>(),
]);

/// The member's own roles changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberRolesChanged {
    pub before: Vec<String>,
    pub after: Vec<String>,
    #[serde(default)]
    pub ids: RoleIds,
}

impl AuditEvent for MemberRolesChanged {
    const NAME: &'static str = "member_roles_changed";
    const KIND: &'static str = "member.roles-changed";
    const LABEL: &'static str = "Roles changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the roles of", row.target)
            .before(self.before.clone())
            .after(self.after.clone())
    }
}

/// The member was suspended, and has no access until they are reactivated.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberSuspended {
    pub roles: Vec<String>,
}

impl AuditEvent for MemberSuspended {
    const NAME: &'static str = "member_suspended";
    const KIND: &'static str = "member.suspended";
    const LABEL: &'static str = "Member suspended";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("suspended", row.target).detail(keeps(&self.roles))
    }
}

/// A suspended member was reactivated.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberReactivated {
    pub roles: Vec<String>,
}

impl AuditEvent for MemberReactivated {
    const NAME: &'static str = "member_reactivated";
    const KIND: &'static str = "member.reactivated";
    const LABEL: &'static str = "Member reactivated";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("reactivated", row.target).detail(keeps(&self.roles))
    }
}

/// Somebody else ended the membership.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberRemoved {
    pub roles: Vec<String>,
    pub invitations_cancelled: i64,
    /// Until then, secrets of keys that they know hold what they held. `None`: they stopped working at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets_until: Option<Timestamp>,
}

impl AuditEvent for MemberRemoved {
    const NAME: &'static str = "member_removed";
    const KIND: &'static str = "member.removed";
    const LABEL: &'static str = "Member removed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let secrets = self.secrets_until.map(|at| format!("secrets they know work until {}", exact(at)));
        let invitations = Some(cancelled(self.invitations_cancelled)).filter(|text| !text.is_empty());
        let details: Vec<String> = invitations.into_iter().chain(secrets).collect();
        EventSentence::new("removed", row.target).before(self.roles.clone()).detail(details.join("; "))
    }
}

/// The member ended their own membership.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberLeft {
    pub roles: Vec<String>,
    pub invitations_cancelled: i64,
}

impl AuditEvent for MemberLeft {
    const NAME: &'static str = "member_left";
    const KIND: &'static str = "member.left";
    const LABEL: &'static str = "Member left";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("left", "")
            .before(self.roles.clone())
            .detail(cancelled(self.invitations_cancelled))
    }
}

/// A service added a user as a member, without an invitation.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct UserProvisioned {
    pub roles: Vec<String>,
}

impl AuditEvent for UserProvisioned {
    const NAME: &'static str = "user_provisioned";
    const KIND: &'static str = "member.provisioned";
    const LABEL: &'static str = "Member added by an API key";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("added", row.target).after(self.roles.clone())
    }
}

/// The member's id in the customer's own applications changed. An empty text means none.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct ExternalIdChanged {
    pub before: String,
    pub after: String,
}

impl AuditEvent for ExternalIdChanged {
    const NAME: &'static str = "external_id_changed";
    const KIND: &'static str = "member.external-id-changed";
    const LABEL: &'static str = "External ID changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the external ID of", row.target)
            .before(nonempty([&self.before]))
            .after(nonempty([&self.after]))
    }
}

/// A person of the account became a member without an invitation.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberAdded {
    pub roles: Vec<String>,
    /// They had a pending invitation, which is now marked as accepted.
    pub was_invited: bool,
}

impl AuditEvent for MemberAdded {
    const NAME: &'static str = "member_added";
    const KIND: &'static str = "member.added";
    const LABEL: &'static str = "Member added from the account";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let detail = match self.was_invited {
            true => "from the account, which also closed their pending invitation",
            false => "from the account",
        };
        EventSentence::new("added", row.target).after(self.roles.clone()).detail(detail)
    }
}

fn keeps(roles: &[String]) -> String {
    format!("who keeps {}", roles.join(", "))
}

fn cancelled(invitations: i64) -> String {
    match invitations {
        0 => String::new(),
        count => format!("{} they sent cancelled", pluralize(count, "invitation", "invitations")),
    }
}
