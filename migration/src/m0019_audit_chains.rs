//! Every audit event is in a hash chain: of its workspace, its account, its user, or of the installation, which
//! records which chains were started. The heads of all chains are in one table. Names and addresses are in rows
//! of their own, to which the chain is only committed, so that they can be erased. Checkpoints are signed by the
//! program, with a key that is not in the database.

use crate::{
    audit_guards::{postgres, sqlite},
    audit_v1, sql,
};
use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        sql::WHOLE
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, TABLES).await?;
        sql::run_on(
            DbBackend::Postgres,
            manager,
            &["ALTER TABLE audit_events_before RENAME CONSTRAINT audit_events_pkey TO audit_events_before_pkey"],
        )
        .await?;
        sql::run(manager, &[EVENTS]).await?;
        for (backend, chains) in CHAINS {
            sql::run_on(backend, manager, &[chains]).await?;
        }
        audit_v1::chain_again(manager).await?;
        sql::run(manager, &["DROP TABLE audit_events_before"]).await?;
        sql::run(manager, INDICES).await?;
        sql::run_on(DbBackend::Sqlite, manager, sqlite::TRIGGERS).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await?;
        sql::run_on(DbBackend::Postgres, manager, postgres::FUNCTIONS).await?;
        sql::run_on(DbBackend::Postgres, manager, postgres::TRIGGERS).await?;
        sql::run_on(DbBackend::Postgres, manager, &[postgres::ALWAYS]).await?;
        sql::run(
            manager,
            &[
                "ALTER TABLE workspaces DROP COLUMN audit_seq",
                "ALTER TABLE workspaces DROP COLUMN audit_hash",
            ],
        )
        .await
    }
}

const TABLES: &[&str] = &[
    // The head of each chain: the number and the hash of its last event, and whether a checkpoint has it. No
    // foreign keys: a chain outlives whatever it is about. The installation's has the id 0.
    "CREATE TABLE audit_chains (
        kind TEXT NOT NULL CHECK (kind IN ('workspace', 'account', 'user', 'installation')),
        id {uuid} NOT NULL,
        seq {int} NOT NULL,
        hash {blob} NOT NULL,
        sealed {bool} NOT NULL,
        PRIMARY KEY (kind, id)
    ) {keyed}",
    // Who an event names. A commitment stays for ever, because the chain covers it; what it commits to, and its
    // salt, is null once it is erased.
    "CREATE TABLE audit_identities (
        event_id {uuid} PRIMARY KEY NOT NULL,
        actor_commitment {blob} NOT NULL,
        actor_salt {blob},
        actor_name TEXT,
        actor_email TEXT,
        address TEXT,
        user_agent TEXT,
        target_subject {uuid},
        target_commitment {blob} NOT NULL,
        target_salt {blob},
        target_name TEXT,
        target_email TEXT,
        payload_subject {uuid},
        payload_commitment {blob},
        payload_salt {blob},
        payload TEXT
    ) {keyed}",
    "CREATE TABLE audit_checkpoints (
        seq {int} PRIMARY KEY NOT NULL,
        note TEXT NOT NULL
    ) {keyed}",
    "CREATE TABLE audit_checkpoint_heads (
        kind TEXT NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL,
        hash {blob} NOT NULL,
        checkpoint {int} NOT NULL,
        PRIMARY KEY (kind, id, seq)
    ) {keyed}",
    // Which parts of which names were erased, and by which erasure: an event of the installation has its id.
    "CREATE TABLE audit_erasures (
        event_id {uuid} NOT NULL,
        part TEXT NOT NULL CHECK (part IN ('actor', 'payload', 'target')),
        erasure {uuid} NOT NULL,
        PRIMARY KEY (event_id, part)
    ) {keyed}",
    "ALTER TABLE audit_events RENAME TO audit_events_before",
];

