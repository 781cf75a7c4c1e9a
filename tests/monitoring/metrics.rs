//! Metrics follow what happens, and name nobody.

use super::scrape::{Scrape, monitored};
use crate::support::{
    product::{Clock, Config, Db, Mail, audit_signer, checkpoint},
    *,
};
use reqwest::Method;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const OWNER: &str = "owner-one@example.com";

fn refused_at(stage: &str) -> String {
    format!("bailiwick_refusals_total{{stage=\"{stage}\"}}")
}

fn answered(method: &str, route: &str, status: u16) -> String {
    format!("bailiwick_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

fn mail(state: &str) -> String {
    format!("bailiwick_mail_queue_messages{{state=\"{state}\"}}")
}

fn delivered(outcome: &str) -> String {
    format!("bailiwick_mail_deliveries_total{{outcome=\"{outcome}\"}}")
}

/// How much a series has grown.
fn growth(before: &Scrape, after: &Scrape, series: &str) -> f64 {
    after.value(series) - before.find(series).unwrap_or_default()
}

both! {
    // Breaks when problem::respond, rejection::reopen_on or Stage::of does not say which stage it was.
    async fn refusals_are_counted_by_stage(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let suspension = format!("/w/acme/members/{}/suspension", owner.member_id);
        let own_roles = format!("/w/acme/members/{}/roles", owner.member_id);
        let stranger = app.client();
        let before = Scrape::of(&app).await;

        stranger.get("/nowhere").await.assert_status(404);
        stranger.get("/w/acme").await.assert_status(401);
        owner.client.get("/w/elsewhere").await.assert_status(404);
        app.unchanged_by(viewer.client.post_form(&suspension, &[])).await.assert_status(403);
        app.unchanged_by(owner.client.post_form(&own_roles, &[("role", "viewer")])).await.assert_status(409);
        let cross = owner.client.with_header("sec-fetch-site", "cross-site");
        app.unchanged_by(cross.post_form(&suspension, &[])).await.assert_status(403);
        app.unchanged_by(owner.client.post_raw(&suspension, "csrf=x", "application/x-www-form-urlencoded"))
            .await
            .assert_status(403);
        let wrong = [("email", OWNER), ("password", "not the password at all")];
        stranger.post_form("/sign-in", &wrong).await;

        let after = Scrape::of(&app).await;
        for stage in ["route", "credential", "membership", "permission", "conflict", "cross_site", "form_token"] {
            let grown = growth(&before, &after, &refused_at(stage));
            assert!(grown >= 1.0, "{stage} has not grown:\n{}", after.text);
        }
        for stage in ["failure", "busy", "suspension"] {
            assert_eq!(growth(&before, &after, &refused_at(stage)), 0.0, "{stage}");
        }
    }

    // Breaks when the row is not the one that the router matched, or a request is counted twice.
    async fn requests_are_counted_once_by_row_and_status(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["viewer"]).await;
        let before = Scrape::of(&app).await;
        for _ in 0..3 {
            owner.client.get("/w/acme/members").await.assert_status(200);
        }
        key.get("/api/sso/v1/members").await.with_status(200);
        app.client().get("/w/acme/members").await.assert_status(401);
        let after = Scrape::of(&app).await;
        let members = "/w/{workspace}/members";
        assert_eq!(growth(&before, &after, &answered("GET", members, 200)), 3.0);
        assert_eq!(growth(&before, &after, &answered("GET", members, 401)), 1.0);
        assert_eq!(growth(&before, &after, &answered("GET", "/api/sso/v1/members", 200)), 1.0);
        let counted = format!("bailiwick_http_request_duration_seconds_count{{method=\"GET\",route=\"{members}\"}}");
        assert_eq!(growth(&before, &after, &counted), 4.0);
        let admitted = |credential| {
            let series = format!("bailiwick_admissions_total{{to=\"workspace\",credential=\"{credential}\"}}");
            growth(&before, &after, &series)
        };
        assert_eq!((admitted("session"), admitted("api_key")), (3.0, 1.0));
        let in_progress = "bailiwick_http_requests_in_progress";
        until("a request does not end", async || Scrape::of(&app).await.value(in_progress) == 0.0).await;
    }

    // Breaks when a path, a host or a method that somebody made up becomes a label.
    async fn no_label_names_a_tenant_and_strangers_add_no_series(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner_of(&app, "Zanzibar Quokka", "quokka@zanzibar.example", "zanzibar").await;
        let member_id = owner.member_id;
        owner.client.get("/w/zanzibar/members").await.assert_status(200);
        owner.client.get(&format!("/w/zanzibar/members/{member_id}")).await.assert_status(200);
        workspace_key(&app, "zanzibar", &["viewer"]).await.get("/api/sso/v1/members").await.with_status(200);
        let stranger = app.client();
        let visit = async |n: usize| {
            stranger.get(&format!("/nowhere-{n}")).await;
            stranger.get(&format!("/w/none-{n}")).await;
            stranger.get(&format!("/static/{n}.css")).await;
            let method = Method::from_bytes(format!("BREW{n}").as_bytes()).unwrap();
            stranger.request(method, "/w/zanzibar", None).await;
        };
        visit(0).await;
        let before = Scrape::of(&app).await;
        for n in 1..20 {
            visit(n).await;
        }
        let after = Scrape::of(&app).await;
        assert_eq!(before.series(), after.series());
        let text = after.text.to_lowercase();
        for secret in ["zanzibar", "quokka", "brew", "127.0", "none-", &member_id.to_string()] {
            assert!(!text.contains(secret), "{secret} in:\n{text}");
        }
    }

    async fn the_state_of_the_mail_queue_is_in_the_metrics(backend: Backend) {
        let server = ScriptedSmtp::open().await;
        let url: Mail = server.url().parse().unwrap();
        let app = TestApp::on(backend)
            .with(move |config| {
                config.mail = url.clone();
                config.metrics_bind = Some("127.0.0.1:0".parse().unwrap());
            })
            .spawn()
            .await;
        let owner = sign_up(&app, "Owner One", OWNER, PASSWORD, "acme").await;
        app.execute("UPDATE users SET email_verified_at = created_at").await;
        sign_in_with(&owner, OWNER, PASSWORD).await;
        until("the confirmation was not sent", async || server.accepted(OWNER) == 1).await;
        let becomes = async |series: &str, expected: f64| {
            eventually(async || match Scrape::of(&app).await.value(series) {
                value if value == expected => Ok(()),
                value => Err(format!("{series} is {value}")),
            })
            .await;
        };
        becomes(&mail("waiting"), 0.0).await;
        assert_eq!(Scrape::of(&app).await.value("bailiwick_mail_queue_oldest_seconds"), 0.0);

        invite(&owner, "acme", "refused-one@example.com", &["viewer"]).await;
        invite(&owner, "acme", "hanging-one@example.com", &["viewer"]).await;

        until("nobody hangs", async || server.hanging() == 1).await;
        becomes(&mail("undeliverable"), 1.0).await;
        becomes(&delivered("given_up"), 1.0).await;
        // The mail server says nothing until our patience ends: then it is tried again.
        becomes(&mail("retrying"), 1.0).await;
        becomes(&mail("waiting"), 0.0).await;
        app.clock.advance(Duration::from_secs(600));
        let later = Scrape::of(&app).await;
        assert!(later.value("bailiwick_mail_queue_oldest_seconds") >= 600.0, "{}", later.text);
        assert!(later.value(&delivered("retried")) >= 1.0);
        // The confirmation, and perhaps already a letter about what needs attention.
        assert!(later.value(&delivered("sent")) >= 1.0);
    }

    async fn what_waits_for_a_signature_is_in_the_metrics(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        let before = Scrape::of(&app).await;
        assert_eq!(before.value("bailiwick_audit_checkpoint_timestamp_seconds"), 0.0);
        assert!(before.value("bailiwick_audit_unsigned_chains") >= 2.0, "of the workspace and the person");

        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(app.database.url.clone(), dir.path());
        let db = Db::open(&config, String::new(), app.clock.clone()).await.unwrap();
        checkpoint::sign(&db, &audit_signer(&config).unwrap()).await.unwrap();
        db.close().await;

        let signed = Scrape::of(&app).await;
        assert_eq!(signed.value("bailiwick_audit_unsigned_chains"), 0.0);
        let at = signed.value("bailiwick_audit_checkpoint_timestamp_seconds");
        assert_eq!(at, app.clock.now().as_seconds() as f64);
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        assert!(Scrape::of(&app).await.value("bailiwick_audit_unsigned_chains") >= 1.0);
    }

    async fn passwords_and_connections_are_counted(backend: Backend) {
        let app = monitored(backend).await;
        new_owner(&app).await;
        let before = Scrape::of(&app).await;
        // Its connection stays open.
        let client = app.client();
        client.post_form("/sign-in", &[("email", OWNER), ("password", PASSWORD)]).await.assert_status(303);
        let after = Scrape::of(&app).await;
        assert_eq!(growth(&before, &after, "bailiwick_password_hashes_total"), 1.0);
        assert_eq!(after.value("bailiwick_password_hash_queue{lane=\"stranger\"}"), 0.0);
        assert!(after.value("bailiwick_connections") >= 1.0);
        for pool in ["read", "write"] {
            assert!(after.value(&format!("bailiwick_database_connections_max{{pool=\"{pool}\"}}")) >= 1.0);
            let open = ["in_use", "idle"]
                .map(|state| after.value(&format!("bailiwick_database_connections{{pool=\"{pool}\",state=\"{state}\"}}")));
            assert!(open.iter().sum::<f64>() >= 1.0, "{}", after.text);
        }
    }

    // Breaks without `open.pop_front()` in Open::accept (monitoring/listen.rs), or where a connection takes several
    // requests and no deadline ends it.
    async fn clients_that_stall_keep_nobody_from_the_metrics(backend: Backend) {
        let app = monitored(backend).await;
        let mut stalled = Vec::new();
        for n in 0..160 {
            let mut stream = TcpStream::connect(app.metrics_address()).await.unwrap();
            // Some ask for more than they read, and some say nothing.
            let asked = if n % 2 == 0 { 1_000 } else { 0 };
            let _ = stream.write_all("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(asked).as_bytes()).await;
            stalled.push(stream);
        }
        for _ in 0..3 {
            let scrape = tokio::time::timeout(WAIT_TIMEOUT, Scrape::of(&app)).await;
            assert!(scrape.is_ok(), "the metrics are blocked");
        }
        drop(stalled);
    }

    async fn metrics_are_served_at_their_own_address_alone(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        for client in [&app.client(), &owner.client] {
            client.get("/metrics").await.assert_status(404);
        }
        let metrics = Client::of(&format!("http://{}", app.metrics_address()), Clock::system());
        metrics.get("/metrics").await.assert_status(200);
        for path in ["/", "/sign-in", "/w/acme", "/healthz", "/metrics/"] {
            metrics.get(path).await.assert_status(404);
        }
        TestApp::spawn(backend).await.client().get("/metrics").await.assert_status(404);
    }
}

/// Breaks when `Db::begin` does not count who waits: SQLite has one connection that writes.
#[test]
fn who_waits_to_write_is_counted() {
    run(async {
        let app = monitored(Backend::Sqlite).await;
        let owner = new_owner(&app).await;
        let waiting = "bailiwick_database_waiting{pool=\"write\"}";
        app.execute("BEGIN IMMEDIATE").await;
        let end_it = async {
            until("nobody waits", async || Scrape::of(&app).await.value(waiting) >= 1.0).await;
            app.execute("COMMIT").await;
        };
        tokio::join!(invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]), end_it);
        until("somebody still waits", async || Scrape::of(&app).await.value(waiting) == 0.0).await;
    });
}

/// Breaks when a scrape needs the database.
#[test]
fn a_database_that_is_away_is_seen_and_the_rest_is_served() {
    run(async {
        let app = monitored(Backend::Postgres).await;
        let owner = new_owner(&app).await;
        owner.client.get("/w/acme").await.assert_status(200);
        let up = "bailiwick_database_up";
        assert_eq!(Scrape::of(&app).await.value(up), 1.0);
        let allow = |is_allowed: bool| {
            format!("UPDATE pg_database SET datallowconn = {is_allowed} WHERE datname = current_database()")
        };
        app.execute(&allow(false)).await;
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        eventually(async || {
            app.scalar_i64(others).await;
            match Scrape::of(&app).await.value(up) {
                0.0 => Ok(()),
                _ => Err("the database is still up".to_owned()),
            }
        })
        .await;
        let away = Scrape::of(&app).await;
        assert_eq!(away.find(&mail("waiting")), None, "what is not known is left out");
        assert!(away.value(&answered("GET", "/w/{workspace}", 200)) >= 1.0);
        app.execute(&allow(true)).await;
        until("it is not up again", async || Scrape::of(&app).await.value(up) == 1.0).await;
    });
}
