//! Messages as receivers get them: what is in them, who can verify them, and that none is lost.

use super::super::destinations::add_destination;
use crate::{
    durability::{moved, owner_of},
    support::*,
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};
use uuid::Uuid;

pub const HOST: &str = "hooks.example.com";

/// An app whose workspace acme has a destination that listens on this machine.
pub async fn start(backend: Backend) -> (Upstream, TestApp, Person, Uuid) {
    let upstream = Upstream::open(&[HOST]).await;
    let app = TestApp::on(backend).with(upstream.settings()).spawn().await;
    let owner = new_owner(&app).await;
    let id = add_destination(&app, "acme", HOST, false).await;
    (upstream, app, owner, id)
}

pub fn page_of(destination: Uuid) -> String {
    format!("/w/acme/destinations/{destination}/events")
}

/// Turns on events of these groups, and returns the secret.
pub async fn turn_on(by: &Person, destination: Uuid, path: &str, groups: &[&str]) -> String {
    let mut fields = vec![("path", path)];
    fields.extend(groups.iter().map(|group| ("kind", *group)));
    let page = format!("/w/{}/destinations/{destination}/events", by.workspace);
    let page = by.client.post_form(&page, &fields).await.with_status(200);
    let secret = page.attributes("#secret", "value").remove(0);
    assert!(secret.starts_with("whsec_"), "{secret}");
    secret
}

/// Causes an event of the group `team`.
pub async fn create_team(by: &Person, name: &str) {
    let fields = [("name", name), ("description", "")];
    by.client.post_form(&format!("/w/{}/teams", by.workspace), &fields).await.assert_status(303);
}

/// The first messages that were received, once there are so many.
pub async fn messages(upstream: &Upstream, count: usize) -> Vec<Received> {
    let whole =
        || upstream.requests().into_iter().filter(|request| !request.body.is_empty()).collect::<Vec<_>>();
    until("the host got too few messages", async || whole().len() >= count).await;
    whole()
}

pub fn json_of(message: &Received) -> Value {
    serde_json::from_slice(&message.body).expect("a body in JSON")
}

/// What each message is about: the name of the target.
pub fn targets(messages: &[Received]) -> Vec<String> {
    messages
        .iter()
        .map(|message| json_of(message)["data"]["target"]["name"].as_str().unwrap_or("").to_owned())
        .collect()
}

fn line(message: &Received, secret: &str) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), message.header(name).unwrap().into())).collect();
    json!({"secret": secret, "headers": headers, "body": String::from_utf8(message.body.clone()).unwrap()})
}

