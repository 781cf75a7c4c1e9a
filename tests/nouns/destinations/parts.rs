//! What a destination is used for: wildcards, requests, senders, deletion.

use super::{
    add_destination,
    behaviour::{CALLS, add, refused, submit},
    credential::{SECRET, id_of, put, store},
};
use crate::{nouns::roles::add_role, support::*};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

async fn senders(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT count(*) FROM destination_senders").await
}

both! {
    // Breaks without `ticked` (domain/nouns/destinations/pattern.rs).
    async fn a_wildcard_needs_its_tick_and_a_domain_of_somebodys_own(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let page = owner.client.visit("/w/acme/destinations/new").await;
        for (host, tick, rule) in [
            ("*.example.com", false, "tick “Wildcard”"),
            ("example.com", true, "A wildcard begins with “*.”"),
            ("*.co.uk", true, "Many organizations have names under this one"),
            ("*.github.io", true, "Many organizations have names under this one"),
            ("*.com", true, "Enter the full name of the host"),
            ("*", true, "stands for one level"),
            ("*.*.example.com", true, "stands for one level"),
            ("a.*.example.com", true, "stands for one level"),
            ("*.127.0.0.1", true, "IP addresses can't be destinations"),
            ("*.db.internal", true, "aren't on the public internet"),
        ] {
            let mut fields = vec![("host", host)];
            if tick {
                fields.push(("is_wildcard", "yes"));
            }
            let answer = app.unchanged_by(owner.client.submit(&page, "/destinations", &fields)).await;
            let error = answer.with_status(422).field_error("host").unwrap_or_default();
            assert!(error.contains(rule), "{host}: {error}");
            let body = json!({"host": host, "is_wildcard": tick});
            let answer = app.unchanged_by(key.post(CALLS, &body)).await.with_status(422);
            assert!(answer.text.contains(rule), "{host}: {}", answer.text);
        }
        let fields = [("host", "*.Example.com"), ("is_wildcard", "yes")];
        let answer = owner.client.submit(&page, "/destinations", &fields).await;
        let path = answer.with_status(303).location();
        owner.client.visit(&path).await.assert_says("*.example.com").assert_says("every host one level below the domain");
        let made = key.post(CALLS, &json!({"host": "*.münchen.example.de", "is_wildcard": true})).await.with_status(201);
        assert_eq!(made.body["host"], "*.xn--mnchen-3ya.example.de");
        assert_eq!(made.body["display_host"], "*.münchen.example.de");
        assert_eq!(made.body["is_wildcard"], true);
        // One exact host beside it.
        add(&owner, "api.example.com", "").await;
        // Whoever gets a name below it would be sent the credential.
        owner.client.visit(&format!("{path}/credential")).await.assert_says("A wildcard has no credential");
        let fields = [("header_name", "authorization"), ("credential", SECRET)];
        let at = format!("{path}/credential");
        let form = owner.client.post_form(&at, &fields);
        let answer = app.unchanged_by(form).await.with_status(422);
        assert!(!answer.html.contains("canary"));
        let body = json!({"header_name": "authorization", "value": SECRET});
        let at = format!("{CALLS}/{}/credential", id_of(&path));
        let call = put(&key, &at, &body);
        assert!(app.unchanged_by(call).await.with_status(422).text.contains("one exact host"));
    }

    async fn a_wildcard_over_this_installation_is_refused(backend: Backend) {
        let url: reqwest::Url = "https://access.example.com".parse().unwrap();
        let app = TestApp::on(backend).with(move |config| config.public_url = Some(url.clone())).spawn().await;
        sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let body = json!({"host": "*.example.com", "is_wildcard": true});
        let answer = app.unchanged_by(key.post(CALLS, &body)).await.with_status(422);
        assert!(answer.text.contains("the host of Bailiwick itself"), "{}", answer.text);
    }

    async fn requests_are_switched_off_and_have_a_rate(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let call = format!("{CALLS}/{}", id_of(&path));
        let page = owner.client.visit(&path).await;
        assert_eq!(page.attributes("[name=allows_requests][checked]", "value"), ["yes"]);
        let page = submit(&owner, &path, "/requests", &[("requests_per_minute", " 120 ")]).await;
        page.assert_says("Requests to api.example.com are on.");
        assert_eq!(page.field_value("requests_per_minute").as_deref(), Some("120"));
        submit(&owner, &path, "/requests", &[]).await.assert_says("No changes to save.");
        let off = owner.client.post_form(&format!("{path}/requests"), &[]).await.with_status(303);
        owner.client.follow(off).await.assert_says("Requests to api.example.com are off.");
        let now = key.get(&call).await.with_status(200).body;
        assert_eq!((&now["allows_requests"], &now["requests_per_minute"]), (&json!(false), &json!(null)));
        owner.client.visit("/w/acme/destinations").await.assert_says("Nothing");
        for rate in ["0", "-1", "60001", "1.5", "many", "99999999999999999999"] {
            let page = owner.client.visit(&path).await;
            let fields = [("requests_per_minute", rate)];
            let form = owner.client.submit(&page, "/requests", &fields);
            let answer = app.unchanged_by(form).await.with_status(422);
            assert!(answer.field_error("requests_per_minute").unwrap().contains("from 1 to 60000"), "{rate}");
            assert_eq!(answer.field_value("requests_per_minute").as_deref(), Some(rate));
        }
        for rate in [0, -1, 60_001] {
            app.unchanged_by(key.patch(&call, &json!({"requests_per_minute": rate}))).await.with_status(422);
        }
        let body = json!({"allows_requests": true, "requests_per_minute": 5});
        let now = key.patch(&call, &body).await.with_status(200).body;
        assert_eq!((&now["allows_requests"], &now["requests_per_minute"]), (&json!(true), &json!(5)));
        // Left out is not null.
        let now = key.patch(&call, &json!({"description": "Payments"})).await.with_status(200).body;
        assert_eq!(now["requests_per_minute"], 5);
        let now = key.patch(&call, &json!({"requests_per_minute": null})).await.with_status(200).body;
        assert_eq!(now["requests_per_minute"], json!(null));
        let page = owner.client.visit("/w/acme/activity?kind=destination.requests-changed").await;
        page.assert_says("changed requests to the destination api.example.com").assert_says("120 requests a minute");
    }

    async fn who_may_send_is_narrowed_to_roles_and_keys(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        let (robot, _, _) = add_key(&app, "acme", "Robot One", &["developer"]).await;
        let page = owner.client.visit(&path).await;
        page.assert_says("Everyone who has the “Send requests” permission");
        let at = page.link("/senders");

        // Nobody is not a choice.
        let page = owner.client.visit(&at).await;
        page.assert_says("Robot One");
        let form = owner.client.submit(&page, "/senders", &[("is_restricted", "yes")]);
        let answer = app.unchanged_by(form).await.with_status(422);
        assert!(answer.field_error("role").unwrap().contains("at least one role or API key"));

        let chosen = robot.to_string();
        let fields = [("is_restricted", "yes"), ("role", "admin"), ("role", "developer"), ("key", chosen.as_str())];
        let answer = owner.client.submit(&page, "/senders", &fields).await.with_status(303);
        let shown = owner.client.follow(answer).await;
        shown.assert_says("Only the roles and keys that you chose").assert_says("Robot One").assert_says("Developer");
        assert_eq!(senders(&app).await, 3);

        // The form of an earlier version.
        let form = owner.client.submit(&page, "/senders", &[("is_restricted", "yes"), ("role", "viewer")]);
        app.unchanged_by(form).await.assert_status(409);

        let key = workspace_key(&app, "acme", &["developer"]).await;
        let call = format!("{CALLS}/{}/senders", id_of(&path));
        let seen = key.get(&call).await.with_status(200);
        let expected = json!({"is_restricted": true, "roles": ["admin", "developer"], "api_keys": [robot]});
        assert_eq!(seen.body, expected);
        let unknown = json!({"is_restricted": true, "api_keys": [Uuid::from_u128(1)]});
        let refused = app.unchanged_by(put(&key, &call, &unknown)).await.with_status(422);
        assert_eq!(refused.body["errors"][0]["field"], "api_keys");
        for unknown in [json!({"is_restricted": true, "roles": ["no-such-role"]}), json!({"is_restricted": true})] {
            let refused = app.unchanged_by(put(&key, &call, &unknown)).await.with_status(422);
            assert_eq!(refused.body["errors"][0]["field"], "roles");
        }
        // The page names the same one by its group of boxes.
        let unknown = Uuid::from_u128(1).to_string();
        let fields = [("is_restricted", "yes"), ("key", unknown.as_str())];
        let page = owner.client.visit(&at).await;
        let answer = app.unchanged_by(owner.client.submit(&page, "/senders", &fields)).await.with_status(422);
        assert!(answer.field_error("api_keys").unwrap().contains("isn't an API key"));
        let only = json!({"is_restricted": true, "api_keys": [robot]});
        let now = put(&key, &call, &only).await.with_status(200);
        let tag = seen.header("etag").unwrap();
        let stale = [("if-match", tag)];
        let again = key.send(Method::PUT, &call, Some(expected.to_string()), &stale);
        app.unchanged_by(again).await.with_status(412);
        assert_eq!(now.body["roles"], json!([]));
        put(&key, &call, &json!({"is_restricted": false})).await.with_status(200);
        assert_eq!(senders(&app).await, 0);
        let page = owner.client.visit("/w/acme/activity?kind=destination.senders-changed").await;
        page.assert_says("changed who may send to the destination api.example.com").assert_says("Robot One");
    }

    // Breaks without ON DELETE CASCADE in m0026, and if the last sender that goes opened the destination again.
    async fn a_role_or_key_that_goes_is_no_sender_and_nobody_takes_its_place(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        add_role(&app, "acme", "caller", "Caller", &["send:destinations"]).await;
        let (robot, _, _) = add_key(&app, "acme", "Robot One", &["developer"]).await;
        let page = owner.client.visit(&format!("{path}/senders")).await;
        let chosen = robot.to_string();
        let fields = [("is_restricted", "yes"), ("role", "caller"), ("key", chosen.as_str())];
        owner.client.submit(&page, "/senders", &fields).await.assert_status(303);
        // The pages that confirm it say so, and whether anybody is left.
        let key_member = app.scalar_uuid(&format!("SELECT id FROM members WHERE api_key_id = {}", app.id(robot))).await;
        for page in [format!("api-keys/{robot}/removal"), format!("members/{key_member}/removal")] {
            let page = owner.client.visit(&format!("/w/acme/{page}")).await;
            page.assert_says("It can no longer send to 1 destination").assert_says("api.example.com");
        }
        let page = owner.client.visit(&format!("/w/acme/api-keys/{robot}/revocation")).await;
        page.assert_says("It can no longer send to 1 destination").assert_says("api.example.com");
        page.assert_silent_about("no one can send to it any more");
        owner.client.submit(&page, "/revocation", &[]).await.assert_status(303);
        let page = owner.client.visit("/w/acme/roles/caller/deletion").await;
        page.assert_says("Its holders can no longer send to 1 destination");
        page.assert_says("api.example.com: no one can send to it any more");
        // Hosts are for those who may see them.
        add_role(&app, "acme", "roles-only", "Roles only", &["manage:roles", "read:members", "send:destinations"]).await;
        let other = member(&app, &owner, "roles-only").await;
        let blind = other.client.visit("/w/acme/roles/caller/deletion").await;
        blind.assert_says("Its holders can no longer send to 1 destination").assert_silent_about("api.example.com");
        owner.client.submit(&page, "/deletion", &[]).await.assert_status(303);
        assert_eq!(senders(&app).await, 0);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM destinations WHERE is_restricted").await, 1);
        owner.client.visit(&path).await.assert_says("Nobody: the roles and keys that could were deleted");
    }

    async fn whoever_may_not_see_keys_changes_roles_and_keeps_the_keys(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        let (robot, _, _) = add_key(&app, "acme", "Robot One", &["developer"]).await;
        add_role(&app, "acme", "porter", "Porter", &["read:destinations", "manage:destinations"]).await;
        let porter = member(&app, &owner, "porter").await;
        let at = format!("{path}/senders");
        let page = owner.client.visit(&at).await;
        let fields = [("is_restricted", "yes"), ("key", &robot.to_string())];
        owner.client.submit(&page, "/senders", &fields).await.assert_status(303);
        let page = porter.client.visit(&at).await;
        page.assert_silent_about("Robot One").assert_says("1 API key chosen");
        let key = robot.to_string();
        porter.client.submit(&page, "/senders", &[("role", "viewer"), ("key", &key)]).await.assert_status(303);
        assert_eq!(senders(&app).await, 2);
        porter.client.visit(&path).await.assert_silent_about("Robot One").assert_says("1 API key");
    }

    async fn a_viewer_changes_nothing_of_it_and_a_reader_sees_no_button(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = add(&owner, "api.example.com", "").await;
        store(&owner, &path, "Authorization", "one", "").await;
        store(&owner, &path, "Authorization", "two", "24").await;
        for page in ["senders", "credential", "credential/removal"] {
            refused(&app, 403, viewer.client.get(&format!("{path}/{page}"))).await;
        }
        for form in [
            "requests",
            "senders",
            "credential",
            "credential/restoration",
            "credential/previous-deletion",
            "credential/removal",
        ] {
            refused(&app, 403, viewer.client.post_form(&format!("{path}/{form}"), &[])).await;
        }
        add_role(&app, "acme", "reader", "Reader", &["read:destinations"]).await;
        let reader = invite_and_join(&app, &owner.client, "acme", "reader@example.com", &["reader"]).await;
        let page = reader.client.visit(&path).await;
        page.assert_says("authorization").assert_says("Can't be shown");
        assert!(page.forms().iter().all(|form| !form.action.contains("/destinations/")));
    }

    async fn another_workspaces_destination_has_no_senders_and_no_credential_here(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let id = add_destination(&app, "elsewhere", "api.example.com", false).await;
        let path = format!("/w/acme/destinations/{id}");
        let key = workspace_key(&app, "acme", &["owner"]).await;
        app.unchanged_by(async {
            for page in ["/senders", "/credential", "/credential/removal"] {
                owner.client.get(&format!("{path}{page}")).await.assert_status(404);
            }
            let fields = [("header_name", "x-key"), ("credential", "mine")];
            owner.client.post_form(&format!("{path}/credential"), &fields).await.assert_status(404);
            let fields = [("is_restricted", "yes"), ("role", "viewer")];
            owner.client.post_form(&format!("{path}/senders"), &fields).await.assert_status(404);
            let call = format!("{CALLS}/{id}");
            key.get(&format!("{call}/senders")).await.with_status(404);
            key.get(&format!("{call}/credential")).await.with_status(404);
            key.delete(&format!("{call}/credential")).await.with_status(404);
        })
        .await;
    }

    async fn a_deletion_says_what_stops_and_takes_all_of_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        store(&owner, &path, "Authorization", SECRET, "").await;
        let page = owner.client.visit(&format!("{path}/senders")).await;
        owner.client.submit(&page, "/senders", &[("is_restricted", "yes"), ("role", "viewer")]).await.assert_status(303);
        app.execute("UPDATE destinations SET receives_events = TRUE").await;
        let page = owner.client.visit(&format!("{path}/deletion")).await;
        page.assert_says("Requests to it through the gateway are refused")
            .assert_says("Its credential, sent as authorization, is deleted.")
            .assert_says("The choice of who may send to it is deleted.")
            .assert_says("Events are no longer sent to it.");
        owner.client.submit(&page, "/deletion", &[]).await.assert_status(303);
        for table in ["destinations", "destination_senders", "destination_credentials"] {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
    }

    async fn last_use_and_last_error_show_on_the_list_and_the_page(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        owner.client.visit("/w/acme/destinations").await.assert_says("Never");
        let now = app.clock.now().as_millis();
        app.execute(&format!(
            "UPDATE destinations SET last_used_at = {now}, last_error_at = {now}, last_error = 'The host did not answer.'"
        ))
        .await;
        owner.client.visit("/w/acme/destinations").await.assert_says("Failing").assert_silent_about("Never");
        owner.client.visit(&path).await.assert_says("The host did not answer.");
        app.execute(&format!("UPDATE destinations SET last_used_at = {}", now + 1)).await;
        owner.client.visit("/w/acme/destinations").await.assert_silent_about("Failing");
    }
}
