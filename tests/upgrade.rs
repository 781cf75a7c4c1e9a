//! A database of an earlier version, with something in it, is brought up to date.

use crate::{
    nouns,
    support::{
        product::{Clock, Config, Db, verify},
        program, *,
    },
    world::assert_counted,
};
use migration::{Migrator, MigratorExt};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

/// Steps before counts were kept.
const BEFORE_HEADCOUNTS: u32 = 5;

both! {
    async fn what_is_kept_is_derived_for_what_was_there(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        assert_counted(&app).await;
        let mut compared = 0;
        for noun in nouns::ALL {
            for (sql, expected) in noun.upgraded() {
                let derived = app.scalar_text(sql).await;
                assert_eq!(derived.as_deref(), Some(*expected), "{sql}, in {}", noun.file());
                compared += 1;
            }
        }
        assert!(compared > 6, "only {compared} were compared");
    }

    /// Also that of a workspace that is gone.
    async fn what_was_recorded_is_chained_again(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        record(&database).await;
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        let config = Config::for_tests(app.database.url.clone(), &std::env::temp_dir());
        let db = Db::open(&config, app.url(), app.clock.clone()).await.unwrap();
        let report = verify::verify(&db, &[], &[]).await.unwrap();
        db.close().await;
        assert!(report.findings.is_empty(), "{report:?}");
        let chains: Vec<String> =
            report.chains.iter().map(|(chain, events)| format!("{} {events}", chain.kind())).collect();
        assert_eq!(chains, ["installation 4", "account 1", "user 2", "workspace 2", "workspace 1"]);
        let sql =
            format!("SELECT actor_name || payload FROM {AUDIT_RECORD} r WHERE kind = 'user.profile-updated'");
        let said = app.scalar_text(&sql).await.unwrap();
        assert_eq!(said, r#"Öwner{"profile_updated":{"name_before":"A","name_after":"B"}}"#);
        let sql = "SELECT payload FROM audit_events WHERE kind = 'user.profile-updated'";
        assert_eq!(app.scalar_text(sql).await.as_deref(), Some("{}"), "the names can be erased");
        let sql = "SELECT i.target_subject FROM audit_identities i JOIN audit_events e ON e.id = i.event_id
            WHERE e.kind = 'member.suspended'";
        assert_eq!(app.scalar_uuid(sql).await, Uuid::from_u128(1), "who it was done to is known");
    }
}

both! {
    /// More than are read at a time, some of them at one moment.
    async fn a_long_record_is_chained_again_in_its_order(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        record(&database).await;
        let connection = database.connect().await;
        let (workspace, id) = match backend {
            Backend::Sqlite => (format!("X'{}'", Uuid::from_u128(3).simple()), "randomblob(16)"),
            Backend::Postgres => (format!("'{}'::uuid", Uuid::from_u128(3)), "gen_random_uuid()"),
        };
        for of in [workspace.as_str(), "NULL"] {
            let seq = if of == "NULL" { "0" } else { "n + 2" };
            let sql = format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1200)
                INSERT INTO audit_events (id, workspace_id, seq, at, kind, outcome, actor_kind, actor_id, actor_name,
                    target_kind, target_name, via, address, user_agent, payload, hash)
                SELECT {id}, {of}, {seq}, n / 10, 'numbered', 'done', 'user', (SELECT u.id FROM users u), '', '', '',
                    'browser', '', '', '{{}}', (SELECT hash FROM audit_events LIMIT 1) FROM numbers"
            );
            connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        connection.close_by_ref().await.unwrap();
        let app = TestApp::on(backend).spawn_on(database, dir).await;

        let config = Config::for_tests(app.database.url.clone(), &std::env::temp_dir());
        let db = Db::open(&config, app.url(), app.clock.clone()).await.unwrap();
        let report = verify::verify(&db, &[], &[]).await.unwrap();
        db.close().await;
        assert!(report.findings.is_empty(), "{report:?}");
        let chains: Vec<String> =
            report.chains.iter().map(|(chain, events)| format!("{} {events}", chain.kind())).collect();
        assert_eq!(chains, ["installation 4", "account 1", "user 1202", "workspace 1202", "workspace 1"]);
        let disorder = "SELECT COUNT(*) FROM audit_events a JOIN audit_events b ON b.seq = a.seq + 1
            AND (b.workspace_id = a.workspace_id OR b.user_id = a.user_id) WHERE a.seq > 2 AND b.at < a.at";
        assert_eq!(app.scalar_i64(disorder).await, 0);
    }

    /// Nothing is changed, and it says why.
    async fn an_event_that_no_chain_takes_is_not_lost(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        if backend == Backend::Sqlite {
            std::fs::write(dir.path().join("bailiwick.db"), "").unwrap();
        }
        fill(&database).await;
        record(&database).await;
        let connection = database.connect().await;
        let id = match backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        let sql = format!(
            "INSERT INTO audit_events (id, seq, at, kind, outcome, actor_kind, actor_name, target_kind, target_name, via,
                address, user_agent, payload, hash)
            SELECT {id}, 0, 1, 'of nobody', 'done', 'system', '', '', '', 'command', '', '', '{{}}', hash
            FROM audit_events LIMIT 1"
        );
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let error = Migrator::up(&connection, None).await.unwrap_err().to_string();
        assert!(error.contains("1 audit events name no workspace, no account and no user"), "{error}");
        let kept = connection.execute_unprepared("DELETE FROM audit_events WHERE kind = 'of nobody'").await;
        assert!(kept.unwrap_err().to_string().contains("append-only"), "the table before is there, as it was");
        connection.close_by_ref().await.unwrap();
    }
}