/// What two libraries say of each of these.
pub fn verified(lines: &[Value]) -> Vec<String> {
    let python = std::env::var("BAILIWICK_TEST_API_PYTHON").expect("bin/test sets it");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/webhooks.py");
    let mut program =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = program.stdin.take().unwrap();
    for line in lines {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

both! {
    async fn a_message_says_what_the_record_says_and_two_libraries_verify_it(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let secret = turn_on(&owner, id, "/hooks?source=acme", &["team"]).await;
        create_team(&owner, "Plätform").await;
        let message = messages(&upstream, 1).await.remove(0);

        assert_eq!((message.method.as_str(), message.path.as_str()), ("POST", "/hooks?source=acme"));
        assert_eq!(message.header("content-type"), Some("application/json"));
        assert_eq!(message.header("user-agent"), Some("Bailiwick"));
        for name in ["cookie", "authorization", "referer", "x-bailiwick-key"] {
            assert_eq!(message.header(name), None, "{name}");
        }
        let event = json_of(&message);
        let row = app.rows("SELECT id, at FROM audit_events WHERE kind = 'team.created'").await.remove(0);
        assert_eq!(event["type"], "team.created");
        assert!(event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
        let data = &event["data"];
        assert_eq!(data["id"], row["id"]);
        assert_eq!((&data["workspace"]["slug"], &data["outcome"]), (&json!("acme"), &json!("done")));
        assert_eq!((&data["actor"]["name"], &data["actor"]["kind"]), (&json!("Owner One"), &json!("user")));
        assert_eq!(data["actor"]["email"], "owner-one@example.com");
        assert_eq!((&data["target"]["kind"], &data["target"]["name"]), (&json!("team"), &json!("Plätform")));
        assert!(data["summary"].as_str().unwrap().starts_with("Owner One created the team Plätform"), "{data}");
        assert!(data["details"].is_object(), "{data}");

        let good = line(&message, &secret);
        let mut altered = good.clone();
        altered["body"] = json!(good["body"].as_str().unwrap().replace("Owner One", "Owner Two"));
        let mut another_id = good.clone();
        another_id["headers"]["webhook-id"] = json!(Uuid::nil());
        let mut late = good.clone();
        late["now"] = json!(message.header("webhook-timestamp").unwrap().parse::<i64>().unwrap() + 3_600);
        let results = verified(&[good, altered, another_id, late]);
        assert_eq!(results[0], "ok");
        assert!(results[1..].iter().all(|result| result != "ok") && results.len() == 4, "{results:?}");
    }

    async fn only_chosen_kinds_of_this_workspace_are_sent_and_nothing_that_was_rolled_back(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        create_team(&other, "Theirs").await;
        // A second one of this name is refused.
        create_team(&owner, "Ours").await;
        let again = [("name", "Ours"), ("description", "")];
        owner.client.post_form("/w/acme/teams", &again).await.assert_status(422);
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.post_form("/w/acme/teams", &[("name", "No"), ("description", "")]).await.assert_status(403);
        create_team(&owner, "Last").await;
        assert_eq!(targets(&messages(&upstream, 2).await), ["Ours", "Last"]);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM event_deliveries").await, 2);
    }

    async fn a_refusal_is_an_event_too_for_who_chose_them(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let viewer = member(&app, &owner, "viewer").await;
        turn_on(&owner, id, "/hooks", &["access"]).await;
        viewer.client.get("/w/acme/activity").await.assert_status(403);
        let message = messages(&upstream, 1).await.remove(0);
        let event = json_of(&message);
        assert_eq!((&event["type"], &event["data"]["outcome"]), (&json!("access.refused"), &json!("refused")));
        assert_eq!(event["data"]["actor"]["name"], viewer.name.as_str());
    }

    // Breaks where names are copied into the queue: they are erased from the record alone.
    async fn what_was_erased_from_the_record_is_not_sent(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(503, &[], b""));
        create_team(&owner, "Secret Name").await;
        messages(&upstream, 1).await;
        until("the failure is not recorded", async || {
            app.scalar_i64("SELECT count(*) FROM event_attempts").await == 1
        })
        .await;
        let db = handle(&app).await;
        let whom = product::erasure::find(&db, &owner.email).await.unwrap();
        product::erasure::erase_names(&db, &whom).await.unwrap();
        db.close().await;
        upstream.answer(|_| Reply::new(200, &[], b""));
        app.clock.advance(Duration::from_secs(60));
        let all = messages(&upstream, 2).await;
        assert_eq!(all[0].header("webhook-id"), all[1].header("webhook-id"));
        assert_eq!(json_of(&all[1])["data"]["actor"]["name"], "Erased person");
    }

    // Breaks where hosts that hang keep the permits of those that don't: where `send_due` in webhooks.rs takes none of
    // `slow`, the last host waits until one of the others has failed.
    async fn hosts_that_hang_hold_up_no_other(backend: Backend) {
        // More than are served at once.
        const HANGING: usize = 33;
        let hosts: Vec<String> = (0..HANGING).map(|n| format!("hangs-{n}.example.com")).collect();
        let names: Vec<&str> = hosts.iter().map(String::as_str).chain([HOST]).collect();
        let upstream = Upstream::open(&names).await;
        let app = TestApp::on(backend).with(upstream.settings()).spawn().await;
        // As many as that are not in one workspace.
        let owner = new_owner(&app).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        upstream.answer(|request| {
            let is_hanging = request.header("host").is_some_and(|host| host.starts_with("hangs-"));
            if is_hanging { Reply::hang() } else { Reply::new(204, &[], b"") }
        });
        for (n, host) in names.iter().take(HANGING).enumerate() {
            let by = if n % 2 == 0 { &owner } else { &other };
            let id = add_destination(&app, &by.workspace, host, false).await;
            turn_on(by, id, "/hooks", &["team"]).await;
        }
        create_team(&owner, "First").await;
        create_team(&other, "First").await;
        until("not all hang at once", async || upstream.open_connections() == HANGING).await;

        let id = add_destination(&app, "acme", HOST, false).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        create_team(&owner, "Second").await;
        let delivered = "SELECT count(*) FROM event_deliveries WHERE status = 'delivered'";
        until("the host that answers got nothing", async || {
            // Should the first attempt fail on a busy machine, the next is due.
            app.clock.advance(Duration::from_secs(5));
            app.scalar_i64(delivered).await == 1
        })
        .await;
    }

    // Breaks without `allows_host` (domain/nouns/destinations/change.rs).
    async fn an_internal_host_is_a_destination_by_the_very_name_that_the_operator_allows(backend: Backend) {
        let upstream = Upstream::open(&["hooks.internal"]).await;
        let app = TestApp::on(backend).with(upstream.settings()).spawn().await;
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let page = owner.client.visit("/w/acme/destinations/new").await;
        for host in ["other.internal", "a.hooks.internal", "hooks", "localhost", "internal"] {
            let answer = app.unchanged_by(owner.client.submit(&page, "/destinations", &[("host", host)])).await;
            assert!(answer.with_status(422).field_error("host").is_some(), "{host}");
            let body = json!({"host": host});
            app.unchanged_by(key.post("/api/sso/v1/destinations", &body)).await.with_status(422);
        }
        let wildcard = json!({"host": "*.hooks.internal", "is_wildcard": true});
        app.unchanged_by(key.post("/api/sso/v1/destinations", &wildcard)).await.with_status(422);
        let answer = owner.client.submit(&page, "/destinations", &[("host", "Hooks.Internal")]).await;
        let id: Uuid = answer.with_status(303).location().rsplit('/').next().unwrap().parse().unwrap();
        turn_on(&owner, id, "/hooks", &["team"]).await;
        create_team(&owner, "First").await;
        assert_eq!(targets(&messages(&upstream, 1).await), ["First"]);
    }

    // Breaks without the lease in `lease::lease_next`.
    async fn two_nodes_send_each_message_once(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let second = app.another_node().await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        let there = moved_to(&owner, &second);
        for n in 0..10 {
            create_team(&owner, &format!("Here {n}")).await;
            create_team(&there, &format!("There {n}")).await;
        }
        let delivered = "SELECT count(*) FROM event_deliveries WHERE status = 'delivered'";
        until("not all were delivered", async || app.scalar_i64(delivered).await == 20).await;
        let all = messages(&upstream, 20).await;
        let ids: BTreeSet<&str> = all.iter().filter_map(|message| message.header("webhook-id")).collect();
        assert_eq!((all.len(), ids.len()), (20, 20));
    }

    // Breaks where a message is marked as delivered before it was sent, or is queued after the commit.
    async fn kill_9_loses_no_event_and_a_repeat_has_the_same_id(backend: Backend) {
        let (upstream, dir) = (Upstream::open(&[HOST]).await, tempfile::tempdir().unwrap());
        let database = TestDatabase::migrated(backend, dir.path()).await;
        let environment = upstream.environment();
        let settings: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut program = Program::serve(&database, dir.path(), &settings).await;
        let mut owner = owner_of(&program).await;
        let page = owner.visit("/w/acme/destinations/new").await;
        let added = owner.submit(&page, "/destinations", &[("host", HOST)]).await.with_status(303).location();
        let fields = [("path", "/hooks"), ("kind", "team")];
        owner.post_form(&format!("{added}/events"), &fields).await.assert_status(200);
        // The program is killed while it waits for an answer.
        upstream.answer(|_| Reply::hang());
        let mut created = BTreeSet::new();
        for round in 0..3 {
            let before = upstream.requests().len();
            for n in 0..4 {
                let name = format!("Team {round}{}", " x".repeat(n));
                let fields = [("name", name.as_str()), ("description", "")];
                owner.post_form("/w/acme/teams", &fields).await.assert_status(303);
                created.insert(name);
            }
            if round == 0 {
                messages(&upstream, before + 1).await;
            }
            program.kill();
            program = Program::serve(&database, dir.path(), &settings).await;
            owner = moved(&owner, &program);
        }
        upstream.answer(|_| Reply::new(200, &[], b"ok"));
        // Those that hung are sent again when their time has come.
        let connection = database.connect().await;
        let soon = "UPDATE event_deliveries SET due_at = 0 WHERE status = 'waiting'";
        let waiting = "SELECT id FROM event_deliveries WHERE status <> 'delivered'";
        until("not all were delivered", async || {
            connection.execute_unprepared(soon).await.unwrap();
            connection.execute_unprepared("UPDATE event_endpoints SET next_due_at = 0, not_before = 0").await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let rows = Statement::from_string(connection.get_database_backend(), waiting);
            connection.query_all_raw(rows).await.unwrap().is_empty()
        })
        .await;
        connection.close().await.unwrap();
        let all = upstream.requests();
        let all: Vec<&Received> = all.iter().filter(|message| !message.body.is_empty()).collect();
        let mut by_team: std::collections::BTreeMap<String, BTreeSet<&str>> = Default::default();
        for message in &all {
            let team = json_of(message)["data"]["target"]["name"].as_str().unwrap().to_owned();
            by_team.entry(team).or_default().insert(message.header("webhook-id").unwrap());
        }
        assert_eq!(by_team.keys().cloned().collect::<BTreeSet<_>>(), created);
        assert!(by_team.values().all(|ids| ids.len() == 1), "{by_team:?}");
        assert!(all.len() > created.len(), "nothing was sent twice, so nothing was cut off");
    }
}

/// The same person at another node.
pub fn moved_to(person: &Person, app: &TestApp) -> Person {
    Person {
        client: person.client.moved_to(app),
        name: person.name.clone(),
        email: person.email.clone(),
        user_id: person.user_id,
        member_id: person.member_id,
        workspace: person.workspace.clone(),
    }
}

/// Another handle on the database of the app, for what the program does beside requests.
pub async fn handle(app: &TestApp) -> product::Db {
    let dir = tempfile::tempdir().unwrap();
    let config = product::Config::for_tests(app.database.url.clone(), dir.path());
    product::Db::open(&config, String::new(), app.clock.clone()).await.unwrap()
}
