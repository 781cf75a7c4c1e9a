//! A database of an earlier version, with something in it, is brought up to date.

use crate::{
    nouns,
    support::{product::Clock, *},
    world::assert_counted,
};
use migration::{Migrator, MigratorExt};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// Steps before counts were kept.
const BEFORE_HEADCOUNTS: u32 = 5;

both! {
    async fn what_is_kept_is_derived_for_what_was_there(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        assert_counted(&app).await;
        let mut compared = 0;
        for noun in nouns::ALL {
            for (sql, expected) in noun.upgraded() {
                let derived = app.scalar_text(sql).await;
                assert_eq!(derived.as_deref(), Some(*expected), "{sql}, in {}", noun.file());
                compared += 1;
            }
        }
        assert!(compared > 6, "only {compared} were compared");
    }
}

/// One person who founded a workspace, as the earlier schema has it.
async fn fill(database: &TestDatabase) {
    let (connection, backend) = (&database.connect().await, database.backend);
    Migrator::up(connection, Some(BEFORE_HEADCOUNTS)).await.unwrap();
    let quote = |id: u128| match backend {
        Backend::Sqlite => format!("X'{}'", Uuid::from_u128(id).simple()),
        Backend::Postgres => format!("'{}'", Uuid::from_u128(id)),
    };
    let (truth, empty) = match backend {
        Backend::Sqlite => ("1", "X''"),
        Backend::Postgres => ("TRUE", "''"),
    };
    let (user, account, workspace, owner, viewer, member) =
        (quote(1), quote(2), quote(3), quote(4), quote(5), quote(6));
    let now = Clock::system().now().as_millis();
    for sql in [
        format!(
            "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ({user}, 'owner-one@example.com', 'Öwner Åne', '', {now})"
        ),
        format!("INSERT INTO accounts (id, name, created_at) VALUES ({account}, 'A', {now})"),
        format!(
            "INSERT INTO workspaces (id, account_id, slug, name, created_at, audit_seq, audit_hash) VALUES ({workspace}, {account}, 'acme', 'Acme', {now}, 0, {empty})"
        ),
        format!(
            "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at) VALUES ({owner}, {workspace}, 'owner', 'Owner', '', {truth}, {truth}, 0, {now})"
        ),
        format!(
            "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at) VALUES ({viewer}, {workspace}, 'a-viewer', 'Viewer', '', {truth}, NOT {truth}, 1, {now})"
        ),
        format!(
            "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at) VALUES ({member}, {workspace}, 'user', {user}, 'active', 'founder', {now})"
        ),
        format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ({workspace}, {member}, {owner})"
        ),
        format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ({workspace}, {member}, {viewer})"
        ),
    ] {
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    connection.close_by_ref().await.unwrap();
}
