//! What exports do beyond what every noun does: what the files hold, and how a download ends.

use super::LISTS;
use crate::{
    support::*,
    world::{new_id, workspace_id},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{Cursor, Read, Write},
    process::Stdio,
};
use zip::ZipArchive;

/// The rows of a CSV as Python's own reader has them.
pub(super) async fn rows_by_python(csv: &str) -> Vec<Vec<String>> {
    const READ: &str = "import csv, json, sys; text = sys.stdin.buffer.read().decode('utf-8-sig'); \
        print(json.dumps(list(csv.reader(text.splitlines(keepends=True), strict=True))))";
    let python = std::env::var("BAILIWICK_TEST_API_PYTHON").expect("bin/test sets it");
    let csv = csv.to_owned();
    let read = move || {
        let mut python = std::process::Command::new(python)
            .args(["-c", READ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(csv.as_bytes()).unwrap();
        let done = python.wait_with_output().unwrap();
        assert!(done.status.success());
        done.stdout
    };
    serde_json::from_slice(&tokio::task::spawn_blocking(read).await.unwrap()).unwrap()
}

/// The objects of JSON Lines.
pub(super) fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Requests in the list of traffic, each with a long path.
pub async fn add_traffic(app: &TestApp, count: usize, path: &str) {
    let acme = app.id(workspace_id(app, "acme").await);
    let id = match app.backend {
        Backend::Sqlite => "randomblob(16)",
        Backend::Postgres => "gen_random_uuid()",
    };
    let sql = format!(
        "INSERT INTO traffic (workspace_id, at, id, api_key_id, key_name, destination_id, host, method, path, status,
            stage, bytes_in, bytes_out, ms)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         SELECT {acme}, {} - i, {id}, NULL, 'A service', NULL, 'api.example.com', 'GET', {}, 200, NULL, 1, 2, 3 FROM n",
        app.clock.now().as_millis(),
        quoted(path),
    );
    assert_eq!(app.execute(&sql).await, count as u64);
}

/// The latest event of an export, once there are so many.
pub(super) async fn exported(app: &TestApp, count: i64) -> Value {
    let so_many = "SELECT count(*) FROM audit_events WHERE kind = 'data.exported'";
    until("so many exports are recorded", async || app.scalar_i64(so_many).await == count).await;
    let sql = "SELECT payload FROM audit_events WHERE kind = 'data.exported' ORDER BY seq DESC LIMIT 1";
    let payload: Value = serde_json::from_str(&app.scalar_text(sql).await.unwrap()).unwrap();
    payload["data_exported"].clone()
}

/// Ticks or clears "Export data" for a role, on the page.
async fn let_export(owner: &Person, roles: &[&str]) {
    let page = owner.client.visit("/w/acme/security").await;
    let roles: Vec<(&str, &str)> = roles.iter().map(|role| ("role", *role)).collect();
    let form = page.form("/security/export:data").fill(&roles);
    let saved = owner.client.send(&page, &form).await.with_status(303);
    // The notice has a form too, which undoes it.
    owner.client.follow(saved).await;
}

/// What is open to whoever may export, as statuses: the page, a download, a call.
async fn statuses(viewer: &Person, key: &Api) -> [u16; 3] {
    let page = viewer.client.get("/w/acme/export").await;
    let download = viewer.client.post_form("/w/acme/export/members", &[("format", "csv")]).await;
    let call = key.get("/api/sso/v1/exports/members").await;
    [page.status.as_u16(), download.status.as_u16(), call.status]
}

both! {
    async fn the_permission_opens_and_closes_page_download_and_call(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let key = workspace_key(&app, "acme", &["viewer"]).await;
        assert_eq!(app.unchanged_by(statuses(&viewer, &key)).await, [403; 3]);
        viewer.client.visit("/w/acme").await.assert_silent_about("Export");
        assert!(!viewer.client.visit("/w/acme/members").await.has_form("/export/members"));

        let_export(&owner, &["admin", "viewer"]).await;

        assert_eq!(statuses(&viewer, &key).await, [200; 3]);
        let page = viewer.client.visit("/w/acme/members").await;
        let file = viewer.client.submit(&page, "/export/members", &[]).await;
        file.assert_status(200);
        assert!(file.html.contains("viewer"), "{}", file.html);

        // Not what they may not read: it takes both.
        viewer.client.get("/w/acme/export").await.assert_says("You need the “View activity” permission.");
        let refused = viewer.client.post_form("/w/acme/export/activity", &[]).await;
        refused.assert_status(403).assert_says("View activity");
        key.get("/api/sso/v1/exports/activity").await.with_status(403);

        let_export(&owner, &["admin"]).await;

        assert_eq!(statuses(&viewer, &key).await, [403; 3]);
    }

    async fn a_file_has_what_the_list_has_as_it_is_narrowed(app: TestApp) {
        let owner = new_owner(&app).await;
        for role in ["viewer", "editor", "admin"] {
            member(&app, &owner, role).await;
        }
        let key = workspace_key(&app, "acme", &["owner"]).await;

        for list in LISTS {
            let csv = key.get(&format!("/api/sso/v1/exports/{list}")).await.with_status(200);
            let text = csv.header("content-type").unwrap();
            assert_eq!(text, "text/csv; charset=utf-8; header=present", "{list}");
            let name = csv.header("content-disposition").unwrap();
            assert!(name.starts_with(&format!("attachment; filename=\"acme-{list}-20")), "{name}");
            assert!(name.ends_with(".csv\"") && csv.header("content-encoding").is_none());
            let rows = rows_by_python(&csv.text).await;
            let json = key.get(&format!("/api/sso/v1/exports/{list}?format=jsonl")).await.with_status(200);
            assert_eq!(json.header("content-type"), Some("application/jsonl"));
            let objects = lines(&json.text);
            // Each export is one more event.
            let more = usize::from(list == "activity");
            assert_eq!(rows.len() - 1 + more, objects.len(), "{list}");
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{list}: {rows:?}");
        }

        let listed = key.get("/api/sso/v1/members?limit=100").await.with_status(200).body["items"].clone();
        let all = lines(&key.get("/api/sso/v1/exports/members?format=jsonl").await.text);
        let names = |of: &[Value]| of.iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&all), names(listed.as_array().unwrap()));
        let some = lines(&key.get("/api/sso/v1/exports/members?format=jsonl&role=editor").await.text);
        assert_eq!(some.len(), 1, "{some:?}");

        let page = owner.client.visit("/w/acme/members?role=editor&sort=-name&q=e").await;
        let file = owner.client.submit(&page, "/export/members", &[("format", "csv_bom")]).await;
        assert!(file.html.starts_with('\u{feff}'), "{:?}", file.html);
        let rows = rows_by_python(&file.html).await;
        assert_eq!(rows.len(), 2, "{rows:?}");
        let before = app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'data.exported'").await;
        let event = exported(&app, before).await;
        assert_eq!(event["rows"], 1);
        assert_eq!((&event["list"], &event["format"]), (&json!("members"), &json!("csv")));
        // Which text was searched for is not kept: it may be somebody's name.
        assert_eq!(event["filter"], json!(["a text", "role=editor", "sort=-name"]));
        let activity = owner.client.visit("/w/acme/activity").await;
        activity.assert_says("exported Members");
        activity.assert_says("1 row as CSV, narrowed to a text, role=editor, sort=-name");
        for field in ["by", "on"] {
            let fields = [("format", "csv"), ("kind", "data.exported"), (field, "owner-one@example.com")];
            let before = app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'data.exported'").await;
            owner.client.post_form("/w/acme/export/activity", &fields).await.assert_status(200);
            let event = exported(&app, before + 1).await;
            assert_eq!(event["filter"], json!(["kind=data.exported", "a text"]), "{field}");
        }
    }

    async fn no_cell_is_a_formula(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let texts = [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u{3000}=1", "\u{feff}@A1", "＝1", "＋1", "－1", "＠A1",
            "a;=1", "a\n=1", "\"=1", "=HYPERLINK(\"http://evil.example\",\"x\")", "Ada, \"the\" Countess", "ada@example.com", "",
        ];
        for (n, text) in texts.iter().enumerate() {
            let id = app.id(new_id());
            let sql = format!(
                "INSERT INTO teams (id, workspace_id, name, description, listed_as, created_at)
                 SELECT {id}, w.id, 'Team {n:02}', {}, 'team {n:02}', 0 FROM workspaces w WHERE w.slug = 'acme'",
                text_literal(&app, text)
            );
            app.execute(&sql).await;
        }

        let csv = key.get("/api/sso/v1/exports/teams").await.with_status(200).text;
        let rows = rows_by_python(&csv).await;

        assert_eq!(rows.len(), texts.len() + 1);
        for (row, text) in rows[1..].iter().zip(texts) {
            let cell = &row[2];
            let visible = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            assert!(!visible.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{text:?} is {cell:?}");
            let plain = ["Ada, \"the\" Countess", "ada@example.com", ""].contains(&text);
            assert_eq!(cell == text, plain, "{text:?} is {cell:?}");
            assert_eq!(cell.replace('\'', ""), text);
        }
        let names: Vec<&str> = csv.split(';').skip(1).collect();
        assert!(names.iter().all(|rest| !rest.starts_with('=')), "{csv}");
        // What programs read is as it is.
        let objects = lines(&key.get("/api/sso/v1/exports/teams?format=jsonl").await.text);
        let descriptions: Vec<&str> = objects.iter().map(|team| team["description"].as_str().unwrap()).collect();
        assert_eq!(descriptions, texts);
        drop(owner);
    }

    // Breaks without the check in `Download::go_on`.
    async fn authority_that_ends_breaks_the_download_off(app: TestApp) {
        let owner = new_owner(&app).await;
        add_traffic(&app, 30_000, &format!("/{}", "x".repeat(1_000))).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let (url, secret) = (app.url(), admin.secret.clone().unwrap());
        let get = async || {
            let request = reqwest::Client::new().get(format!("{url}/api/sso/v1/exports/traffic?format=jsonl"));
            request.bearer_auth(&secret).send().await.unwrap()
        };
        let mut whole = get().await;
        let mut length = 0;
        while let Some(part) = whole.chunk().await.unwrap() {
            length += part.len();
        }
        assert_eq!(exported(&app, 1).await["rows"], 30_000);

        let mut download = get().await;
        let mut read = download.chunk().await.unwrap().unwrap().len();
        let_export(&owner, &["viewer"]).await;
        let broke_off = loop {
            match download.chunk().await {
                Ok(Some(part)) => read += part.len(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };

        assert!(broke_off, "it looks complete");
        assert!(read < length, "all {length} bytes came");
        let event = exported(&app, 2).await;
        assert_eq!(event["leftover"], "broke_off");
        let rows = event["rows"].as_i64().unwrap();
        assert!((1_000..30_000).contains(&rows), "{event}");
        admin.get("/api/sso/v1/exports/traffic").await.with_status(403);
    }

    async fn who_goes_away_is_recorded_with_what_they_got(app: TestApp) {
        new_owner(&app).await;
        add_traffic(&app, 30_000, &format!("/{}", "x".repeat(1_000))).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let (url, secret) = (app.url(), key.secret.clone().unwrap());
        let get = async || {
            let request = reqwest::Client::new().get(format!("{url}/api/sso/v1/exports/traffic"));
            request.bearer_auth(&secret).send().await.unwrap()
        };

        let (one, two) = (get().await, get().await);
        let third = get().await;
        assert_eq!((one.status().as_u16(), two.status().as_u16(), third.status().as_u16()), (200, 200, 503));
        assert_eq!(third.headers()["retry-after"], "5");
        drop((one, two, third));

        let event = exported(&app, 2).await;
        assert_eq!(event["leftover"], "broke_off");
        until("there is room again", async || get().await.status() == 200).await;
    }

    async fn what_is_asked_for_wrongly_is_refused(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let none = app.unchanged_by(async {
            for (query, status) in [
                ("format=xlsx", 400),
                ("format=csv&format=csv", 400),
                ("format=", 400),
                ("after=00", 422),
                ("limit=5", 422),
                ("role=nobody", 422),
                ("status=odd", 400),
                ("nonsense=1", 422),
                ("workspace=elsewhere", 404),
            ] {
                let answer = key.get(&format!("/api/sso/v1/exports/members?{query}")).await;
                assert!(answer.status == status || (status == 422 && answer.status == 400), "{query}: {}", answer.text);
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{query}");
            }
            for (field, value) in [("format", "xlsx"), ("role", "nobody"), ("after", "00"), ("odd", "1"), ("sort", "odd")] {
                let page = owner.client.post_form("/w/acme/export/members", &[(field, value)]).await;
                assert!([400, 422].contains(&page.status.as_u16()), "{field}: {}", page.status);
            }
            let head = reqwest::Client::new().head(format!("{}/api/sso/v1/exports/members", app.url()));
            let head = head.bearer_auth(key.secret.as_ref().unwrap()).send().await.unwrap();
            assert_eq!(head.status(), 200);
            // It is not known before the file is made, and it is not 0.
            assert!(head.headers().get("content-length").is_none(), "{:?}", head.headers());
        });
        none.await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'data.exported'").await, 0);
        let old = format!(
            "GET /api/sso/v1/exports/members HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            key.secret.as_ref().unwrap()
        );
        let answer = app.raw(old.as_bytes()).await;
        assert!(answer.contains(" 400 ") && answer.contains("HTTP/1.1, because"), "{answer}");
    }
}

both! {
    async fn everything_is_a_zip_that_is_made_in_the_background(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let page = admin.client.visit("/w/acme/export").await;
        page.assert_says("No archives right now.");

        admin.client.submit(&page, "/export/archives", &[]).await.assert_status(303);
        let ready = "SELECT count(*) FROM exports WHERE state = 'ready'";
        until("the archive is made", async || app.scalar_i64(ready).await == 1).await;

        let page = admin.client.visit("/w/acme/export").await;
        page.assert_says("Ready");
        let action = page.form("/download").action.clone();
        let url = format!("{}{action}", app.url());
        let response = reqwest::Client::new().post(&url).send().await.unwrap();
        assert_ne!(response.status(), 200, "nobody is signed in");
        let file = admin.client.submit(&page, "/download", &[]).await;
        file.assert_status(200);
        assert_eq!(file.header("content-type"), Some("application/zip"));
        assert!(file.header("content-disposition").unwrap().starts_with("attachment; filename=\"acme-20"));
        let event = exported(&app, 1).await;
        assert_eq!((&event["list"], &event["format"]), (&json!("workspace"), &json!("zip")));

        // Each file is as the manifest says.
        let mut zip = zip_of(&admin.client, &app, &action).await;
        let manifest: Value = serde_json::from_reader(zip.by_name("manifest.json").unwrap()).unwrap();
        assert_eq!(manifest["workspace"]["slug"], "acme");
        for file in manifest["files"].as_array().unwrap() {
            let mut content = Vec::new();
            zip.by_name(file["name"].as_str().unwrap()).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(hex::encode(Sha256::digest(&content)), file["sha256"], "{file}");
            assert_eq!(lines(std::str::from_utf8(&content).unwrap()).len() as u64, file["rows"], "{file}");
        }

        // What is stored of it can't be read without the secret key.
        let parts = app.scalar_i64("SELECT count(*) FROM export_parts").await;
        assert!(parts >= 1);
        let manifest = match app.backend {
            Backend::Sqlite => "SELECT count(*) FROM export_parts WHERE instr(sealed, x'504b0304') > 0",
            Backend::Postgres => "SELECT count(*) FROM export_parts WHERE position('\\x504b0304'::bytea IN sealed) > 0",
        };
        assert_eq!(app.scalar_i64(manifest).await, 0);

        // Who may no longer read something may not open the link either.
        let sql = "DELETE FROM grants WHERE scope = 'read:audit'";
        app.execute(sql).await;
        app.execute("UPDATE workspaces SET roles_version = NULL").await;
        admin.client.post_form(&action, &[]).await.assert_status(403).assert_says("View activity");
        owner.client.post_form(&action, &[]).await.assert_status(200);

        app.clock.advance(std::time::Duration::from_secs(86_400));
        owner.client.post_form(&action, &[]).await.assert_status(404);
        owner.client.visit("/w/acme/export").await.assert_says("No archives right now.");
    }

    async fn so_many_archives_are_kept(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 1..=3 {
            owner.client.post_form("/w/acme/export/archives", &[]).await.assert_status(303);
            let ready = "SELECT count(*) FROM exports WHERE state = 'ready'";
            until("the archive is made", async || app.scalar_i64(ready).await == n).await;
        }
        let page = app.unchanged_by(owner.client.post_form("/w/acme/export/archives", &[])).await;
        page.assert_status(409).assert_says("three archives");
        let page = owner.client.visit("/w/acme/export").await;
        let action = page.forms().into_iter().find(|form| form.action.ends_with("/deletion")).unwrap().action;
        owner.client.post_form(&action, &[]).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM exports").await, 2);
        owner.client.post_form("/w/acme/export/archives", &[]).await.assert_status(303);
    }
}

both! {
    async fn one_gets_everything_about_oneself_and_nothing_of_others(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.visit("/me").await.assert_says("Download as a zip");

        let mut zip = zip_of(&viewer.client, &app, "/me/export").await;

        let mut read = |name: &str| {
            let mut text = String::new();
            zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
            assert!(!text.contains("$argon2") && !text.contains("owner"), "{name}: {text}");
            lines(&text)
        };
        let profile = read("profile.jsonl");
        assert_eq!(profile.len(), 1);
        assert_eq!(profile[0]["id"], json!(viewer.user_id));
        let memberships = read("memberships.jsonl");
        assert_eq!((&memberships[0]["slug"], &memberships[0]["roles"]), (&json!("acme"), &json!("viewer")));
        assert_eq!(read("sessions.jsonl").len(), 1);
        assert!(!read("events.jsonl").is_empty() && !read("activity.jsonl").is_empty());

        // What they did where they are no longer active is theirs no more.
        let suspend = format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(viewer.member_id));
        assert_eq!(app.execute(&suspend).await, 1);
        let mut zip = zip_of(&viewer.client, &app, "/me/export").await;
        let mut text = String::new();
        zip.by_name("activity.jsonl").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "");
    }
}

/// The zip that a form is answered with.
async fn zip_of(client: &Client, app: &TestApp, action: &str) -> ZipArchive<Cursor<Vec<u8>>> {
    let csrf = client.csrf().await;
    let request = reqwest::Client::new().post(format!("{}{action}", app.url())).form(&[("csrf", csrf)]);
    let response = request.header("cookie", client.cookies().join("; ")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{action}");
    ZipArchive::new(Cursor::new(response.bytes().await.unwrap().to_vec())).unwrap()
}

/// A text as SQL, with what stands in none of its literals.
fn text_literal(app: &TestApp, text: &str) -> String {
    match app.backend {
        Backend::Sqlite => format!("CAST(x'{}' AS TEXT)", hex::encode(text)),
        Backend::Postgres => format!("convert_from('\\x{}', 'UTF8')", hex::encode(text)),
    }
}
