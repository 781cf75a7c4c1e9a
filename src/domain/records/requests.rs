//! Rows of requests for the administration of an account.

use crate::domain::base::ends::{held_roles, lasts};

const BY_OWNER: &str = concat!(
    "((SELECT 1 FROM active_owners o
        JOIN members m ON m.workspace_id = o.workspace_id AND m.id = o.member_id
        JOIN workspaces w ON w.id = o.workspace_id AND w.deleted_at IS NULL
        WHERE o.workspace_id = r.workspace_id AND m.user_id = r.user_id AND ",
    lasts!("m", "{now}"),
    " AND ' ' || ",
    held_roles!("m", "{now}"),
    " || ' ' LIKE '% owner %' LIMIT 1) IS NOT NULL
    AND (SELECT 1 FROM account_people p WHERE p.account_id = r.account_id AND p.user_id = r.user_id) IS NOT NULL)"
);

/// Holds for a request `r` of somebody who is still an active Owner of the workspace that it came from, at the time `now`,
/// and belongs to the account. As single values: PostgreSQL would read every Owner's role for an `EXISTS`.
pub(in crate::domain) fn by_owner(now: &str) -> String {
    BY_OWNER.replace("{now}", now)
}
