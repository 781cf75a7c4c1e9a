//! A workspace's events go to destinations: how each is signed, what waits, and what came of it.

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
                // The secrets can't be read without the installation's own. `accountable_user_id` is who turned events
                // on: nothing is sent that they could not see. `next_due_at` is when something is to be sent, and
                // 9223372036854775807 for never; one node at a time does it, until `leased_until`.
                "CREATE TABLE event_endpoints (
                    destination_id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    secret TEXT NOT NULL,
                    secret_created_at {int} NOT NULL,
                    old_secret TEXT,
                    old_secret_ends_at {int},
                    accountable_user_id {uuid} NOT NULL REFERENCES users (id),
                    stopped_at {int},
                    stop_reason TEXT,
                    failing_since {int},
                    last_success_at {int},
                    not_before {int} NOT NULL DEFAULT 0,
                    next_probe_at {int},
                    next_due_at {int} NOT NULL,
                    leased_until {int} NOT NULL DEFAULT 0,
                    mailed_at {int},
                    CHECK (stop_reason IN ('failed', 'gone', 'authority')),
                    CHECK ((stopped_at IS NULL) = (stop_reason IS NULL)),
                    FOREIGN KEY (workspace_id, destination_id)
                        REFERENCES destinations (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX event_endpoints_due ON event_endpoints (next_due_at, destination_id)",
                "CREATE INDEX event_endpoints_of_destination ON event_endpoints (workspace_id, destination_id)",
                "CREATE INDEX event_endpoints_of_user ON event_endpoints (accountable_user_id)",
                "CREATE INDEX destinations_of_events ON destinations (workspace_id, id) WHERE receives_events",
                // One row for each event and destination; its id is the id of the message. What is sent is read from
                // the audit record at that moment. `event_id` is NULL for a message that is no event: a test, a probe.
                "CREATE TABLE event_deliveries (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    destination_id {uuid} NOT NULL,
                    event_id {uuid},
                    kind TEXT NOT NULL,
                    status TEXT NOT NULL CHECK (status IN ('waiting', 'delivered', 'held', 'failed')),
                    queued_at {int} NOT NULL,
                    due_at {int},
                    attempts {int} NOT NULL DEFAULT 0,
                    tries_left {int} NOT NULL,
                    last_attempt_at {int},
                    last_status {int},
                    last_error TEXT,
                    expires_at {int} NOT NULL,
                    UNIQUE (workspace_id, id),
                    CHECK ((status = 'waiting') = (due_at IS NOT NULL)),
                    FOREIGN KEY (workspace_id, destination_id)
                        REFERENCES destinations (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX event_deliveries_due ON event_deliveries (destination_id, due_at, id)
                    WHERE status = 'waiting'",
                "CREATE INDEX event_deliveries_waiting ON event_deliveries (queued_at, attempts)
                    WHERE status = 'waiting'",
                "CREATE INDEX event_deliveries_list
                    ON event_deliveries (workspace_id, destination_id, queued_at, id)",
                "CREATE INDEX event_deliveries_by_status
                    ON event_deliveries (workspace_id, destination_id, status, queued_at, id)",
                "CREATE INDEX event_deliveries_by_expiry ON event_deliveries (expires_at)",
                // Each attempt, with the status and the first bytes of the response, or why there was none.
                "CREATE TABLE event_attempts (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL,
                    delivery_id {uuid} NOT NULL,
                    attempted_at {int} NOT NULL,
                    status {int},
                    error TEXT,
                    duration_ms {int} NOT NULL,
                    body TEXT NOT NULL,
                    FOREIGN KEY (workspace_id, delivery_id)
                        REFERENCES event_deliveries (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE INDEX event_attempts_of_delivery ON event_attempts (workspace_id, delivery_id, attempted_at)",
            ],
        )
        .await
    }
}
