//! Mail that a server refuses for good: the message stays, without its text, for whoever caused it.

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
                // When it was given up; NULL as long as it waits.
                "ALTER TABLE outbox ADD COLUMN failed_at {int}",
                // The invitation that it is about, and its workspace. NULL where nobody would look for it.
                "ALTER TABLE outbox ADD COLUMN about {uuid}",
                "ALTER TABLE outbox ADD COLUMN about_workspace {uuid}",
                "CREATE INDEX outbox_failed ON outbox (about_workspace) WHERE failed_at IS NOT NULL",
                // The message with the present link. NULL for what was sent before there was this column.
                "ALTER TABLE invitations ADD COLUMN mail_id {uuid}",
            ],
        )
        .await
    }
}
