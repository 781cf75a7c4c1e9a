//! A key goes to another workspace by the consent of its home; an Owner can ask for the administration of the
//! account, or get it together with the ownership; and a user whom a service entered has no claim on an address.

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
                // workspace_id is the home of the key, where the consent was given; it gives nothing by itself,
                // and holds only as long as given_by may manage the key there.
                "CREATE TABLE api_key_consents (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    api_key_id {uuid} NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
                    to_workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    given_by {uuid} NOT NULL REFERENCES users (id),
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL
                ) {table}",
                "CREATE UNIQUE INDEX api_key_consents_one_a_workspace
                    ON api_key_consents (api_key_id, to_workspace_id)",
                "CREATE INDEX api_key_consents_to ON api_key_consents (to_workspace_id, expires_at)",
                "CREATE INDEX api_key_consents_at ON api_key_consents (workspace_id, api_key_id)",
                "CREATE INDEX api_key_consents_by_expiry ON api_key_consents (expires_at)",
                // An Owner of the workspace asks the admins of its account to become one.
                "CREATE TABLE administration_requests (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    account_id {uuid} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL
                ) {table}",
                "CREATE UNIQUE INDEX administration_requests_one_a_person
                    ON administration_requests (account_id, user_id)",
                "CREATE INDEX administration_requests_from ON administration_requests (workspace_id)",
                "CREATE INDEX administration_requests_by_expiry ON administration_requests (expires_at)",
                // The person who offers the ownership hands over the administration of the account with it.
                "ALTER TABLE ownership_offers ADD COLUMN with_account {bool} NOT NULL DEFAULT FALSE",
                // The address of a user whom a service entered, until the person with this address has accepted
                // or declined. `email`, which is unique, is then no address that anybody could sign up with.
                "ALTER TABLE users ADD COLUMN awaited_email TEXT",
                "UPDATE users SET awaited_email = email WHERE awaited_since IS NOT NULL",
                "DELETE FROM email_tokens WHERE user_id IN (SELECT id FROM users WHERE awaited_email IS NOT NULL)",
                "CREATE INDEX users_awaited ON users (awaited_email) WHERE awaited_email IS NOT NULL",
                // The id of the user whom a service entered, once somebody has accepted: it knows them by it.
                "ALTER TABLE members ADD COLUMN provisioned_as {uuid}",
                "CREATE UNIQUE INDEX members_provisioned_as ON members (workspace_id, provisioned_as)
                    WHERE provisioned_as IS NOT NULL",
                // While a membership waits for the person with its address: who answers for it, and the key by which
                // they entered it.
                "ALTER TABLE members ADD COLUMN entered_by {uuid} REFERENCES users (id)",
                "ALTER TABLE members ADD COLUMN entered_by_key {uuid} REFERENCES api_keys (id)",
                "UPDATE members SET entered_by = invited_by
                    WHERE user_id IN (SELECT id FROM users WHERE awaited_email IS NOT NULL)",
                "CREATE INDEX members_entered_by ON members (workspace_id, entered_by)
                    WHERE entered_by IS NOT NULL",
                "CREATE INDEX members_entered_by_key ON members (workspace_id, entered_by_key)
                    WHERE entered_by_key IS NOT NULL",
            ],
        )
        .await?;
        let sqlite =
            ["UPDATE users SET email = 'awaited:' || lower(hex(id)) WHERE awaited_email IS NOT NULL"];
        let postgres = ["UPDATE users SET email = 'awaited:' || id::text WHERE awaited_email IS NOT NULL"];
        sql::run_on(DbBackend::Sqlite, manager, &sqlite).await?;
        sql::run_on(DbBackend::Postgres, manager, &postgres).await
    }
}
