//! The rows of all tenants: remembered, put back, and compared.

use crate::support::*;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// The tables that [`keep`] remembers, parents before their children: all that tenants are made of, and
/// who is signed in.
async fn kept(app: &TestApp) -> Vec<&'static str> {
    let catalogue = app.catalogue().await;
    let mut tables = catalogue.of_tenants();
    tables.push("sessions");
    tables
}

/// Remembers all rows as they are now, for [`restore`].
pub async fn keep(app: &TestApp) {
    let mut sql = String::new();
    for table in kept(app).await {
        sql.push_str(&format!(
            "DROP TABLE IF EXISTS kept_{table}; CREATE TABLE kept_{table} AS SELECT * FROM {table};"
        ));
    }
    app.db().await.execute_unprepared(&sql).await.unwrap();
}

/// Puts all rows back as they were at [`keep`]. Audit events stay, because they can't be deleted: each
/// workspace continues its own chain.
pub async fn restore(app: &TestApp) {
    let tables = kept(app).await;
    // A workspace that is marked as deleted lets its last Owner go.
    let mut sql = String::from("BEGIN; UPDATE workspaces SET deleted_at = 1; DELETE FROM rate_limits;");
    for table in app.catalogue().await.to_delete_from(&tables) {
        sql.push_str(&format!("DELETE FROM {table};"));
    }
    for table in tables {
        sql.push_str(&format!("INSERT INTO {table} SELECT * FROM kept_{table};"));
        if table == "accounts" {
            // They are counted again as they come.
            sql.push_str("UPDATE accounts SET people = 0;");
        }
    }
    sql.push_str("COMMIT;");
    app.db().await.execute_unprepared(&sql).await.unwrap();
}

/// Every row of one workspace and of its account, its events too.
pub async fn rows_of(app: &TestApp, workspace: Uuid) -> Vec<String> {
    let (catalogue, id) = (app.catalogue().await, app.id(workspace));
    let mut all = Vec::new();
    for table in catalogue.of_tenants().into_iter().chain(["audit_events"]) {
        if let Some(condition) = catalogue.of_workspace(table, &id) {
            all.extend(app.rows_where(table, &condition).await);
        }
    }
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
