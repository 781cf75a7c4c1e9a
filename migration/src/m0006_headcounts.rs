//! What makes large workspaces cost what small ones do: each member carries the text it is listed
//! by and the set of its roles, counts are kept instead of taken, and a workspace's roles have a
//! version that changes with them.
//!
//! All of it is derived, and kept by triggers: no statement of ours or of anybody else's can change
//! a role or a member and leave these behind.

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
                // The name without case and accents, a line break, the address: what a list is sorted
                // by and searched in, the same on both databases. Written with the name.
                "ALTER TABLE members ADD COLUMN listed_as TEXT {bytewise} NOT NULL DEFAULT ''",
                // Slugs of the roles held, sorted, apart by spaces.
                "ALTER TABLE members ADD COLUMN role_set TEXT NOT NULL DEFAULT ''",
                // Another value after each change of a role or a grant.
                "ALTER TABLE workspaces ADD COLUMN roles_version {uuid}",
                // No foreign key: while a workspace goes, its members are still being counted out.
                "CREATE TABLE headcounts (
                    workspace_id {uuid} NOT NULL,
                    status TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    role_set TEXT NOT NULL,
                    people {int} NOT NULL,
                    PRIMARY KEY (workspace_id, status, kind, role_set)
                ) {keyed}",
                "DROP INDEX members_by_activity",
                "CREATE INDEX members_by_name ON members (workspace_id, listed_as, id)",
                "CREATE INDEX members_by_activity
                    ON members (workspace_id, (COALESCE(last_active_at, joined_at)), id)",
                "CREATE INDEX members_by_headcount ON members (workspace_id, status, kind, role_set)",
                "DROP INDEX audit_events_by_time",
                "CREATE INDEX audit_events_by_time ON audit_events (workspace_id, at, seq)",
                // As before, from the few who hold the role on. CROSS JOIN keeps SQLite to that order,
                // which would otherwise go through all members.
                "DROP VIEW active_owners",
                "CREATE VIEW active_owners AS
                    SELECT r.workspace_id AS workspace_id, m.id AS member_id
                    FROM roles r CROSS JOIN member_roles mr CROSS JOIN members m CROSS JOIN users u
                    WHERE r.is_owner
                        AND mr.workspace_id = r.workspace_id AND mr.role_id = r.id
                        AND m.workspace_id = mr.workspace_id AND m.id = mr.member_id
                        AND m.status = 'active' AND m.kind = 'user'
                        AND u.id = m.user_id AND u.suspended_at IS NULL",
            ],
        )
        .await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await?;
        fill(manager).await
    }
}

