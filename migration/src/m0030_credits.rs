//! Credits: a ledger for each workspace, in double entry.

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
                // The end of the ledger, which whoever writes locks. `at` is the time of the last transfer, so that
                // times never go back. The three accounts are those that each ledger has one of. Below `notice_below` those who can buy are notified, `mailed_at` says when.
                "CREATE TABLE credit_ledgers (
                    workspace_id {uuid} PRIMARY KEY NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    seq {int} NOT NULL,
                    hash {blob} NOT NULL,
                    at {int} NOT NULL,
                    issued_id {uuid} NOT NULL,
                    spent_id {uuid} NOT NULL,
                    expired_id {uuid} NOT NULL,
                    notice_below {int} CHECK (notice_below > 0),
                    mailed_at {int}
                ) {table}",
                // Of each ledger: where credits come from (`issued`, which alone is below zero), where they go
                // (`spent`, `expired`), and two for each grant: what is left of it, and what is held of it
                // (`held`, whose grant_id is the account of the grant). Only the balance ever changes.
                "CREATE TABLE credit_accounts (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES credit_ledgers (workspace_id) ON DELETE CASCADE,
                    kind TEXT {bytewise} NOT NULL CHECK (kind IN ('issued', 'spent', 'expired', 'grant', 'held')),
                    grant_id {uuid},
                    source TEXT {bytewise} CHECK (source IN ('included', 'bought')),
                    expires_at {int},
                    note TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    granted {int},
                    balance {int} NOT NULL,
                    UNIQUE (workspace_id, id),
                    CHECK (CASE kind WHEN 'issued' THEN balance <= 0 ELSE balance >= 0 END),
                    CHECK ((kind = 'grant') = (source IS NOT NULL)),
                    CHECK ((kind = 'grant') = (expires_at IS NOT NULL)),
                    CHECK ((kind = 'grant') = (granted IS NOT NULL)),
                    CHECK ((kind = 'held') = (grant_id IS NOT NULL))
                ) {table}",
                "CREATE UNIQUE INDEX credit_accounts_of_grant ON credit_accounts (workspace_id, grant_id)
                    WHERE grant_id IS NOT NULL",
                // In the order in which they are spent.
                "CREATE INDEX credit_accounts_left ON credit_accounts (workspace_id, expires_at, source DESC, id)
                    WHERE kind = 'grant' AND balance > 0",
                "CREATE INDEX credit_accounts_due ON credit_accounts (expires_at, id)
                    WHERE kind = 'grant' AND balance > 0",
                "CREATE INDEX credit_accounts_held ON credit_accounts (workspace_id, id)
                    WHERE kind = 'held' AND balance > 0",
                // A reservation. Its parts, one for each grant, are its transfers.
                "CREATE TABLE credit_holds (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES credit_ledgers (workspace_id) ON DELETE CASCADE,
                    amount {int} NOT NULL CHECK (amount > 0),
                    status TEXT {bytewise} NOT NULL CHECK (status IN ('open', 'settled', 'released', 'expired')),
                    settled {int} NOT NULL CHECK (settled >= 0 AND settled <= amount),
                    client_id TEXT {bytewise},
                    api_key_id {uuid},
                    key_name TEXT NOT NULL,
                    note TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    expires_at {int} NOT NULL,
                    closed_at {int},
                    UNIQUE (workspace_id, id),
                    CHECK ((status = 'open') = (closed_at IS NULL)),
                    CHECK ((status = 'settled') = (settled > 0))
                ) {table}",
                "CREATE INDEX credit_holds_open ON credit_holds (workspace_id, expires_at, id)
                    WHERE status = 'open'",
                "CREATE INDEX credit_holds_due ON credit_holds (expires_at, id) WHERE status = 'open'",
                // What happened, in order, and never changed: a correction is a transfer that reverses another. The
                // hash covers the one before, so that whatever is changed afterwards shows. The key is named as it was
                // called at that moment. Were the rows stored in the primary key, SQLite would go through a whole
                // ledger rather than look rows up that another index finds.
                "CREATE TABLE credit_transfers (
                    workspace_id {uuid} NOT NULL,
                    seq {int} NOT NULL,
                    id {uuid} NOT NULL,
                    at {int} NOT NULL,
                    kind TEXT {bytewise} NOT NULL CHECK (kind IN
                        ('grant', 'usage', 'hold', 'settlement', 'release', 'expiry', 'reversal')),
                    debit_id {uuid} NOT NULL,
                    credit_id {uuid} NOT NULL,
                    amount {int} NOT NULL CHECK (amount > 0),
                    hold_id {uuid},
                    reverses {uuid},
                    client_id TEXT {bytewise},
                    api_key_id {uuid},
                    key_name TEXT NOT NULL,
                    note TEXT NOT NULL,
                    hash {blob} NOT NULL,
                    PRIMARY KEY (workspace_id, seq),
                    CHECK (debit_id <> credit_id),
                    CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
                    FOREIGN KEY (workspace_id, debit_id) REFERENCES credit_accounts (workspace_id, id)
                        ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, credit_id) REFERENCES credit_accounts (workspace_id, id)
                        ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, hold_id) REFERENCES credit_holds (workspace_id, id) ON DELETE CASCADE
                ) {table}",
                "CREATE UNIQUE INDEX credit_transfers_by_id ON credit_transfers (workspace_id, id)",
                "CREATE UNIQUE INDEX credit_transfers_reversed ON credit_transfers (workspace_id, reverses)
                    WHERE reverses IS NOT NULL",
                "CREATE INDEX credit_transfers_by_kind ON credit_transfers (workspace_id, kind, seq)",
                "CREATE INDEX credit_transfers_by_time ON credit_transfers (workspace_id, at, seq)",
                "CREATE INDEX credit_transfers_of_key ON credit_transfers (workspace_id, api_key_id, seq)",
                "CREATE INDEX credit_transfers_of_client ON credit_transfers (workspace_id, client_id, seq)",
                "CREATE INDEX credit_transfers_of_hold ON credit_transfers (workspace_id, hold_id, seq)",
                "CREATE INDEX credit_transfers_of_debit ON credit_transfers (workspace_id, debit_id)",
                "CREATE INDEX credit_transfers_of_credit ON credit_transfers (workspace_id, credit_id)",
                // What was asked for under an id of the client's own, and the answer that it gets again.
                "CREATE TABLE credit_requests (
                    workspace_id {uuid} NOT NULL REFERENCES credit_ledgers (workspace_id) ON DELETE CASCADE,
                    client_id TEXT {bytewise} NOT NULL,
                    request_hash {blob} NOT NULL,
                    answer TEXT NOT NULL,
                    at {int} NOT NULL,
                    PRIMARY KEY (workspace_id, client_id)
                ) {keyed}",
                // What was used on each day (UTC), by its first moment. Derived from the transfers.
                "CREATE TABLE credit_days (
                    workspace_id {uuid} NOT NULL REFERENCES credit_ledgers (workspace_id) ON DELETE CASCADE,
                    day {int} NOT NULL,
                    used {int} NOT NULL CHECK (used >= 0),
                    PRIMARY KEY (workspace_id, day)
                ) {keyed}",
                "ALTER TABLE destinations ADD COLUMN price_credits {int} NOT NULL DEFAULT 0
                    CHECK (price_credits >= 0)",
                // As in a new workspace. A role that no longer manages keys was narrowed on purpose.
                "INSERT INTO grants (workspace_id, role_id, scope)
                    SELECT r.workspace_id, r.id, 'spend:credits' FROM roles r
                    JOIN grants g ON g.workspace_id = r.workspace_id AND g.role_id = r.id
                        AND g.scope = 'manage:api-keys'
                    WHERE r.built_in AND r.slug IN ('admin', 'developer')
                    ON CONFLICT DO NOTHING",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// A workspace that is being deleted is marked before, and its ledger goes with it.
