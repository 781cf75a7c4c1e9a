//! What whoever may write to the database can't do, by any form of SQL.

use super::*;
use crate::support::product::erasure::{self, Whom};

/// The key of each table.
const KEYS: [(&str, &str); 6] = [
    ("audit_events", "id"),
    ("audit_identities", "event_id"),
    ("audit_chains", "kind, id"),
    ("audit_checkpoints", "seq"),
    ("audit_checkpoint_heads", "kind, id, seq"),
    ("audit_erasures", "event_id, part"),
];

/// Every form that would change or remove a row, of one table.
fn forms(backend: Backend, table: &str, key: &str) -> Vec<String> {
    // Names may be erased and heads grow; nothing else changes there.
    let change = match table {
        "audit_identities" => "target_name = 'Somebody Else'",
        "audit_chains" => "seq = 0",
        "audit_events" => "payload = '{}'",
        "audit_checkpoints" => "note = ''",
        "audit_erasures" => "part = 'payload'",
        _ => "checkpoint = 0",
    };
    let mut forms = vec![
        format!("UPDATE {table} SET {change}"),
        format!("UPDATE {table} SET {} = NULL", key.split(", ").last().unwrap()),
        format!("DELETE FROM {table}"),
        format!("DELETE FROM {table} WHERE 1 = 1"),
        format!(
            "INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 1
             ON CONFLICT ({key}) DO UPDATE SET {change}"
        ),
    ];
    match backend {
        Backend::Sqlite => {
            for verb in ["REPLACE INTO", "INSERT OR REPLACE INTO"] {
                forms.push(format!("{verb} {table} SELECT * FROM {table}"));
            }
            let rowid = format!("INSERT OR REPLACE INTO {table} (rowid) SELECT 1");
            forms.push(rowid);
            for verb in ["REPLACE", "IGNORE", "FAIL", "ROLLBACK"] {
                forms.push(format!("UPDATE OR {verb} {table} SET {change}"));
            }
        }
        Backend::Postgres => {
            forms.push(format!("TRUNCATE {table}"));
            forms.push(format!("TRUNCATE {table} CASCADE"));
            let on =
                key.split(", ").map(|key| format!("o.{key} = t.{key}")).collect::<Vec<_>>().join(" AND ");
            forms.push(format!("MERGE INTO {table} t USING {table} o ON {on} WHEN MATCHED THEN DELETE"));
            forms.push(format!("WITH gone AS (DELETE FROM {table} RETURNING *) SELECT COUNT(*) FROM gone"));
        }
    }
    forms
}

both! {
    /// In each setting in which triggers may not fire.
    async fn no_form_of_sql_gets_past_append_only(app: TestApp) {
        let (_, viewer) = filled(&app).await;
        let record = Record::of(&app).await;
        record.checkpoint().await;
        erasure::erase_names(&record.db, &Whom::User(viewer.user_id)).await.unwrap();
        let before = app.snapshot(&TABLES).await;
        let settings: &[&str] = match app.backend {
            Backend::Sqlite => &[
                "PRAGMA recursive_triggers = OFF; PRAGMA foreign_keys = OFF;",
                "PRAGMA recursive_triggers = ON;",
            ],
            Backend::Postgres => &["", "SET session_replication_role = replica;"],
        };
        let mut tried = 0;
        for setting in settings {
            for (table, key) in KEYS {
                for form in forms(app.backend, table, key) {
                    // Both are one transaction on PostgreSQL: a setting does not outlive a statement that fails.
                    let sql = format!("{setting} {form}");
                    let error = app.db().await.execute_unprepared(&sql).await.expect_err(&sql).to_string();
                    assert!(error.contains("append-only") || sql.contains("rowid"), "{sql}: {error}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 60, "only {tried} forms were tried");
        before.assert_same(&app.snapshot(&TABLES).await);
        record.assert_whole().await;
    }
}
