//! Settings as people write them, and what the program says about them.

use crate::support::{program, *};
use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::ExitStatusExt},
    path::Path,
    process::{Output, Stdio},
};

fn check(settings: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let done = program::run(dir.path(), &["check-config"], settings);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it creates nothing");
    done
}

fn shown(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

#[track_caller]
fn accepted(settings: &[(&str, &str)]) -> String {
    let done = check(settings);
    assert!(done.status.success(), "{settings:?}: {}", shown(&done));
    shown(&done)
}

#[track_caller]
fn refused(settings: &[(&str, &str)]) -> String {
    let done = check(settings);
    assert!(!done.status.success(), "{settings:?}: {}", shown(&done));
    shown(&done)
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.map(str::trim).next().unwrap_or_else(|| panic!("no {name} in:\n{text}"))
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let all = [
        "BIND",
        "PUBLIC_URL",
        "DATABASE_URL",
        "MIGRATE",
        "SECRET_KEY",
        "BACKUP_PASSPHRASE",
        "BACKUP_PASSPHRASE_FILE",
        "DATA_DIR",
        "MAIL",
        "MAIL_FROM",
        "SIGN_UP",
        "TRUSTED_PROXIES",
        "PROXY_HEADER",
        "CALLS_PER_MINUTE",
        "ACQUIRE_TIMEOUT",
        "SESSION_IDLE_DAYS",
        "KEEP_ALIVE",
        "METRICS_BIND",
        "TRACES",
        "WORKERS",
    ];
    let names: Vec<String> = all.iter().map(|name| format!("BAILIWICK_{name}")).collect();
    let defaults = accepted(&[]);
    for empty in ["", "  ", "\r"] {
        let settings: Vec<_> = names.iter().map(|name| (name.as_str(), empty)).collect();
        assert_eq!(accepted(&settings), defaults);
    }
    assert_eq!(accepted(&[("BAILIWICK_NO_SUCH_THING", "")]), defaults);
}

#[test]
fn values_are_read_with_blanks_around_them_and_lists_with_trailing_commas() {
    let text = accepted(&[
        ("BAILIWICK_BIND", " localhost:8123\r"),
        ("BAILIWICK_TRUSTED_PROXIES", " 10.0.0.1, 192.168.0.0/16 fd00::/8, "),
        ("BAILIWICK_SIGN_UP", "Invited "),
        ("BAILIWICK_WORKERS", " 3"),
    ]);
    assert_eq!(line(&text, "BAILIWICK_BIND"), "localhost:8123");
    assert_eq!(line(&text, "BAILIWICK_PUBLIC_URL"), "http://localhost:8123");
    assert_eq!(line(&text, "BAILIWICK_TRUSTED_PROXIES"), "10.0.0.1/32, 192.168.0.0/16, fd00::/8");
    assert_eq!(line(&text, "BAILIWICK_SIGN_UP"), "invited");
    assert_eq!(line(&text, "BAILIWICK_WORKERS"), "3");
}

#[test]
fn a_variable_that_is_no_setting_is_refused_with_the_nearest_name() {
    for (name, nearest) in [
        ("BAILIWICK_PUBLICURL", "BAILIWICK_PUBLIC_URL"),
        ("BAILIWICK_TRUSTED_PROXY", "BAILIWICK_TRUSTED_PROXIES"),
        ("BAILIWICK_SIGNUP", "BAILIWICK_SIGN_UP"),
    ] {
        let text = refused(&[(name, "a-canary")]);
        assert!(text.contains(name) && text.contains(nearest) && !text.contains("canary"), "{text}");
    }
    let done = program::run(&std::env::temp_dir(), &["migrate"], &[("BAILIWICK_DATABSE_URL", "sqlite://x")]);
    assert!(!done.status.success() && shown(&done).contains("BAILIWICK_DATABASE_URL"), "{}", shown(&done));
    // What Kubernetes puts into every container, for a service of this name.
    accepted(&[("BAILIWICK_SERVICE_HOST", "10.0.0.1"), ("BAILIWICK_PORT", "tcp://10.0.0.1:8000")]);
}

#[test]
fn a_public_url_that_cannot_work_is_refused_with_what_to_do() {
    let text = refused(&[("BAILIWICK_PUBLIC_URL", "https://example.com/access")]);
    assert!(text.contains("a name of its own"), "{text}");
    let text = refused(&[("BAILIWICK_PUBLIC_URL", "access.example.com")]);
    assert!(text.contains("https://"), "{text}");
    let text = refused(&[("BAILIWICK_BIND", "unix:/run/bailiwick.sock")]);
    assert!(text.contains("BAILIWICK_PUBLIC_URL"), "{text}");
}

#[test]
fn no_secret_is_shown_in_what_is_used_or_in_what_is_wrong() {
    let database = "postgres://me:canary1@db.example.com:6432/app?password=canary2";
    let mail = "smtp://me:canary3@mail.example.com:587?tls=required";
    let key = "ca".repeat(32);
    let good =
        [("BAILIWICK_DATABASE_URL", database), ("BAILIWICK_MAIL", mail), ("BAILIWICK_SECRET_KEY", &key)];
    let text = accepted(&good);
    assert_eq!(line(&text, "BAILIWICK_DATABASE_URL"), "postgres://db.example.com:6432/app");
    assert_eq!(line(&text, "BAILIWICK_MAIL "), "smtp://mail.example.com:587");
    assert!(!text.contains("canary") && !text.contains(&key), "{text}");
    for wrong in [
        ("BAILIWICK_MAIL", "imap://me:canary@mail.example.com"),
        ("BAILIWICK_MAIL", "me:canary@mail.example.com"),
        ("BAILIWICK_MAIL", "smtp://me:canary@mail example.com:x"),
        ("BAILIWICK_DATABASE_URL", "mysql://me:canary@db.example.com/app"),
        ("BAILIWICK_DATABASE_URL", "canary"),
        ("BAILIWICK_SECRET_KEY", "canary"),
        ("BAILIWICK_PUBLIC_URL", "https://me:canary@access.example.com"),
    ] {
        let text = refused(&[wrong]);
        assert!(!text.contains("canary"), "{wrong:?}: {text}");
    }
}

#[test]
fn what_is_unwise_is_said() {
    let nothing = "Nothing is unwise";
    assert!(accepted(&[]).contains(nothing));
    assert!(accepted(&[("BAILIWICK_BIND", "localhost:8000")]).contains(nothing));
    let wise = [
        ("BAILIWICK_PUBLIC_URL", "https://access.example.com"),
        ("BAILIWICK_TRUSTED_PROXIES", "127.0.0.1"),
        ("BAILIWICK_SIGN_UP", "invited"),
        ("BAILIWICK_MAIL", "smtp://mail.example.com"),
        ("BAILIWICK_SECRET_KEY", &"ca".repeat(32)),
    ];
    let text = accepted(&wise);
    assert!(text.contains(nothing), "{text}");
    for (changed, value, warning) in [
        ("BAILIWICK_PUBLIC_URL", "http://access.example.com", "passwords and sessions can be read"),
        ("BAILIWICK_TRUSTED_PROXIES", "", "everybody counts as one address"),
        ("BAILIWICK_TRUSTED_PROXIES", "0.0.0.0/0", "anybody can claim"),
        ("BAILIWICK_SIGN_UP", "open", "anybody who can reach"),
        ("BAILIWICK_MAIL", "", "nobody receives e-mail"),
        ("BAILIWICK_SECRET_KEY", "", "back up"),
    ] {
        let changed_one = wise.map(|(name, before)| (name, if name == changed { value } else { before }));
        let text = accepted(&changed_one);
        assert!(text.contains(warning) && !text.contains(nothing), "{changed}: {text}");
    }
    let text = accepted(&[("BAILIWICK_BIND", "0.0.0.0:8000")]);
    assert!(text.contains("links in e-mail are dead"), "{text}");
}

#[test]
fn an_option_may_stand_after_the_subcommand_and_wins_over_its_variable() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let done = program::run(dir.path(), arguments, &[("BAILIWICK_BIND", "127.0.0.1:1111")]);
        assert!(done.status.success(), "{}", shown(&done));
        line(&shown(&done), "BAILIWICK_BIND").to_owned()
    };
    assert_eq!(run(&["check-config"]), "127.0.0.1:1111");
    assert_eq!(run(&["--bind", "127.0.0.1:2222", "check-config"]), "127.0.0.1:2222");
    assert_eq!(run(&["check-config", "--bind", "127.0.0.1:3333"]), "127.0.0.1:3333");
}

