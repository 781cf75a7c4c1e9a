//! Archives of workspaces, which are made in the background and kept for a day, in parts.

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
                // One node at a time makes it, until `leased_until`. `rows_total` is an estimate before it is begun.
                "CREATE TABLE exports (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    created_by {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    created_at {int} NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'ready', 'failed')),
                    tries {int} NOT NULL DEFAULT 0,
                    rows_done {int} NOT NULL DEFAULT 0,
                    rows_total {int} NOT NULL DEFAULT 0,
                    parts {int} NOT NULL DEFAULT 0,
                    size {int} NOT NULL DEFAULT 0,
                    leased_until {int} NOT NULL DEFAULT 0,
                    expires_at {int} NOT NULL,
                    UNIQUE (workspace_id, id)
                ) {table}",
                "CREATE INDEX exports_list ON exports (workspace_id, created_at, id)",
                "CREATE INDEX exports_due ON exports (leased_until, id) WHERE state IN ('waiting', 'running')",
                "CREATE INDEX exports_by_expiry ON exports (expires_at)",
                "CREATE INDEX exports_of_user ON exports (created_by)",
                // The parts of the file, each encrypted under a key that is not in the database.
                "CREATE TABLE export_parts (
                    workspace_id {uuid} NOT NULL,
                    export_id {uuid} NOT NULL,
                    n {int} NOT NULL,
                    sealed {blob} NOT NULL,
                    PRIMARY KEY (workspace_id, export_id, n),
                    FOREIGN KEY (workspace_id, export_id) REFERENCES exports (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
            ],
        )
        .await
    }
}
