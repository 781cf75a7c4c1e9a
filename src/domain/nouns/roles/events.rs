//! Audit events of roles and what they hold.

use crate::{
    domain::base::{
        event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, TargetKind},
        reason::AuditReason,
        role::RoleIds,
        words::{nonempty, pluralize},
    },
    policy::Permission,
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<RoleCreated>(),
    EventKind::of::<RoleUpdated>(),
    EventKind::of::<RoleScopesChanged>(),
    EventKind::of::<RoleDeleted>(),
    EventKind::of::<PermissionChanged>(),
])
.with_reasons(&[LOCK_OUT, IN_USE]);

pub(in crate::domain) const LOCK_OUT: AuditReason =
    AuditReason::new("lock-out", "would lock themselves out, so it must be confirmed");

pub(in crate::domain) const IN_USE: AuditReason = AuditReason::new("role-in-use", "the role is in use");

/// The name of the target is the permission's label.
pub(in crate::domain) const PERMISSION: TargetKind = TargetKind::new("permission");

/// A role was created.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct RoleCreated {
    pub scopes: Vec<String>,
}

impl AuditEvent for RoleCreated {
    const NAME: &'static str = "role_created";
    const KIND: &'static str = "role.created";
    const LABEL: &'static str = "Role created";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("created the role", row.target).after(differing(&self.scopes, &[]))
    }
}

/// The name or description of a role changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct RoleUpdated {
    pub name_before: String,
    pub name_after: String,
    pub description_before: String,
    pub description_after: String,
}

impl AuditEvent for RoleUpdated {
    const NAME: &'static str = "role_updated";
    const KIND: &'static str = "role.updated";
    const LABEL: &'static str = "Role details changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the details of the role", row.target)
            .before(nonempty([&self.name_before, &self.description_before]))
            .after(nonempty([&self.name_after, &self.description_after]))
    }
}

/// The scopes of the customer's own applications that a role holds changed. Each permission has its own
/// event.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct RoleScopesChanged {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl AuditEvent for RoleScopesChanged {
    const NAME: &'static str = "role_scopes_changed";
    const KIND: &'static str = "role.scopes-changed";
    const LABEL: &'static str = "Scopes of a role changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed the scopes of the role", row.target)
            .before(differing(&self.before, &self.after))
            .after(differing(&self.after, &self.before))
    }
}

/// A role was deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct RoleDeleted {
    pub scopes: Vec<String>,
    /// Empty if nobody had the role or was invited with it.
    pub replaced_by: String,
    pub members: i64,
    pub invitations: i64,
}

impl AuditEvent for RoleDeleted {
    const NAME: &'static str = "role_deleted";
    const KIND: &'static str = "role.deleted";
    const LABEL: &'static str = "Role deleted";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("deleted the role", row.target)
            .before(differing(&self.scopes, &[]))
            .detail(replaced(&self.replaced_by, self.members, self.invitations))
    }
}

/// The roles that hold a permission changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PermissionChanged {
    pub permission: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// Active members who gained it.
    pub gained: i64,
    /// Active members who lost it.
    pub lost: i64,
    #[serde(default)]
    pub ids: RoleIds,
}

impl AuditEvent for PermissionChanged {
    const NAME: &'static str = "permission_changed";
    const KIND: &'static str = "permission.changed";
    const LABEL: &'static str = "Permission changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("changed who has the permission", row.target)
            .before(with_owner(&self.before))
            .after(with_owner(&self.after))
            .detail(effect(self.gained, self.lost))
    }
}

/// How many members, people and keys, gained and lost something by a change, in words.
fn effect(gained: i64, lost: i64) -> String {
    let members = |count| pluralize(count, "member", "members");
    match (gained, lost) {
        (0, 0) => "nobody gained or lost access".to_owned(),
        (gained, 0) => format!("{} gained access", members(gained)),
        (0, lost) => format!("{} lost access", members(lost)),
        (gained, lost) => format!("{} gained access, {} lost access", members(gained), members(lost)),
    }
}

/// The scopes that the other side doesn't have, permissions by their labels; then how many more there are,
/// and how many are as before.
fn differing(scopes: &[String], other: &[String]) -> Vec<String> {
    const SHOWN: usize = 12;
    let only: Vec<&String> = scopes.iter().filter(|scope| !other.contains(scope)).collect();
    let label =
        |scope: &&String| Permission::of_scope(scope).map_or((*scope).clone(), |p| p.label().to_owned());
    let mut shown: Vec<String> = only.iter().take(SHOWN).map(label).collect();
    if only.len() > SHOWN {
        shown.push(format!("{} more", only.len() - SHOWN));
    }
    if scopes.len() > only.len() {
        shown.push(format!("{} unchanged", scopes.len() - only.len()));
    }
    if shown.is_empty() { vec!["nothing".into()] } else { shown }
}

fn replaced(by: &str, members: i64, invitations: i64) -> String {
    let people = pluralize(members, "person", "people");
    let invited = pluralize(invitations, "invitation", "invitations");
    match (members, invitations) {
        (0, 0) => String::new(),
        (_, 0) => format!("{people} got {by} instead"),
        (0, _) => format!("{invited} got {by} instead"),
        _ => format!("{people} and {invited} got {by} instead"),
    }
}

fn with_owner(roles: &[String]) -> Vec<String> {
    std::iter::once("Owner".to_owned()).chain(roles.iter().cloned()).collect()
}
