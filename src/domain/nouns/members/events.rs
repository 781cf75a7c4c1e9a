//! Audit events of members.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, RecordedEvent},
            role::RoleIds,
            words::{exact, nonempty, pluralize},
        },
        records::members::MemberRecord,
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
    EventKind::of::<MembershipAccepted>(),
    EventKind::of::<MembershipDeclined>(),
    EventKind::of::<MembershipReplaced>(),
    EventKind::of::<MemberRenamed>(),
    EventKind::of::<MemberAddressChanged>(),
    EventKind::of::<MemberEndChanged>(),
    EventKind::of::<MemberAccessEnded>(),
    EventKind::of::<MemberRolesEnded>(),
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
    /// Memberships that they had entered and that waited for an answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entries_ended: i64,
    /// Links that others could join by, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub links_revoked: i64,
    /// Domains whose people could join by themselves, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub domains_removed: i64,
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
        let joining = (self.links_revoked, self.domains_removed);
        let ended = ended(self.invitations_cancelled, self.entries_ended, joining);
        let details: Vec<String> = ended.into_iter().chain(secrets).collect();
        EventSentence::new("removed", row.target).before(self.roles.clone()).detail(details.join("; "))
    }
}

/// The member ended their own membership.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberLeft {
    pub roles: Vec<String>,
    pub invitations_cancelled: i64,
    /// Memberships that they had entered and that waited for an answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entries_ended: i64,
    /// Links that others could join by, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub links_revoked: i64,
    /// Domains whose people could join by themselves, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub domains_removed: i64,
}

impl AuditEvent for MemberLeft {
    const NAME: &'static str = "member_left";
    const KIND: &'static str = "member.left";
    const LABEL: &'static str = "Member left";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("left", "").before(self.roles.clone()).detail(
            ended(self.invitations_cancelled, self.entries_ended, (self.links_revoked, self.domains_removed))
                .join("; "),
        )
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

/// The member changed their own name.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberRenamed {
    pub before: String,
    pub after: String,
}

impl AuditEvent for MemberRenamed {
    const NAME: &'static str = "member_renamed";
    const KIND: &'static str = "member.renamed";
    const LABEL: &'static str = "Member renamed";
    const NAMES_ACTOR: bool = true;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed their name", "")
            .before(nonempty([&self.before]))
            .after(nonempty([&self.after]))
    }
}

/// The member changed their own e-mail address, and confirmed the new one.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberAddressChanged {
    pub before: String,
    pub after: String,
}

impl AuditEvent for MemberAddressChanged {
    const NAME: &'static str = "member_address_changed";
    const KIND: &'static str = "member.address-changed";
    const LABEL: &'static str = "Member's address changed";
    const NAMES_ACTOR: bool = true;

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed their e-mail address", "")
            .before(nonempty([&self.before]))
            .after(nonempty([&self.after]))
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

/// The person whom a service entered accepted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MembershipAccepted {
    pub roles: Vec<String>,
}

impl AuditEvent for MembershipAccepted {
    const NAME: &'static str = "membership_accepted";
    const KIND: &'static str = "member.accepted";
    const LABEL: &'static str = "Membership accepted";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("accepted the membership that an API key had entered", "")
            .after(self.roles.clone())
    }
}

/// The person whom a service entered declined.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MembershipDeclined {
    pub roles: Vec<String>,
}

impl AuditEvent for MembershipDeclined {
    const NAME: &'static str = "membership_declined";
    const KIND: &'static str = "member.declined";
    const LABEL: &'static str = "Membership declined";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined the membership that an API key had entered", "")
            .before(self.roles.clone())
    }
}

/// A membership that a service had entered ended, because the person became a member in another way.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MembershipReplaced {
    pub roles: Vec<String>,
}

impl MembershipReplaced {
    /// The end of this membership, as it was.
    pub(in crate::domain) fn recorded(member: &MemberRecord) -> RecordedEvent {
        RecordedEvent::new(Self { roles: member.role_names() }, member.target())
    }
}

impl AuditEvent for MembershipReplaced {
    const NAME: &'static str = "membership_replaced";
    const KIND: &'static str = "member.replaced";
    const LABEL: &'static str = "Entered membership replaced";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("replaced the membership that an API key had entered for", row.target)
            .before(self.roles.clone())
    }
}

/// Until when the member has access, or one of their roles, changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberEndChanged {
    /// The name of the role; empty for the membership.
    pub role: String,
    pub before: Option<Timestamp>,
    pub after: Option<Timestamp>,
}

impl AuditEvent for MemberEndChanged {
    const NAME: &'static str = "member_end_changed";
    const KIND: &'static str = "member.end-changed";
    const LABEL: &'static str = "End of access changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let moment = |at: Option<Timestamp>| vec![at.map_or_else(|| "No end".to_owned(), exact)];
        let what = match self.role.is_empty() {
            true => "changed until when they have access:".to_owned(),
            false => format!("changed until when they have the role {}:", self.role),
        };
        EventSentence::new(what, row.target).before(moment(self.before)).after(moment(self.after))
    }
}

/// The end of the membership came.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberAccessEnded {
    pub roles: Vec<String>,
    pub until: Timestamp,
    pub invitations_cancelled: i64,
    /// Memberships that they had entered and that waited for an answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entries_ended: i64,
    /// Links that others could join by, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub links_revoked: i64,
    /// Domains whose people could join by themselves, for which they answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub domains_removed: i64,
}

impl AuditEvent for MemberAccessEnded {
    const NAME: &'static str = "member_access_ended";
    const KIND: &'static str = "member.access-ended";
    const LABEL: &'static str = "Access ended";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let until = format!("whose access was until {}", exact(self.until));
        let joining = (self.links_revoked, self.domains_removed);
        let more = ended(self.invitations_cancelled, self.entries_ended, joining);
        let details: Vec<String> = [until].into_iter().chain(more).collect();
        EventSentence::new("removed", row.target).before(self.roles.clone()).detail(details.join("; "))
    }
}

/// The end of roles of the member came.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct MemberRolesEnded {
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub ids: RoleIds,
}

impl AuditEvent for MemberRolesEnded {
    const NAME: &'static str = "member_roles_ended";
    const KIND: &'static str = "member.roles-ended";
    const LABEL: &'static str = "Roles ended";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the roles of", row.target)
            .before(self.before.clone())
            .after(self.after.clone())
            .detail("because a role had an end")
    }
}

fn keeps(roles: &[String]) -> String {
    format!("who keeps {}", roles.join(", "))
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// What ended with a membership.
fn ended(invitations: i64, entries: i64, (links, domains): (i64, i64)) -> Vec<String> {
    let invitations = (invitations > 0)
        .then(|| format!("{} they sent cancelled", pluralize(invitations, "invitation", "invitations")));
    let entries = (entries > 0).then(|| {
        let memberships = pluralize(entries, "membership", "memberships");
        format!("{memberships} they entered, which waited for an answer, ended")
    });
    let links = (links > 0).then(|| format!("{} revoked", pluralize(links, "join link", "join links")));
    let domains =
        (domains > 0).then(|| format!("{} removed", pluralize(domains, "join domain", "join domains")));
    invitations.into_iter().chain(entries).chain(links).chain(domains).collect()
}
