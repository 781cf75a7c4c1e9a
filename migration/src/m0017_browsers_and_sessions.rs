//! A link that confirms an address knows the browser that signed up; a suspension ends what it should; and a
//! session ends when nobody uses it.

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
                // SHA-256 of the token in that browser's cookie; NULL for what nobody signed up with.
                "ALTER TABLE email_tokens ADD COLUMN browser_hash {blob}",
                // Sessions that began before this moment do not open the workspace: the member was suspended
                // in the meantime. NULL for who never was.
                "ALTER TABLE members ADD COLUMN sessions_from {int}",
                // After so many hours without use the sessions of its Owners end. NULL: as those of everybody.
                "ALTER TABLE workspaces ADD COLUMN owner_idle_hours {int}",
                // 14 days without use, the default of the setting; `expires_at` moves on with each use.
                "UPDATE sessions SET expires_at = last_seen_at + 1209600000
                    WHERE expires_at > last_seen_at + 1209600000",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// A person who is suspended is signed out everywhere, and no link that was sent before works later.
const SQLITE: &[&str] = &["CREATE TRIGGER users_on_suspension AFTER UPDATE OF suspended_at ON users
        WHEN OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL
    BEGIN
        DELETE FROM sessions WHERE user_id = NEW.id;
        DELETE FROM email_tokens WHERE user_id = NEW.id;
    END"];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION end_sessions_of_suspended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM sessions WHERE user_id = NEW.id;
            DELETE FROM email_tokens WHERE user_id = NEW.id;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER users_on_suspension AFTER UPDATE OF suspended_at ON users
        FOR EACH ROW WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL)
        EXECUTE FUNCTION end_sessions_of_suspended()",
];
