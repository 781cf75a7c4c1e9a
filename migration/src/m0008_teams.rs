//! Teams: people of one workspace who belong together, with roles that all of them then hold.
//!
//! `members.role_set` stays what everything reads: from here on it is the member's own roles together
//! with those of their teams, each once.

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
                // listed_as is the name in lower case: what the list sorts by, and what is unique.
                "CREATE TABLE teams (
                    id {uuid} PRIMARY KEY NOT NULL,
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    listed_as TEXT {bytewise} NOT NULL,
                    description TEXT NOT NULL,
                    created_at {int} NOT NULL,
                    UNIQUE (workspace_id, id),
                    UNIQUE (workspace_id, listed_as)
                ) {table}",
                "CREATE TABLE team_members (
                    workspace_id {uuid} NOT NULL,
                    team_id {uuid} NOT NULL,
                    member_id {uuid} NOT NULL,
                    is_lead {bool} NOT NULL,
                    joined_at {int} NOT NULL,
                    PRIMARY KEY (workspace_id, team_id, member_id),
                    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, member_id) REFERENCES members (workspace_id, id) ON DELETE CASCADE
                ) {keyed}",
                "CREATE INDEX team_members_of_member ON team_members (workspace_id, member_id, team_id)",
                "CREATE INDEX team_members_by_joined ON team_members (workspace_id, team_id, joined_at, member_id)",
                "CREATE INDEX team_members_leads ON team_members (workspace_id, team_id, member_id) WHERE is_lead",
                // A role that a team carries is not deleted with a shrug: no cascade from roles. The end of
                // the workspace takes these rows at once, before anybody asks for the role.
                "CREATE TABLE team_roles (
                    workspace_id {uuid} NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
                    team_id {uuid} NOT NULL,
                    role_id {uuid} NOT NULL,
                    PRIMARY KEY (workspace_id, team_id, role_id),
                    FOREIGN KEY (workspace_id, team_id) REFERENCES teams (workspace_id, id) ON DELETE CASCADE,
                    FOREIGN KEY (workspace_id, role_id) REFERENCES roles (workspace_id, id)
                ) {keyed}",
                "CREATE INDEX team_roles_by_role ON team_roles (workspace_id, role_id, team_id)",
            ],
        )
        .await?;
        let sqlite = sqlite();
        let sqlite: Vec<&str> = sqlite.iter().map(String::as_str).collect();
        sql::run_on(DbBackend::Sqlite, manager, &sqlite).await?;
        sql::run_on(DbBackend::Sqlite, manager, SQLITE).await?;
        let postgres = postgres();
        let postgres: Vec<&str> = postgres.iter().map(String::as_str).collect();
        sql::run_on(DbBackend::Postgres, manager, &postgres).await?;
        sql::run_on(DbBackend::Postgres, manager, POSTGRES).await
    }
}

/// Puts the set of roles of some members together anew; what follows says of which. `{joined}` is the
/// slugs as one text, in their order: the SQLite of Debian 12, which reads these triggers too, knows
/// no order within an aggregate. CROSS JOIN keeps it to the order of the tables, from the member on.
const PUT_TOGETHER: &str = "UPDATE members SET role_set = (SELECT COALESCE({joined}, '') FROM (
        SELECT r.slug FROM member_roles mr CROSS JOIN roles r
            WHERE mr.workspace_id = members.workspace_id AND mr.member_id = members.id
                AND r.workspace_id = mr.workspace_id AND r.id = mr.role_id
        UNION SELECT r.slug FROM team_members tm CROSS JOIN team_roles tr CROSS JOIN roles r
            WHERE tm.workspace_id = members.workspace_id AND tm.member_id = members.id
                AND tr.workspace_id = tm.workspace_id AND tr.team_id = tm.team_id
                AND r.workspace_id = tr.workspace_id AND r.id = tr.role_id
        ORDER BY 1) AS held)";
/// Of the member that the row `{row}` is about.
const OF_MEMBER: &str = "WHERE workspace_id = {row}.workspace_id AND id = {row}.member_id";
/// Of everybody in the team that the row `{row}` is about.
const OF_TEAM: &str = "WHERE workspace_id = {row}.workspace_id AND id IN (SELECT member_id
        FROM team_members WHERE workspace_id = {row}.workspace_id AND team_id = {row}.team_id)";

