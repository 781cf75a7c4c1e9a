//! schemathesis (from PyPI; `bin/test` installs it) over /openapi.json, once with the key of an Owner and
//! once with a Viewer's; `bin/drills schemathesis` has every built-in role: no 5xx, no status and no schema
//! that the document does not have. And the `usso` client, unmodified.

use crate::support::product::BuiltIn;
use crate::{nouns, support::*, walk::Row, world::*};
use std::{
    collections::BTreeSet,
    process::{Command, Output},
};

/// Runs it, while the app answers.
async fn ran(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The python that `bin/test` equips.
fn python() -> Command {
    let python = std::env::var("BAILIWICK_TEST_API_PYTHON").unwrap_or_else(|_| {
        panic!("BAILIWICK_TEST_API_PYTHON is not set: run bin/test, which installs schemathesis and usso")
    });
    let mut command = Command::new(python);
    command.env("no_proxy", "*");
    command
}

/// As `docs/api.md` has it, but for what keeps a run of all tests short. `parameters` are values that
/// addresses get, where made-up ones would lead nowhere.
async fn schemathesis(app: &TestApp, secret: &str, parameters: &str, more: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("schemathesis.toml");
    std::fs::write(&config, format!("{}\n{parameters}", include_str!("schemathesis.toml"))).unwrap();
    let mut command = python();
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(config)
        .args(["run", &format!("{}/openapi.json", app.url())])
        .args(["--header", &format!("Authorization: Bearer {secret}"), "--checks", "all"])
        .args(["--max-examples", "3", "--seed", "7", "--continue-on-failure", "--no-shrink"])
        .args(["--suppress-health-check", "all"])
        .args(more)
        .current_dir(dir.path())
        .env("NO_COLOR", "1");
    ran(command).await
}

/// What is in acme, for the addresses of calls.
fn parameters(planted: &Planted) -> String {
    let names: BTreeSet<&str> = nouns::calls().iter().flat_map(Row::params).map(|(name, _)| name).collect();
    let known = names.into_iter().filter_map(|name| Some((name, planted.get(name)?)));
    let lines = known.map(|(name, value)| format!("{name} = \"{value}\"\n"));
    format!("[parameters]\nworkspace = \"acme\"\n{}", lines.collect::<String>())
}

async fn walk(backend: Backend, role: BuiltIn) {
    // So many that none is refused, and all are told how many there are.
    let app = TestApp::on(backend).with(|config| config.calls_per_minute = 1_000_000).spawn().await;
    let world = World::build(&app).await;
    let (_, _, secret) = add_key(&app, "acme", "Robot", &[role.slug()]).await;
    let there = parameters(&world.acme);
    // Once the key has left, or its workspace is called otherwise, there is nothing to find any more. What
    // is made up altogether is the same for all who may do everything: nothing.
    let last = ["/api/sso/v1/departure", "/api/sso/v1/workspaces/{workspace}"];
    // Each boundary of each field takes a minute: as somebody who gets to see what is wrong with it.
    let phases = match role {
        BuiltIn::Owner | BuiltIn::Admin => "coverage,fuzzing",
        _ => "fuzzing",
    };
    let most = ["--exclude-path", last[0], "--exclude-path", last[1], "--phases", phases];
    let rest = ["--include-path", last[0], "--include-path", last[1], "--phases", phases];
    let made_up = ["--exclude-path", last[0], "--phases", "fuzzing,stateful"];
    let runs: &[(&str, &[&str])] = match role {
        BuiltIn::Owner => &[("", &made_up), (&there, &most), (&there, &rest)],
        _ => &[(&there, &most), (&there, &rest)],
    };
    for (parameters, more) in runs {
        let done = schemathesis(&app, &secret, parameters, more).await;
        let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        println!("{said}");
        assert!(done.status.success(), "{role:?}:\n{said}\n{errors}");
    }
}

macro_rules! roles {
    ($($(#[$about:meta])* $name:ident $role:ident $backend:ident),+ $(,)?) => {$(
        #[test]
        $(#[$about])*
        fn $name() {
            run(walk(Backend::$backend, BuiltIn::$role));
        }
    )+};
}
// The document is the same on both databases. An Owner gets the furthest, and a Viewer is refused the most; the others
// are a drill.
roles!(
    schemathesis_as_owner_on_postgres Owner Postgres,
    schemathesis_as_viewer Viewer Sqlite,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_owner_on_sqlite Owner Sqlite,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_admin Admin Sqlite,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_developer Developer Postgres,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_billing Billing Sqlite,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_editor Editor Postgres,
    #[ignore = "takes minutes: bin/drills schemathesis"]
    schemathesis_as_support Support Postgres,
);

/// Prints what the client makes of a key: its scopes and roles, or the name of what it raises.
const USSO: &str = r#"
import sys
from httpx import _config
# Instead of five seconds, which are too few where the machine is busy with something else.
for part in ("connect", "read", "write", "pool"):
    setattr(_config.DEFAULT_TIMEOUT_CONFIG, part, 120)
from usso.api_key import fetch_api_key_data
try:
    user = fetch_api_key_data(sys.argv[1] + "/api/sso/v1/apikeys/verify", sys.argv[2])
    print("roles:", *user.roles)
    print("scopes:", *user.scopes)
    print("tenant:", user.tenant_id, "workspace:", user.workspace_id, "sub:", user.sub)
except Exception as error:
    print("raised:", type(error).__name__)
"#;

/// What the client's own check allows, as the table of `docs/api.md` says; nothing, if it is all of that.
const CHECKS: &str = r#"
from usso.authorization import check_access
for scope, path, action, expected in (
    ("read:posts", "posts", "write", True),
    ("read:posts", "posts", "publish", True),
    ("deploy:staging", "staging", "read", True),
    ("deploy:staging", "staging", "write", True),
    ("delete:posts", "posts", "read", True),
    ("delete:posts", "posts", "create", True),
    ("delete:posts", "posts", "update", True),
    ("manage:posts", "posts", "delete", True),
    ("read:*", "members", "read", True),
    ("*:*", "members", "read", True),
    ("read:posts", "other/path/posts", "read", True),
    ("read:users", "users:email", "read", False),
    ("write:own", "own", "write", True),
    ("write:own", "posts", "write", False),
):
    if check_access([scope], path, action) != expected:
        print(scope, path, action, "is not", expected)
"#;

/// Whoever enforces by the client's own check enforces something else, of which the document warns.
#[test]
fn the_check_of_the_usso_client_is_as_wide_as_the_document_says() {
    let done = python().args(["-c", CHECKS]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "");
}

/// In a process of its own each time: the client keeps for a minute what it was told.
async fn usso(app: &TestApp, secret: &str) -> String {
    let mut command = python();
    command.args(["-c", USSO, &app.url(), secret]);
    let done = ran(command).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

both! {
    async fn the_usso_client_reads_the_scopes_of_a_key(app: TestApp) {
        new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let said = usso(&app, &secret).await;
        assert!(said.contains("roles: developer"), "{said}");
        assert!(said.contains("write:code") && said.contains("deploy:staging"), "{said}");
        assert!(said.contains(&format!("sub: api_key:{key}")), "{said}");

        let owner = workspace_key(&app, "acme", &["owner"]).await;
        owner.delete(&format!("/api/sso/v1/apikeys/{key}")).await.with_status(204);

        let said = usso(&app, &secret).await;
        assert!(said.starts_with("raised:"), "{said}");
    }
}