#[tokio::test]
async fn signals_that_tools_send_end_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
    let program = Program::serve(&database, dir.path(), &[]).await;
    for signal in ["HUP", "USR1", "USR2"] {
        program.signal(signal);
        until("the signal is not logged", async || program.log().contains(&format!("SIG{signal}"))).await;
        program.client().get("/readyz").await.assert_status(200);
    }
    program.terminate();
    let status = program.ended(WAIT_TIMEOUT).await;
    assert!(status.success() && status.signal().is_none(), "{status}");
}

fn ask(socket: &Path, head: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "{head}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn it_listens_on_a_unix_socket_and_trusts_the_proxy_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("bailiwick.sock");
    let mut child = program::command(dir.path())
        .args(["serve", "--bind", &format!("unix:{}", socket.display())])
        .env("BAILIWICK_PUBLIC_URL", "http://access.example.com")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the socket is not there", async || UnixStream::connect(&socket).is_ok()).await;
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let page = ask(&socket, "GET /sign-in HTTP/1.1\r\nHost: access.example.com\r\nX-Forwarded-For: 10.1.2.3");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Sign in"), "{page}");
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!socket.exists(), "the socket is left behind");
}

#[tokio::test]
async fn the_first_person_of_an_installation_for_invited_people_gets_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
    let invited = [("BAILIWICK_SIGN_UP", "invited")];
    let program = Program::serve(&database, dir.path(), &invited).await;
    until("no link is printed", async || program.log().contains("/first-sign-up/")).await;
    let log = program.log();
    let link = log.lines().find(|line| line.contains("/first-sign-up/")).unwrap();
    let path = link.strip_prefix(&program.url()).unwrap();
    let client = program.client();
    client.get("/sign-up").await.assert_status(403);
    let page = client.visit(path).await;
    page.assert_says("You're the first person here");
    assert!(!page.url.as_str().contains("blw_"), "{}", page.url);
    let fields = [
        ("name", "Owner One"),
        ("email", "owner@example.com"),
        ("password", PASSWORD),
        ("workspace", "Acme"),
    ];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    let link = program.mail.wait_for_link("owner@example.com", "/email-verification/").await;
    let page = client.visit(&link).await;
    client.submit(&page, "/email-verification", &[]).await.assert_status(303);
    client.visit("/w/acme").await;
    drop(program);
    std::fs::remove_file(dir.path().join("program.log")).unwrap();
    let program = Program::serve(&database, dir.path(), &invited).await;
    until("it is not running", async || program.log().contains("running at")).await;
    assert!(!program.log().contains("/first-sign-up/"));
}