/// The triggers that keep the sets of roles, in place of those of m0006.
fn sqlite() -> Vec<String> {
    let mut all: Vec<String> =
        ["gift", "loss"].iter().map(|on| format!("DROP TRIGGER role_set_on_{on}")).collect();
    for (table, of) in [("member_roles", OF_MEMBER), ("team_members", OF_MEMBER), ("team_roles", OF_TEAM)] {
        for (event, row) in [("INSERT", "NEW"), ("DELETE", "OLD")] {
            let put_together = PUT_TOGETHER.replace("{joined}", "group_concat(slug, ' ')");
            let of = of.replace("{row}", row);
            let name = format!("role_set_after_{event}_on_{table}").to_lowercase();
            all.push(format!(
                "CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {put_together} {of}; END"
            ));
        }
    }
    all
}

const SQLITE: &[&str] = &[
    "CREATE TRIGGER team_roles_are_not_edited BEFORE UPDATE ON team_roles
        BEGIN SELECT RAISE(ABORT, 'a role is given or taken, and not turned into another'); END",
    "CREATE TRIGGER team_members_stay_who_they_are BEFORE UPDATE OF workspace_id, team_id, member_id ON team_members
        BEGIN SELECT RAISE(ABORT, 'somebody joins a team or leaves it, and is not turned into another'); END",
    "CREATE TRIGGER teams_never_carry_owner BEFORE INSERT ON team_roles
        WHEN EXISTS (SELECT 1 FROM roles r
            WHERE r.workspace_id = NEW.workspace_id AND r.id = NEW.role_id AND r.is_owner)
        BEGIN SELECT RAISE(ABORT, 'a team never carries Owner'); END",
];

/// The functions behind the triggers; the first takes the place of that of m0006.
fn postgres() -> Vec<String> {
    [("keep_role_set", OF_MEMBER), ("keep_role_sets_of_team", OF_TEAM)]
        .iter()
        .map(|(name, of)| {
            let put_together = PUT_TOGETHER.replace("{joined}", "string_agg(slug, ' ' ORDER BY slug)");
            let of = of.replace("{row}", "changed");
            format!(
                "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
                DECLARE changed RECORD;
                BEGIN
                    IF TG_OP = 'INSERT' THEN changed := NEW; ELSE changed := OLD; END IF;
                    {put_together} {of}
                        AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = changed.workspace_id);
                    RETURN NULL;
                END $$"
            )
        })
        .collect()
}

const POSTGRES: &[&str] = &[
    "CREATE TRIGGER role_set_on_change AFTER INSERT OR DELETE ON team_members
        FOR EACH ROW EXECUTE FUNCTION keep_role_set()",
    "CREATE TRIGGER role_set_on_change AFTER INSERT OR DELETE ON team_roles
        FOR EACH ROW EXECUTE FUNCTION keep_role_sets_of_team()",
    "CREATE TRIGGER team_roles_are_not_edited BEFORE UPDATE ON team_roles FOR EACH ROW
        EXECUTE FUNCTION refuse_edit('a role is given or taken, and not turned into another')",
    "CREATE TRIGGER team_members_stay_who_they_are
        BEFORE UPDATE OF workspace_id, team_id, member_id ON team_members FOR EACH ROW
        EXECUTE FUNCTION refuse_edit('somebody joins a team or leaves it, and is not turned into another')",
    "CREATE FUNCTION refuse_owner() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT 1 FROM roles r
                WHERE r.workspace_id = NEW.workspace_id AND r.id = NEW.role_id AND r.is_owner) THEN
                RAISE EXCEPTION 'a team never carries Owner' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$",
    "CREATE TRIGGER teams_never_carry_owner BEFORE INSERT ON team_roles
        FOR EACH ROW EXECUTE FUNCTION refuse_owner()",
    "CREATE TRIGGER team_members_are_not_truncated BEFORE TRUNCATE ON team_members
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    "CREATE TRIGGER team_roles_are_not_truncated BEFORE TRUNCATE ON team_roles
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit('delete the rows: nothing counts along with TRUNCATE')",
    // As in m0007: a workspace may have a thousand of these, whatever the average one has.
    "ALTER TABLE team_members ALTER COLUMN workspace_id SET (n_distinct = -0.001)",
];
