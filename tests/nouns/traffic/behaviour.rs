//! What traffic does beyond what every noun does. What the gateway notes is tested with the gateway; here is what
//! becomes of it.

use crate::{
    nouns::destinations::add_destination,
    support::{
        product::{Clock, Config, DAY, Db, GatewayStage, TrafficEntry, housekeeping, traffic},
        *,
    },
    world::workspace_id,
};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// A handle of the test's own on the app's data, as another node has one.
async fn handle(app: &TestApp, clock: Clock) -> Db {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), folder.path());
    Db::open(&config, app.url(), clock).await.unwrap()
}

fn entry(app: &TestApp, workspace: Uuid) -> TrafficEntry {
    TrafficEntry {
        workspace_id: workspace,
        api_key_id: Some(Uuid::from_u128(2)),
        key_name: "Build runner".into(),
        destination_id: None,
        host: "api.example.com".into(),
        method: "GET".into(),
        path: "/v1/things".into(),
        status: Some(200),
        stage: None,
        error: None,
        bytes_in: 1_260,
        bytes_out: 26_000_000,
        started_at: app.clock.now(),
        duration_ms: 1_250,
    }
}

/// Notes them, each a millisecond after the one before, and writes them.
async fn write(app: &TestApp, entries: Vec<TrafficEntry>) {
    let db = handle(app, app.clock.clone()).await;
    for entry in entries {
        app.clock.advance(Duration::from_millis(1));
        db.traffic().note(TrafficEntry { started_at: app.clock.now(), ..entry });
    }
    traffic::flush(&db).await.unwrap();
    db.close().await;
}

async fn count(app: &TestApp, of: &str) -> i64 {
    app.scalar_i64(&format!("SELECT count(*) FROM {of}")).await
}

/// The paths that the list shows.
async fn paths(by: &Person, query: &str) -> Vec<String> {
    by.client.visit(&format!("/w/acme/traffic?{query}")).await.select("tbody .main .sub")
}

