//! Settings as people write them, and what the program says about them.

use crate::support::{program, *};
use sea_orm::{ConnectionTrait, Statement};
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
        "SUPPORT_EMAIL",
        "PLANS",
        "STRIPE_URL",
        "STRIPE_SECRET_KEY",
        "STRIPE_SECRET_KEY_FILE",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_WEBHOOK_SECRET_FILE",
        "SIGN_UP",
        "TRUSTED_PROXIES",
        "PROXY_HEADER",
        "CALLS_PER_MINUTE",
        "ACQUIRE_TIMEOUT",
        "SESSION_IDLE_DAYS",
        "KEEP_ALIVE",
        "METRICS_BIND",
        "TRACES",
        "OUTBOUND_ALLOW",
        "OUTBOUND_RESOLVER",
        "OUTBOUND_ROOT_CERTIFICATES",
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

/// Breaks when a setting is left out of `summary` (config/advice.rs).
#[test]
fn check_config_shows_every_setting() {
    let help = program::run(&std::env::temp_dir(), &["--help"], &[]);
    let help = shown(&help);
    let names: Vec<&str> = help
        .split("[env:")
        .skip(1)
        .map(|rest| {
            rest.trim_start().trim_start_matches("BAILIWICK_").split(['=', ']']).next().unwrap().trim()
        })
        .collect();
    assert!(names.len() >= 20, "{help}");
    let text = accepted(&[]);
    for name in names {
        let line = line(&text, &format!("BAILIWICK_{name} "));
        assert!(!line.is_empty(), "{name}");
    }
}

/// What systemd is told not to start again. Breaks without `needs_mending` (startup.rs, domain/base/connect.rs).
#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_end_with_the_status_that_the_unit_names() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], settings: &[(&str, &str)]| {
        // Without the secret key of the one before.
        let dir = tempfile::tempdir().unwrap();
        let done = program::run(dir.path(), arguments, settings);
        let said = shown(&done);
        assert!(!said.trim().is_empty() && !done.status.success(), "{settings:?}");
        (done.status.code().unwrap(), said)
    };
    let taken = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
    let file = taken.path().to_str().unwrap();
    let below_a_file = format!("{file}/data");
    for (name, value) in [
        ("BAILIWICK_BIND", "8000"),
        ("BAILIWICK_BIND", "unix:/run/bailiwick.sock"),
        ("BAILIWICK_BIND", "unix:/no/such/folder/bailiwick.sock"),
        ("BAILIWICK_METRICS_BIND", "unix:/no/such/folder/metrics.sock"),
        ("BAILIWICK_PUBLIC_URL", "access.example.com"),
        ("BAILIWICK_PUBLICURL", "https://access.example.com"),
        ("BAILIWICK_DATABASE_URL", "mysql://db.example.com"),
        ("BAILIWICK_DATABASE_URL", "postgres://a,b/db"),
        ("BAILIWICK_DATABASE_URL", "postgres://127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/no/such/file"),
        ("BAILIWICK_SECRET_KEY", "short"),
        ("BAILIWICK_AUDIT_KEY", "short"),
        ("BAILIWICK_DATA_DIR", &below_a_file),
        ("BAILIWICK_MAIL", "imap://mail.example.com"),
        ("BAILIWICK_MAIL", "smtp://"),
        ("BAILIWICK_MAIL_FROM", "nobody at all"),
        ("BAILIWICK_WORKERS", "many"),
        ("BAILIWICK_TRACES", "grpc://collector"),
    ] {
        let mut settings = vec![("BAILIWICK_BIND", "127.0.0.1:0"), ("BAILIWICK_SECRET_KEY", "")];
        if value.starts_with("unix:/no") {
            settings.push(("BAILIWICK_PUBLIC_URL", "http://access.example.com"));
        }
        settings.push((name, value));
        let (code, said) = run(&["serve"], &settings);
        assert_eq!(code, 78, "{name}={value}: {said}");
    }
    // PostgreSQL without the key that all nodes have.
    let postgres =
        [("BAILIWICK_BIND", "127.0.0.1:0"), ("BAILIWICK_DATABASE_URL", "postgres://127.0.0.1:1/db")];
    assert_eq!(run(&["serve"], &postgres).0, 78);
    // A database that is away may come back.
    let key = "07".repeat(32);
    let away = [&postgres[..], &[("BAILIWICK_SECRET_KEY", key.as_str()), ("BAILIWICK_ACQUIRE_TIMEOUT", "1")]]
        .concat();
    assert_eq!(run(&["serve"], &away).0, 1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    assert_eq!(run(&["serve"], &[("BAILIWICK_BIND", &bind)]).0, 1);
    assert_eq!(run(&["srve"], &[]).0, 2);
    assert_eq!(run(&["--no-such-option"], &[]).0, 2);
    let unit =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/bailiwick.service"));
    let unit = unit.unwrap();
    let never = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    assert_eq!(never.split(' ').collect::<Vec<_>>(), ["2", "78"]);
}

