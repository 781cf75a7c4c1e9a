//! A database that is away for a while, or takes no changes: 503 with Retry-After on pages and to programs, never 500, and
//! nothing half done.

use crate::support::*;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use std::{net::TcpStream, path::Path, time::Duration};

fn assert_unavailable(page: &Page, words: &str) {
    page.assert_status(503).assert_says(words);
    assert!(page.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok_and(|n| n > 0)));
}

fn assert_call_unavailable(answer: Answer, words: &str) {
    let answer = answer.with_status(503);
    assert!(answer.header("retry-after").is_some(), "no Retry-After");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains(words), "{detail}");
}

async fn create_named(client: &Client, name: &str) -> Page {
    client.post_form("/w/acme/teams", &[("name", name), ("description", "")]).await
}

async fn create_team(owner: &Person) -> Page {
    create_named(&owner.client, "Night shift").await
}

/// Has the function of the trigger fail for this reason.
async fn fail_with(app: &TestApp, code: &str) {
    let body = format!("BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = '{code}'; END");
    app.execute(&format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
    ))
    .await;
}

/// PostgreSQL's own reasons, each from a statement in the middle of a change.
#[test]
fn a_statement_that_fails_by_no_fault_of_the_request_is_503() {
    run(async {
        let app = TestApp::spawn(Backend::Postgres).await;
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        fail_with(&app, "40001").await;
        app.execute("CREATE TRIGGER failing BEFORE INSERT ON teams FOR EACH ROW EXECUTE FUNCTION fail()")
            .await;
        for (code, words) in [
            ("40001", "busy right now"),
            ("40P01", "busy right now"),
            ("25006", "Temporarily unavailable"),
            ("53100", "Temporarily unavailable"),
            ("53200", "Temporarily unavailable"),
            ("55P03", "Temporarily unavailable"),
            ("57014", "Temporarily unavailable"),
        ] {
            fail_with(&app, code).await;
            let page = app.unchanged_by(create_team(&owner)).await;
            assert_unavailable(&page, words);
            page.assert_says("Nothing was changed");
            let call = async { api.post("/api/sso/v1/teams", &json!({"name": "Night shift"})).await };
            assert_call_unavailable(app.unchanged_by(call).await, "Nothing was changed");
        }
        // What is wrong with us is still 500.
        fail_with(&app, "22012").await;
        create_team(&owner).await.assert_status(500);
        app.execute("DROP TRIGGER failing ON teams").await;
        create_team(&owner).await.assert_status(303);
    });
}

/// Ends every connection of the application that runs or waits for a statement.
const TERMINATE_ACTIVE: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'bailiwick' AND state = 'active'
        AND wait_event_type IN ('Lock', 'Timeout')";

