//! A workspace that is deleted can be restored for a while, and then goes in portions.

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
                // From then on rows of it are gone, and nobody can restore it.
                "ALTER TABLE workspaces ADD COLUMN purge_began_at {int}",
                "CREATE INDEX workspaces_by_deletion ON workspaces (deleted_at, id) WHERE deleted_at IS NOT NULL",
            ],
        )
        .await
    }
}
