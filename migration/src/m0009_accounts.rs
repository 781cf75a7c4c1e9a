//! Accounts have pages: their people in a list, who may create workspaces, what was done to them. An
//! account keeps an active admin, as a workspace keeps an active Owner, and whoever belongs to one of
//! its workspaces belongs to it.

use crate::sql;
use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, FromQueryResult, Statement},
};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

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
                "ALTER TABLE accounts ADD COLUMN workspace_creation TEXT NOT NULL DEFAULT 'admins'
                    CHECK (workspace_creation IN ('admins', 'people'))",
                // Kept by triggers.
                "ALTER TABLE accounts ADD COLUMN people {int} NOT NULL DEFAULT 0",
                // As that of members: what the list sorts by and searches in.
                "ALTER TABLE account_people ADD COLUMN listed_as TEXT {bytewise} NOT NULL DEFAULT ''",
                // Null for what concerns no account.
                "ALTER TABLE audit_events ADD COLUMN account_id {uuid}",
                "CREATE INDEX account_people_by_name ON account_people (account_id, listed_as, user_id)",
                "CREATE INDEX admins_of_account ON account_people (account_id, listed_as, user_id)
                    WHERE is_admin",
                "DROP INDEX workspaces_of_account",
                "CREATE INDEX workspaces_of_account ON workspaces (account_id, created_at, id)",
                "CREATE INDEX audit_events_of_account ON audit_events (account_id, at, id)
                    WHERE account_id IS NOT NULL",
                "DROP INDEX audit_events_of_person",
                "CREATE INDEX audit_events_of_person ON audit_events (actor_id, at)
                    WHERE workspace_id IS NULL AND account_id IS NULL",
                // From the few who are admins on, on both databases.
                "CREATE VIEW active_admins AS
                    SELECT p.account_id AS account_id, p.user_id AS user_id
                    FROM account_people p CROSS JOIN users u
                    WHERE p.is_admin AND u.id = p.user_id AND u.suspended_at IS NULL",
            ],
        )
        .await?;
        fill(manager).await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// The domain sees to it before it commits that an admin remains; these stand behind it, and before a
/// suspension of a user, which no page does yet.
const SQLITE: &[&str] = &[
    "CREATE TRIGGER keep_an_admin_on_demotion AFTER UPDATE OF is_admin ON account_people
        WHEN OLD.is_admin AND NOT NEW.is_admin
        AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = OLD.account_id)
        BEGIN SELECT RAISE(ABORT, 'last_admin'); END",
    "CREATE TRIGGER keep_an_admin_on_removal AFTER DELETE ON account_people
        WHEN OLD.is_admin AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = OLD.account_id)
        AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = OLD.account_id)
        BEGIN SELECT RAISE(ABORT, 'last_admin'); END",
    "CREATE TRIGGER keep_an_admin_on_suspension AFTER UPDATE OF suspended_at ON users
        WHEN OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM account_people p WHERE p.user_id = NEW.id AND p.is_admin
            AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = p.account_id))
        BEGIN SELECT RAISE(ABORT, 'last_admin'); END",
    "CREATE TRIGGER account_people_stay_who_they_are BEFORE UPDATE OF account_id, user_id ON account_people
        BEGIN SELECT RAISE(ABORT, 'somebody comes into an account or leaves it, and is not turned into another'); END",
    "CREATE TRIGGER account_people_on_arrival AFTER INSERT ON account_people BEGIN
        UPDATE accounts SET people = people + 1 WHERE id = NEW.account_id;
    END",
    "CREATE TRIGGER account_people_on_departure AFTER DELETE ON account_people BEGIN
        UPDATE accounts SET people = people - 1 WHERE id = OLD.account_id;
    END",
];

