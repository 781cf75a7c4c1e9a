//! `bailiwick export` and `bailiwick import`, as the program itself does them: the same state comes out as went in, and
//! nothing comes out of a file that was tampered with.

use crate::{
    nouns::{credits, destinations::add_destination},
    support::{program, *},
    world::*,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
    process::Output,
};
use tempfile::TempDir;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

/// The key that tests use.
fn key() -> String {
    "07".repeat(32)
}

/// Runs a command on this database, in this folder.
async fn command(dir: &Path, database: &TestDatabase, arguments: &[&str]) -> Output {
    let dir = dir.to_owned();
    let settings = [
        ("BAILIWICK_DATABASE_URL".to_owned(), database.url.clone()),
        ("BAILIWICK_SECRET_KEY".to_owned(), key()),
    ];
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || {
        let settings: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let arguments: Vec<_> = arguments.iter().map(|argument| &**argument).collect();
        program::run(&dir, &arguments, &settings)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The files of an archive, by name.
type Files = BTreeMap<String, Vec<u8>>;

fn files(path: &Path) -> Files {
    let mut zip = ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut files = Files::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(name, content);
    }
    files
}

fn write(path: &Path, files: &Files) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(&**name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    std::fs::write(path, zip.finish().unwrap().into_inner()).unwrap();
}

fn manifest(files: &Files) -> Value {
    serde_json::from_slice(&files["manifest.json"]).unwrap()
}

/// Makes the manifest say what the files are now.
fn seal(files: &mut Files) {
    let mut manifest = manifest(files);
    for file in manifest["files"].as_array_mut().unwrap() {
        let content = &files[file["name"].as_str().unwrap()];
        file["bytes"] = json!(content.len());
        file["rows"] = json!(content.iter().filter(|byte| **byte == b'\n').count());
        file["sha256"] = json!(hex::encode(Sha256::digest(content)));
    }
    files.insert("manifest.json".into(), manifest.to_string().into_bytes());
}

fn rows(files: &Files, table: &str) -> Vec<Value> {
    let text = std::str::from_utf8(&files[&format!("{table}.jsonl")]).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn set_rows(files: &mut Files, table: &str, rows: &[Value]) {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    files.insert(format!("{table}.jsonl"), lines.into_bytes());
}

/// The rows of each table, sorted, with what two exports have in common.
fn state(files: &Files) -> BTreeMap<String, Vec<String>> {
    let tables = files.keys().filter_map(|name| name.strip_suffix(".jsonl"));
    tables
        .map(|table| {
            let mut lines: Vec<String> = rows(files, table).iter().map(Value::to_string).collect();
            lines.sort();
            (table.to_owned(), lines)
        })
        .collect()
}

/// A workspace with something in everything, and another one beside it.
async fn filled(app: &TestApp) -> World {
    let world = World::build(app).await;
    world.settle(app).await;
    add_destination(app, "acme", "hooks.example.com", false).await;
    credits::remove_planted_holds(app).await;
    credits::grant(app, "acme", 100).await;
    world
}

async fn export(app: &TestApp, dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    let done = command(dir, &app.database, &["export", "acme", path.to_str().unwrap()]).await;
    assert!(done.status.success(), "{}", said(&done));
    path
}

/// An empty database, in a folder of its own.
async fn empty(backend: Backend) -> (TempDir, TestDatabase) {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty(backend, dir.path()).await;
    (dir, database)
}

async fn count(database: &TestDatabase) -> i64 {
    use sea_orm::{ConnectionTrait, Statement};
    // Whoever refuses a file does not even create the database.
    if database.url.strip_prefix("sqlite://").is_some_and(|path| !Path::new(path).exists()) {
        return 0;
    }
    let sql = match database.backend {
        Backend::Sqlite => "SELECT count(*) AS n FROM sqlite_master",
        Backend::Postgres => "SELECT count(*) AS n FROM pg_tables WHERE schemaname = current_schema()",
    };
    let db = database.connect().await;
    let row =
        db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap().unwrap();
    let n = row.try_get("", "n").unwrap();
    db.close().await.unwrap();
    n
}

both! {
    async fn an_export_is_imported_as_it_was_into_either_database(app: TestApp) {
        filled(&app).await;
        let dir = tempfile::tempdir().unwrap();
        let path = export(&app, dir.path(), "acme.zip").await;
        let before = files(&path);

        for backend in [Backend::Sqlite, Backend::Postgres] {
            let (site, database) = empty(backend).await;
            let done = command(site.path(), &database, &["import", path.to_str().unwrap()]).await;
            assert!(done.status.success(), "{}", said(&done));
            assert!(said(&done).contains("Its record is unaltered"), "{}", said(&done));
            let verified = command(site.path(), &database, &["verify-audit"]).await;
            assert!(verified.status.success(), "{}", said(&verified));
            let verified = command(site.path(), &database, &["verify-ledger"]).await;
            assert!(verified.status.success() && said(&verified).contains("unaltered"), "{}", said(&verified));

            let again = site.path().join("again.zip");
            let done = command(site.path(), &database, &["export", "acme", again.to_str().unwrap()]).await;
            assert!(done.status.success(), "{}", said(&done));
            let after = files(&again);
            for (table, rows) in state(&before) {
                assert_eq!(state(&after)[&table], rows, "{table}");
            }
            assert_eq!(manifest(&before)["files"].as_array().unwrap().len(), state(&after).len());

            // Nothing is imported where something is.
            let twice = command(site.path(), &database, &["import", path.to_str().unwrap()]).await;
            assert!(!twice.status.success() && said(&twice).contains("not empty"), "{}", said(&twice));
        }
    }

    // Breaks where something that the program relies on is neither in an archive nor derived.
    async fn where_it_was_imported_it_is_in_use_again(app: TestApp) {
        let owner = new_owner(&app).await;
        member(&app, &owner, "viewer").await;
        let dir = tempfile::tempdir().unwrap();
        let path = export(&app, dir.path(), "acme.zip").await;
        let (site, database) = empty(app.backend).await;
        let done = command(site.path(), &database, &["import", path.to_str().unwrap()]).await;
        assert!(done.status.success(), "{}", said(&done));

        let program = Program::serve(&database, site.path(), &[]).await;
        let client = program.client();
        // Nobody has the password that they had.
        let page = client.visit("/sign-in").await;
        let fields = [("email", owner.email.as_str()), ("password", PASSWORD)];
        let refused = client.submit(&page, "/sign-in", &fields).await;
        assert!(!refused.status.is_redirection(), "{}", refused.status);
        let page = client.visit("/forgot-password").await;
        client.submit(&page, "/forgot-password", &[("email", &owner.email)]).await.assert_status(200);
        let link = program.mail.wait_for_link(&owner.email, "/reset-password/").await;
        let page = client.visit(&link).await;
        let new = "another battery horse staple 7";
        client.submit(&page, "/reset-password", &[("password", new)]).await.assert_status(303);
        sign_in_with(&client, &owner.email, new).await;

        client.visit("/w/acme/members").await.assert_says("viewer-one@example.com");
        invite(&client, "acme", "later@example.com", &["viewer"]).await;
        client.visit("/w/acme/activity").await.assert_says("later@example.com");
        // Its record and that of before are one.
        program.kill();
        let verified = command(site.path(), &database, &["verify-audit"]).await;
        assert!(verified.status.success(), "{}", said(&verified));
    }

    async fn an_export_has_no_secret_and_nothing_of_others(app: TestApp) {
        filled(&app).await;
        let dir = tempfile::tempdir().unwrap();
        let path = export(&app, dir.path(), "acme.zip").await;

        let files = files(&path);
        for (name, content) in &files {
            let text = String::from_utf8(content.clone()).unwrap();
            for secret in ["$argon2", "sealed:1:", "lsewhere", "token_hash"] {
                assert!(!text.contains(secret), "{name} has {secret:?}: {text}");
            }
        }
        // What the database has as hashes or sealed texts is in no file.
        let mut stored = Vec::new();
        for (table, column) in [
            ("sessions", "token_hash"), ("api_key_secrets", "token_hash"), ("invitation_tokens", "token_hash"),
            ("email_tokens", "token_hash"), ("users", "password_hash"),
        ] {
            let hex = match (app.backend, column) {
                (_, "password_hash") => column.to_owned(),
                (Backend::Sqlite, _) => format!("lower(hex({column}))"),
                (Backend::Postgres, _) => format!("encode({column}, 'hex')"),
            };
            let rows = app.rows(&format!("SELECT {hex} AS secret FROM {table}")).await;
            stored.extend(rows.iter().filter_map(|row| row["secret"].as_str().map(str::to_owned)));
        }
        stored.retain(|secret| secret.len() > 20);
        assert!(stored.len() > 10, "only {} secrets are compared", stored.len());
        let all: String = files.values().map(|content| String::from_utf8_lossy(content).into_owned()).collect();
        assert!(stored.iter().all(|secret| !all.contains(secret)));
        assert!(rows(&files, "users").iter().all(|user| user["password_hash"] == ""));
    }

    async fn a_file_that_was_tampered_with_is_refused_and_leaves_nothing(app: TestApp) {
        filled(&app).await;
        let dir = tempfile::tempdir().unwrap();
        let path = export(&app, dir.path(), "acme.zip").await;
        let good = files(&path);
        let other = "0190a0a0-0000-7000-8000-000000000001";
        type Change = (&'static str, &'static str, fn(&mut Files, &str));
        let changes: [Change; 19] = [
            ("checksum is wrong", "a changed row", |files, _| {
                let file = files.get_mut("members.jsonl").unwrap();
                let text = String::from_utf8(file.clone()).unwrap().replace("active", "actixe");
                *file = text.into_bytes();
            }),
            ("not those that its manifest lists", "one file more", |files, _| {
                files.insert("more.jsonl".into(), Vec::new());
            }),
            ("not those that its manifest lists", "a name that leads out", |files, _| {
                files.insert("../../evil".into(), b"x".to_vec());
            }),
            ("which no export has", "a listed name that leads out", |files, _| {
                let mut manifest = manifest(files);
                manifest["files"][0]["name"] = json!("../evil.jsonl");
                files.insert("manifest.json".into(), manifest.to_string().into_bytes());
            }),
            ("which no export has", "a table of secrets", |files, _| {
                let mut manifest = manifest(files);
                let more = json!({"name": "sessions.jsonl", "table": "sessions", "rows": 0, "bytes": 0, "sha256": ""});
                manifest["files"].as_array_mut().unwrap().push(more);
                files.insert("manifest.json".into(), manifest.to_string().into_bytes());
                files.insert("sessions.jsonl".into(), Vec::new());
            }),
            ("newer version", "a newer format", |files, _| {
                let mut manifest = manifest(files);
                manifest["version"] = json!(2);
                manifest["more"] = json!("of it");
                files.insert("manifest.json".into(), manifest.to_string().into_bytes());
            }),
            ("newer version", "a newer schema", |files, _| {
                let mut manifest = manifest(files);
                manifest["schema"].as_array_mut().unwrap().push(json!("m9999_later"));
                files.insert("manifest.json".into(), manifest.to_string().into_bytes());
            }),
            ("belongs to another workspace", "a role of another workspace", |files, other| {
                let mut all = rows(files, "roles");
                all[0]["workspace_id"] = json!(other);
                set_rows(files, "roles", &all);
                seal(files);
            }),
            ("belongs to another workspace", "another workspace", |files, other| {
                let mut all = rows(files, "workspaces");
                let mut more = all[0].clone();
                more["id"] = json!(other);
                more["slug"] = json!("evil");
                all.push(more);
                set_rows(files, "workspaces", &all);
                seal(files);
            }),
            ("no export of the workspace has", "a person who is nobody there", |files, other| {
                let mut all = rows(files, "users");
                let mut more = all[0].clone();
                more["id"] = json!(other);
                more["email"] = json!("stranger@example.com");
                all.push(more);
                set_rows(files, "users", &all);
                seal(files);
            }),
            ("no export of the workspace has", "a key that is nobody there", |files, other| {
                let mut all = rows(files, "api_keys");
                let mut more = all[0].clone();
                more["id"] = json!(other);
                all.push(more);
                set_rows(files, "api_keys", &all);
                seal(files);
            }),
            ("its workspace is deleted", "a deleted workspace", |files, _| {
                let mut all = rows(files, "workspaces");
                all[0]["deleted_at"] = json!(1);
                set_rows(files, "workspaces", &all);
                seal(files);
            }),
            ("ledger of credits in this file was altered", "more credits", |files, _| {
                let mut all = rows(files, "credit_accounts");
                let grant = all.iter_mut().find(|account| account["kind"] == "grant").unwrap();
                grant["balance"] = json!(grant["balance"].as_i64().unwrap() + 1);
                set_rows(files, "credit_accounts", &all);
                seal(files);
            }),
            ("", "a member who is nobody", |files, other| {
                let mut all = rows(files, "members");
                let person = all.iter_mut().find(|member| member["kind"] == "user").unwrap();
                person["user_id"] = json!(other);
                set_rows(files, "members", &all);
                seal(files);
            }),
            ("record in this file was altered", "an event less", |files, _| {
                let mut all = rows(files, "audit_events");
                all.remove(0);
                set_rows(files, "audit_events", &all);
                seal(files);
            }),
            ("record in this file was altered", "another event", |files, _| {
                let mut all = rows(files, "audit_events");
                all[0]["kind"] = json!("member.removed");
                set_rows(files, "audit_events", &all);
                seal(files);
            }),
            ("no active Owner", "nobody owns it", |files, _| {
                set_rows(files, "member_roles", &[]);
                seal(files);
            }),
            ("does not fit its table", "a column more", |files, _| {
                let mut all = rows(files, "teams");
                all[0]["more"] = json!(1);
                set_rows(files, "teams", &all);
                seal(files);
            }),
            ("more than a file of its size can hold", "a bomb", |files, _| {
                let mut manifest = manifest(files);
                manifest["files"][0]["bytes"] = json!(1_u64 << 60);
                files.insert("manifest.json".into(), manifest.to_string().into_bytes());
            }),
        ];
        let (site, database) = empty(app.backend).await;
        let before = count(&database).await;
        for (why, what, change) in changes {
            let mut files = good.clone();
            change(&mut files, other);
            let bad = site.path().join("bad.zip");
            write(&bad, &files);
            let done = command(site.path(), &database, &["import", bad.to_str().unwrap()]).await;
            let said = said(&done);
            assert!(!done.status.success() && said.contains(why), "{what} is not refused with {why:?}: {said}");
            assert_eq!(count(&database).await, before, "{what} left something");
        }
        for junk in [&b""[..], b"PK", b"not a zip at all", &std::fs::read(&path).unwrap()[..2_000]] {
            let bad = site.path().join("bad.zip");
            std::fs::write(&bad, junk).unwrap();
            let done = command(site.path(), &database, &["import", bad.to_str().unwrap()]).await;
            assert!(!done.status.success() && said(&done).contains("not an export"), "{}", said(&done));
        }
        // A role set that is more than its roles is derived again.
        let mut files = good.clone();
        let mut members = rows(&files, "members");
        members.iter_mut().for_each(|member| member["role_set"] = json!("owner"));
        set_rows(&mut files, "members", &members);
        seal(&mut files);
        let path = site.path().join("odd.zip");
        write(&path, &files);
        let done = command(site.path(), &database, &["import", path.to_str().unwrap()]).await;
        assert!(done.status.success(), "{}", said(&done));
        let again = site.path().join("again.zip");
        command(site.path(), &database, &["export", "acme", again.to_str().unwrap()]).await;
        assert_eq!(state(&self::files(&again))["members"], state(&good)["members"]);
    }
}
