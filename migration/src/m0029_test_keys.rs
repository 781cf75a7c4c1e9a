//! Test keys: API keys that hold one scope, and may send only so many requests.

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
                // The one scope of its roles that the key holds; NULL for all of them.
                "ALTER TABLE api_keys ADD COLUMN only_scope TEXT",
                // How many more requests it may send through the gateway; NULL for any number.
                "ALTER TABLE api_keys ADD COLUMN requests_left {int} CHECK (requests_left >= 0)",
            ],
        )
        .await
    }
}
