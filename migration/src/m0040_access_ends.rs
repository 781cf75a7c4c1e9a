//! Access with an end: of a membership, and of each role that a member was given. Each of these roles says by whom and
//! by which source it was given.
//!
//! `members.next_end_at` is the soonest of the ends of a member, kept by triggers: until then `role_set` is what they
//! hold, and from then on admission puts it together by itself.

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
                // From then on it is as if the membership had been ended.
                "ALTER TABLE members ADD COLUMN access_until {int}",
                // Who set that, and hears before it comes.
                "ALTER TABLE members ADD COLUMN access_set_by {uuid}",
                "ALTER TABLE members ADD COLUMN next_end_at {int}",
                // The end that mail was sent about.
                "ALTER TABLE members ADD COLUMN end_noticed_for {int}",
                "ALTER TABLE member_roles ADD COLUMN ends_at {int}",
                // 'hand' or 'api'; roles of teams are in team_roles.
                "ALTER TABLE member_roles ADD COLUMN source TEXT NOT NULL DEFAULT 'hand'",
                "ALTER TABLE member_roles ADD COLUMN given_by {uuid}",
                "ALTER TABLE member_roles ADD COLUMN given_at {int}",
                "ALTER TABLE invitations ADD COLUMN access_until {int}",
                "CREATE INDEX members_by_end ON members (workspace_id, next_end_at, id)
                    WHERE next_end_at IS NOT NULL",
                "CREATE INDEX members_due_to_end ON members (next_end_at, id) WHERE next_end_at IS NOT NULL",
                // What the list is sorted by.
                "CREATE INDEX members_sorted_by_end
                    ON members (workspace_id, (COALESCE(next_end_at, 9007199254740991)), id)",
                "CREATE INDEX members_sorted_by_status ON members (workspace_id, status, id)",
                "CREATE INDEX members_sorted_by_roles ON members (workspace_id, role_set, id)",
            ],
        )
        .await?;
        let sqlite = sqlite();
        let sqlite: Vec<&str> = sqlite.iter().map(String::as_str).collect();
        sql::run_on(DbBackend::Sqlite, manager, &sqlite).await?;
        let postgres = postgres();
        let postgres: Vec<&str> = postgres.iter().map(String::as_str).collect();
        sql::run_on(DbBackend::Postgres, manager, &postgres).await
    }
}

/// Sets the soonest end of some members; what follows says of which.
const PUT_TOGETHER: &str = "UPDATE members SET next_end_at = (SELECT MIN(ending.at) FROM (
        SELECT members.access_until AS at
        UNION ALL SELECT mr.ends_at FROM member_roles mr
            WHERE mr.workspace_id = members.workspace_id AND mr.member_id = members.id) AS ending)";

/// Of the member that the row of `member_roles` is about.
const OF_MEMBER: &str = "WHERE workspace_id = {row}.workspace_id AND id = {row}.member_id";

/// An Owner remains whose access has no end: as `active_owners`, with that condition.
const LASTING_ON_SQLITE: &str = "CREATE VIEW lasting_owners AS
        SELECT r.workspace_id AS workspace_id, m.id AS member_id
        FROM roles r CROSS JOIN member_roles mr CROSS JOIN members m CROSS JOIN users u
        WHERE r.is_owner
            AND mr.workspace_id = r.workspace_id AND mr.role_id = r.id AND mr.ends_at IS NULL
            AND m.workspace_id = mr.workspace_id AND m.id = mr.member_id
            AND m.status = 'active' AND m.kind = 'user' AND m.access_until IS NULL
            AND u.id = m.user_id AND u.suspended_at IS NULL AND u.awaited_since IS NULL";

const LASTING_ON_POSTGRES: &str = "CREATE VIEW lasting_owners AS
        SELECT r.workspace_id AS workspace_id, m.id AS member_id
        FROM roles r
        CROSS JOIN LATERAL (SELECT mr.member_id FROM member_roles mr
            WHERE mr.workspace_id = r.workspace_id AND mr.role_id = r.id AND mr.ends_at IS NULL OFFSET 0) held
        JOIN members m ON m.workspace_id = r.workspace_id AND m.id = held.member_id
        JOIN users u ON u.id = m.user_id
        WHERE r.is_owner AND m.status = 'active' AND m.kind = 'user' AND m.access_until IS NULL
            AND u.suspended_at IS NULL AND u.awaited_since IS NULL";

const EDITED: &str = "a role is given or taken, and not turned into another";