/// In words that the SQLite of Debian 12 knows too: an older program that opens the file, to look or to
/// back it up, reads these.
const SQLITE: &[&str] = &[
    "CREATE TRIGGER role_set_on_gift AFTER INSERT ON member_roles BEGIN
        UPDATE members SET role_set = (SELECT COALESCE(group_concat(slug, ' '), '') FROM (SELECT r.slug
            FROM member_roles mr JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
            WHERE mr.workspace_id = NEW.workspace_id AND mr.member_id = NEW.member_id ORDER BY r.slug))
        WHERE workspace_id = NEW.workspace_id AND id = NEW.member_id;
    END",
    "CREATE TRIGGER role_set_on_loss AFTER DELETE ON member_roles BEGIN
        UPDATE members SET role_set = (SELECT COALESCE(group_concat(slug, ' '), '') FROM (SELECT r.slug
            FROM member_roles mr JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
            WHERE mr.workspace_id = OLD.workspace_id AND mr.member_id = OLD.member_id ORDER BY r.slug))
        WHERE workspace_id = OLD.workspace_id AND id = OLD.member_id;
    END",
    "CREATE TRIGGER member_roles_are_not_edited BEFORE UPDATE ON member_roles
        BEGIN SELECT RAISE(ABORT, 'a role is given or taken, and not turned into another'); END",
    "CREATE TRIGGER roles_keep_their_slug BEFORE UPDATE OF slug, workspace_id ON roles
        WHEN NEW.slug <> OLD.slug OR NEW.workspace_id <> OLD.workspace_id
        BEGIN SELECT RAISE(ABORT, 'a role keeps its slug'); END",
    "CREATE TRIGGER headcount_on_arrival AFTER INSERT ON members BEGIN
        INSERT INTO headcounts VALUES (NEW.workspace_id, NEW.status, NEW.kind, NEW.role_set, 1)
            ON CONFLICT DO UPDATE SET people = people + 1;
    END",
    "CREATE TRIGGER headcount_on_departure AFTER DELETE ON members BEGIN
        UPDATE headcounts SET people = people - 1 WHERE workspace_id = OLD.workspace_id
            AND status = OLD.status AND kind = OLD.kind AND role_set = OLD.role_set;
    END",
    "CREATE TRIGGER headcount_on_change AFTER UPDATE OF workspace_id, status, kind, role_set ON members
        WHEN (NEW.workspace_id, NEW.status, NEW.kind, NEW.role_set)
            <> (OLD.workspace_id, OLD.status, OLD.kind, OLD.role_set) BEGIN
        UPDATE headcounts SET people = people - 1 WHERE workspace_id = OLD.workspace_id
            AND status = OLD.status AND kind = OLD.kind AND role_set = OLD.role_set;
        INSERT INTO headcounts VALUES (NEW.workspace_id, NEW.status, NEW.kind, NEW.role_set, 1)
            ON CONFLICT DO UPDATE SET people = people + 1;
    END",
    "CREATE TRIGGER headcounts_go_with_the_workspace AFTER DELETE ON workspaces BEGIN
        DELETE FROM headcounts WHERE workspace_id = OLD.id;
    END",
    "CREATE TRIGGER roles_version_on_new_role AFTER INSERT ON roles BEGIN
        UPDATE workspaces SET roles_version = randomblob(16) WHERE id = NEW.workspace_id;
    END",
    "CREATE TRIGGER roles_version_on_role AFTER UPDATE ON roles BEGIN
        UPDATE workspaces SET roles_version = randomblob(16) WHERE id = NEW.workspace_id;
    END",
    "CREATE TRIGGER roles_version_on_lost_role AFTER DELETE ON roles BEGIN
        UPDATE workspaces SET roles_version = randomblob(16) WHERE id = OLD.workspace_id;
    END",
    "CREATE TRIGGER roles_version_on_new_grant AFTER INSERT ON grants BEGIN
        UPDATE workspaces SET roles_version = randomblob(16) WHERE id = NEW.workspace_id;
    END",
    "CREATE TRIGGER grants_are_not_edited BEFORE UPDATE ON grants
        BEGIN SELECT RAISE(ABORT, 'a scope is granted or taken, and not turned into another'); END",
    "CREATE TRIGGER roles_version_on_lost_grant AFTER DELETE ON grants BEGIN
        UPDATE workspaces SET roles_version = randomblob(16) WHERE id = OLD.workspace_id;
    END",
];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION keep_role_set() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE changed member_roles;
        BEGIN
            IF TG_OP = 'INSERT' THEN changed := NEW; ELSE changed := OLD; END IF;
            UPDATE members SET role_set = (SELECT COALESCE(string_agg(r.slug, ' ' ORDER BY r.slug), '')
                FROM member_roles mr JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
                WHERE mr.workspace_id = changed.workspace_id AND mr.member_id = changed.member_id)
            WHERE workspace_id = changed.workspace_id AND id = changed.member_id
                AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = changed.workspace_id);
            RETURN NULL;
        END $$",
    "CREATE TRIGGER role_set_on_change AFTER INSERT OR DELETE ON member_roles
        FOR EACH ROW EXECUTE FUNCTION keep_role_set()",
    "CREATE FUNCTION refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$",
    "CREATE TRIGGER member_roles_are_not_edited BEFORE UPDATE ON member_roles FOR EACH ROW
        EXECUTE FUNCTION refuse_edit('a role is given or taken, and not turned into another')",
    "CREATE TRIGGER roles_keep_their_slug BEFORE UPDATE OF slug, workspace_id ON roles FOR EACH ROW
        WHEN (NEW.slug <> OLD.slug OR NEW.workspace_id <> OLD.workspace_id)
        EXECUTE FUNCTION refuse_edit('a role keeps its slug')",
    "CREATE FUNCTION keep_headcount() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                UPDATE headcounts SET people = people - 1 WHERE workspace_id = OLD.workspace_id
                    AND status = OLD.status AND kind = OLD.kind AND role_set = OLD.role_set;
            END IF;
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO headcounts VALUES (NEW.workspace_id, NEW.status, NEW.kind, NEW.role_set, 1)
                    ON CONFLICT (workspace_id, status, kind, role_set)
                    DO UPDATE SET people = headcounts.people + 1;
            END IF;
            RETURN NULL;
        END $$",
    "CREATE TRIGGER headcount_on_arrival AFTER INSERT OR DELETE ON members
        FOR EACH ROW EXECUTE FUNCTION keep_headcount()",
    "CREATE TRIGGER headcount_on_change AFTER UPDATE OF workspace_id, status, kind, role_set ON members
        FOR EACH ROW WHEN ((NEW.workspace_id, NEW.status, NEW.kind, NEW.role_set)
            IS DISTINCT FROM (OLD.workspace_id, OLD.status, OLD.kind, OLD.role_set))
        EXECUTE FUNCTION keep_headcount()",
    "CREATE FUNCTION drop_headcounts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN DELETE FROM headcounts WHERE workspace_id = OLD.id; RETURN NULL; END $$",
    // Triggers run in the order of their names, so this one comes after the cascade.
    "CREATE TRIGGER headcounts_go_with_the_workspace AFTER DELETE ON workspaces
        FOR EACH ROW EXECUTE FUNCTION drop_headcounts()",
    "CREATE FUNCTION keep_roles_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE workspaces SET roles_version = gen_random_uuid()
                WHERE id IN (SELECT workspace_id FROM changed);
            RETURN NULL;
        END $$",
    "CREATE TRIGGER roles_version_on_new_role AFTER INSERT ON roles
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_roles_version()",
    "CREATE TRIGGER roles_version_on_role AFTER UPDATE ON roles
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_roles_version()",
    "CREATE TRIGGER roles_version_on_lost_role AFTER DELETE ON roles
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_roles_version()",
    "CREATE TRIGGER roles_version_on_new_grant AFTER INSERT ON grants
        REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_roles_version()",
    "CREATE TRIGGER grants_are_not_edited BEFORE UPDATE ON grants FOR EACH ROW
        EXECUTE FUNCTION refuse_edit('a scope is granted or taken, and not turned into another')",
    "CREATE TRIGGER roles_version_on_lost_grant AFTER DELETE ON grants
        REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keep_roles_version()",
    "CREATE TRIGGER grants_are_not_truncated BEFORE TRUNCATE ON grants
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    "CREATE TRIGGER roles_are_not_truncated BEFORE TRUNCATE ON roles
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    "CREATE TRIGGER members_are_not_truncated BEFORE TRUNCATE ON members
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    "CREATE TRIGGER member_roles_are_not_truncated BEFORE TRUNCATE ON member_roles
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
];

