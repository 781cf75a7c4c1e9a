//! People, and how they prove who they are.

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
                "CREATE TABLE users (
                    id {uuid} PRIMARY KEY NOT NULL,
                    email TEXT NOT NULL UNIQUE,
                    name TEXT NOT NULL,
                    password_hash TEXT NOT NULL,
                    email_verified_at {int},
                    suspended_at {int},
                    created_at {int} NOT NULL
                ) {table}",
                "CREATE TABLE sessions (
                    id {uuid} PRIMARY KEY NOT NULL,
                    token_hash {blob} NOT NULL UNIQUE,
                    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    address TEXT NOT NULL,
                    user_agent TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    last_seen_at {int} NOT NULL,
                    expires_at {int} NOT NULL
                ) {table}",
                "CREATE INDEX sessions_of_user ON sessions (user_id)",
                "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
                // `email` is the address that the token was sent to: it dies when the user has another.
                "CREATE TABLE email_tokens (
                    id {uuid} PRIMARY KEY NOT NULL,
                    token_hash {blob} NOT NULL UNIQUE,
                    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    purpose TEXT NOT NULL CHECK (purpose IN ('verify_email', 'change_email', 'reset_password')),
                    email TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    used_at {int}
                ) {table}",
                "CREATE INDEX email_tokens_of_user ON email_tokens (user_id, purpose)",
                // A message for the next page of one session only, shown once.
                "CREATE TABLE notices (
                    id {uuid} PRIMARY KEY NOT NULL,
                    session_id {uuid} NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
                    body TEXT NOT NULL,
                    expires_at {int} NOT NULL
                ) {table}",
                "CREATE INDEX notices_of_session ON notices (session_id)",
                "CREATE TABLE rate_limits (
                    key TEXT PRIMARY KEY NOT NULL,
                    window_start {int} NOT NULL,
                    used {int} NOT NULL
                ) {keyed}",
                "CREATE INDEX rate_limits_by_age ON rate_limits (window_start)",
            ],
        )
        .await
    }
}
