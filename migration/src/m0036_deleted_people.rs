//! People who deleted their sign-in: a row without a name is left, for what names them by their id.

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
                // Whoever is deleted is suspended too, from the same moment on: what admits nobody who is suspended
                // needs to know no more.
                "ALTER TABLE users ADD COLUMN deleted_at {int}",
                // When their names were erased from the audit record.
                "ALTER TABLE users ADD COLUMN names_erased_at {int}",
                "CREATE INDEX users_to_erase ON users (deleted_at, id)
                    WHERE deleted_at IS NOT NULL AND names_erased_at IS NULL",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// As in m0009, but for an account that nobody else belongs to, and that has no workspace but deleted ones: its last
/// person may go.
const SQLITE: &[&str] = &[
    "DROP TRIGGER keep_an_admin_on_removal",
    "CREATE TRIGGER keep_an_admin_on_removal AFTER DELETE ON account_people
        WHEN OLD.is_admin AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = OLD.account_id)
        AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = OLD.account_id)
        AND (EXISTS (SELECT 1 FROM account_people p WHERE p.account_id = OLD.account_id)
            OR EXISTS (SELECT 1 FROM workspaces w WHERE w.account_id = OLD.account_id AND w.deleted_at IS NULL))
        BEGIN SELECT RAISE(ABORT, 'last_admin'); END",
];

const POSTGRES: &[&str] =
    &["CREATE OR REPLACE FUNCTION keep_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM accounts a WHERE a.id = OLD.account_id FOR NO KEY UPDATE;
            IF FOUND AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = OLD.account_id)
            AND (EXISTS (SELECT 1 FROM account_people p WHERE p.account_id = OLD.account_id)
                OR EXISTS (SELECT 1 FROM workspaces w
                    WHERE w.account_id = OLD.account_id AND w.deleted_at IS NULL)) THEN
                RAISE EXCEPTION 'last_admin' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$"];