/// Breaks when a command opens the database by `Db::open` (main.rs).
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_works_on_what_is_there_creates_no_database() {
    let key = ("BAILIWICK_SECRET_KEY", "07".repeat(32));
    let grant = ["grant-credits", "--workspace", "acme", "--amount", "1", "--expires", "2099-12-31"];
    let commands: [&[&str]; 11] = [
        &["verify-audit"],
        &["verify-ledger"],
        &["invoice", "list"],
        &["reconcile-billing"],
        &grant,
        &["support", "list"],
        &["seed"],
        &["checkpoint"],
        &["erase-names", "ada@example.com"],
        &["backup", "one.backup", "--without-key"],
        &["audit-key"],
    ];
    for (command, is_sure) in commands.iter().flat_map(|command| [(command, true), (command, false)]) {
        let dir = tempfile::tempdir().unwrap();
        let settings: &[_] = if is_sure { &[(key.0, key.1.as_str())] } else { &[] };
        let done = program::run(dir.path(), command, settings);
        let said = shown(&done);
        if is_sure && command == &["audit-key"] {
            assert!(done.status.success(), "{said}");
        } else {
            assert!(!done.status.success() && said.contains("as for the server"), "{command:?}: {said}");
        }
        let created = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(created, 0, "{command:?} creates something");
    }
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for command in &commands[..9] {
            let dir = tempfile::tempdir().unwrap();
            let database = TestDatabase::empty(backend, dir.path()).await;
            if backend == Backend::Sqlite {
                std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
            }
            let settings = [("BAILIWICK_DATABASE_URL", database.url.as_str()), (key.0, key.1.as_str())];
            let done = program::run(dir.path(), command, &settings);
            assert!(
                !done.status.success() && shown(&done).contains("the database is empty"),
                "{}",
                shown(&done)
            );
            let tables = match backend {
                Backend::Sqlite => "SELECT count(*) FROM sqlite_master",
                Backend::Postgres => "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
            };
            let connection = database.connect().await;
            let statement = Statement::from_string(connection.get_database_backend(), tables);
            let row = connection.query_one_raw(statement).await.unwrap().unwrap();
            assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 0, "{command:?}");
            connection.close().await.unwrap();
        }
    }
}