/// An event is in the chain of the first of these that it names: workspace, account, user; the installation's
/// names none. Stored in its primary key, so that on SQLite no row has a number of its own by which it could be
/// replaced.
const EVENTS: &str = "CREATE TABLE audit_events (
        id {uuid} PRIMARY KEY NOT NULL,
        workspace_id {uuid},
        account_id {uuid},
        user_id {uuid},
        seq {int} NOT NULL,
        at {int} NOT NULL,
        kind TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
        actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'operator', 'system')),
        actor_id {uuid},
        target_kind TEXT NOT NULL,
        target_id {uuid},
        via TEXT NOT NULL CHECK (via IN ('browser', 'api', 'command')),
        payload TEXT NOT NULL,
        hash {blob} NOT NULL,
        CHECK (user_id IS NULL OR (workspace_id IS NULL AND account_id IS NULL))
    ) {keyed}";

/// The chains of what there is, all empty.
const CHAINS: [(DbBackend, &str); 2] = [
    (
        DbBackend::Sqlite,
        "INSERT INTO audit_chains (kind, id, seq, hash, sealed)
            SELECT 'workspace', id, 0, X'', TRUE FROM workspaces
            UNION ALL SELECT 'account', id, 0, X'', TRUE FROM accounts
            UNION ALL SELECT 'user', id, 0, X'', TRUE FROM users
            UNION ALL SELECT 'installation', zeroblob(16), 0, X'', TRUE",
    ),
    (
        DbBackend::Postgres,
        "INSERT INTO audit_chains (kind, id, seq, hash, sealed)
            SELECT 'workspace', id, 0, ''::bytea, TRUE FROM workspaces
            UNION ALL SELECT 'account', id, 0, ''::bytea, TRUE FROM accounts
            UNION ALL SELECT 'user', id, 0, ''::bytea, TRUE FROM users
            UNION ALL SELECT 'installation', '00000000-0000-0000-0000-000000000000'::uuid, 0, ''::bytea, TRUE",
    ),
];

const INDICES: &[&str] = &[
    "CREATE UNIQUE INDEX audit_events_chain ON audit_events (workspace_id, seq) WHERE workspace_id IS NOT NULL",
    "CREATE UNIQUE INDEX audit_events_chain_of_account ON audit_events (account_id, seq)
        WHERE workspace_id IS NULL AND account_id IS NOT NULL",
    "CREATE UNIQUE INDEX audit_events_chain_of_user ON audit_events (user_id, seq) WHERE user_id IS NOT NULL",
    "CREATE UNIQUE INDEX audit_events_chain_of_installation ON audit_events (seq)
        WHERE workspace_id IS NULL AND account_id IS NULL AND user_id IS NULL",
    "CREATE INDEX audit_events_by_kind ON audit_events (workspace_id, kind, seq)",
    "CREATE INDEX audit_events_by_actor ON audit_events (workspace_id, actor_id, seq)",
    "CREATE INDEX audit_events_by_target ON audit_events (workspace_id, target_id, seq)",
    "CREATE INDEX audit_events_by_outcome ON audit_events (workspace_id, outcome, seq)",
    "CREATE INDEX audit_events_by_time ON audit_events (workspace_id, at, seq)",
    "CREATE INDEX audit_events_of_account ON audit_events (account_id, at, id) WHERE account_id IS NOT NULL",
    "CREATE INDEX audit_checkpoint_heads_of_one ON audit_checkpoint_heads (checkpoint, kind, id, seq)",
    "CREATE INDEX audit_erasures_of_one ON audit_erasures (erasure, event_id, part)",
    // What the next checkpoint commits to.
    "CREATE INDEX audit_chains_changed ON audit_chains (kind, id) WHERE NOT sealed AND kind <> 'installation'",
];

const POSTGRES: &[&str] = &[
    "DROP FUNCTION audit_events_append_only()",
    // As in m0007 and m0009.
    "ALTER TABLE audit_events ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
    "ALTER TABLE audit_events ALTER COLUMN account_id SET (n_distinct = -0.001)",
    "ALTER TABLE audit_events ALTER COLUMN user_id SET (n_distinct = -0.001)",
    "ANALYZE audit_events, audit_identities, audit_chains",
];
