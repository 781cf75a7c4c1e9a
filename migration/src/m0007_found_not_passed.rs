//! What was found only by going through everything else is found by an index: what is swept up when
//! its time is over, and the invitations that still wait.

use crate::sql;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        sql::WHOLE
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(
            manager,
            &[
                "CREATE INDEX email_tokens_by_expiry ON email_tokens (expires_at)",
                "CREATE INDEX notices_by_expiry ON notices (expires_at)",
                "CREATE INDEX invitations_waiting ON invitations (workspace_id, expires_at, inviter_id)
                    WHERE status = 'pending'",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Postgres, manager, LARGE_WORKSPACES).await
    }
}

/// PostgreSQL plans once for all workspaces, and takes each for an average one. Where most people
/// are alone in theirs, it would think nothing of going through all members of a workspace. So it is
/// told that a workspace has a thousand of each of these, and looks for what is the best for such.
const LARGE_WORKSPACES: &[&str] = &[
    "ALTER TABLE members ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE member_roles ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE invitations ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE invitation_roles ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE invitation_tokens ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE audit_events ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    // From here on; otherwise it would be heeded when enough rows have changed.
    "ANALYZE members, member_roles, invitations, invitation_roles, invitation_tokens, audit_events",
    // As before. OFFSET 0 keeps the order, as CROSS JOIN does on SQLite: from the role to the few who
    // hold it, and never from all members.
    "CREATE OR REPLACE VIEW active_owners AS
        SELECT r.workspace_id AS workspace_id, m.id AS member_id
        FROM roles r
        CROSS JOIN LATERAL (SELECT mr.member_id FROM member_roles mr
            WHERE mr.workspace_id = r.workspace_id AND mr.role_id = r.id OFFSET 0) held
        JOIN members m ON m.workspace_id = r.workspace_id AND m.id = held.member_id
        JOIN users u ON u.id = m.user_id
        WHERE r.is_owner AND m.status = 'active' AND m.kind = 'user' AND u.suspended_at IS NULL",
];
