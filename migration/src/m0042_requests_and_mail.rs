//! Members ask for access, what needs attention can wait, and people choose which mail they get.

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
                // Either a scope or the slug of a role is asked for; the other one is empty. ends_at is until when it is
                // wanted, expires_at when nobody can answer any more. What was given is in the columns after answered_at.
                "CREATE TABLE access_requests (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    member_id {uuid} NOT NULL,
                    scope TEXT NOT NULL,
                    role TEXT NOT NULL,
                    reason TEXT NOT NULL,
                    ends_at {int},
                    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'withdrawn')),
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    answered_by {uuid} REFERENCES users (id) ON DELETE SET NULL,
                    answered_at {int},
                    answer TEXT NOT NULL,
                    given_role TEXT NOT NULL,
                    given_until {int},
                    CHECK ((scope = '') <> (role = '')),
                    CHECK ((status = 'pending') = (answered_at IS NULL)),
                    UNIQUE (workspace_id, id),
                    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE UNIQUE INDEX access_requests_once ON access_requests (workspace_id, member_id, scope, role)
                    WHERE status = 'pending'",
                "CREATE INDEX access_requests_pending ON access_requests (workspace_id, created_at, id)
                    WHERE status = 'pending'",
                "CREATE INDEX access_requests_by_time ON access_requests (workspace_id, created_at, id)",
                "CREATE INDEX access_requests_of_member ON access_requests (workspace_id, member_id, created_at, id)",
                "CREATE INDEX access_requests_of_answerer ON access_requests (answered_by)
                    WHERE answered_by IS NOT NULL",
                "CREATE INDEX access_requests_by_expiry ON access_requests (expires_at)",
                // What somebody does not want to see among what needs attention for now.
                "CREATE TABLE attention_snoozes (
                    workspace_id {uuid} NOT NULL,
                    member_id {uuid} NOT NULL,
                    item TEXT NOT NULL,
                    until {int} NOT NULL,
                    PRIMARY KEY (workspace_id, member_id, item),
                    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX attention_snoozes_by_end ON attention_snoozes (until)",
                // Where somebody chose nothing, the kind's default counts. next_at is when the next digest is due.
                "CREATE TABLE mail_choices (
                    user_id {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                    kind TEXT NOT NULL,
                    is_wanted {bool} NOT NULL,
                    next_at {int},
                    PRIMARY KEY (user_id, kind)
                ) {keyed}",
                "CREATE INDEX mail_choices_due ON mail_choices (next_at) WHERE next_at IS NOT NULL",
                // Of mail that its recipient can stop: the kind, and who they are.
                "ALTER TABLE outbox ADD COLUMN choice TEXT",
                "ALTER TABLE outbox ADD COLUMN recipient_id {uuid}",
                // When the person who is accountable for a key was told that it expires soon.
                "ALTER TABLE api_keys ADD COLUMN expiry_notified_at {int}",
                "CREATE INDEX api_keys_to_notify ON api_keys (expires_at)
                    WHERE expires_at IS NOT NULL AND revoked_at IS NULL AND expiry_notified_at IS NULL",
            ],
        )
        .await
    }
}
