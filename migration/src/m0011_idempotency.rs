//! What was asked under an Idempotency-Key, and what was answered: for a day, so that a program that
//! lost an answer can ask again without doing the thing twice.

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
                // `id` is of the attempt that holds the name, and another's once that took it over.
                // `done_at` is set in the transaction of the change itself; `status` and `body` later,
                // and never where the answer holds a secret.
                "CREATE TABLE idempotency_keys (
                    api_key_id {uuid} NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    id {uuid} NOT NULL,
                    request_hash {blob} NOT NULL,
                    created_at {int} NOT NULL,
                    done_at {int},
                    status {int},
                    body TEXT,
                    PRIMARY KEY (api_key_id, name)
                ) {keyed}",
                "CREATE UNIQUE INDEX idempotency_keys_by_attempt ON idempotency_keys (id)",
                "CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)",
            ],
        )
        .await
    }
}
