//! Audit events: append-only, and chained by hash within a workspace.

use crate::sql;
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

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
                // No foreign keys: an event outlives whatever it tells of, the workspace included.
                // workspace_id is null for what a person did outside any workspace.
                "CREATE TABLE audit_events (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid},
                    seq {int} NOT NULL,
                    at {int} NOT NULL,
                    kind TEXT NOT NULL,
                    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
                    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'operator', 'system')),
                    actor_id {uuid},
                    actor_name TEXT NOT NULL,
                    target_kind TEXT NOT NULL,
                    target_id {uuid},
                    target_name TEXT NOT NULL,
                    via TEXT NOT NULL CHECK (via IN ('browser', 'api', 'command')),
                    address TEXT NOT NULL,
                    user_agent TEXT NOT NULL,
                    payload TEXT NOT NULL,
                    hash {blob} NOT NULL
                ) {table}",
                "CREATE UNIQUE INDEX audit_events_chain ON audit_events (workspace_id, seq)
                    WHERE workspace_id IS NOT NULL",
                "CREATE INDEX audit_events_by_kind ON audit_events (workspace_id, kind, seq)",
                "CREATE INDEX audit_events_by_actor ON audit_events (workspace_id, actor_id, seq)",
                "CREATE INDEX audit_events_by_target ON audit_events (workspace_id, target_id, seq)",
                "CREATE INDEX audit_events_by_outcome ON audit_events (workspace_id, outcome, seq)",
                "CREATE INDEX audit_events_by_time ON audit_events (workspace_id, at)",
                "CREATE INDEX audit_events_of_person ON audit_events (actor_id, at) WHERE workspace_id IS NULL",
            ],
        )
        .await?;
        sql::run_on(
            DbBackend::Sqlite,
            manager,
            &[
                "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
                    BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END",
                "CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
                    BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END",
            ],
        )
        .await?;
        sql::run_on(
            DbBackend::Postgres,
            manager,
            &[
                "CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'audit events are append-only'; END $$",
                "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
                    FOR EACH ROW EXECUTE FUNCTION audit_events_append_only()",
                "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
                    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only()",
            ],
        )
        .await
    }
}
