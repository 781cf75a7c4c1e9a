//! The rows of all tenants: remembered, put back, and compared.

use crate::support::*;
use sea_orm::ConnectionTrait;
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// The tables that [`keep`] remembers, parents before their children: all that tenants are made of, and
/// who is signed in.
async fn kept(app: &TestApp) -> Vec<&'static str> {
    let catalogue = app.catalogue().await;
    let mut tables = catalogue.of_tenants();
    tables.push(SESSIONS);
    tables
}

/// Who is signed in.
const SESSIONS: &str = "sessions";

/// What triggers keep up to date, and refers to no tenant.
const COUNTED: &str = "headcounts";

/// Remembers all rows as they are now, for [`restore`].
pub async fn keep(app: &TestApp) {
    let mut sql = String::new();
    for table in kept(app).await.into_iter().chain([COUNTED]) {
        sql.push_str(&format!(
            "DROP TABLE IF EXISTS kept_{table}; CREATE TABLE kept_{table} AS SELECT * FROM {table};"
        ));
    }
    app.db().await.execute_unprepared(&sql).await.unwrap();
    if app.backend == Backend::Postgres {
        app.take_changed().await;
    }
}

/// Puts all rows back as they were at [`keep`]. Audit events stay, because they can't be deleted: each
/// workspace continues its own chain.
pub async fn restore(app: &TestApp) {
    let sql = match app.backend {
        Backend::Sqlite => through_triggers(app, &kept(app).await).await,
        Backend::Postgres => as_a_replica(&app.take_changed().await),
    };
    let db = app.db().await;
    // What the program writes between requests may wait for these rows while they wait for it.
    while let Err(error) = db.execute_unprepared(&sql).await {
        assert!(error.to_string().contains("deadlock detected"), "{error}");
        db.execute_unprepared("ROLLBACK").await.unwrap();
    }
    if app.backend == Backend::Postgres {
        app.note_change();
        // Nothing else removes the rows that were deleted: the tests' PostgreSQL has no autovacuum.
        if app.restores.fetch_add(1, Ordering::Relaxed) % 32 == 31 {
            let tables = kept(app).await.join(", ");
            app.db()
                .await
                .execute_unprepared(&format!("VACUUM test_support.changed, {tables}"))
                .await
                .unwrap();
        }
    }
}

/// SQLite can't pass over triggers. Those that count do so again as the rows come.
async fn through_triggers(app: &TestApp, tables: &[&str]) -> String {
    // A workspace that is marked as deleted lets its last Owner go.
    let mut sql = String::from("BEGIN; UPDATE workspaces SET deleted_at = 1; DELETE FROM rate_limits;");
    for table in app.catalogue().await.to_delete_from(tables) {
        sql.push_str(&format!("DELETE FROM {table};"));
    }
    for table in tables {
        sql.push_str(&format!("INSERT INTO {table} SELECT * FROM kept_{table};"));
        if *table == "accounts" {
            sql.push_str("UPDATE accounts SET people = 0;");
        }
    }
    sql + "COMMIT;"
}

/// As a replica takes rows over: no trigger and no foreign key has a say, and what triggers count comes with the rows.
/// The version of a workspace's roles is new, because the app may remember other roles under the one of before.
fn as_a_replica(changed: &[String]) -> String {
    let mut sql =
        String::from("BEGIN; SET LOCAL session_replication_role = replica; DELETE FROM rate_limits;");
    for table in changed.iter().map(String::as_str).chain([SESSIONS, COUNTED]) {
        sql.push_str(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};"));
    }
    sql + "UPDATE workspaces SET roles_version = gen_random_uuid(); COMMIT;"
}

/// Every row of one workspace and of its account, its events too.
pub async fn rows_of(app: &TestApp, workspace: Uuid) -> Vec<String> {
    let (catalogue, id) = (app.catalogue().await, app.id(workspace));
    let tables = catalogue.of_tenants().into_iter().chain(["audit_events"]);
    let of_workspace = tables.filter_map(|table| Some((table, catalogue.of_workspace(table, &id)?)));
    let mut all = app.rows_of_tables(of_workspace).await;
    all.sort_unstable();
    all
}

/// Fails when a row of the workspace is not as it was, and shows only that.
pub async fn assert_untouched(app: &TestApp, workspace: Uuid, before: &[String], by: &str) {
    let after = rows_of(app, workspace).await;
    let gone: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(before == after, "{by} changed another workspace:\n- {gone:#?}\n+ {new:#?}");
}
