//! What limits an API key beside its roles: who vouches for it in a workspace, and who was shown its
//! secret.

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
                // The person who last gave the key its roles here; NULL for people. Without a voucher a
                // key holds nothing.
                "ALTER TABLE members ADD COLUMN vouched_by {uuid} REFERENCES users (id)",
                "UPDATE members SET vouched_by = COALESCE(invited_by,
                        (SELECT k.made_by FROM api_keys k WHERE k.id = members.api_key_id))
                    WHERE api_key_id IS NOT NULL",
                "CREATE INDEX members_vouched_for ON members (workspace_id, vouched_by)
                    WHERE vouched_by IS NOT NULL",
                // The person who was shown the secret. What is done with it is done by them.
                "ALTER TABLE api_key_secrets ADD COLUMN shown_to {uuid} REFERENCES users (id)",
                "UPDATE api_key_secrets SET shown_to =
                    (SELECT k.made_by FROM api_keys k WHERE k.id = api_key_secrets.api_key_id)",
                "CREATE INDEX api_key_secrets_shown ON api_key_secrets (shown_to, api_key_id)",
                // Those who were members: secrets that they know are worth nothing here, or until
                // secrets_until no more than role_set, which they held in the end.
                "CREATE TABLE former_members (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    left_at {int} NOT NULL,
                    role_set TEXT NOT NULL,
                    secrets_until {int},
                    PRIMARY KEY (workspace_id, user_id)
                ) {keyed}",
            ],
        )
        .await?;
        // A key keeps its home when it is removed there: nobody gives it another by adding it first.
        let sqlite = ["DROP TRIGGER keys_without_a_home"];
        let postgres = ["DROP TRIGGER keys_without_a_home ON members", "DROP FUNCTION leave_home()"];
        sql::run_on(DbBackend::Sqlite, manager, &sqlite).await?;
        sql::run_on(DbBackend::Postgres, manager, &postgres).await
    }
}