/// Ends the connection of a change that waits, and returns the response to it.
async fn cut(app: &TestApp, owner: &Person) -> Page {
    let (page, ()) = tokio::join!(create_team(owner), async {
        until("no change waits", async || app.scalar_i64(TERMINATE_ACTIVE).await > 0).await;
    });
    page
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_change_is_503() {
    run(async {
        let app = TestApp::spawn(Backend::Postgres).await;
        let owner = new_owner(&app).await;
        app.execute(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_sleep(3600); RETURN NULL; END $$",
        )
        .await;
        for (trigger, when) in [
            ("CREATE TRIGGER waiting AFTER INSERT ON teams", "before the commit"),
            (
                "CREATE CONSTRAINT TRIGGER waiting AFTER INSERT ON teams DEFERRABLE INITIALLY DEFERRED",
                "in the commit",
            ),
        ] {
            app.execute(&format!("{trigger} FOR EACH ROW EXECUTE FUNCTION wait()")).await;
            let page = app.unchanged_by(cut(&app, &owner)).await;
            assert_unavailable(&page, "certain whether your change was saved");
            app.execute("DROP TRIGGER waiting ON teams").await;
            owner.client.get("/w/acme/teams").await.assert_status(200).assert_silent_about("Night shift");
            assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM teams").await, 0, "{when}");
        }
        create_team(&owner).await.assert_status(303);
    });
}

/// Breaks without the loop in `Db::begin` and `is_gone` in domain/base/read_pool.rs.
#[test]
fn after_a_restart_nobody_meets_a_connection_of_before() {
    run(async {
        let app = TestApp::spawn(Backend::Postgres).await;
        let owner = new_owner(&app).await;
        // Several connections that write.
        let twins = owner.client.twins(8).await;
        race(8, async |n| create_named(&twins[n], &format!("Team {n}")).await).await;
        let all = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'bailiwick'";
        assert!(app.scalar_i64(all).await > 1);
        for n in 0..8 {
            create_named(&owner.client, &format!("Later team {n}")).await.assert_status(303);
        }
    });
}

fn lines<'a>(log: &'a str, words: &'a str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

/// Signs up at a program, and returns the browser.
async fn owner_of(program: &Program) -> Client {
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
    let page = client.visit(&link).await;
    client.submit(&page, "/email-verification", &[]).await.assert_status(303);
    client
}

#[test]
fn a_database_that_goes_away_and_comes_back_is_503_meanwhile_with_one_line_in_the_log() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Cluster::start("");
        let database = cluster.database("app");
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_ACQUIRE_TIMEOUT", "1")]).await;
        let owner = owner_of(&program).await;
        owner.visit("/w/acme/members").await;
        for (round, mode) in ["fast", "immediate"].into_iter().enumerate() {
            let csrf = owner.csrf().await;
            cluster.stop(mode);
            let page = owner.get("/w/acme/members").await;
            assert_unavailable(&page, "Temporarily unavailable");
            let body = format!("name=Lost&description=&csrf={csrf}");
            let page = owner.post_raw("/w/acme/teams", body, "application/x-www-form-urlencoded").await;
            page.assert_status(503);
            let bearer = format!("Bearer {}", unsent_token("key", 1));
            let call =
                program.client().with_header("authorization", &bearer).get("/api/sso/v1/members").await;
            assert_unavailable(&call, "Nothing was changed");
            assert_eq!(call.header("content-type"), Some("application/problem+json"));
            let ready = owner.get("/readyz").await;
            ready.assert_status(503);
            assert!(ready.header("retry-after").is_some());
            owner.get("/healthz").await.assert_status(200);
            if round == 0 {
                // Mail and housekeeping meet it too.
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            cluster.start_again();
            until("no page", async || owner.get("/w/acme/members").await.status == 200).await;
            let name = format!("Team {round}");
            owner
                .post_form("/w/acme/teams", &[("name", name.as_str()), ("description", "")])
                .await
                .assert_status(303);
            until("the end is not logged", async || {
                lines(&program.log(), "the database is available again").len() == round + 1
            })
            .await;
            let log = program.log();
            assert_eq!(lines(&log, "the database is unavailable").len(), round + 1, "{log}");
            // Beside the line of each request.
            let warnings = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
            for line in warnings.filter(|line| !line.contains(r#""message":"answered""#)) {
                assert!(line.contains("the database is unavailable"), "{line}");
            }
        }
        // Mail that was queued since is sent.
        program
            .client()
            .post_form("/forgot-password", &[("email", "owner@example.com")])
            .await
            .assert_status(200);
        program.mail.wait_for_link("owner@example.com", "/reset-password/").await;
    });
}

#[test]
fn a_database_without_a_connection_to_spare_and_one_that_is_only_read_are_503() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Cluster::start("");
        cluster.sql("CREATE ROLE app LOGIN");
        cluster.sql("CREATE DATABASE app OWNER app");
        let url =
            format!("postgres:///app?host={}&port={}&user=app", cluster.folder().display(), cluster.port);
        let database = TestDatabase::of_others(Backend::Postgres, url);
        let program = Program::serve(&database, dir.path(), &[("BAILIWICK_ACQUIRE_TIMEOUT", "1")]).await;
        let owner = owner_of(&program).await;
        let hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'";

        cluster.sql("ALTER ROLE app CONNECTION LIMIT 0");
        cluster.sql(hang_up);
        assert_unavailable(&owner.get("/w/acme/members").await, "Temporarily unavailable");
        cluster.sql("ALTER ROLE app CONNECTION LIMIT -1");
        until("no page", async || owner.get("/w/acme/members").await.status == 200).await;

        // As on a standby.
        cluster.sql("ALTER DATABASE app SET default_transaction_read_only = on");
        cluster.sql(hang_up);
        let page = create_named(&owner, "Lost").await;
        assert_unavailable(&page, "Nothing was changed");
        owner.get("/w/acme/members").await.assert_status(200);
        cluster.sql("ALTER DATABASE app RESET default_transaction_read_only");
        cluster.sql(hang_up);
        owner
            .post_form("/w/acme/teams", &[("name", "Night shift"), ("description", "")])
            .await
            .assert_status(303);
    });
}