const SQLITE: &[&str] = &[
    "CREATE TRIGGER credit_transfers_no_update BEFORE UPDATE ON credit_transfers
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER credit_transfers_no_delete BEFORE DELETE ON credit_transfers
        WHEN EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER credit_transfers_no_replace BEFORE INSERT ON credit_transfers
        WHEN EXISTS (SELECT 1 FROM credit_transfers t WHERE t.workspace_id = NEW.workspace_id
            AND (t.seq = NEW.seq OR t.id = NEW.id))
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER credit_accounts_only_balance BEFORE UPDATE ON credit_accounts
        WHEN NEW.id IS NOT OLD.id OR NEW.workspace_id IS NOT OLD.workspace_id OR NEW.kind IS NOT OLD.kind
        OR NEW.grant_id IS NOT OLD.grant_id OR NEW.source IS NOT OLD.source
        OR NEW.expires_at IS NOT OLD.expires_at OR NEW.granted IS NOT OLD.granted
        OR NEW.created_at IS NOT OLD.created_at OR NEW.note IS NOT OLD.note
        BEGIN SELECT RAISE(ABORT, 'only the balance of an account changes'); END",
    "CREATE TRIGGER credit_accounts_no_delete BEFORE DELETE ON credit_accounts
        WHEN EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
        BEGIN SELECT RAISE(ABORT, 'an account of the ledger is never deleted'); END",
    "CREATE TRIGGER credit_ledgers_no_delete BEFORE DELETE ON credit_ledgers
        WHEN EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
        BEGIN SELECT RAISE(ABORT, 'a ledger is never deleted'); END",
];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION credit_transfers_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT 1 FROM workspaces w
            WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the ledger is append-only';
    END $$",
    "CREATE TRIGGER credit_transfers_no_change BEFORE UPDATE OR DELETE ON credit_transfers
        FOR EACH ROW EXECUTE FUNCTION credit_transfers_append_only()",
    "CREATE FUNCTION credit_rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL) THEN
            RAISE EXCEPTION 'the ledger is append-only';
        END IF;
        RETURN OLD;
    END $$",
    "CREATE TRIGGER credit_accounts_no_delete BEFORE DELETE ON credit_accounts
        FOR EACH ROW EXECUTE FUNCTION credit_rows_stay()",
    "CREATE TRIGGER credit_ledgers_no_delete BEFORE DELETE ON credit_ledgers
        FOR EACH ROW EXECUTE FUNCTION credit_rows_stay()",
    "CREATE FUNCTION credit_accounts_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (NEW.id, NEW.workspace_id, NEW.kind, NEW.grant_id, NEW.source, NEW.expires_at, NEW.granted,
            NEW.created_at, NEW.note) IS DISTINCT FROM (OLD.id, OLD.workspace_id, OLD.kind, OLD.grant_id,
            OLD.source, OLD.expires_at, OLD.granted, OLD.created_at, OLD.note) THEN
            RAISE EXCEPTION 'only the balance of an account changes';
        END IF;
        RETURN NEW;
    END $$",
    "CREATE TRIGGER credit_accounts_only_balance BEFORE UPDATE ON credit_accounts
        FOR EACH ROW EXECUTE FUNCTION credit_accounts_keep()",
    "CREATE FUNCTION credit_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
    "CREATE TRIGGER credit_transfers_no_truncate BEFORE TRUNCATE ON credit_transfers
        FOR EACH STATEMENT EXECUTE FUNCTION credit_no_truncate()",
];
