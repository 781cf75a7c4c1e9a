//! What people chose about their own pages, such as that a list of first steps is no longer shown to them.

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
                // The name says what it is about: `first-steps:` and the id of a workspace.
                "CREATE TABLE user_choices (
                    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    name TEXT {bytewise} NOT NULL,
                    value TEXT NOT NULL,
                    chosen_at {int} NOT NULL,
                    PRIMARY KEY (user_id, name)
                ) {keyed}",
            ],
        )
        .await
    }
}
