//! API keys: principals without a person. A key belongs to an account and becomes a member of its
//! workspaces, as a person does.

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
                // made_by answers for the key; where another key made it, that is whoever answers for
                // that one. home_id is the workspace that is meant where a request names none.
                "CREATE TABLE api_keys (
                    id {uuid} PRIMARY KEY NOT NULL,
                    account_id {uuid} NOT NULL REFERENCES accounts (id),
                    name TEXT NOT NULL,
                    is_admin {bool} NOT NULL,
                    home_id {uuid} REFERENCES workspaces (id) ON DELETE SET NULL,
                    made_by {uuid} NOT NULL REFERENCES users (id),
                    created_at {int} NOT NULL,
                    expires_at {int},
                    revoked_at {int},
                    last_used_at {int}
                ) {table}",
                "CREATE INDEX api_keys_of_account ON api_keys (account_id, created_at, id)",
                "CREATE INDEX api_keys_of_maker ON api_keys (made_by)",
                "CREATE INDEX api_keys_by_home ON api_keys (home_id)",
                // A key has two secrets while one takes the other's place.
                "CREATE TABLE api_key_secrets (
                    token_hash {blob} PRIMARY KEY NOT NULL,
                    api_key_id {uuid} NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
                    hint TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    expires_at {int}
                ) {keyed}",
                "CREATE INDEX api_key_secrets_of ON api_key_secrets (api_key_id, created_at)",
                "ALTER TABLE members ADD COLUMN api_key_id {uuid} REFERENCES api_keys (id)
                    CHECK ((kind = 'api_key') = (api_key_id IS NOT NULL))",
                // Without the many rows that have none, so that no list is gone through along them.
                "CREATE UNIQUE INDEX members_one_a_key ON members (workspace_id, api_key_id)
                    WHERE api_key_id IS NOT NULL",
                "CREATE INDEX members_of_key ON members (api_key_id) WHERE api_key_id IS NOT NULL",
                // A few keys among thousands of people are listed without a look at these.
                "CREATE INDEX members_keys_by_name ON members (workspace_id, listed_as, id)
                    WHERE api_key_id IS NOT NULL",
                // By what a customer's own application calls somebody.
                "ALTER TABLE members ADD COLUMN external_id TEXT {bytewise}",
                "CREATE UNIQUE INDEX members_one_an_external_id ON members (workspace_id, external_id)
                    WHERE external_id IS NOT NULL",
                // An invitation by a key stands and falls with the key; inviter_id answers for it.
                "ALTER TABLE invitations ADD COLUMN inviter_key_id {uuid} REFERENCES api_keys (id)",
                "CREATE INDEX invitations_of_key ON invitations (workspace_id, inviter_key_id)
                    WHERE inviter_key_id IS NOT NULL",
                // Whose they are is counted in the index alone, so it says too whether a key sent them.
                "DROP INDEX invitations_waiting",
                "CREATE INDEX invitations_waiting
                    ON invitations (workspace_id, expires_at, inviter_id, inviter_key_id)
                    WHERE status = 'pending'",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// Nothing crosses from one account to another: behind the rule in the domain, the database's own.
const SQLITE: &[&str] = &[
    "CREATE TRIGGER keys_stay_in_their_account BEFORE INSERT ON members
        WHEN NEW.api_key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k
            JOIN workspaces w ON w.account_id = k.account_id
            WHERE k.id = NEW.api_key_id AND w.id = NEW.workspace_id)
        BEGIN SELECT RAISE(ABORT, 'a key stays in its account'); END",
    "CREATE TRIGGER members_stay_who_they_are BEFORE UPDATE OF workspace_id, kind, user_id, api_key_id ON members
        BEGIN SELECT RAISE(ABORT, 'a membership is not handed to somebody else'); END",
    "CREATE TRIGGER api_keys_stay_whose_they_are BEFORE UPDATE OF id, account_id ON api_keys
        BEGIN SELECT RAISE(ABORT, 'a key stays in its account'); END",
    // Gone from its home, a key must name the workspace that it means.
    "CREATE TRIGGER keys_without_a_home AFTER DELETE ON members WHEN OLD.api_key_id IS NOT NULL BEGIN
        UPDATE api_keys SET home_id = NULL WHERE id = OLD.api_key_id AND home_id = OLD.workspace_id;
    END",
];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION keep_keys_in_their_account() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM api_keys k JOIN workspaces w ON w.account_id = k.account_id
                WHERE k.id = NEW.api_key_id AND w.id = NEW.workspace_id) THEN
                RAISE EXCEPTION 'a key stays in its account' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$",
    "CREATE TRIGGER keys_stay_in_their_account BEFORE INSERT ON members
        FOR EACH ROW WHEN (NEW.api_key_id IS NOT NULL) EXECUTE FUNCTION keep_keys_in_their_account()",
    "CREATE TRIGGER members_stay_who_they_are BEFORE UPDATE OF workspace_id, kind, user_id, api_key_id ON members
        FOR EACH ROW EXECUTE FUNCTION refuse_edit('a membership is not handed to somebody else')",
    "CREATE TRIGGER api_keys_stay_whose_they_are BEFORE UPDATE OF id, account_id ON api_keys
        FOR EACH ROW EXECUTE FUNCTION refuse_edit('a key stays in its account')",
    "CREATE FUNCTION leave_home() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE api_keys SET home_id = NULL WHERE id = OLD.api_key_id AND home_id = OLD.workspace_id;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER keys_without_a_home AFTER DELETE ON members
        FOR EACH ROW WHEN (OLD.api_key_id IS NOT NULL) EXECUTE FUNCTION leave_home()",
];
