//! What is to leave the house, written in the transaction that wants it and sent after.

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
                // A message carries links with secrets in them, so it is deleted once it is sent.
                "CREATE TABLE outbox (
                    id {uuid} PRIMARY KEY NOT NULL,
                    recipient TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    body TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    next_attempt_at {int} NOT NULL,
                    attempts {int} NOT NULL,
                    last_error TEXT
                ) {table}",
                "CREATE INDEX outbox_due ON outbox (next_attempt_at)",
            ],
        )
        .await
    }
}
