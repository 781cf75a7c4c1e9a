//! Rows of requests for the administration of an account.

/// Holds for a request `r` of somebody who is still an active Owner of the workspace that it came from, and belongs to
/// the account. As single values: PostgreSQL would read every Owner's role for an `EXISTS`.
pub(in crate::domain) const BY_OWNER: &str = "((SELECT 1 FROM active_owners o
        JOIN members m ON m.workspace_id = o.workspace_id AND m.id = o.member_id
        JOIN workspaces w ON w.id = o.workspace_id AND w.deleted_at IS NULL
        WHERE o.workspace_id = r.workspace_id AND m.user_id = r.user_id LIMIT 1) IS NOT NULL
    AND (SELECT 1 FROM account_people p WHERE p.account_id = r.account_id AND p.user_id = r.user_id) IS NOT NULL)";