/// Breaks without `MAX_PAUSE` in domain/base/postgres.rs: the lock of the workspace would be held for ever.
#[test]
fn a_node_that_hangs_in_the_middle_of_a_change_does_not_hold_up_the_others() {
    run(async {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let database = TestDatabase::migrated(Backend::Postgres, dirs[0].path()).await;
        let one = Program::serve(&database, dirs[0].path(), &[]).await;
        let other = Program::serve(&database, dirs[1].path(), &[]).await;
        let owner = owner_of(&one).await;
        let at_other = other.client();
        owner.cookies().iter().for_each(|cookie| at_other.set_cookie(cookie));
        let connection = database.connect().await;
        for sql in [
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$",
            "CREATE TRIGGER waiting AFTER INSERT ON teams FOR EACH ROW WHEN (NEW.name = 'Slow') EXECUTE FUNCTION wait()",
        ] {
            connection.execute_unprepared(sql).await.unwrap();
        }
        let sleeping =
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        let sleeping = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sleeping);
        let (slow, ()) = tokio::join!(create_named(&owner, "Slow"), async {
            until("nothing is changed", async || {
                connection.query_one_raw(sleeping.clone()).await.unwrap().is_some()
            })
            .await;
            one.signal("STOP");
            create_named(&at_other, "Quick").await.assert_status(303);
            one.signal("CONT");
        });
        assert_unavailable(&slow, "certain whether your change was saved");
        at_other.get("/w/acme/teams").await.assert_says("Quick").assert_silent_about("Slow");
        connection.close().await.unwrap();
    });
}

async fn other_program(path: &Path) -> DatabaseConnection {
    TestDatabase::of_others(Backend::Sqlite, format!("sqlite://{}", path.display())).connect().await
}

/// SQLite: a program that has locked the file, such as a shell that somebody left open.
#[test]
fn a_locked_file_is_503_for_changes_and_is_read_all_the_same() {
    run(async {
        let app = TestApp::on(Backend::Sqlite)
            .with(|config| config.acquire_timeout = Duration::from_secs(2))
            .spawn()
            .await;
        let owner = new_owner(&app).await;
        let path = app.database.url.trim_start_matches("sqlite://").to_owned();
        let other = other_program(Path::new(&path)).await;
        other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        assert_unavailable(&create_team(&owner).await, "Nothing was changed");
        owner.client.get("/w/acme/teams").await.assert_status(200);
        other.execute_unprepared("ROLLBACK").await.unwrap();
        create_team(&owner).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM teams").await, 1);
    });
}

/// SQLite: a file that was copied over the one that is open. What would be written to the old one is lost.
#[test]
fn a_file_that_was_replaced_is_503_until_a_restart() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let database = TestDatabase::migrated(Backend::Sqlite, dir.path()).await;
        let path = dir.path().join("bailiwick.db");
        let program = Program::serve(&database, dir.path(), &[]).await;
        let owner = owner_of(&program).await;
        owner.csrf().await;
        let aside = dir.path().join("aside.db");
        std::fs::rename(&path, &aside).unwrap();
        std::fs::copy(&aside, &path).unwrap();
        assert_unavailable(&owner.get("/w/acme/teams").await, "Temporarily unavailable");
        let fields = [("name", "Lost"), ("description", "")];
        assert_unavailable(&owner.post_form("/w/acme/teams", &fields).await, "Nothing was changed");
        owner.get("/readyz").await.assert_status(503);
        let said = lines(&program.log(), "replaced or deleted").len();
        assert_eq!(said, 1, "{}", program.log());
        // Back in its place it is served on.
        std::fs::rename(&aside, &path).unwrap();
        owner.get("/w/acme/teams").await.assert_status(200);
        owner.post_form("/w/acme/teams", &fields).await.assert_status(303);
        assert!(TcpStream::connect(("127.0.0.1", program.port)).is_ok());
    });
}
