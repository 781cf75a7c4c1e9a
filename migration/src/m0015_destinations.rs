//! Destinations: the public hosts that a workspace allows, one row a host.

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
                // host is the ASCII form: lower case, punycode. search_text is what the list is searched
                // by: both forms of the host and the description, without case and accents. Where a key
                // added it, created_by is who answers for the key.
                "CREATE TABLE destinations (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    host TEXT {bytewise} NOT NULL,
                    description TEXT NOT NULL,
                    search_text TEXT NOT NULL,
                    created_by {uuid} NOT NULL REFERENCES users (id),
                    created_by_key_id {uuid} REFERENCES api_keys (id),
                    created_at {int} NOT NULL,
                    paused_at {int},
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, host)
                ) {table}",
            ],
        )
        .await
    }
}
