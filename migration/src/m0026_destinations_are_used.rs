//! Destinations are used: requests go to them and events, narrowed to some senders, with a sealed credential.

use crate::sql;
use sea_orm_migration::prelude::*;

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
                // The host of a wildcard is stored as `*.example.com`, and means one label in place of the asterisk.
                "ALTER TABLE destinations ADD COLUMN is_wildcard {bool} NOT NULL DEFAULT FALSE",
                "ALTER TABLE destinations ADD COLUMN allows_requests {bool} NOT NULL DEFAULT TRUE",
                "ALTER TABLE destinations ADD COLUMN receives_events {bool} NOT NULL DEFAULT FALSE",
                // Only those in destination_senders may send. Without any, nobody may.
                "ALTER TABLE destinations ADD COLUMN is_restricted {bool} NOT NULL DEFAULT FALSE",
                // NULL is the installation's default.
                "ALTER TABLE destinations ADD COLUMN requests_per_minute {int}",
                "ALTER TABLE destinations ADD COLUMN last_used_at {int}",
                "ALTER TABLE destinations ADD COLUMN last_error_at {int}",
                "ALTER TABLE destinations ADD COLUMN last_error TEXT",
                "ALTER TABLE destinations ADD COLUMN event_path TEXT",
                "ALTER TABLE destinations ADD COLUMN event_kinds TEXT",
                // Roles whose members may send, and API keys, by their membership.
                "CREATE TABLE destination_senders (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    destination_id {uuid} NOT NULL,
                    role_id {uuid},
                    member_id {uuid},
                    CHECK ((role_id IS NULL) <> (member_id IS NULL)),
                    FOREIGN KEY (workspace_id, destination_id)
                        REFERENCES destinations (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE UNIQUE INDEX destination_senders_by_role
                    ON destination_senders (workspace_id, destination_id, role_id) WHERE role_id IS NOT NULL",
                "CREATE UNIQUE INDEX destination_senders_by_member
                    ON destination_senders (workspace_id, destination_id, member_id) WHERE member_id IS NOT NULL",
                "CREATE INDEX destination_senders_of_destination
                    ON destination_senders (workspace_id, destination_id, id)",
                "CREATE INDEX destination_senders_of_role ON destination_senders (workspace_id, role_id)",
                "CREATE INDEX destination_senders_of_member ON destination_senders (workspace_id, member_id)",
                // `sealed` can't be read without the installation's secret, nor opened for another destination. The
                // newest without `ends_at` is used; where it was rotated, the one before is kept until `ends_at`.
                "CREATE TABLE destination_credentials (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    destination_id {uuid} NOT NULL,
                    header_name TEXT NOT NULL,
                    sealed TEXT NOT NULL,
                    created_by {uuid} NOT NULL REFERENCES users (id),
                    created_by_key_id {uuid} REFERENCES api_keys (id),
                    created_at {int} NOT NULL,
                    ends_at {int},
                    FOREIGN KEY (workspace_id, destination_id)
                        REFERENCES destinations (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE UNIQUE INDEX destination_credentials_current
                    ON destination_credentials (workspace_id, destination_id) WHERE ends_at IS NULL",
                "CREATE INDEX destination_credentials_of_destination
                    ON destination_credentials (workspace_id, destination_id, created_at)",
                "CREATE INDEX destination_credentials_by_end ON destination_credentials (ends_at)
                    WHERE ends_at IS NOT NULL",
                "CREATE INDEX destination_credentials_of_creator ON destination_credentials (created_by)",
                // As in a new workspace. A role that no longer manages destinations was narrowed on purpose.
                "INSERT INTO grants (workspace_id, role_id, scope)
                    SELECT r.workspace_id, r.id, 'send:destinations' FROM roles r
                    JOIN grants g ON g.workspace_id = r.workspace_id AND g.role_id = r.id
                        AND g.scope = 'manage:destinations'
                    WHERE r.built_in AND r.slug IN ('admin', 'developer')
                    ON CONFLICT DO NOTHING",
            ],
        )
        .await
    }
}
