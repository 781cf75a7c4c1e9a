//! Workspaces name websites whose pages may call the API; and the headers of a stored response are stored with it.

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
                "CREATE TABLE allowed_origins (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    origin TEXT NOT NULL,
                    PRIMARY KEY (workspace_id, origin)
                ) {table}",
                // A browser asks before it sends a key: all that is known then is the website.
                "CREATE INDEX allowed_origins_by_origin ON allowed_origins (origin)",
                "ALTER TABLE idempotency_keys ADD COLUMN location TEXT",
                "ALTER TABLE idempotency_keys ADD COLUMN etag TEXT",
            ],
        )
        .await
    }
}
