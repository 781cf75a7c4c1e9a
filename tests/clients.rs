//! The API as strangers meet it: its document under Spectral's rules, and clients that openapi-typescript and
//! openapi-python-client generate from it. `bin/test` installs them; their sources are in `tests/clients/`.

use crate::{support::*, world::*};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A folder with the document of a running server, and all that is in `tests/clients/`.
struct Workshop {
    dir: tempfile::TempDir,
    /// Where `bin/test` puts what npm installs.
    modules: PathBuf,
}

impl Workshop {
    async fn of(app: &TestApp) -> Self {
        let home = std::env::var("BAILIWICK_TEST_CLIENTS")
            .expect("BAILIWICK_TEST_CLIENTS is not set: run bin/test, which installs the generators");
        let dir = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        let modules = Path::new(&home).join("node_modules");
        std::os::unix::fs::symlink(&modules, dir.path().join("node_modules")).unwrap();
        let document = Api::new(app, "").with(None).get("/openapi.json").await.with_status(200);
        fs::write(dir.path().join("openapi.json"), document.text).unwrap();
        Self { dir, modules }
    }

    /// Runs a program in the folder, while the app answers. Returns what it printed.
    async fn run(&self, mut command: Command) -> String {
        command.current_dir(self.dir.path()).env("NO_COLOR", "1").env("no_proxy", "*");
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(status.success(), "{status}\n{stdout}\n{stderr}");
        stdout
    }

    /// A program that npm installed.
    fn npm(&self, name: &str) -> Command {
        Command::new(self.modules.join(".bin").join(name))
    }

    fn python(&self, arguments: &[&str]) -> Command {
        let python = std::env::var("BAILIWICK_TEST_API_PYTHON").expect("bin/test sets it");
        let mut command = Command::new(python);
        command.args(arguments);
        command
    }
}

/// What a client is to print.
fn expected() -> Value {
    json!({
        "members": ["Key owner", "Owner One", "Viewer One"],
        "created": {"slug": "auditor", "refused": null, "location": "/api/sso/v1/roles/auditor"},
        "refused": {"slug": null, "refused": 409, "location": null},
        "may_read": true,
        "may_write": false,
    })
}

/// A workspace with an Owner, a viewer and a key; the secret of the key, and the id of the viewer.
async fn workspace(app: &TestApp) -> (String, String) {
    new_owner(app).await;
    let viewer = add_user(app, "Viewer One", "viewer-one@example.com").await;
    add_member(app, "acme", viewer, "active", &["viewer"]).await;
    let key = workspace_key(app, "acme", &["owner"]).await;
    (key.secret.unwrap(), viewer.to_string())
}

/// What a client printed, and that it did what it says.
async fn assert_did(app: &TestApp, printed: &str) {
    assert_eq!(serde_json::from_str::<Value>(printed).unwrap(), expected());
    let role = "SELECT COUNT(*) FROM roles r JOIN grants g ON g.role_id = r.id
        WHERE r.slug = 'auditor' AND r.name = 'Auditor' AND g.scope = 'read:ledger'";
    assert_eq!(app.scalar_i64(role).await, 1);
}

both! {
    async fn a_client_of_openapi_typescript_lists_members_creates_a_role_and_evaluates(app: TestApp) {
        let workshop = Workshop::of(&app).await;
        let (secret, viewer) = workspace(&app).await;
        let mut generate = workshop.npm("openapi-typescript");
        generate.args(["openapi.json", "-o", "schema.ts"]);
        workshop.run(generate).await;
        let mut compile = workshop.npm("tsc");
        compile.args(["-p", "tsconfig.json"]);
        workshop.run(compile).await;
        let mut client = Command::new("node");
        client.args(["client.js", app.url().trim_end_matches('/'), &secret, &viewer]);

        let printed = workshop.run(client).await;

        assert_did(&app, &printed).await;
    }

    async fn a_client_of_openapi_python_client_lists_members_creates_a_role_and_evaluates(app: TestApp) {
        let workshop = Workshop::of(&app).await;
        let (secret, viewer) = workspace(&app).await;
        let generate = [
            "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--config", "generator.yaml",
            "--output-path", "generated", "--meta", "none", "--fail-on-warning",
        ];
        workshop.run(workshop.python(&generate)).await;
        fs::rename(workshop.dir.path().join("generated"), workshop.dir.path().join("bailiwick_client")).unwrap();
        let client = workshop.python(&["client.py", app.url().trim_end_matches('/'), &secret, &viewer]);

        let printed = workshop.run(client).await;

        assert_did(&app, &printed).await;
    }
}

#[test]
fn the_document_keeps_to_spectrals_rules() {
    run(async {
        let app = TestApp::spawn(Backend::Sqlite).await;
        let workshop = Workshop::of(&app).await;
        let mut lint = workshop.npm("spectral");
        lint.args(["lint", "openapi.json", "--ruleset", "spectral.yaml", "--fail-severity", "hint"]);
        let printed = workshop.run(lint).await;
        assert!(printed.contains("No results"), "{printed}");
    });
}

#[test]
fn its_patterns_are_patterns_in_javascript() {
    run(async {
        let app = TestApp::spawn(Backend::Sqlite).await;
        let workshop = Workshop::of(&app).await;
        let mut check = Command::new("node");
        check.args(["patterns.mjs", "openapi.json"]);
        let printed = workshop.run(check).await;
        assert!(printed.trim().parse::<u32>().unwrap() > 100, "{printed}");
    });
}
