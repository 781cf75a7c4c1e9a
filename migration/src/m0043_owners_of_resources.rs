//! Whose a resource is, for scopes such as `write:own`.

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
                // The owner's membership, by its id. Without a foreign key: a membership that a service entered is
                // deleted and comes back with the same id when the person accepts it. A resource whose owner's
                // membership has ended belongs to nobody, and ids are never used twice.
                "ALTER TABLE resources ADD COLUMN owner_id {uuid}",
                // What belongs to a member, by type, page by page.
                "CREATE INDEX resources_of_owner ON resources (workspace_id, owner_id, kind, id)
                    WHERE owner_id IS NOT NULL",
            ],
        )
        .await
    }
}
