//! What protects the record, and what is shown of it, is what the program made.

use super::*;

/// What the owner of the database puts in the place of a trigger, so that it does nothing.
fn disarmed(backend: Backend) -> [&'static str; 2] {
    match backend {
        Backend::Sqlite => [
            "DROP TRIGGER audit_events_no_update",
            "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events WHEN 1 = 0
                BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END",
        ],
        Backend::Postgres => [
            "SELECT 1",
            "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RETURN NEW; END $$",
        ],
    }
}

/// One more trigger, which drops what is recorded.
fn added(backend: Backend) -> [&'static str; 2] {
    match backend {
        Backend::Sqlite => {
            ["SELECT 1", "CREATE TRIGGER quiet BEFORE INSERT ON audit_events BEGIN SELECT RAISE(IGNORE); END"]
        }
        Backend::Postgres => [
            "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER quiet BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION quiet()",
        ],
    }
}

both! {
    async fn each_trigger_that_is_taken_away_is_missed(app: TestApp) {
        let record = Record::of(&app).await;
        record.assert_whole().await;
        let guards = record.guards().await;
        for Guard { name, take, put } in &guards {
            record.run_together([&**take].into_iter()).await;
            record.assert_found(name, &format!("the trigger {name} is missing, or was altered")).await;
            record.run_together([&**put].into_iter()).await;
        }
        assert!(guards.len() > 17, "only {} triggers", guards.len());
        record.assert_whole().await;
    }

    async fn a_trigger_that_does_nothing_is_missed(app: TestApp) {
        let record = Record::of(&app).await;
        record.run_together(disarmed(app.backend).into_iter()).await;
        record.assert_found("disarmed", "the trigger audit_events_no_").await;
    }

    /// A session that says it is a replica would get past it.
    async fn a_trigger_that_is_enabled_in_usual_sessions_alone_is_missed(app: TestApp) {
        if app.backend == Backend::Postgres {
            let record = Record::of(&app).await;
            record.run_together(["ALTER TABLE audit_events ENABLE TRIGGER audit_events_no_change"].into_iter()).await;
            record.assert_found("enabled", "the trigger audit_events_no_change is missing, or was altered").await;
        }
    }

    async fn a_trigger_that_is_added_is_found(app: TestApp) {
        let record = Record::of(&app).await;
        record.run_together(added(app.backend).into_iter()).await;
        record.assert_found("added", "the trigger quiet was added").await;
    }

    /// Nobody reads a view, so the owner of the database can't let one say something else.
    async fn what_is_shown_is_what_is_verified(app: TestApp) {
        let (owner, _) = filled(&app).await;
        let record = Record::of(&app).await;
        let forged = "CREATE VIEW audit_record AS SELECT e.*, 'Somebody Else' AS actor_name, '' AS actor_email,
            'Something Else' AS target_name, '' AS target_email, e.target_id AS target_subject, '' AS address,
            '' AS user_agent FROM audit_events e";
        record.run_together(["DROP VIEW IF EXISTS audit_record", forged].into_iter()).await;
        let page = owner.client.visit("/w/acme/activity").await;
        page.assert_says("Owner One").assert_silent_about("Somebody Else");
        owner.client.visit("/me").await.assert_status(200);
        let listed = workspace_key(&app, "acme", &["owner"]).await.get("/api/sso/v1/audit").await.with_status(200);
        assert!(listed.text.contains("Viewer One") && !listed.text.contains("Somebody Else"), "{}", listed.text);
    }

    async fn a_view_in_the_place_of_a_table_is_found(app: TestApp) {
        filled(&app).await;
        let record = Record::of(&app).await;
        let statements =
            ["ALTER TABLE audit_identities RENAME TO hidden", "CREATE VIEW audit_identities AS SELECT * FROM hidden"];
        record.run_together(statements.into_iter()).await;
        record.assert_found("a view", "audit_identities is not the table that was made").await;
    }
}