#[derive(FromQueryResult)]
struct Listed {
    user_id: uuid::Uuid,
    name: String,
    email: String,
}

/// Derives all of it for what is there already.
async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let people =
        "SELECT DISTINCT u.id AS user_id, u.name, u.email FROM users u JOIN members m ON m.user_id = u.id";
    for person in Listed::find_by_statement(Statement::from_string(backend, people)).all(db).await? {
        let folded: String = person.name.nfkd().filter(|c| !is_combining_mark(*c)).collect();
        let listed_as = format!("{}\n{}", folded.to_lowercase(), person.email);
        let sql = "UPDATE members SET listed_as = $1 WHERE user_id = $2";
        let values = [listed_as.into(), person.user_id.into()];
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    }
    sql::run(
        manager,
        &[
            "INSERT INTO headcounts (workspace_id, status, kind, role_set, people)
                SELECT workspace_id, status, kind, role_set, COUNT(*) FROM members GROUP BY 1, 2, 3, 4",
            // From here on the triggers count along.
            "UPDATE members SET role_set = (SELECT COALESCE(string_agg(r.slug, ' ' ORDER BY r.slug), '')
                FROM member_roles mr JOIN roles r ON r.workspace_id = mr.workspace_id AND r.id = mr.role_id
                WHERE mr.workspace_id = members.workspace_id AND mr.member_id = members.id)",
            "UPDATE roles SET position = position",
        ],
    )
    .await
}