/// Each locks the account in a statement of its own and only then looks, so that two at once see each
/// other here too.
const POSTGRES: &[&str] = &[
    "CREATE FUNCTION keep_an_admin() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM accounts a WHERE a.id = OLD.account_id FOR NO KEY UPDATE;
            IF FOUND AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = OLD.account_id) THEN
                RAISE EXCEPTION 'last_admin' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER keep_an_admin_on_demotion AFTER UPDATE OF is_admin ON account_people
        FOR EACH ROW WHEN (OLD.is_admin AND NOT NEW.is_admin) EXECUTE FUNCTION keep_an_admin()",
    "CREATE TRIGGER keep_an_admin_on_removal AFTER DELETE ON account_people
        FOR EACH ROW WHEN (OLD.is_admin) EXECUTE FUNCTION keep_an_admin()",
    "CREATE FUNCTION keep_an_active_admin() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM accounts a WHERE a.id IN (SELECT p.account_id FROM account_people p
                WHERE p.user_id = NEW.id AND p.is_admin) ORDER BY a.id FOR NO KEY UPDATE;
            IF EXISTS (SELECT 1 FROM account_people p WHERE p.user_id = NEW.id AND p.is_admin
                AND NOT EXISTS (SELECT 1 FROM active_admins a WHERE a.account_id = p.account_id)) THEN
                RAISE EXCEPTION 'last_admin' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER keep_an_admin_on_suspension AFTER UPDATE OF suspended_at ON users
        FOR EACH ROW WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL)
        EXECUTE FUNCTION keep_an_active_admin()",
    "CREATE TRIGGER account_people_stay_who_they_are BEFORE UPDATE OF account_id, user_id ON account_people
        FOR EACH ROW EXECUTE FUNCTION
        refuse_edit('somebody comes into an account or leaves it, and is not turned into another')",
    "CREATE FUNCTION keep_account_people() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                UPDATE accounts SET people = people + 1 WHERE id = NEW.account_id;
            ELSE
                UPDATE accounts SET people = people - 1 WHERE id = OLD.account_id;
            END IF;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER account_people_on_change AFTER INSERT OR DELETE ON account_people
        FOR EACH ROW EXECUTE FUNCTION keep_account_people()",
    "CREATE TRIGGER account_people_are_not_truncated BEFORE TRUNCATE ON account_people
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    // As in m0007: an account may have a thousand of these, whatever the average one has.
    "ALTER TABLE account_people ALTER COLUMN account_id SET (n_distinct = -0.001)",
    "ALTER TABLE workspaces ALTER COLUMN account_id SET (n_distinct = -0.001)",
    "ALTER TABLE audit_events ALTER COLUMN account_id SET (n_distinct = -0.001)",
];

#[derive(FromQueryResult)]
struct Listed {
    user_id: uuid::Uuid,
    name: String,
    email: String,
}

/// Who is a member belongs to the account; and everybody is listed.
async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    sql::run(
        manager,
        &[
            "INSERT INTO account_people (account_id, user_id, is_admin, joined_at)
                SELECT w.account_id, m.user_id, 1 = 0, MIN(m.joined_at)
                FROM members m JOIN workspaces w ON w.id = m.workspace_id
                WHERE m.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM account_people p
                    WHERE p.account_id = w.account_id AND p.user_id = m.user_id)
                GROUP BY w.account_id, m.user_id",
            "UPDATE account_people SET listed_as = COALESCE((SELECT m.listed_as FROM members m
                WHERE m.user_id = account_people.user_id LIMIT 1), '')",
            "UPDATE accounts SET people =
                (SELECT COUNT(*) FROM account_people p WHERE p.account_id = accounts.id)",
        ],
    )
    .await?;
    // Who is no member anywhere is listed nowhere yet.
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let people = "SELECT DISTINCT u.id AS user_id, u.name, u.email FROM users u
        JOIN account_people p ON p.user_id = u.id WHERE p.listed_as = ''";
    for person in Listed::find_by_statement(Statement::from_string(backend, people)).all(db).await? {
        let folded: String = person.name.nfkd().filter(|c| !is_combining_mark(*c)).collect();
        let listed_as = format!("{}\n{}", folded.to_lowercase(), person.email);
        let sql = "UPDATE account_people SET listed_as = $1 WHERE user_id = $2";
        let values = [listed_as.into(), person.user_id.into()];
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    Ok(())
}