both! {
    async fn the_link_for_the_first_person_works_until_somebody_has_confirmed_their_address(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.sign_up = product::SignUp::Invited).spawn().await;
        let person = |name: &'static str, email: &'static str| {
            [("name", name), ("email", email), ("password", PASSWORD), ("workspace", name)]
        };
        // A mistyped address does not use it up.
        for (name, email) in [("Mistyped", "typo@example.com"), ("Owner One", "owner-one@example.com")] {
            let client = app.client();
            let page = client.visit(&app.first_sign_up()).await;
            client.submit(&page, "/sign-up", &person(name, email)).await.assert_status(303);
        }
        let late = app.client();
        let page = late.visit(&app.first_sign_up()).await;
        let client = app.client();
        let link = app.mail.wait_for_link("owner-one@example.com", "/email-verification/").await;
        let confirm = client.visit(&link).await;
        client.submit(&confirm, "/email-verification", &[("password", PASSWORD)]).await.assert_status(303);
        let fields = person("Late One", "late@example.com");
        let sent = late.submit(&page, "/sign-up", &fields);
        app.unchanged_by(sent).await.assert_status(409);
        let stranger = app.client();
        stranger.get(&app.first_sign_up()).await.assert_status(303);
        let at = stranger.get(&app.first_sign_up()).await.location();
        stranger.get(&at).await.assert_status(403);
    }

    async fn another_secret_is_no_link_for_the_first_person(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.sign_up = product::SignUp::Invited).spawn().await;
        for path in ["/first-sign-up/x".to_owned(), app.first_sign_up().replace("blw_1st_", "blw_inv_")] {
            let client = app.client();
            let at = client.get(&path).await.with_status(303).location();
            client.get(&at).await.assert_status(403);
        }
        let client = app.client();
        let fields =
            [("name", "A One"), ("email", "a@example.com"), ("password", PASSWORD), ("workspace", "A")];
        app.unchanged_by(client.post_form("/sign-up", &fields)).await.assert_status(403);
    }
}
