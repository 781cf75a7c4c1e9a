//! When messages are sent again, what stops events to a destination, and what brings them back.

use super::super::destinations::add_destination;
use super::receivers::{HOST, create_team, handle, json_of, messages, page_of, start, targets, turn_on};
use crate::support::*;
use std::time::Duration;
use uuid::Uuid;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How long after each attempt the next one comes.
const DELAYS: [u64; 7] = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

async fn attempts(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT count(*) FROM event_attempts").await
}

/// Waits until so many attempts are recorded, and the node's turn is over.
async fn tried(app: &TestApp, count: i64) {
    let idle = "SELECT count(*) FROM event_endpoints WHERE leased_until > 0";
    eventually(async || match (attempts(app).await, app.scalar_i64(idle).await) {
        (found, 0) if found == count => Ok(()),
        (found, leased) => Err(format!("{found} attempts instead of {count}, {leased} leased")),
    })
    .await;
}

/// That nothing more is sent: a turn comes and goes.
async fn nothing_is_due(app: &TestApp, count: i64) {
    // A turn that finds nothing.
    app.execute(&format!("UPDATE event_endpoints SET next_due_at = {}", app.clock.now().as_millis())).await;
    let asked =
        format!("SELECT count(*) FROM event_endpoints WHERE next_due_at = {}", app.clock.now().as_millis());
    until("no turn came", async || app.scalar_i64(&asked).await == 0).await;
    tried(app, count).await;
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fails until the schedule is over. Returns how many attempts there were.
async fn exhaust(app: &TestApp, upstream: &Upstream, owner: &Person) -> i64 {
    upstream.answer(|_| Reply::new(500, &[], b"broken"));
    create_team(owner, "First").await;
    tried(app, 1).await;
    for (number, delay) in (2..).zip(DELAYS) {
        app.clock.advance(seconds(delay * 6 / 5 + 1));
        tried(app, number).await;
    }
    8
}

async fn status(app: &TestApp, kind: &str) -> Vec<String> {
    let sql = format!("SELECT status FROM event_deliveries WHERE kind = '{kind}' ORDER BY queued_at, id");
    app.rows(&sql).await.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

async fn count_kind(app: &TestApp, kind: &str) -> i64 {
    app.scalar_i64(&format!("SELECT count(*) FROM audit_events WHERE kind = '{kind}'")).await
}

both! {
    async fn a_message_is_sent_eight_times_each_time_under_its_id_and_not_before(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(500, &[("set-cookie", "a=b")], b"broken \x1b[31m\xff"));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        for (number, delay) in (2..).zip(DELAYS) {
            // A fifth earlier at most.
            app.clock.advance(seconds(delay * 4 / 5 - 1));
            nothing_is_due(&app, number - 1).await;
            app.clock.advance(seconds(delay * 2 / 5 + 2));
            tried(&app, number).await;
        }
        let all = messages(&upstream, 8).await;
        assert_eq!(all.len(), 8);
        assert!(all.iter().all(|message| message.header("webhook-id") == all[0].header("webhook-id")));
        assert!(all.iter().all(|message| message.body == all[0].body));
        let times: Vec<&str> = all.iter().filter_map(|message| message.header("webhook-timestamp")).collect();
        assert!(times.windows(2).all(|two| two[0] < two[1]), "{times:?}");

        // What it answered can be read, and nothing in it is carried out.
        let delivery = app.scalar_uuid("SELECT id FROM event_deliveries").await;
        let page = owner.client.visit(&format!("{}/{delivery}", page_of(id))).await;
        page.assert_says("It answered 500.").assert_says("8 attempts").assert_says("broken");
        assert!(!page.text().contains('\u{1b}'));
    }

    async fn after_the_schedule_events_are_held_and_those_who_can_mend_it_are_told(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let developer = member(&app, &owner, "developer").await;
        let viewer = member(&app, &owner, "viewer").await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        let tries = exhaust(&app, &upstream, &owner).await;
        until("it did not stop", async || count_kind(&app, "destination.events-stopped").await == 1).await;
        for person in [&owner, &developer] {
            let letter = app.mail.wait_for(&person.email, "Events to hooks.example.com have stopped").await;
            assert!(letter.links().iter().any(|link| link.ends_with(&page_of(id))), "{:?}", letter.links());
        }
        app.mail_is_out().await;
        assert!(app.mail.to(&viewer.email).iter().all(|letter| !letter.subject.contains("stopped")));

        create_team(&owner, "Second").await;
        assert_eq!(status(&app, "team.created").await, ["held", "held"]);
        nothing_is_due(&app, tries).await;
        let page = owner.client.visit(&page_of(id)).await;
        page.assert_says("Events have stopped.").assert_says("2 messages");
        owner.client.visit("/w/acme/activity").await.assert_says("stopped sending events to hooks.example.com");
        owner.client.visit("/w/acme/destinations").await.assert_says("Events stopped");
        let destination = owner.client.visit(&format!("/w/acme/destinations/{id}")).await;
        destination.assert_says("Events are held, because none arrived at this host");

        // A probe a day: it fails, and then it is answered.
        app.clock.advance(seconds(24 * HOUR + 1));
        tried(&app, tries + 1).await;
        assert_eq!(status(&app, "events.probe").await, ["failed"]);
        upstream.answer(|_| Reply::new(204, &[], b""));
        nothing_is_due(&app, tries + 1).await;
        app.clock.advance(seconds(24 * HOUR));
        until("it did not come back", async || count_kind(&app, "destination.events-restored").await == 1).await;
        assert_eq!(status(&app, "events.probe").await, ["failed", "delivered"]);
        app.mail.wait_for(&owner.email, "Events to hooks.example.com are sent again").await;

        // What is held stays so until somebody asks for it.
        create_team(&owner, "Third").await;
        until("the third is not delivered", async || {
            status(&app, "team.created").await == ["held", "held", "delivered"]
        })
        .await;
        let page = owner.client.visit(&page_of(id)).await;
        let answer = owner.client.submit(&page, "/replay", &[]).await;
        owner.client.follow(answer).await.assert_says("2 events are sent again");
        until("they are not sent", async || {
            status(&app, "team.created").await == ["delivered", "delivered", "delivered"]
        })
        .await;
        let sent = messages(&upstream, 1).await;
        let first = sent.iter().find(|message| json_of(message)["type"] == "team.created").unwrap();
        let again: Vec<_> = sent
            .iter()
            .filter(|message| message.header("webhook-id") == first.header("webhook-id"))
            .collect();
        assert_eq!(again.len(), 9, "eight times, and once more under the same id");
    }

    // Breaks where lease_next (nouns/deliveries/lease.rs) takes destinations of deleted workspaces, or a turn there holds
    // what waits.
    async fn what_waits_in_a_deleted_workspace_is_sent_once_that_is_restored(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        owner.client.post_form("/workspaces", &[("name", "Side"), ("slug", "side")]).await.assert_status(303);
        let beside = add_destination(&app, "side", HOST, false).await;
        let fields = [("path", "/beside"), ("kind", "team")];
        let page = format!("/w/side/destinations/{beside}/events");
        owner.client.post_form(&page, &fields).await.assert_status(200);
        upstream.answer(|_| Reply::new(500, &[], b"broken"));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        let workspace = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'acme'").await;
        let end = [("confirm", "acme")];
        owner.client.post_form("/w/acme/organization/deletion", &end).await.assert_status(303);

        // It has been due for longer than what is caused beside it now.
        app.clock.advance(seconds(HOUR));
        upstream.answer(|_| Reply::new(204, &[], b""));
        upstream.take_requests();
        owner.client.post_form("/w/side/teams", &[("name", "Beside"), ("description", "")]).await.assert_status(303);
        until("the other workspace got nothing", async || {
            upstream.requests().iter().any(|request| request.path == "/beside")
        })
        .await;
        assert!(upstream.requests().iter().all(|request| request.path == "/beside"));
        assert_eq!(status(&app, "team.created").await[0], "waiting");

        let restoration = format!("/workspaces/deleted/{workspace}/restoration");
        owner.client.post_form(&restoration, &[]).await.assert_status(303);
        until("it is not sent", async || {
            upstream.requests().iter().any(|request| request.path == "/hooks")
        })
        .await;
        until("it is not delivered", async || status(&app, "team.created").await == ["delivered"; 2]).await;
    }

    async fn one_message_that_is_never_taken_does_not_stop_the_others(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|request| match String::from_utf8_lossy(&request.body).contains("Odd one") {
            true => Reply::new(400, &[], b"odd"),
            false => Reply::new(200, &[], b"ok"),
        });
        create_team(&owner, "Odd one").await;
        tried(&app, 1).await;
        create_team(&owner, "Second").await;
        tried(&app, 2).await;
        for (number, delay) in (3..).zip(DELAYS) {
            app.clock.advance(seconds(delay * 6 / 5 + 1));
            tried(&app, number).await;
        }
        app.mail.wait_for(&owner.email, "An event could not be delivered to hooks.example.com").await;
        assert_eq!(status(&app, "team.created").await, ["held", "delivered"]);
        assert_eq!(count_kind(&app, "destination.events-stopped").await, 0);
        create_team(&owner, "Third").await;
        until("it is not sent", async || {
            status(&app, "team.created").await == ["held", "delivered", "delivered"]
        })
        .await;
    }

    // Breaks where that counts as an attempt, or stops the destination.
    async fn an_event_that_is_gone_from_the_record_is_given_up_alone(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(500, &[], b""));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        app.execute(&format!("UPDATE event_deliveries SET event_id = {}", app.id(Uuid::from_u128(1)))).await;
        app.clock.advance(seconds(10));
        until("it is not given up", async || status(&app, "team.created").await == ["failed"]).await;
        tried(&app, 1).await;
        let row = app.rows("SELECT tries_left, attempts, last_error FROM event_deliveries").await.remove(0);
        assert_eq!(row["attempts"], 1);
        assert_eq!(row["last_error"], "The event is no longer in the record.");
        assert_eq!(count_kind(&app, "destination.events-stopped").await, 0);
        upstream.answer(|_| Reply::new(200, &[], b""));
        create_team(&owner, "Second").await;
        until("the second is not sent", async || status(&app, "team.created").await == ["failed", "delivered"]).await;
    }

    async fn what_is_held_is_gone_after_a_week_and_probes_end_after_a_month(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        let mut tries = exhaust(&app, &upstream, &owner).await;
        until("it did not stop", async || count_kind(&app, "destination.events-stopped").await == 1).await;
        for _ in 0..30 {
            app.clock.advance(seconds(24 * HOUR + 2));
            tries += 1;
            tried(&app, tries).await;
        }
        app.clock.advance(seconds(24 * HOUR + 2));
        nothing_is_due(&app, tries).await;
        let db = handle(&app).await;
        product::housekeeping::sweep(&db).await.unwrap();
        db.close().await;
        assert_eq!(status(&app, "team.created").await, [""; 0]);
        // The session ended long ago.
        let page = sign_in(&app, &owner.email, PASSWORD).await.visit(&page_of(id)).await;
        page.assert_says("Events have stopped.");
        // One mail in all of this: it was told once, and nothing else happened.
        app.mail_is_out().await;
        let told = app.mail.to(&owner.email);
        assert_eq!(told.iter().filter(|letter| letter.subject.contains("have stopped")).count(), 1);
    }

    async fn a_receiver_says_how_long_to_wait(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(429, &[("retry-after", "600")], b""));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        upstream.answer(|_| Reply::new(200, &[], b""));
        // Others wait too.
        create_team(&owner, "Second").await;
        app.clock.advance(seconds(590));
        nothing_is_due(&app, 1).await;
        app.clock.advance(seconds(20));
        tried(&app, 3).await;
        assert_eq!(status(&app, "team.created").await, ["delivered", "delivered"]);
    }

    async fn a_host_that_leads_to_this_machine_gets_no_event_and_is_counted(backend: Backend) {
        let upstream = Upstream::open(&[HOST]).await;
        let settings = upstream.settings();
        let app = TestApp::on(backend)
            .with(move |config| {
                settings(config);
                config.outbound_allow.clear();
                config.metrics_bind = Some("127.0.0.1:0".parse().unwrap());
            })
            .spawn()
            .await;
        let owner = new_owner(&app).await;
        let id = add_destination(&app, "acme", HOST, false).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        assert_eq!(upstream.requests().len(), 0);
        owner.client.visit(&format!("/w/acme/destinations/{id}")).await.assert_says("leads to an address that is");
        let metrics = Client::of(&format!("http://{}", app.metrics_address()), app.clock.clone());
        let text = metrics.get("/metrics").await.with_status(200).html;
        assert!(text.contains("bailiwick_outbound_refusals_total{class=\"loopback\"} 1\n"), "{text}");
    }

    // Breaks without `note_use` in turn.rs.
    async fn the_list_of_destinations_shows_that_events_fail(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        owner.client.visit("/w/acme/destinations").await.assert_says("Never").assert_silent_about("Failing");
        upstream.answer(|_| Reply::new(500, &[], b""));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        owner.client.visit("/w/acme/destinations").await.assert_says("Failing").assert_silent_about("Never");
        owner.client.visit(&format!("/w/acme/destinations/{id}")).await.assert_says("It answered 500.");
        upstream.answer(|_| Reply::new(200, &[], b""));
        app.clock.advance(seconds(10));
        tried(&app, 2).await;
        owner.client.visit("/w/acme/destinations").await.assert_silent_about("Failing");
    }

    // Breaks without `send_now` in hold.rs.
    async fn what_a_person_asks_for_is_sent_although_the_receiver_asked_to_wait(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(429, &[("retry-after", "86400")], b""));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        let page = owner.client.visit(&page_of(id)).await;
        page.assert_says("Asked to wait until");
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let call = format!("/api/sso/v1/destinations/{id}/events");
        assert!(key.get(&call).await.with_status(200).body["not_before"].is_i64());
        upstream.answer(|_| Reply::new(200, &[], b""));
        owner.client.submit(&page, "/test", &[]).await.assert_status(303);
        until("the test is not sent", async || status(&app, "events.test").await == ["delivered"]).await;
        assert!(key.get(&call).await.with_status(200).body["not_before"].is_null());
        let delivery = app.scalar_uuid("SELECT id FROM event_deliveries WHERE kind = 'team.created'").await;
        owner.client.post_form(&format!("{}/{delivery}/replay", page_of(id)), &[]).await.assert_status(303);
        until("the event is not sent", async || status(&app, "team.created").await == ["delivered"]).await;
    }

    async fn gone_stops_events_at_once_and_a_person_turns_them_on_again(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(410, &[], b""));
        create_team(&owner, "First").await;
        until("it did not stop", async || count_kind(&app, "destination.events-stopped").await == 1).await;
        tried(&app, 1).await;
        assert_eq!(status(&app, "team.created").await, ["held"]);
        // No probes: it said that nothing is there.
        app.clock.advance(seconds(25 * HOUR));
        nothing_is_due(&app, 1).await;
        let page = owner.client.visit(&page_of(id)).await;
        page.assert_says("nothing is there any more");
        upstream.answer(|_| Reply::new(200, &[], b""));
        let fields = [("path", "/hooks"), ("kind", "team")];
        let answer = owner.client.post_form(&page_of(id), &fields).await.with_status(303);
        owner.client.follow(answer).await.assert_says("Events are sent.");
        create_team(&owner, "Second").await;
        until("it is not sent", async || status(&app, "team.created").await == ["held", "delivered"]).await;
        assert_eq!(count_kind(&app, "destination.events-vouched-for").await, 1);
    }

    async fn a_redirect_is_a_failure_and_not_followed(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        let elsewhere = format!("https://{HOST}:{}/other", upstream.address.port());
        upstream.answer(move |_| Reply::new(307, &[("location", &elsewhere)], b""));
        create_team(&owner, "First").await;
        tried(&app, 1).await;
        assert!(upstream.requests().iter().all(|request| request.path == "/hooks"));
        let error = app.scalar_text("SELECT last_error FROM event_deliveries").await;
        assert_eq!(error.as_deref(), Some("It answered 307. Redirects are not followed."));
    }

    async fn a_test_event_is_sent_once_and_brings_events_back(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(500, &[], b""));
        let test = async || {
            let page = owner.client.visit(&page_of(id)).await;
            owner.client.submit(&page, "/test", &[]).await.assert_status(303);
        };
        test().await;
        tried(&app, 1).await;
        assert_eq!(status(&app, "events.test").await, ["failed"]);
        app.clock.advance(seconds(HOUR));
        nothing_is_due(&app, 1).await;
        upstream.answer(|_| Reply::new(410, &[], b""));
        create_team(&owner, "First").await;
        until("it did not stop", async || count_kind(&app, "destination.events-stopped").await == 1).await;
        upstream.answer(|_| Reply::new(200, &[], b""));
        test().await;
        until("it did not come back", async || count_kind(&app, "destination.events-restored").await == 1).await;
        let sent = messages(&upstream, 3).await;
        assert_eq!(json_of(&sent[2])["type"], "events.test");
        assert_eq!(targets(&sent)[1], "First");
    }

    async fn a_paused_destination_gets_nothing_until_someone_asks_for_it(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        let pause = format!("/w/acme/destinations/{id}/pause");
        owner.client.post_form(&pause, &[]).await.assert_status(303);
        create_team(&owner, "First").await;
        assert_eq!(status(&app, "team.created").await, ["held"]);
        let test = format!("{}/test", page_of(id));
        app.unchanged_by(owner.client.post_form(&test, &[])).await.assert_status(409);
        owner.client.post_form(&format!("/w/acme/destinations/{id}/resumption"), &[]).await.assert_status(303);
        nothing_is_due(&app, 0).await;
        let delivery: Uuid = app.scalar_uuid("SELECT id FROM event_deliveries").await;
        owner.client.post_form(&format!("{}/{delivery}/replay", page_of(id)), &[]).await.assert_status(303);
        until("it is not sent", async || status(&app, "team.created").await == ["delivered"]).await;
        assert_eq!(targets(&messages(&upstream, 1).await), ["First"]);
    }
}
