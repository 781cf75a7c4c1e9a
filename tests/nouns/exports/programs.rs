//! The ledger as a file, and archives of the whole workspace by API.

use super::{
    add_archive,
    behaviour::{exported, lines, rows_by_python},
};
use crate::{nouns::credits::grant, support::*};
use serde_json::{Value, json};
use std::io::{Cursor, Read};
use zip::ZipArchive;

const ARCHIVES: &str = "/api/sso/v1/exports/archives";

/// The response to a program, as bytes.
async fn bytes_of(app: &TestApp, key: &Api, path: &str) -> (u16, Vec<u8>) {
    let request = reqwest::Client::new().get(format!("{}{path}", app.url().trim_end_matches('/')));
    let response = request.bearer_auth(key.secret.as_ref().unwrap()).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

/// Requests an archive, and waits until it is made. Returns its address.
async fn archive(key: &Api) -> String {
    let made = key.post(ARCHIVES, &json!({})).await.with_status(201);
    let at = made.header("location").unwrap().to_owned();
    assert_eq!(at, format!("{ARCHIVES}/{}", made.body["id"].as_str().unwrap()));
    let is_ready = async || key.get(&at).await.with_status(200).body["state"] == "ready";
    until("the archive is made", is_ready).await;
    at
}

async fn exports(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'data.exported'").await
}

both! {
    async fn the_ledger_is_a_file_as_it_is_narrowed(app: TestApp) {
        let owner = new_owner(&app).await;
        grant(&app, "acme", 100).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let usage = "/api/sso/v1/credits/usage";
        for n in 0..3 {
            let body = json!({"id": format!("invoice-{n}"), "amount": n + 1, "note": "=1+1"});
            key.post(usage, &body).await.with_status(200);
        }

        let csv = key.get("/api/sso/v1/exports/credits").await.with_status(200);
        let rows = rows_by_python(&csv.text).await;
        assert_eq!(rows.len(), 5, "{rows:?}");
        assert_eq!(rows[0][..4], ["number", "id", "at", "kind"]);
        // The latest first, as in the list.
        assert_eq!(rows[1][0], "4");
        assert_eq!((&*rows[1][3], &*rows[1][4], &*rows[1][5]), ("usage", "3", "-3"));
        assert_eq!((&*rows[1][8], &*rows[1][11]), ("invoice-2", "'=1+1"));
        assert_eq!((&*rows[4][3], &*rows[4][5]), ("grant", "100"));

        let listed = key.get("/api/sso/v1/credits/transfers").await.with_status(200).body["items"].clone();
        let json = key.get("/api/sso/v1/exports/credits?format=jsonl").await.with_status(200);
        assert_eq!(json!(lines(&json.text)), listed);
        let used = lines(&key.get("/api/sso/v1/exports/credits?format=jsonl&kind=usage").await.text);
        assert_eq!(used.len(), 3);
        exported(&app, 3).await;
        let one = lines(&key.get("/api/sso/v1/exports/credits?format=jsonl&client_id=invoice-1").await.text);
        assert_eq!((one.len(), &one[0]["client_id"]), (1, &json!("invoice-1")));
        // What a client called its request is in no event, as it could not be erased.
        assert_eq!(exported(&app, 4).await["filter"], json!(["a client's ID"]));

        let page = owner.client.visit("/w/acme/credits?kind=usage&from=2020-01-01").await;
        let file = owner.client.submit(&page, "/export/credits", &[("format", "csv_bom")]).await;
        assert_eq!(rows_by_python(&file.html).await.len(), 4);
        assert_eq!(exported(&app, 5).await["filter"], json!(["kind=usage", "from=2020-01-01"]));
        owner.client.visit("/w/acme/export").await.assert_says("Ledger");
    }

    async fn the_ledger_takes_the_permission_to_see_credits(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let key = workspace_key(&app, "acme", &["admin"]).await;
        key.get("/api/sso/v1/exports/credits").await.with_status(200);
        admin.client.post_form("/w/acme/export/credits", &[]).await.assert_status(200);
        let page = owner.client.visit("/w/acme/security").await;
        let form = page.form("/security/read:credits").fill(&[("role", "developer")]);
        owner.client.send(&page, &form).await.assert_status(303);

        key.get("/api/sso/v1/exports/credits").await.with_status(403);
        let refused = app.unchanged_by(admin.client.post_form("/w/acme/export/credits", &[])).await;
        refused.assert_status(403).assert_says("View credits");
        // Nor is it in a zip for somebody who may not see it.
        key.post(ARCHIVES, &json!({})).await.with_status(403);
        let page = admin.client.visit("/w/acme/export").await;
        page.assert_says("View credits");
        assert!(!page.has_form("/export/archives") && !page.has_form("/export/credits"));
    }

    async fn a_program_requests_an_archive_watches_it_and_downloads_it(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;

        let at = archive(&key).await;

        let shown = key.get(&at).await.with_status(200).body;
        assert!(shown["rows"].as_i64() > Some(0) && shown["size"].as_i64() > Some(0), "{shown}");
        let listed = key.get(ARCHIVES).await.with_status(200).body;
        assert_eq!(listed["items"], json!([shown]));
        // A look at the head hands nothing out.
        let head = reqwest::Client::new().head(format!("{}{at}/file", app.url().trim_end_matches('/')));
        let head = head.bearer_auth(key.secret.as_ref().unwrap()).send().await.unwrap();
        assert_eq!((head.status().as_u16(), exports(&app).await), (200, 0));
        let (status, file) = bytes_of(&app, &key, &format!("{at}/file")).await;
        assert_eq!(status, 200);
        let mut zip = ZipArchive::new(Cursor::new(file)).unwrap();
        let manifest: Value = serde_json::from_reader(zip.by_name("manifest.json").unwrap()).unwrap();
        assert_eq!(manifest["workspace"]["slug"], "acme");
        let mut text = String::new();
        zip.by_name("members.jsonl").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(lines(&text).len(), 2, "the Owner and the key");
        let event = exported(&app, 1).await;
        assert_eq!((&event["list"], &event["format"]), (&json!("workspace"), &json!("zip")));

        let old = format!(
            "GET {at}/file HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            key.secret.as_ref().unwrap()
        );
        let answer = app.raw(old.as_bytes()).await;
        assert!(answer.contains(" 400 ") && answer.contains("HTTP/1.1, because"), "{answer}");

        key.delete(&at).await.with_status(204);
        for path in [at.clone(), format!("{at}/file")] {
            app.unchanged_by(key.get(&path)).await.with_status(404);
        }
        app.unchanged_by(key.delete(&at)).await.with_status(404);
    }

    // Breaks without ensure_reads_all in get (nouns/exports/archives.rs).
    async fn whoever_downloads_an_archive_is_asked_again_for_every_permission(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["admin"]).await;
        let at = archive(&key).await;
        app.execute("DELETE FROM grants WHERE scope = 'read:audit'").await;
        app.execute("UPDATE workspaces SET roles_version = NULL").await;
        for path in [at.clone(), format!("{at}/file")] {
            let refused = app.unchanged_by(key.get(&path)).await.with_status(403);
            assert!(refused.text.contains("View activity"), "{}", refused.text);
        }
        // One who may.
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        assert_eq!(bytes_of(&app, &owner, &format!("{at}/file")).await.0, 200);
        // Of another workspace it is nobody's.
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let other = workspace_key(&app, "elsewhere", &["owner"]).await;
        app.unchanged_by(other.get(&format!("{at}/file"))).await.with_status(404);
        app.clock.advance(std::time::Duration::from_secs(86_400));
        owner.get(&format!("{at}/file")).await.with_status(404);
    }

    async fn an_archive_is_made_at_a_time(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let waiting = add_archive(&app, "acme", app.scalar_uuid("SELECT id FROM users").await).await;
        let waits = format!("UPDATE exports SET state = 'running', leased_until = {} WHERE id = {}",
            app.clock.now().as_millis() + 1_000_000, app.id(waiting));
        assert_eq!(app.execute(&waits).await, 1);
        let refused = app.unchanged_by(key.post(ARCHIVES, &json!({}))).await.with_status(409);
        assert!(refused.text.contains("is being created"), "{}", refused.text);
        let shown = key.get(&format!("{ARCHIVES}/{waiting}")).await.with_status(200).body;
        assert_eq!(shown["state"], "running");
        // There is no file of it yet.
        app.unchanged_by(key.get(&format!("{ARCHIVES}/{waiting}/file"))).await.with_status(404);
    }
}
