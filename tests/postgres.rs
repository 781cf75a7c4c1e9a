//! PostgreSQL as it is sold: with TLS, sockets and any password, and behind PgBouncer.

use crate::support::{program::run, *};
use sea_orm::ConnectionTrait;
use std::path::Path;

/// Starts the program for a moment, and returns everything that it says, at the level that says most. It serves nothing:
/// the database is empty, and the settings forbid to fill it.
fn start(url: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let key = "07".repeat(32);
    let settings = [
        ("BAILIWICK_DATABASE_URL", url),
        ("BAILIWICK_SECRET_KEY", &key),
        ("BAILIWICK_BIND", "127.0.0.1:0"),
        ("BAILIWICK_MIGRATE", "off"),
        ("BAILIWICK_ACQUIRE_TIMEOUT", "1"),
        ("RUST_LOG", "trace"),
    ];
    let done = run(dir.path(), &["serve"], &settings);
    assert!(!done.status.success(), "it serves");
    let check = run(dir.path(), &["check-config"], &settings);
    [done.stdout, done.stderr, check.stdout, check.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .concat()
}

/// It connected, and found no tables.
const CONNECTED: &str = "BAILIWICK_MIGRATE is off";

fn assert_connects(url: &str) {
    let said = start(url);
    assert!(said.contains(CONNECTED), "{url}: {said}");
}

/// It did not connect, and says what to set.
fn assert_refused(url: &str, part: &str) {
    let said = start(url);
    let last = said.lines().find(|line| line.starts_with("bailiwick: ")).unwrap_or_default();
    assert!(!said.contains(CONNECTED) && last.contains(part), "{url}: {said}");
    assert!(!last.contains("postgres://"), "{url}: {last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_means_what_it_means_to_libpq() {
    let (ours, others) = (Authority::new(), Authority::new());
    let cluster = Cluster::start(
        "hostssl all certified 127.0.0.1/32 cert\nhostssl all encrypted 127.0.0.1/32 trust\n\
         hostnossl all plain 127.0.0.1/32 trust",
    );
    let server = ours.issue("localhost");
    let (certificate, key) = (cluster.add_file(&server.certificate), cluster.add_file(&server.key));
    let root = cluster.add_file(&ours.root());
    cluster.configure(&format!(
        "ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\nssl_ca_file = '{root}'\n"
    ));
    cluster.stop("fast");
    cluster.start_again();
    cluster.sql("CREATE ROLE encrypted LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE certified LOGIN");

    let at = |role: &str, host: &str, parameters: &str| {
        format!("postgres://{role}@{host}:{}/postgres?{parameters}", cluster.port)
    };
    let (root, other_root) = (ours.root(), others.root());
    let with = |mode: &str, root: &Path| format!("sslmode={mode}&sslrootcert={}", root.display());
    let encrypted = |host: &str, parameters: &str| at("encrypted", host, parameters);

    for parameters in ["", "sslmode=prefer", "sslmode=allow", "sslmode=require", "ssl=true"] {
        assert_connects(&encrypted("127.0.0.1", parameters));
    }
    assert_refused(&encrypted("127.0.0.1", "sslmode=disable"), "sslmode=require");
    // A role that may not use TLS.
    assert_connects(&at("plain", "127.0.0.1", "sslmode=prefer"));
    assert_connects(&at("plain", "127.0.0.1", "sslmode=disable"));
    assert_refused(&at("plain", "127.0.0.1", "sslmode=require"), "pg_hba.conf");

    for (mode, host) in [("require", "127.0.0.1"), ("verify-ca", "127.0.0.1"), ("verify-full", "localhost")] {
        assert_connects(&encrypted(host, &with(mode, &root)));
        assert_refused(&encrypted(host, &with(mode, &other_root)), "sslrootcert");
        if mode != "require" {
            assert_refused(&encrypted(host, &format!("sslmode={mode}")), "sslrootcert");
        }
        assert_refused(&encrypted(host, &with(mode, Path::new("/missing.pem"))), "/missing.pem");
    }
    assert_refused(&encrypted("127.0.0.1", &with("verify-full", &root)), "another name than 127.0.0.1");
    assert_refused(&encrypted("localhost", "sslrootcert=system"), "sslrootcert");

    let full = with("verify-full", &root);
    let client = |certificate: &Certificate| {
        let (certificate, key) = (certificate.certificate.display(), certificate.key.display());
        at("certified", "localhost", &format!("{full}&sslcert={certificate}&sslkey={key}"))
    };
    assert_connects(&client(&ours.issue("certified")));
    assert_refused(&at("certified", "localhost", &full), "sslcert");
    assert_refused(&client(&ours.issue("somebody")), "certificate");
    assert_refused(&client(&others.issue("certified")), "sslcert");

    cluster.configure("ssl = off\n");
    cluster.reload();
    until("the server still offers TLS", async || {
        start(&encrypted("127.0.0.1", "sslmode=require")).contains("it offers no TLS")
    })
    .await;
}

const PASSWORDS: [&str; 8] = [
    "canary secret",
    "canary@/:?#[]&=+%",
    "canary%zz100%",
    "'canary' \"quoted\" `and` \\",
    "canary@host/db?sslmode=disable",
    "kanarienvögel-canary-密码",
    "canary;$(reboot)",
    "canary?a=b&c=d",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_password_may_contain_anything_and_is_never_shown() {
    let cluster = Cluster::start("host all guarded 127.0.0.1/32 scram-sha-256");
    cluster.sql("CREATE ROLE guarded LOGIN");
    let port = cluster.port;
    for password in PASSWORDS {
        cluster.sql(&format!("ALTER ROLE guarded PASSWORD {}", quoted(password)));
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let parameter =
            format!("postgres:///postgres?host=127.0.0.1&port={port}&user=guarded&password={encoded}");
        let written =
            [password, &encoded].map(|text| format!("postgres://guarded:{text}@127.0.0.1:{port}/postgres"));
        for url in written.into_iter().chain([parameter]) {
            let said = start(&url);
            assert!(said.contains(CONNECTED), "{url}: {said}");
            assert_says_nothing_of(&said, password);
        }
        // Another password, and a server that is not there.
        for (url, part) in [
            (format!("postgres://guarded:x{password}@127.0.0.1:{port}/postgres"), "user and password"),
            (format!("postgres://guarded:{password}@127.0.0.1:{}/postgres", free_port()), "host and port"),
            (format!("postgres://guarded:{password}@127.0.0.1:port/postgres"), "port"),
        ] {
            let said = start(&url);
            assert!(!said.contains(CONNECTED) && said.contains(part), "{url}: {said}");
            assert_says_nothing_of(&said, password);
        }
    }
}

fn assert_says_nothing_of(said: &str, password: &str) {
    let lower = said.to_lowercase();
    assert!(!lower.contains("canary") && !said.contains(password), "it shows {password}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_named_in_either_spelling() {
    let cluster = Cluster::start("host all all 127.0.0.1/32 reject");
    let (folder, port) = (cluster.folder().display().to_string(), cluster.port);
    let encoded = folder.replace('/', "%2F");
    for url in [
        format!("postgres:///postgres?host={folder}&port={port}&user=postgres"),
        format!("postgres://postgres@{encoded}:{port}/postgres"),
        // No TLS on a socket, whatever is demanded of a network.
        format!("postgres://postgres@{encoded}:{port}/postgres?sslmode=verify-full"),
    ] {
        assert_connects(&url);
    }
    assert_refused(&format!("postgres:///postgres?host=/nowhere&port={port}&user=postgres"), "/nowhere");
    assert_refused(&format!("postgres://postgres@{encoded}:{port}/absent"), "Create the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_connections_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty(Backend::Postgres, dir.path()).await;
    for mode in ["transaction", "statement"] {
        for settings in ["", "ignore_startup_parameters = extra_float_digits,options\nserver_round_robin = 1"]
        {
            let pooler = PgBouncer::start(&database, mode, settings).await;
            assert_refused(&pooler.url(&database), "pool in session mode");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_session_mode_everything_works() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty(Backend::Postgres, dir.path()).await;
    let pooler = PgBouncer::start(&database, "session", "").await;
    let pooled = TestDatabase::of_others(Backend::Postgres, pooler.url(&database));
    let program = Program::serve(&pooled, dir.path(), &[]).await;
    let client = program.client();
    let page = client.visit("/sign-up").await;
    let fields = [
        ("name", "Owner One"),
        ("email", "owner@example.com"),
        ("password", PASSWORD),
        ("workspace", "Acme"),
    ];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    let link = program.mail.wait_for_link("owner@example.com", "/email-verification/").await;
    client.get(&link).await;
    // Each connection plans as it should.
    let connection = database.connect().await;
    let sql = "SELECT 1 FROM users WHERE email = 'owner@example.com'";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
    assert!(connection.query_one_raw(statement).await.unwrap().is_some());
    connection.close().await.unwrap();
}