/// Some events, as the schema before the chains has them.
async fn record(database: &TestDatabase) {
    let (connection, backend) = (&database.connect().await, database.backend);
    let position = |name: &str| Migrator::migrations().iter().position(|step| step.name().starts_with(name));
    let steps = u32::try_from(position("m0019").unwrap()).unwrap() - BEFORE_HEADCOUNTS;
    Migrator::up(connection, Some(steps)).await.unwrap();
    let (null, empty) = ("NULL", if backend == Backend::Sqlite { "X''" } else { "''" });
    let quote = |id: u128| match backend {
        Backend::Sqlite => format!("X'{}'", Uuid::from_u128(id).simple()),
        Backend::Postgres => format!("'{}'", Uuid::from_u128(id)),
    };
    let renamed = r#"{"profile_updated":{"name_before":"A","name_after":"B"}}"#;
    for (n, (workspace, account, seq, kind, payload)) in [
        (quote(3), quote(2), 1, "workspace.created", "{}"),
        (quote(3), null.into(), 2, "member.suspended", "{}"),
        (quote(99), null.into(), 1, "organization.deleted", "{}"),
        (null.into(), quote(2), 0, "account.updated", "{}"),
        (null.into(), null.into(), 0, "user.signed-in", r#"{"signed_in":{}}"#),
        (null.into(), null.into(), 0, "user.profile-updated", renamed),
    ]
    .into_iter()
    .enumerate()
    {
        let sql = format!(
            "INSERT INTO audit_events (id, workspace_id, account_id, seq, at, kind, outcome, actor_kind, actor_id,
                actor_name, target_kind, target_id, target_name, via, address, user_agent, payload, hash)
            VALUES ({}, {workspace}, {account}, {seq}, {n}, '{kind}', 'done', 'user', {}, 'Öwner', 'member', {}, 'Thing',
                'browser', '127.0.0.1', 'Browser', '{payload}', {empty})",
            quote(100 + n as u128),
            quote(1),
            quote(6),
        );
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    connection.close_by_ref().await.unwrap();
}

/// What the program says when it is started with this database.
fn refusal(database: &TestDatabase, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let key = "07".repeat(32);
    let all = [("BAILIWICK_DATABASE_URL", database.url.as_str()), ("BAILIWICK_SECRET_KEY", &key)];
    let all: Vec<_> = all.into_iter().chain(settings.iter().copied()).collect();
    let done = program::run(dir.path(), arguments, &all);
    assert!(!done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

both! {
    async fn a_newer_schema_is_refused_in_a_sentence(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let connection = database.connect().await;
        let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_of_the_future', 0)";
        connection.execute_unprepared(sql).await.unwrap();
        connection.close_by_ref().await.unwrap();
        for arguments in [["serve"], ["migrate"]] {
            let said = refusal(&database, &arguments, &[("BAILIWICK_BIND", "127.0.0.1:0")]);
            assert!(said.contains("newer version") && said.contains("m9999_of_the_future"), "{said}");
        }
    }

    async fn nodes_that_start_at_once_on_an_empty_database_all_serve(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        let start = || Program::serve(&database, dir.path(), &[]);
        let (one, two, three) = tokio::join!(start(), start(), start());
        for program in [&one, &two, &three] {
            program.client().get("/readyz").await.assert_status(200);
        }
    }

    async fn without_migrating_an_older_schema_is_refused_and_the_present_one_is_served(backend: Backend) {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::empty(backend, dir.path()).await;
        let off = [("BAILIWICK_BIND", "127.0.0.1:0"), ("BAILIWICK_MIGRATE", "off")];
        let said = refusal(&database, &["serve"], &off);
        assert!(said.contains("bailiwick migrate"), "{said}");
        let key = "07".repeat(32);
        let settings =
            [("BAILIWICK_DATABASE_URL", database.url.as_str()), ("BAILIWICK_SECRET_KEY", &key), off[1]];
        let done = program::run(dir.path(), &["migrate"], &settings);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_MIGRATE", "off")]).await;
        program.client().get("/readyz").await.assert_status(200);
    }
}

/// A role that owns nothing serves what another one migrated.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_owns_nothing_serves() {
    let dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::migrated(Backend::Postgres, dir.path()).await;
    let connection = database.connect().await;
    let name = format!("server_{}", std::process::id());
    for sql in [
        format!("CREATE ROLE {name} LOGIN PASSWORD 'p@ss/w:rd#?'"),
        format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"),
    ] {
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let mut url: url::Url = database.url.parse().unwrap();
    url.set_username(&name).unwrap();
    let (scheme, rest) = url.as_str().split_once(&format!("{name}@")).unwrap();
    let written = format!("{scheme}{name}:p@ss/w:rd#?@{rest}");
    let settings = [("BAILIWICK_MIGRATE", "off"), ("BAILIWICK_DATABASE_URL", written.as_str())];
    let program = Program::serve(&database, dir.path(), &settings).await;
    let client = program.client();
    let page = client.visit("/sign-up").await;
    let fields = [
        ("name", "Owner One"),
        ("email", "owner@example.com"),
        ("password", PASSWORD),
        ("workspace", "Acme"),
    ];
    client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    program.mail.wait_for_link("owner@example.com", "/email-verification/").await;
    assert!(!program.log().contains("p@ss"), "{}", program.log());
    drop(program);
    for sql in [format!("DROP OWNED BY {name}"), format!("DROP ROLE {name}")] {
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// One person who founded a workspace, as the earlier schema has it.
pub async fn fill(database: &TestDatabase) {
    let (connection, backend) = (&database.connect().await, database.backend);
    Migrator::up(connection, Some(BEFORE_HEADCOUNTS)).await.unwrap();
    let quote = |id: u128| match backend {
        Backend::Sqlite => format!("X'{}'", Uuid::from_u128(id).simple()),
        Backend::Postgres => format!("'{}'", Uuid::from_u128(id)),
    };
    let (truth, empty) = match backend {
        Backend::Sqlite => ("1", "X''"),
        Backend::Postgres => ("TRUE", "''"),
    };
    let (user, account, workspace, owner, viewer, member) =
        (quote(1), quote(2), quote(3), quote(4), quote(5), quote(6));
    let now = Clock::system().now().as_millis();
    for sql in [
        format!(
            "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ({user}, 'owner-one@example.com', 'Öwner Åne', '', {now})"
        ),
        format!("INSERT INTO accounts (id, name, created_at) VALUES ({account}, 'A', {now})"),
        format!(
            "INSERT INTO workspaces (id, account_id, slug, name, created_at, audit_seq, audit_hash) VALUES ({workspace}, {account}, 'acme', 'Acme', {now}, 0, {empty})"
        ),
        format!(
            "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at) VALUES ({owner}, {workspace}, 'owner', 'Owner', '', {truth}, {truth}, 0, {now})"
        ),
        format!(
            "INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at) VALUES ({viewer}, {workspace}, 'a-viewer', 'Viewer', '', {truth}, NOT {truth}, 1, {now})"
        ),
        format!(
            "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at) VALUES ({member}, {workspace}, 'user', {user}, 'active', 'founder', {now})"
        ),
        format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ({workspace}, {member}, {owner})"
        ),
        format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id) VALUES ({workspace}, {member}, {viewer})"
        ),
    ] {
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    connection.close_by_ref().await.unwrap();
}
