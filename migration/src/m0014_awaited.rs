//! Somebody whom a service entered and who has not come yet is no Owner, and no admin, that a workspace
//! or an account could rely on: nobody can sign in as them.

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
                // Since when; NULL from the moment on when they choose a password.
                "ALTER TABLE users ADD COLUMN awaited_since {int}",
                "UPDATE users SET awaited_since = created_at WHERE email_verified_at IS NULL
                    AND password_hash LIKE '%$AAAAAAAAAAAAAAAAAAAAAA$%'",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// As before but for the last condition of each.
const SQLITE: &[&str] = &[
    "DROP VIEW active_owners",
    "CREATE VIEW active_owners AS
        SELECT r.workspace_id AS workspace_id, m.id AS member_id
        FROM roles r CROSS JOIN member_roles mr CROSS JOIN members m CROSS JOIN users u
        WHERE r.is_owner
            AND mr.workspace_id = r.workspace_id AND mr.role_id = r.id
            AND m.workspace_id = mr.workspace_id AND m.id = mr.member_id
            AND m.status = 'active' AND m.kind = 'user'
            AND u.id = m.user_id AND u.suspended_at IS NULL AND u.awaited_since IS NULL",
    "DROP VIEW active_admins",
    "CREATE VIEW active_admins AS
        SELECT p.account_id AS account_id, p.user_id AS user_id
        FROM account_people p CROSS JOIN users u
        WHERE p.is_admin AND u.id = p.user_id AND u.suspended_at IS NULL AND u.awaited_since IS NULL",
];

const POSTGRES: &[&str] = &[
    "CREATE OR REPLACE VIEW active_owners AS
        SELECT r.workspace_id AS workspace_id, m.id AS member_id
        FROM roles r
        CROSS JOIN LATERAL (SELECT mr.member_id FROM member_roles mr
            WHERE mr.workspace_id = r.workspace_id AND mr.role_id = r.id OFFSET 0) held
        JOIN members m ON m.workspace_id = r.workspace_id AND m.id = held.member_id
        JOIN users u ON u.id = m.user_id
        WHERE r.is_owner AND m.status = 'active' AND m.kind = 'user' AND u.suspended_at IS NULL
            AND u.awaited_since IS NULL",
    "CREATE OR REPLACE VIEW active_admins AS
        SELECT p.account_id AS account_id, p.user_id AS user_id
        FROM account_people p CROSS JOIN users u
        WHERE p.is_admin AND u.id = p.user_id AND u.suspended_at IS NULL AND u.awaited_since IS NULL",
];
