//! What services ask about: resources of the customer's own applications, and a way to find who may.

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
                // kind is what an application calls its type, id what it calls the thing.
                "CREATE TABLE resources (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    kind TEXT {bytewise} NOT NULL,
                    id TEXT {bytewise} NOT NULL,
                    name TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    PRIMARY KEY (workspace_id, kind, id)
                ) {keyed}",
                // Members with the same roles, page by page. Of the active ones alone, so that it is no way
                // to a member whose id is known.
                "CREATE INDEX members_active_by_roles ON members (workspace_id, kind, role_set, id)
                    WHERE status = 'active'",
            ],
        )
        .await
    }
}
