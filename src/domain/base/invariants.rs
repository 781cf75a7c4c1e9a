//! The two invariants that triggers of the schema enforce too: who must remain.

use crate::domain::base::{conflict::Conflict, reason::AuditReason};

pub(in crate::domain) const LAST_OWNER_REASON: AuditReason =
    AuditReason::new("last-owner", "the workspace needs an active Owner");

/// A workspace keeps an active Owner whose access has no end.
pub const LAST_OWNER: Conflict = Conflict::new(
    "last-owner",
    "A workspace needs at least one active Owner. Make someone else an Owner first, then try again.",
)
.note("Owners whose access ends don't count. Nothing was changed.")
.link("/members", "Go to Members")
.with_audit_reason(LAST_OWNER_REASON);

pub(in crate::domain) const LAST_ADMIN_REASON: AuditReason =
    AuditReason::new("last-admin", "the account needs an active admin");

/// An account keeps an active admin.
pub const LAST_ADMIN: Conflict = Conflict::new(
    "last-admin",
    "An account needs at least one active admin. Make someone else an admin first, then try again.",
)
.link("/people", "Go to People")
.with_audit_reason(LAST_ADMIN_REASON);

/// The conflict for the message of a trigger.
pub(in crate::domain) fn of_trigger(message: &str) -> Option<Conflict> {
    [("last_owner", LAST_OWNER), ("last_admin", LAST_ADMIN)]
        .into_iter()
        .find(|(raised, _)| message.contains(raised))
        .map(|(_, conflict)| conflict)
}