/// Breaks without `visible::lines` in say and complain (main.rs), and `visible::line` in summary (config/advice.rs).
#[test]
fn nothing_that_is_shown_does_anything_to_a_terminal() {
    let evil = "a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\u{2066}b\u{200b}";
    let file = format!("file:{evil}");
    let url = format!("http://{evil}");
    let name = "BAILIWICK_BIND\u{1b}[2J".to_owned();
    for (settings, is_accepted) in [
        (vec![("BAILIWICK_MAIL", file.as_str())], true),
        (vec![("BAILIWICK_DATA_DIR", "one\nBAILIWICK_SIGN_UP  open")], true),
        (vec![("BAILIWICK_MAIL_FROM", evil)], false),
        (vec![("BAILIWICK_BIND", evil)], false),
        (vec![("BAILIWICK_PUBLIC_URL", url.as_str())], false),
        (vec![("BAILIWICK_SIGN_UP", evil)], false),
        (vec![(name.as_str(), "x")], false),
    ] {
        let text = if is_accepted { accepted(&settings) } else { refused(&settings) };
        let hidden =
            text.chars().find(|c| *c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200b}".contains(*c)));
        assert_eq!(hidden, None, "{settings:?}: {text:?}");
        assert!(text.lines().filter(|line| line.starts_with("BAILIWICK_SIGN_UP")).count() <= 1, "{text}");
    }
    let done = program::run(&std::env::temp_dir(), &["restore", evil], &[]);
    assert!(!shown(&done).contains('\u{1b}') && shown(&done).contains("\\u{1b}"), "{}", shown(&done));
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
fn where_requests_to_destinations_may_lead_is_shown_and_checked() {
    let text = accepted(&[]);
    assert_eq!(line(&text, "BAILIWICK_OUTBOUND_ALLOW"), "none");
    let text = accepted(&[
        ("BAILIWICK_OUTBOUND_ALLOW", " API.internal, build.internal:8443 [::1]:9000,"),
        ("BAILIWICK_OUTBOUND_RESOLVER", "127.0.0.1:5353"),
    ]);
    assert_eq!(line(&text, "BAILIWICK_OUTBOUND_ALLOW"), "api.internal, build.internal:8443, [::1]:9000");
    assert_eq!(line(&text, "BAILIWICK_OUTBOUND_RESOLVER"), "127.0.0.1:5353");
    for (name, value, said) in [
        ("BAILIWICK_OUTBOUND_ALLOW", "https://api.internal", "host:port"),
        ("BAILIWICK_OUTBOUND_ALLOW", "*.internal", "host:port"),
        ("BAILIWICK_OUTBOUND_RESOLVER", "dns.internal", "--outbound-resolver"),
        ("BAILIWICK_OUTBOUND_ROOT_CERTIFICATES", "/no/such/file.pem", "/no/such/file.pem"),
        ("BAILIWICK_OUTBOUND_ROOT_CERTIFICATES", "/dev/null", "no certificate"),
    ] {
        let text = refused(&[(name, value)]);
        assert!(text.contains(said), "{value}: {text}");
    }
}

#[test]
fn stripe_is_used_with_both_secrets_and_neither_is_shown() {
    let text = accepted(&[]);
    assert_eq!(line(&text, "BAILIWICK_STRIPE_SECRET_KEY "), "none");
    assert_eq!(line(&text, "BAILIWICK_STRIPE_URL"), "https://api.stripe.com");
    let (key, secret) = (
        ("BAILIWICK_STRIPE_SECRET_KEY", "sk_test_canary"),
        ("BAILIWICK_STRIPE_WEBHOOK_SECRET", "whsec_canary"),
    );
    let text = accepted(&[key, secret]);
    assert_eq!(line(&text, "BAILIWICK_STRIPE_SECRET_KEY "), "set");
    assert_eq!(line(&text, "BAILIWICK_STRIPE_WEBHOOK_SECRET "), "set");
    assert!(!text.contains("canary"), "{text}");
    let port = ("BAILIWICK_STRIPE_URL", "https://stripe.internal:12111");
    accepted(&[key, secret, port, ("BAILIWICK_OUTBOUND_ALLOW", "stripe.internal:12111")]);
    for (settings, said) in [
        (&[key][..], "BAILIWICK_STRIPE_WEBHOOK_SECRET"),
        (&[secret], "BAILIWICK_STRIPE_SECRET_KEY"),
        (&[key, secret, port], "BAILIWICK_OUTBOUND_ALLOW"),
        (&[key, secret, ("BAILIWICK_STRIPE_URL", "http://api.stripe.com")], "https://"),
        (&[key, secret, ("BAILIWICK_STRIPE_URL", "https://me:canary@api.stripe.com")], "leave out"),
        (&[("BAILIWICK_STRIPE_SECRET_KEY", "pk_test_canary"), secret], "publishable"),
        (&[("BAILIWICK_STRIPE_SECRET_KEY", "sk test canary"), secret], "blanks"),
        (&[("BAILIWICK_STRIPE_SECRET_KEY_FILE", "/no/such/file"), secret], "/no/such/file"),
    ] {
        let text = refused(settings);
        assert!(text.contains(said) && !text.contains("canary"), "{settings:?}: {text}");
    }
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
        let mut clients = Vec::new();
        for (name, email) in [("Mistyped", "typo@example.com"), ("Owner One", "owner-one@example.com")] {
            let client = app.client();
            let page = client.visit(&app.first_sign_up()).await;
            client.submit(&page, "/sign-up", &person(name, email)).await.assert_status(303);
            sign_in_with(&client, email, PASSWORD).await;
            clients.push(client);
        }
        clients[0].visit("/w/mistyped").await;
        let late = app.client();
        let page = late.visit(&app.first_sign_up()).await;
        let client = app.client();
        let link = app.mail.wait_for_link("owner-one@example.com", "/email-verification/").await;
        let confirm = client.visit(&link).await;
        client.submit(&confirm, "/email-verification", &[("password", PASSWORD)]).await.assert_status(303);
        client.visit("/w/owner-one").await;
        // Of the other sign-up nothing is kept, whatever became of it until then.
        for (table, rows) in [("users", 1), ("accounts", 1), ("workspaces", 1), ("members", 1)] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
        }
        clients[0].get("/w/mistyped").await.assert_status(401);
        let link = app.mail.wait_for_link("typo@example.com", "/email-verification/").await;
        let mistyped = app.client();
        mistyped.get(&link).await.assert_status(303);
        let at = mistyped.get(&link).await.location();
        mistyped.get(&at).await.with_status(410).assert_says("Someone else was the first person here");
        let fields = person("Late One", "late@example.com");
        let sent = late.submit(&page, "/sign-up", &fields);
        let refused = app.unchanged_by(sent).await.with_status(410);
        refused.assert_says("Someone else was the first person here").assert_says("Ask them to invite you");
        let stranger = app.client();
        stranger.get(&app.first_sign_up()).await.assert_status(303);
        let at = stranger.get(&app.first_sign_up()).await.location();
        stranger.get(&at).await.with_status(410).assert_says("Ask them to invite you");
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
