//! Traffic: the requests that went through the gateway, or were refused there, and what limits the gateway on all
//! nodes together.

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
                // A record, so it outlives the key and the destination that it names; only with the workspace it
                // goes. path has no query. stage is where Bailiwick itself ended the request, NULL where the
                // destination's answer was passed on. Within a workspace rows are in the order of their times,
                // which the key of the table stores them in.
                "CREATE TABLE traffic (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    at {int} NOT NULL,
                    id {uuid} NOT NULL,
                    api_key_id {uuid},
                    key_name TEXT NOT NULL,
                    destination_id {uuid},
                    host TEXT {bytewise} NOT NULL,
                    method TEXT {bytewise} NOT NULL,
                    path TEXT NOT NULL,
                    status {int},
                    stage TEXT {bytewise},
                    bytes_in {int} NOT NULL,
                    bytes_out {int} NOT NULL,
                    ms {int} NOT NULL,
                    PRIMARY KEY (workspace_id, at, id)
                ) {keyed}",
                "CREATE INDEX traffic_of_key ON traffic (workspace_id, api_key_id, at, id)",
                "CREATE INDEX traffic_of_destination ON traffic (workspace_id, destination_id, at, id)",
                "CREATE INDEX traffic_by_stage ON traffic (workspace_id, stage, at, id) WHERE stage IS NOT NULL",
                "CREATE INDEX traffic_by_age ON traffic (at)",
                // All requests of a day (UTC), also those that are not listed. subject_id is a key's, a
                // destination's, or all zeros for the whole workspace. day is its first moment.
                "CREATE TABLE traffic_days (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    subject_id {uuid} NOT NULL,
                    day {int} NOT NULL,
                    answered {int} NOT NULL,
                    client_errors {int} NOT NULL,
                    failed {int} NOT NULL,
                    refused {int} NOT NULL,
                    bytes_in {int} NOT NULL,
                    bytes_out {int} NOT NULL,
                    unlisted {int} NOT NULL,
                    PRIMARY KEY (workspace_id, subject_id, day)
                ) {keyed}",
                "CREATE INDEX traffic_days_by_age ON traffic_days (day)",
                // What a node may let through at once, or within a period, of a limit that all nodes share. scope says
                // which limit, scope_id of which key, destination or workspace. Rows live for seconds.
                "CREATE TABLE gateway_leases (
                    scope TEXT {bytewise} NOT NULL,
                    scope_id {uuid} NOT NULL,
                    node_id {uuid} NOT NULL,
                    permits {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    PRIMARY KEY (scope, scope_id, node_id)
                ) {keyed}",
                "CREATE INDEX gateway_leases_by_age ON gateway_leases (expires_at)",
            ],
        )
        .await
    }
}
