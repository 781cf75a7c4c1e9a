//! Of those who sign up by the link for the first person, one is the first.

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
                // One row, which those who sign up by the link lock, and the one who confirms first takes.
                "CREATE TABLE first_person (
                    id {int} NOT NULL PRIMARY KEY CHECK (id = 1),
                    user_id {uuid}
                ) {table}",
                "INSERT INTO first_person (id) VALUES (1)",
                // Those who have not confirmed; and, once somebody was first, the others, whose users are deleted then, with
                // the hash of the token in the link that would have confirmed their address.
                "CREATE TABLE first_sign_ups (
                    user_id {uuid} NOT NULL PRIMARY KEY,
                    ended_at {int},
                    ended_token {blob}
                ) {table}",
                "CREATE INDEX first_sign_ups_ended ON first_sign_ups (ended_at) WHERE ended_at IS NOT NULL",
                "CREATE INDEX first_sign_ups_tokens ON first_sign_ups (ended_token) WHERE ended_token IS NOT NULL",
            ],
        )
        .await
    }
}