fn sqlite() -> Vec<String> {
    let mut all = vec![LASTING_ON_SQLITE.to_owned()];
    for (name, event) in [
        ("status", "UPDATE OF status ON members WHEN NEW.status <> 'active' AND"),
        ("removal", "DELETE ON members WHEN"),
        ("demotion", "DELETE ON member_roles WHEN"),
    ] {
        all.push(format!("DROP TRIGGER keep_an_owner_on_{name}"));
        all.push(keep_an_owner(name, event));
    }
    all.push(keep_an_owner("end", "UPDATE OF access_until ON members WHEN NEW.access_until IS NOT NULL AND"));
    all.push(keep_an_owner("role_end", "UPDATE OF ends_at ON member_roles WHEN NEW.ends_at IS NOT NULL AND"));
    all.push("DROP TRIGGER member_roles_are_not_edited".to_owned());
    all.push(format!(
        "CREATE TRIGGER member_roles_are_not_edited
            BEFORE UPDATE OF workspace_id, member_id, role_id, source ON member_roles
            BEGIN SELECT RAISE(ABORT, '{EDITED}'); END"
    ));
    for (name, event, row) in [
        ("gift", "INSERT ON member_roles WHEN NEW.ends_at IS NOT NULL", "NEW"),
        ("loss", "DELETE ON member_roles WHEN OLD.ends_at IS NOT NULL", "OLD"),
        ("role", "UPDATE OF ends_at ON member_roles", "NEW"),
    ] {
        let of = OF_MEMBER.replace("{row}", row);
        all.push(format!(
            "CREATE TRIGGER next_end_after_{name} AFTER {event} BEGIN {PUT_TOGETHER} {of}; END"
        ));
    }
    for (name, event) in [
        ("arrival", "INSERT ON members WHEN NEW.access_until IS NOT NULL"),
        ("change", "UPDATE OF access_until ON members"),
    ] {
        all.push(format!(
            "CREATE TRIGGER next_end_after_{name} AFTER {event} BEGIN {PUT_TOGETHER} WHERE id = NEW.id; END"
        ));
    }
    all
}

/// The trigger of m0002, in which only an Owner counts whose access has no end.
fn keep_an_owner(name: &str, event: &str) -> String {
    format!(
        "CREATE TRIGGER keep_an_owner_on_{name} AFTER {event}
            EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM lasting_owners o WHERE o.workspace_id = OLD.workspace_id)
            BEGIN SELECT RAISE(ABORT, 'last_owner'); END"
    )
}

fn postgres() -> Vec<String> {
    let of = OF_MEMBER.replace("{row}", "changed");
    let mut all: Vec<String> = [
        LASTING_ON_POSTGRES,
        "CREATE OR REPLACE FUNCTION keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT 1 FROM workspaces w WHERE w.id = OLD.workspace_id AND w.deleted_at IS NULL)
                AND NOT EXISTS (SELECT 1 FROM lasting_owners o WHERE o.workspace_id = OLD.workspace_id) THEN
                    RAISE EXCEPTION 'last_owner' USING ERRCODE = 'check_violation';
                END IF;
                RETURN NULL;
            END $$",
        "CREATE TRIGGER keep_an_owner_on_end AFTER UPDATE OF access_until ON members
            FOR EACH ROW WHEN (NEW.access_until IS NOT NULL) EXECUTE FUNCTION keep_an_owner()",
        "CREATE TRIGGER keep_an_owner_on_role_end AFTER UPDATE OF ends_at ON member_roles
            FOR EACH ROW WHEN (NEW.ends_at IS NOT NULL) EXECUTE FUNCTION keep_an_owner()",
        "DROP TRIGGER member_roles_are_not_edited ON member_roles",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!(
        "CREATE TRIGGER member_roles_are_not_edited
            BEFORE UPDATE OF workspace_id, member_id, role_id, source ON member_roles
            FOR EACH ROW EXECUTE FUNCTION refuse_edit('{EDITED}')"
    ));
    all.push(format!(
        "CREATE FUNCTION keep_next_end_of_roles() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE changed RECORD;
            BEGIN
                IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
                {PUT_TOGETHER} {of}
                    AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = changed.workspace_id);
                RETURN NULL;
            END $$"
    ));
    all.push(format!(
        "CREATE FUNCTION keep_next_end() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {PUT_TOGETHER} WHERE id = NEW.id; RETURN NULL; END $$"
    ));
    let triggers = [
        "CREATE TRIGGER next_end_after_gift AFTER INSERT ON member_roles
            FOR EACH ROW WHEN (NEW.ends_at IS NOT NULL) EXECUTE FUNCTION keep_next_end_of_roles()",
        "CREATE TRIGGER next_end_after_loss AFTER DELETE ON member_roles
            FOR EACH ROW WHEN (OLD.ends_at IS NOT NULL) EXECUTE FUNCTION keep_next_end_of_roles()",
        "CREATE TRIGGER next_end_after_role AFTER UPDATE OF ends_at ON member_roles
            FOR EACH ROW EXECUTE FUNCTION keep_next_end_of_roles()",
        "CREATE TRIGGER next_end_after_arrival AFTER INSERT ON members
            FOR EACH ROW WHEN (NEW.access_until IS NOT NULL) EXECUTE FUNCTION keep_next_end()",
        "CREATE TRIGGER next_end_after_change AFTER UPDATE OF access_until ON members
            FOR EACH ROW EXECUTE FUNCTION keep_next_end()",
    ];
    all.extend(triggers.map(str::to_owned));
    all
}
