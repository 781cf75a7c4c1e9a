//! Support: requests to the people who run the installation, with their answers; and the access for a limited time that a
//! workspace grants them, with each page that they looked at.

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
                // asked_by is the person, or who is accountable for the key. answered_at is when the last answer came.
                "CREATE TABLE support_requests (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    asked_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    asked_by_key_id {uuid} REFERENCES api_keys (id) ON DELETE SET NULL,
                    category TEXT NOT NULL
                        CHECK (category IN ('set-up', 'technical', 'billing', 'security', 'account')),
                    expected TEXT NOT NULL,
                    happened TEXT NOT NULL,
                    happened_when TEXT NOT NULL,
                    about_request TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    answered_at {int},
                    UNIQUE (workspace_id, id)
                ) {table}",
                "CREATE INDEX support_requests_by_time ON support_requests (workspace_id, created_at, id)",
                "CREATE INDEX support_requests_of_asker
                    ON support_requests (workspace_id, asked_by, created_at, id)",
                "CREATE INDEX support_requests_of_user ON support_requests (asked_by)",
                "CREATE INDEX support_requests_of_key ON support_requests (asked_by_key_id, created_at, id)
                    WHERE asked_by_key_id IS NOT NULL",
                "CREATE INDEX support_requests_open ON support_requests (created_at, id) WHERE answered_at IS NULL",
                "CREATE TABLE support_answers (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    request_id {uuid} NOT NULL,
                    answered_by TEXT NOT NULL,
                    body TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    FOREIGN KEY (workspace_id, request_id) REFERENCES support_requests (workspace_id, id)
                        ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX support_answers_of_request ON support_answers (workspace_id, request_id, created_at, id)",
                // scopes: the permissions that were asked for; granted_scopes: those that were granted. token_hash is that
                // of the link that was printed. ends_at is when granted access ends by itself.
                "CREATE TABLE support_grants (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    token_hash {blob} NOT NULL UNIQUE,
                    operator TEXT NOT NULL,
                    reason TEXT NOT NULL,
                    about_request TEXT NOT NULL,
                    scopes TEXT NOT NULL,
                    hours {int} NOT NULL CHECK (hours BETWEEN 1 AND 24),
                    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'ended')),
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    answered_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    answered_at {int},
                    granted_scopes TEXT NOT NULL,
                    ends_at {int},
                    ended_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    ended_at {int},
                    CHECK ((status IN ('accepted', 'ended')) = (ends_at IS NOT NULL)),
                    CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
                    UNIQUE (workspace_id, id)
                ) {table}",
                "CREATE UNIQUE INDEX support_grants_one_at_a_time ON support_grants (workspace_id)
                    WHERE status = 'accepted'",
                "CREATE INDEX support_grants_by_time ON support_grants (workspace_id, created_at, id)",
                "CREATE INDEX support_grants_of_answerer ON support_grants (answered_by) WHERE answered_by IS NOT NULL",
                "CREATE INDEX support_grants_of_ender ON support_grants (ended_by) WHERE ended_by IS NOT NULL",
                "CREATE INDEX support_grants_by_end ON support_grants (ends_at) WHERE status = 'accepted'",
                "CREATE TABLE support_views (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    grant_id {uuid} NOT NULL,
                    path TEXT NOT NULL,
                    at {int} NOT NULL,
                    FOREIGN KEY (workspace_id, grant_id) REFERENCES support_grants (workspace_id, id)
                        ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX support_views_of_grant ON support_views (workspace_id, grant_id, at, id)",
                // Until when support access runs, if it does: everybody in the workspace sees it on each page.
                "ALTER TABLE workspaces ADD COLUMN support_until {int}",
            ],
        )
        .await
    }
}