both! {
    async fn requests_are_listed_filtered_and_counted_by_day(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let page = owner.client.visit("/w/acme/traffic").await;
        page.assert_says("No requests yet").assert_silent_about("Requests by day");
        page.assert_says("The latest 100,000 of the last 30 days are kept");
        let api = add_destination(&app, "acme", "api.example.com", false).await;
        let other_key = Uuid::from_u128(3);
        let base = entry(&app, acme);
        let sent = TrafficEntry { destination_id: Some(api), ..base.clone() };
        let failed = "It did not begin to answer within 15 seconds.";
        write(&app, vec![
            sent.clone(),
            TrafficEntry { path: "/v1/missing".into(), status: Some(404), method: "POST".into(), ..sent.clone() },
            TrafficEntry { path: "/v1/slow".into(), status: Some(504), stage: Some(GatewayStage::Upstream),
                error: Some(failed.into()), ..sent.clone() },
            TrafficEntry { path: "/other".into(), host: "other.example.com".into(), status: Some(403),
                stage: Some(GatewayStage::Destination), api_key_id: Some(other_key),
                key_name: "Other key".into(), ..base.clone() },
            TrafficEntry { path: "/v1/gone".into(), status: None, ..sent.clone() },
        ]).await;

        let page = owner.client.visit("/w/acme/traffic").await;
        for words in ["Build runner", "api.example.com", "1.2 KB", "26 MB", "1.2 s", "Failed: upstream",
            "Refused: destination", "No answer", "504"] {
            page.assert_says(words);
        }
        assert_eq!(paths(&owner, "").await, ["/v1/gone", "/other", "/v1/slow", "/v1/missing", "/v1/things"]);
        for (query, expected) in [
            ("q=V1/S", &["/v1/slow"][..]),
            ("q=other.ex", &["/other"]),
            ("q=%25", &[]),
            ("method=POST", &["/v1/missing"]),
            ("status=2xx", &["/v1/things"]),
            ("status=4xx", &["/other", "/v1/missing"]),
            ("status=4xx&stage=any", &["/other"]),
            ("stage=any", &["/other", "/v1/slow"]),
            ("stage=upstream", &["/v1/slow"]),
            ("stage=rate", &[]),
            (&format!("key={other_key}"), &["/other"]),
            (&format!("destination={api}&method=POST"), &["/v1/missing"]),
            (&format!("destination={api}&key={other_key}"), &[]),
            ("until=2001-01-01", &[]),
            ("from=2001-01-01&method=POST", &["/v1/missing"]),
        ] {
            assert_eq!(paths(&owner, query).await, expected, "{query}");
        }

        // The chart says in words what its table says in figures.
        let chart = page.attributes(".chart svg", "aria-label").remove(0);
        assert!(chart.contains("5 in all, of which 1 were answered, 1 were client errors, 2 failed and 1 were refused"),
            "{chart}");
        assert_eq!(page.select(".figures tbody td"), ["5", "1", "1", "2", "1", "6.3 KB", "130 MB"]);
        let of_key = owner.client.visit(&page.link(&format!("key={other_key}"))).await;
        of_key.assert_says("Showing only requests by Other key.");
        assert_eq!(of_key.select(".figures tbody td")[0], "1");
        let of_destination = owner.client.visit(&page.link(&format!("destination={api}"))).await;
        of_destination.assert_says("Showing only requests to api.example.com.");
        assert_eq!(of_destination.select(".figures tbody td")[0], "4");

        // What the destination's own page knows of it.
        let used = "SELECT count(*) FROM destinations WHERE last_used_at IS NOT NULL AND last_error_at IS NOT NULL
            AND last_error_at <= last_used_at";
        assert_eq!(app.scalar_i64(used).await, 1);
        let error = app.scalar_text("SELECT last_error FROM destinations").await.unwrap();
        // A caller who went away is no error of the destination.
        assert_eq!(error, failed);
        owner.client.visit(&format!("/w/acme/destinations/{api}")).await.link("/traffic?destination=");
    }

    async fn the_api_returns_what_the_page_lists(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let refused = TrafficEntry { status: Some(429), stage: Some(GatewayStage::Rate), ..entry(&app, acme) };
        write(&app, (0..120).map(|n| match n % 3 {
            0 => TrafficEntry { path: format!("/{n}"), ..refused.clone() },
            _ => TrafficEntry { path: format!("/{n}"), ..entry(&app, acme) },
        }).collect()).await;
        let api = workspace_key(&app, "acme", &["developer"]).await;
        let mut listed: Vec<Value> = Vec::new();
        let mut next = String::new();
        loop {
            let page = api.get(&format!("/api/sso/v1/traffic?stage=any&limit=15&after={next}")).await.with_status(200);
            listed.extend(page.body["items"].as_array().unwrap().iter().cloned());
            match page.body["next"].as_str() {
                Some(after) => after.clone_into(&mut next),
                None => break,
            }
        }
        let expected: Vec<String> = (0..120).rev().filter(|n| n % 3 == 0).map(|n| format!("/{n}")).collect();
        let found: Vec<&str> = listed.iter().map(|one| one["path"].as_str().unwrap()).collect();
        assert_eq!(found, expected);
        let one = &listed[0];
        assert_eq!(
            (&one["status"], &one["stage"], &one["method"], &one["bytes_in"], &one["duration_ms"]),
            (&429.into(), &"rate".into(), &"GET".into(), &1260.into(), &1250.into())
        );
        assert_eq!(one["api_key_name"], "Build runner");
        let page = owner.client.visit("/w/acme/traffic?stage=any").await;
        assert_eq!(page.select("tbody .main .sub"), expected);
        for query in ["stage=nonsense", "method=get", "status=200", "from=-1", "key=nonsense", "unknown=1"] {
            let answer = api.get(&format!("/api/sso/v1/traffic?{query}")).await;
            assert!([400, 422].contains(&answer.status), "{query}: {}", answer.status);
        }
    }

    async fn a_flood_is_counted_and_listed_in_part(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let db = handle(&app, app.clock.clone()).await;
        for _ in 0..5_000 {
            db.traffic().note(entry(&app, acme));
        }
        traffic::flush(&db).await.unwrap();
        db.close().await;
        assert_eq!(count(&app, "traffic").await, 2_000);
        let page = owner.client.visit("/w/acme/traffic").await;
        page.assert_says("3,000 of these requests are counted here and not listed below");
        assert_eq!(page.select(".figures tbody td")[0], "5,000");
    }

    /// Breaks without the line in `statement` of record.rs that looks for the workspace.
    async fn a_workspace_that_is_gone_keeps_no_other_from_being_recorded(app: TestApp) {
        new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        write(&app, vec![entry(&app, Uuid::from_u128(1)), entry(&app, acme), entry(&app, Uuid::from_u128(u128::MAX))])
            .await;
        assert_eq!((count(&app, "traffic").await, count(&app, "traffic_days").await), (1, 2));
    }

    async fn two_nodes_count_together(app: TestApp) {
        new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let (one, two) = (handle(&app, app.clock.clone()).await, handle(&app, app.clock.clone()).await);
        for round in 0..10 {
            for db in [&one, &two] {
                for n in 0..20 {
                    db.traffic().note(TrafficEntry {
                        api_key_id: Some(Uuid::from_u128(10 + (n * 7 + round) % 13)),
                        ..entry(&app, acme)
                    });
                }
            }
            let (first, second) = tokio::join!(traffic::flush(&one), traffic::flush(&two));
            first.unwrap();
            second.unwrap();
        }
        assert_eq!(count(&app, "traffic").await, 400);
        let counted = "SELECT CAST(SUM(answered) AS BIGINT) FROM traffic_days WHERE subject_id ";
        let nil = app.id(Uuid::nil());
        assert_eq!(app.scalar_i64(&format!("{counted} = {nil}")).await, 400);
        assert_eq!(app.scalar_i64(&format!("{counted} <> {nil}")).await, 400);
        one.close().await;
        two.close().await;
    }

    /// Nothing of a request but what the list shows: neither a query, nor what stands in other fields.
    async fn a_query_is_never_kept(app: TestApp) {
        new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let path = "/v1/things?token=canary-of-a-query#canary-of-a-fragment".to_owned();
        write(&app, vec![TrafficEntry { path, ..entry(&app, acme) }]).await;
        for table in app.catalogue().await.all() {
            let rows = app.rows_where(table, "1 = 1").await;
            assert!(!rows.iter().any(|row| row.contains("canary")), "{table}: {rows:?}");
        }
        assert_eq!(app.scalar_text("SELECT path FROM traffic").await.as_deref(), Some("/v1/things"));
    }

    async fn requests_go_after_30_days(app: TestApp) {
        new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        write(&app, vec![entry(&app, acme)]).await;
        let later = |days: i64| Clock::manual(app.clock.now() + days * DAY);
        for (days, left) in [(29, 1), (31, 0)] {
            let db = handle(&app, later(days)).await;
            housekeeping::sweep(&db).await.unwrap();
            db.close().await;
            assert_eq!(count(&app, "traffic").await, left, "{days}");
            assert_eq!(count(&app, "traffic_days WHERE answered = 1").await, left * 2, "{days}");
        }
    }

    /// So many rows that a statement which goes through them takes seconds; and no more stay.
    async fn a_workspace_keeps_100_000_requests(app: TestApp) {
        let owner = new_owner(&app).await;
        let acme = workspace_id(&app, "acme").await;
        let (now, id) = (app.clock.now().as_millis(), match app.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        });
        let many = format!(
            "INSERT INTO traffic (workspace_id, at, id, api_key_id, key_name, destination_id, host, method, path,
                status, stage, bytes_in, bytes_out, ms)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100010)
             SELECT {}, {now} - i, {id}, NULL, 'Key', NULL, 'api.example.com', 'GET', '/v1/things/' || i, 200, NULL,
                1, 2, 3 FROM n",
            app.id(acme)
        );
        assert_eq!(app.execute(&many).await, 100_010);
        // Another one's is not counted with them.
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        let other = workspace_id(&app, "other").await;
        write(&app, vec![entry(&app, acme), entry(&app, other)]).await;
        let of = format!("traffic WHERE workspace_id = {}", app.id(acme));
        assert_eq!((count(&app, &of).await, count(&app, "traffic").await), (100_000, 100_001));
        assert_eq!(count(&app, &format!("{of} AND path = '/v1/things/99999'")).await, 1);
        assert_eq!(count(&app, &format!("{of} AND path = '/v1/things/100000'")).await, 0);
        // A filter that matches nothing, or only the oldest, is the longest way.
        // The roles are read once.
        owner.client.visit("/w/acme").await;
        let before = app.statements();
        assert_eq!(paths(&owner, "q=things/99999").await, ["/v1/things/99999"]);
        assert_eq!(paths(&owner, "status=5xx").await, [""; 0]);
        assert_eq!(app.statements() - before, 6);
        let last = owner.client.visit("/w/acme/traffic?before=end").await;
        assert_eq!(last.select("tbody .main .sub").last().map(String::as_str), Some("/v1/things/99999"));
    }
}
