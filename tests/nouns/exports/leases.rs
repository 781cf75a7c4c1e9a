//! Which node makes an archive, and what becomes of one that is not made.

use crate::{
    support::*,
    world::{DAY, new_id, workspace_id},
};
use std::time::Duration;
use uuid::Uuid;

/// An archive as a node leaves it that was killed while it made it, with a part that nobody could read. Returns its id.
async fn abandoned(app: &TestApp, owner: &Person, tries: i64) -> Uuid {
    let (id, now) = (new_id(), app.clock.now().as_millis());
    let (export, workspace) = (app.id(id), app.id(workspace_id(app, "acme").await));
    let sql = format!(
        "INSERT INTO exports (id, workspace_id, created_by, created_at, state, tries, rows_done, rows_total, parts, size,
            leased_until, expires_at)
         VALUES ({export}, {workspace}, {}, {now}, 'running', {tries}, 7, 9, 2, 99, {}, {})",
        app.id(owner.user_id),
        now + 5 * 60_000,
        now + DAY,
    );
    assert_eq!(app.execute(&sql).await, 1);
    let bytes = match app.backend {
        Backend::Sqlite => "X'00'",
        Backend::Postgres => "'\\x00'::bytea",
    };
    for n in [0, 1, 900] {
        let sql = format!(
            "INSERT INTO export_parts (workspace_id, export_id, n, sealed) VALUES ({workspace}, {export}, {n}, {bytes})"
        );
        assert_eq!(app.execute(&sql).await, 1);
    }
    id
}

async fn state(app: &TestApp, archive: Uuid) -> String {
    let sql = format!("SELECT state FROM exports WHERE id = {}", app.id(archive));
    app.scalar_text(&sql).await.unwrap()
}

/// How many parts there are, and how many the archive says that it has.
async fn parts(app: &TestApp, archive: Uuid) -> (i64, i64) {
    let id = app.id(archive);
    let there_are = format!("SELECT count(*) FROM export_parts WHERE export_id = {id}");
    let it_says = format!("SELECT parts FROM exports WHERE id = {id}");
    (app.scalar_i64(&there_are).await, app.scalar_i64(&it_says).await)
}

both! {
    async fn an_archive_whose_node_is_gone_is_begun_again(app: TestApp) {
        let owner = new_owner(&app).await;
        let archive = abandoned(&app, &owner, 2).await;
        let page = owner.client.visit("/w/acme/export").await;
        page.assert_says("7 rows");
        let refused = app.unchanged_by(owner.client.post_form("/w/acme/export/archives", &[])).await;
        refused.assert_status(409).assert_says("is being created");
        let download = format!("/w/acme/export/archives/{archive}/download");
        owner.client.post_form(&download, &[]).await.assert_status(404);

        // Its lease is over.
        app.clock.advance(Duration::from_secs(6 * 60));
        until("another node makes it", async || state(&app, archive).await == "ready").await;

        let (there_are, it_says) = parts(&app, archive).await;
        assert!(there_are == it_says && it_says >= 1, "{there_are} parts, and {it_says} in the file");
        owner.client.post_form(&download, &[]).await.assert_status(200);
    }

    async fn an_archive_that_ends_each_node_fails_and_keeps_nothing(app: TestApp) {
        let owner = new_owner(&app).await;
        let archive = abandoned(&app, &owner, 3).await;

        app.clock.advance(Duration::from_secs(6 * 60));
        until("nobody tries it again", async || state(&app, archive).await == "failed").await;

        assert_eq!(parts(&app, archive).await, (0, 0));
        owner.client.visit("/w/acme/export").await.assert_says("Failed");
        let download = format!("/w/acme/export/archives/{archive}/download");
        owner.client.post_form(&download, &[]).await.assert_status(404);
        // It stands in nobody's way.
        owner.client.post_form("/w/acme/export/archives", &[]).await.assert_status(303);
    }
}
