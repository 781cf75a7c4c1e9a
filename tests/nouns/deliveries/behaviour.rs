//! Who may decide what is sent where, and what happens to secrets.

use super::receivers::{create_team, messages, page_of, start, targets, turn_on, verified};
use crate::{
    nouns::{destinations::add_destination, roles::add_role},
    support::*,
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

const SETTINGS: [(&str, &str); 2] = [("path", "/hooks"), ("kind", "team")];

/// What both libraries need of a message.
fn line(message: &Received, secret: &str) -> serde_json::Value {
    json!({
        "secret": secret,
        "headers": {
            "webhook-id": message.header("webhook-id"),
            "webhook-timestamp": message.header("webhook-timestamp"),
            "webhook-signature": message.header("webhook-signature"),
        },
        "body": String::from_utf8(message.body.clone()).unwrap(),
    })
}

both! {
    async fn it_takes_both_permissions_to_turn_events_on(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = add_destination(&app, "acme", "hooks.example.com", false).await;
        add_role(&app, "acme", "auditor", "Auditor", &["read:audit", "read:destinations"]).await;
        let (developer, auditor) = (member(&app, &owner, "developer").await, member(&app, &owner, "auditor").await);
        for person in [&developer, &auditor] {
            app.unchanged_by(person.client.post_form(&page_of(id), &SETTINGS)).await.assert_status(403);
        }
        developer.client.visit(&page_of(id)).await.assert_says("you also need the “View activity” permission");
        assert!(!developer.client.visit(&page_of(id)).await.has_form("/events"));
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let call = format!("/api/sso/v1/destinations/{id}/events");
        let settings = json!({"path": "/hooks", "kinds": ["team"]});
        app.unchanged_by(key.call(reqwest::Method::PUT, &call, Some(&settings))).await.with_status(403);

        turn_on(&owner, id, "/hooks", &["team"]).await;
        // Who has the secret can make events up.
        let secret = format!("{}/secret", page_of(id));
        app.unchanged_by(developer.client.post_form(&secret, &[("overlap", "none")])).await.assert_status(403);
        assert!(!developer.client.visit(&page_of(id)).await.has_form("/secret"));
        app.unchanged_by(key.post(&format!("{call}/rotation"), &json!({}))).await.with_status(403);
        // To send again is to show once more what the record says; to turn off and to test is not.
        let replay = [("replay_from", ""), ("replay_until", ""), ("which", "all")];
        let path = format!("{}/replay", page_of(id));
        app.unchanged_by(developer.client.post_form(&path, &replay)).await.assert_status(403);
        let off = format!("{}/deactivation", page_of(id));
        developer.client.post_form(&off, &[]).await.assert_status(303);
        owner.client.visit("/w/acme/activity").await.assert_says("turned off events for hooks.example.com");
    }

    // Breaks without `sees_events` in list.rs.
    async fn who_may_not_see_the_record_reads_how_it_goes_and_not_what_it_is(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let developer = member(&app, &owner, "developer").await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        // A receiver that repeats what it got.
        upstream.answer(|request| Reply::new(200, &[], request.body.clone()));
        create_team(&owner, "Hidden plan").await;
        until("it was not delivered", async || {
            app.scalar_i64("SELECT count(*) FROM event_deliveries WHERE status = 'delivered'").await == 1
        })
        .await;
        let delivery = app.scalar_uuid("SELECT id FROM event_deliveries").await;
        let page = format!("{}/{delivery}", page_of(id));
        owner.client.visit(&page).await.assert_says("team.created").assert_says("Hidden plan");
        developer.client.visit(&page).await.assert_says("It answered 200.").assert_says("“View activity” permission");
        for path in [page, page_of(id)] {
            let text = developer.client.visit(&path).await.text();
            assert!(!text.contains("team.created") && !text.contains("Hidden plan"), "{path}");
        }
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let call = format!("/api/sso/v1/destinations/{id}/events/deliveries");
        let listed = key.get(&call).await.with_status(200).body["items"][0].clone();
        let detail = key.get(&format!("{call}/{delivery}")).await.with_status(200).body;
        for message in [&listed, &detail] {
            assert!(message["kind"].is_null() && message["event_id"].is_null(), "{message}");
            assert_eq!(message["status"], "delivered");
        }
        assert_eq!((&detail["log"][0]["response_status"], &detail["log"][0]["response_body"]), (&json!(200), &json!("")));
    }

    // A path may be as good as a password, and a receiver answers what it likes: the one is in the settings and the
    // record of who set it, the other with its attempt.
    async fn a_path_and_an_answer_are_kept_in_one_place_and_mailed_to_nobody(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks/canary-path", &["team"]).await;
        upstream.answer(|_| Reply::new(410, &[("x-answer", "canary-header")], b"canary-answer"));
        create_team(&owner, "First").await;
        app.mail.wait_for(&owner.email, "Events to hooks.example.com have stopped").await;
        app.mail_is_out().await;
        for letter in app.mail.to(&owner.email) {
            assert!(!format!("{letter:?}").contains("canary"), "{letter:?}");
        }
        assert!(upstream.requests().iter().all(|request| request.path == "/hooks/canary-path"));
        for table in app.catalogue().await.all() {
            for row in app.rows_where(table, "1 = 1").await.iter().filter(|row| row.contains("canary")) {
                let kept = match table {
                    "event_attempts" => "canary-answer",
                    "destinations" => "canary-path",
                    record if record.starts_with("audit_") => "canary-path",
                    _ => panic!("{row}"),
                };
                assert_eq!(row.matches("canary").count(), row.matches(kept).count(), "{table}: {row}");
            }
        }
        // Neither the list nor the page of the destination has them.
        let key = workspace_key(&app, "acme", &["owner"]).await;
        for path in ["/w/acme/destinations".to_owned(), format!("/w/acme/destinations/{id}")] {
            owner.client.visit(&path).await.assert_silent_about("canary");
        }
        let call = format!("/api/sso/v1/destinations/{id}");
        for call in ["/api/sso/v1/destinations".to_owned(), call.clone(), format!("{call}/events/deliveries")] {
            let answer = key.get(&call).await.with_status(200);
            assert!(!answer.text.contains("canary"), "{}", answer.text);
        }
    }

    // Breaks without `is_vouched_for` in turn.rs.
    async fn events_end_with_the_authority_of_who_turned_them_on(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let admin = member(&app, &owner, "admin").await;
        turn_on(&admin, id, "/hooks", &["team"]).await;
        create_team(&owner, "First").await;
        messages(&upstream, 1).await;
        let roles = format!("/w/acme/members/{}/roles", admin.member_id);
        let page = owner.client.visit(&format!("/w/acme/members/{}", admin.member_id)).await;
        owner.client.submit(&page, &roles, &[("role", "developer")]).await.assert_status(303);

        create_team(&owner, "Second").await;
        until("it did not stop", async || {
            app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'destination.events-stopped'").await == 1
        })
        .await;
        create_team(&owner, "Third").await;
        let held = "SELECT count(*) FROM event_deliveries WHERE status = 'held'";
        assert_eq!(app.scalar_i64(held).await, 2);
        let page = owner.client.visit(&page_of(id)).await;
        page.assert_says("can no longer view activity or manage destinations");
        // Not even a test is sent in their name, and no probe.
        let turns = "SELECT count(*) FROM event_endpoints WHERE leased_until <> 0 OR next_due_at <> 9223372036854775807";
        until("the turn did not end", async || app.scalar_i64(turns).await == 0).await;
        app.unchanged_by(admin.client.post_form(&format!("{}/test", page_of(id)), &[])).await.assert_status(409);
        app.clock.advance(Duration::from_secs(3 * 86_400));
        assert_eq!(upstream.requests().len(), 1);

        owner.client.submit(&page, "form:has([type=hidden][name=kind])", &[]).await.assert_status(303);
        create_team(&owner, "Fourth").await;
        assert_eq!(targets(&messages(&upstream, 2).await), ["First", "Fourth"]);
    }

    async fn a_secret_is_shown_once_and_stored_nowhere_in_the_clear(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let secret = turn_on(&owner, id, "/hooks", &["team", "destination"]).await;
        create_team(&owner, "First").await;
        let echo = secret.clone();
        upstream.answer(move |_| Reply::new(200, &[], format!("your secret is {echo}")));
        create_team(&owner, "Second").await;
        until("not all were delivered", async || {
            app.scalar_i64("SELECT count(*) FROM event_deliveries WHERE status = 'delivered'").await == 3
        })
        .await;
        let key = secret.trim_start_matches("whsec_");
        for table in ["event_endpoints", "event_deliveries", "event_attempts", "audit_events", "audit_identities", "destinations"] {
            let rows = app.rows(&format!("SELECT * FROM {table}")).await;
            assert!(!serde_json::to_string(&rows).unwrap().contains(key), "{table}");
        }
        for page in [page_of(id), format!("/w/acme/destinations/{id}"), "/w/acme/activity".to_owned()] {
            assert!(!owner.client.visit(&page).await.text().contains(key), "{page}");
        }
        assert!(messages(&upstream, 3).await.iter().all(|message| !message.head.contains(key)));
        assert!(messages(&upstream, 3).await.iter().all(|message| !String::from_utf8_lossy(&message.body).contains(key)));
        // The same form again changes nothing, and shows nothing.
        let fields = [("path", "/hooks"), ("kind", "team"), ("kind", "destination")];
        let again = owner.client.post_form(&page_of(id), &fields).await.with_status(303);
        owner.client.follow(again).await.assert_says("No changes to save.");
    }

    async fn a_rotation_signs_with_both_secrets_for_a_day_or_with_the_new_one_alone(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let first = turn_on(&owner, id, "/hooks", &["team"]).await;
        let rotate = async |overlap: &str| {
            let page = owner.client.visit(&page_of(id)).await;
            let answer = owner.client.submit(&page, "/secret", &[("overlap", overlap)]).await.with_status(200);
            answer.attributes("#secret", "value").remove(0)
        };
        let old_page = owner.client.visit(&page_of(id)).await;
        let second = rotate("day").await;
        create_team(&owner, "Both").await;
        let both = messages(&upstream, 1).await.remove(0);
        assert_eq!(both.header("webhook-signature").unwrap().split(' ').count(), 2);
        assert_eq!(verified(&[line(&both, &first), line(&both, &second)]), ["ok", "ok"]);
        // A page that was opened before creates no third one.
        app.unchanged_by(owner.client.submit(&old_page, "/secret", &[])).await.assert_status(409);

        app.clock.advance(Duration::from_secs(86_400));
        create_team(&owner, "New").await;
        let new = messages(&upstream, 2).await.remove(1);
        let results = verified(&[line(&new, &first), line(&new, &second)]);
        assert!(results[0] != "ok" && results[1] == "ok", "{results:?}");

        let third = rotate("none").await;
        create_team(&owner, "Third").await;
        let now = messages(&upstream, 3).await.remove(2);
        let results = verified(&[line(&now, &second), line(&now, &third)]);
        assert!(results[0] != "ok" && results[1] == "ok", "{results:?}");

        // Another path is perhaps somebody else's: the old secret ends at once.
        let fourth = turn_on(&owner, id, "/other", &["team"]).await;
        create_team(&owner, "Fourth").await;
        let there = messages(&upstream, 4).await.remove(3);
        assert_eq!(there.path, "/other");
        let results = verified(&[line(&there, &third), line(&there, &fourth)]);
        assert!(results[0] != "ok" && results[1] == "ok", "{results:?}");
    }

    async fn turned_off_nothing_waits_and_nothing_is_sent(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        turn_on(&owner, id, "/hooks", &["team"]).await;
        upstream.answer(|_| Reply::new(500, &[], b""));
        create_team(&owner, "First").await;
        until("it was not tried", async || app.scalar_i64("SELECT count(*) FROM event_attempts").await == 1).await;
        let page = owner.client.visit(&owner.client.visit(&page_of(id)).await.link("/deactivation")).await;
        page.assert_says("1 message that was not delivered is dropped.");
        let answer = owner.client.submit(&page, "/deactivation", &[]).await;
        owner.client.follow(answer).await.assert_says("Events to hooks.example.com turned off.");
        create_team(&owner, "Second").await;
        app.clock.advance(Duration::from_secs(86_400));
        assert_eq!(app.scalar_i64("SELECT count(*) FROM event_deliveries").await, 0);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM event_endpoints").await, 0);
        for action in ["test", "deactivation"] {
            let path = format!("{}/{action}", page_of(id));
            app.unchanged_by(owner.client.post_form(&path, &[])).await.assert_status(409);
        }
        // The path is still in the field.
        let page = owner.client.visit(&page_of(id)).await;
        assert_eq!(page.field_value("path").as_deref(), Some("/hooks"));
    }

    async fn paths_and_kinds_are_refused_with_the_reason(app: TestApp) {
        let owner = new_owner(&app).await;
        let id = add_destination(&app, "acme", "hooks.example.com", false).await;
        for (path, rule) in [
            ("", "Enter the path alone"),
            ("https://hooks.example.com/a", "Enter the path alone"),
            ("/a b", "as %XX"),
            ("/a\r\nHost: evil.example.com", "as %XX"),
            ("/a#b", "Leave out the “#”"),
            ("/a/../b", "Leave out “.” and “..”"),
        ] {
            let page = app.unchanged_by(owner.client.post_form(&page_of(id), &[("path", path), ("kind", "team")])).await;
            page.assert_status(422);
            assert!(page.field_error("path").unwrap_or_default().contains(rule), "{path:?}: {:?}", page.field_error("path"));
        }
        let page = app.unchanged_by(owner.client.post_form(&page_of(id), &[("path", "/a")])).await;
        assert_eq!(page.field_error("kind").as_deref(), Some("Choose at least one kind of event."));
        app.execute("UPDATE destinations SET is_wildcard = TRUE").await;
        let page = app.unchanged_by(owner.client.post_form(&page_of(id), &SETTINGS)).await;
        assert!(page.field_error("path").is_none());
        page.assert_status(422);
    }

    async fn a_workspace_has_at_most_twenty_receivers(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..20 {
            let id = add_destination(&app, "acme", &format!("hooks-{n}.example.com"), false).await;
            turn_on(&owner, id, "/hooks", &["ownership"]).await;
        }
        let id = add_destination(&app, "acme", "one-more.example.com", false).await;
        let page = app.unchanged_by(owner.client.post_form(&page_of(id), &SETTINGS)).await.with_status(422);
        assert!(page.field_error("path").unwrap().contains("At most 20 destinations"));
    }

    async fn programs_turn_events_on_test_them_and_read_the_log(backend: Backend) {
        let (upstream, app, owner, id) = start(backend).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let call = format!("/api/sso/v1/destinations/{id}/events");
        let off = key.get(&call).await.with_status(200);
        assert_eq!((&off.body["is_on"], &off.body["path"]), (&json!(false), &json!("")));
        let settings = json!({"path": "/hooks", "kinds": ["team"]});
        let saved = key.call(reqwest::Method::PUT, &call, Some(&settings)).await.with_status(200);
        let secret = saved.body["secret"].as_str().expect("a secret").to_owned();
        let again = key.call(reqwest::Method::PUT, &call, Some(&settings)).await.with_status(200);
        assert!(again.body["secret"].is_null(), "{}", again.text);
        create_team(&owner, "First").await;
        let message = messages(&upstream, 1).await.remove(0);
        assert_eq!(verified(&[line(&message, &secret)]), ["ok"]);
        let test = key.post(&format!("{call}/test"), &json!({})).await.with_status(201);
        let at = test.header("location").unwrap().to_owned();
        eventually(async || {
            let sent = key.get(&at).await.with_status(200).body;
            if sent["status"] == "delivered" { Ok(()) } else { Err(sent.to_string()) }
        })
        .await;
        let listed = key.get(&format!("{call}/deliveries?status=delivered")).await.with_status(200).body;
        let kinds: BTreeSet<_> = listed["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str()).collect();
        assert_eq!(kinds, BTreeSet::from([Some("events.test"), Some("team.created")]));
        let detail = key.get(&at).await.with_status(200).body;
        assert_eq!((&detail["log"][0]["response_status"], &detail["log"][0]["response_body"]), (&json!(200), &json!("ok")));
        let rotated = key.post(&format!("{call}/rotation"), &json!({})).await.with_status(200);
        assert!(rotated.body["events"]["old_secret_ends_at"].is_i64(), "the old one does not end at once");
        assert!(rotated.body["secret"].as_str().is_some_and(|new| new != secret));
        let range = key.post(&format!("{call}/replay"), &json!({"with_delivered": true})).await.with_status(200);
        assert_eq!(range.body["count"], 1);
        key.delete(&call).await.with_status(204);
        app.unchanged_by(key.delete(&call)).await.with_status(409);
    }
}
