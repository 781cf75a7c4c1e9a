//! What destinations do beyond what every noun does.

use super::add_destination;
use crate::{nouns::roles::add_role, support::*};
use reqwest::{Method, Url};
use serde_json::{Value, json};

pub(super) const CALLS: &str = "/api/sso/v1/destinations";

/// Adds a host through the pages. Returns the address of its page.
pub(super) async fn add(by: &Person, host: &str, description: &str) -> String {
    let page = by.client.visit(&format!("/w/{}/destinations/new", by.workspace)).await;
    let fields = [("host", host), ("description", description)];
    by.client.submit(&page, "/destinations", &fields).await.with_status(303).location()
}

/// The response to a form of the page at this address.
pub(super) async fn submit(by: &Person, path: &str, which: &str, fields: &[(&str, &str)]) -> Page {
    let page = by.client.visit(path).await;
    let answer = by.client.submit(&page, which, fields).await.with_status(303);
    by.client.follow(answer).await.with_status(200)
}

async fn hosts(by: &Person, query: &str) -> Vec<String> {
    let page = by.client.visit(&format!("/w/{}/destinations?{query}", by.workspace)).await;
    page.select("tbody .name a")
}

async fn count(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT count(*) FROM destinations").await
}

/// Runs `work`, which must be refused with this status, change no row, and be audited once.
pub(super) async fn refused(app: &TestApp, status: u16, work: impl Future<Output = Page>) {
    let count = "SELECT count(*) FROM audit_events WHERE outcome = 'refused'";
    let before = app.scalar_i64(count).await;
    app.unchanged_by(work).await.assert_status(status);
    assert_eq!(app.scalar_i64(count).await - before, 1);
}

both! {
    async fn a_destination_is_added_described_paused_resumed_and_deleted(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/destinations").await;
        page.assert_says("No destinations yet");
        let page = owner.client.visit(&page.link("/destinations/new")).await;
        let fields = [("host", " API.Example.com. "), ("description", "Payments")];
        let answer = owner.client.submit(&page, "/destinations", &fields).await;
        let path = answer.location();
        let page = owner.client.follow(answer).await;
        page.assert_says("Destination api.example.com added.").assert_says("Owner One").assert_says("Active");
        page.assert_says("The host can't be changed.");
        assert_eq!(hosts(&owner, "").await, ["api.example.com"]);

        let page = submit(&owner, &path, "/details", &[("description", "Payments, test only")]).await;
        page.assert_says("Description saved.");
        assert_eq!(page.field_value("description").as_deref(), Some("Payments, test only"));
        submit(&owner, &path, "/details", &[]).await.assert_says("No changes to save.");
        let page = submit(&owner, &path, "/pause", &[]).await;
        page.assert_says("api.example.com is paused.").assert_says("Paused");
        assert!(!page.has_form("/pause"));
        let again = owner.client.post_form(&format!("{path}/pause"), &[]).await;
        owner.client.follow(again).await.assert_says("api.example.com is already paused.");
        submit(&owner, &path, "/resumption", &[]).await.assert_says("api.example.com is active again.");

        let page = owner.client.visit(&owner.client.visit(&path).await.link("/deletion")).await;
        page.assert_says("The workspace no longer allows the host").assert_says("Its description and what was changed stay in Activity.");
        let answer = owner.client.submit(&page, "/deletion", &[]).await;
        owner.client.follow(answer).await.assert_says("Destination api.example.com deleted.");
        assert_eq!(count(&app).await, 0);
        owner.client.get(&path).await.assert_status(404);

        let page = owner.client.visit("/w/acme/activity").await;
        for sentence in [
            "added the destination api.example.com",
            "“Payments”",
            "changed the description of the destination api.example.com",
            "paused the destination api.example.com",
            "resumed the destination api.example.com",
            "deleted the destination api.example.com",
        ] {
            page.assert_says(sentence);
        }
        let recorded = "SELECT count(*) FROM audit_events WHERE kind LIKE 'destination.%'";
        assert_eq!(app.scalar_i64(recorded).await, 5, "what changes nothing is not recorded");
        let page = owner.client.visit("/w/acme/activity?kind=destination.paused").await;
        page.assert_says("paused the destination").assert_silent_about("resumed the destination");
    }

    async fn what_is_no_public_host_is_refused_with_the_rule_and_stays_in_the_field(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/destinations/new").await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        for (host, rule) in [
            ("", "Enter a host"),
            ("https://api.example.com", "Leave out the scheme"),
            ("api.example.com/v1", "Leave out the path"),
            ("api.example.com:443", "Leave out the port"),
            ("somebody@example.com", "Leave out everything up to the “@”"),
            ("api.example.com?q=1", "Leave out the query"),
            ("*.example.com", "A destination is one exact host"),
            ("127.1", "IP addresses can't be destinations"),
            ("[::1]", "IP addresses can't be destinations"),
            ("localhost", "Enter the full name of the host"),
            ("db.internal", "aren't on the public internet"),
            ("co.uk", "Many organizations have names under this one"),
            ("api.gооgle.com", "of different scripts"),
            ("api_1.example.com", "Check the spelling"),
        ] {
            let form = [("host", host), ("description", "Kept")];
            let answer = app.unchanged_by(owner.client.submit(&page, "/destinations", &form)).await;
            answer.assert_status(422);
            let error = answer.field_error("host").unwrap_or_default();
            assert!(error.contains(rule), "{host:?}: {error:?}");
            assert_eq!(answer.field_value("host").as_deref(), Some(host));
            assert_eq!(answer.field_value("description").as_deref(), Some("Kept"));
            let answer = app.unchanged_by(key.post(CALLS, &json!({"host": host}))).await.with_status(422);
            assert!(answer.text.contains(rule), "{host:?}: {}", answer.text);
        }
    }

    async fn a_host_is_one_destination_of_a_workspace_and_another_one_of_the_next(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let path = add(&owner, "münchen.example.de", "").await;
        let page = owner.client.visit(&path).await;
        page.assert_says("münchen.example.de").assert_says("xn--mnchen-3ya.example.de");
        for same in ["münchen.example.de", "MÜNCHEN.example.de.", "xn--mnchen-3ya.example.de"] {
            let fields = [("host", same)];
            let form = owner.client.post_form("/w/acme/destinations", &fields);
            let page = app.unchanged_by(form).await.with_status(422);
            assert!(page.field_error("host").unwrap().contains("already"), "{same}");
        }
        add(&other, "xn--mnchen-3ya.example.de", "").await;
        assert_eq!(count(&app).await, 2);

        submit(&owner, &path, "/pause", &[]).await;
        assert_eq!(hosts(&other, "status=active").await, ["münchen.example.de"]);
        assert_eq!(hosts(&owner, "status=active").await, [""; 0]);
    }

    async fn another_workspaces_destination_404_and_the_row_is_as_it_was(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let id = add_destination(&app, "elsewhere", "api.example.com", false).await;
        let path = format!("/w/acme/destinations/{id}");
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let call = format!("{CALLS}/{id}");
        app.unchanged_by(async {
            for page in ["", "/deletion"] {
                owner.client.get(&format!("{path}{page}")).await.assert_status(404);
            }
            for (form, fields) in
                [("details", &[("description", "Mine")][..]), ("pause", &[]), ("resumption", &[]), ("deletion", &[])]
            {
                owner.client.post_form(&format!("{path}/{form}"), fields).await.assert_status(404);
            }
            key.get(&call).await.with_status(404);
            key.patch(&call, &json!({"status": "paused"})).await.with_status(404);
            key.delete(&call).await.with_status(404);
        })
        .await;
    }

    async fn a_viewer_403_and_the_row_is_as_it_was(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = add(&owner, "api.example.com", "").await;
        viewer.client.visit("/w/acme").await.assert_silent_about("Destinations");
        refused(&app, 403, viewer.client.get("/w/acme/destinations")).await;
        refused(&app, 403, viewer.client.get(&path)).await;
        let host = [("host", "evil.example.com")];
        refused(&app, 403, viewer.client.post_form("/w/acme/destinations", &host)).await;
        for form in ["pause", "resumption", "deletion"] {
            refused(&app, 403, viewer.client.post_form(&format!("{path}/{form}"), &[])).await;
        }
        let details = [("description", "Mine")];
        refused(&app, 403, viewer.client.post_form(&format!("{path}/details"), &details)).await;
    }

    async fn who_manages_them_and_may_not_see_them_goes_on_to_the_overview(app: TestApp) {
        let owner = new_owner(&app).await;
        add_role(&app, "acme", "porter", "Porter", &["manage:destinations"]).await;
        let porter = member(&app, &owner, "porter").await;
        let page = porter.client.visit("/w/acme/destinations/new").await;
        let answer = porter.client.submit(&page, "/destinations", &[("host", "api.example.com")]).await;
        assert_eq!(answer.location(), "/w/acme");
        porter.client.follow(answer).await.assert_says("Destination api.example.com added.");
        let id = app.scalar_uuid("SELECT id FROM destinations").await;
        let path = format!("/w/acme/destinations/{id}");
        let (details, long) = (format!("{path}/details"), "x".repeat(201));
        let fields = [("description", long.as_str())];
        let page = app.unchanged_by(porter.client.post_form(&details, &fields)).await;
        page.assert_status(422).assert_silent_about("api.example.com");
        let page = porter.client.visit(&format!("{path}/deletion")).await;
        for link in page.links().iter().filter(|link| link.starts_with('/')) {
            assert!(porter.client.get(link).await.status.is_success(), "{link}");
        }
        assert_eq!(porter.client.submit(&page, "/deletion", &[]).await.location(), "/w/acme");
    }

    async fn programs_change_a_destination_as_they_have_seen_it(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let made = key.post(CALLS, &json!({"host": "münchen.example.de", "description": "Weather"})).await;
        let made = made.with_status(201).body;
        let at = format!("{CALLS}/{}", made["id"].as_str().unwrap());
        let shown = [&made["host"], &made["display_host"], &made["description"], &made["status"], &made["created_by"]];
        let expected = ["xn--mnchen-3ya.example.de", "münchen.example.de", "Weather", "active", "Key developer"];
        assert_eq!(shown, expected.map(Value::from).each_ref());

        let seen = key.get(&at).await.with_status(200);
        assert_eq!(seen.body, made);
        let tag = seen.header("etag").unwrap().to_owned();
        let change = json!({"description": "Rain", "status": "paused"}).to_string();
        let as_seen = async |method: Method, body: Option<String>, tag: &str| {
            key.send(method, &at, body, &[("if-match", tag)]).await
        };
        let changed = as_seen(Method::PATCH, Some(change.clone()), &tag).await.with_status(200);
        assert_eq!((&changed.body["description"], &changed.body["status"]), (&json!("Rain"), &json!("paused")));
        assert!(changed.body["paused_at"].is_i64(), "{}", changed.text);
        let kinds = "SELECT count(*) FROM audit_events WHERE kind IN ('destination.updated', 'destination.paused')";
        assert_eq!(app.scalar_i64(kinds).await, 2);
        for (method, body) in [(Method::PATCH, Some(change)), (Method::DELETE, None)] {
            app.unchanged_by(as_seen(method, body, &tag)).await.with_status(412);
        }
        app.unchanged_by(key.patch(&at, &json!({"host": "api.example.com"}))).await.with_status(422);
        let new_tag = changed.header("etag").unwrap();
        as_seen(Method::DELETE, None, new_tag).await.with_status(204);
        assert_eq!(count(&app).await, 0);
    }

    async fn a_list_is_searched_by_both_forms_of_the_host_and_by_the_description(app: TestApp) {
        let owner = new_owner(&app).await;
        add(&owner, "münchen.example.de", "Weather").await;
        let paused = add(&owner, "api.example.com", "Payments at the Café").await;
        submit(&owner, &paused, "/pause", &[]).await;
        let (api, munich) = ("api.example.com", "münchen.example.de");
        for (query, found) in [
            ("", &[api, munich][..]),
            ("q=MÜNCHEN", &[munich]),
            ("q=munchen", &[munich]),
            ("q=xn--mnchen", &[munich]),
            ("q=cafe", &[api]),
            ("q=example&status=paused", &[api]),
            ("status=active", &[munich]),
            ("q=%25", &[]),
        ] {
            assert_eq!(hosts(&owner, query).await, found, "{query}");
        }
        submit(&owner, &paused, "/details", &[("description", "Invoices")]).await;
        assert_eq!(hosts(&owner, "q=cafe").await, [""; 0]);
        assert_eq!(hosts(&owner, "q=invoices").await, [api]);
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let listed = key.get(&format!("{CALLS}?status=paused&q=invoices")).await.with_status(200);
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1, "{}", listed.text);
        key.get(&format!("{CALLS}?status=odd")).await.with_status(400);
    }

    async fn a_workspace_has_at_most_five_hundred(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..500 {
            add_destination(&app, "acme", &format!("host-{n}.example.com"), n % 2 == 0).await;
        }
        let form = owner.client.post_form("/w/acme/destinations", &[("host", "one-more.example.com")]);
        let page = app.unchanged_by(form).await.with_status(422);
        assert!(page.field_error("host").unwrap().contains("at most 500 destinations"));
    }

    async fn twenty_who_add_one_host_at_once_add_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let twins = owner.client.twins(20).await;
        let answers = race(20, async |i| {
            twins[i].post_form("/w/acme/destinations", &[("host", "api.example.com")]).await.status.as_u16()
        })
        .await;
        assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [303, 422].contains(status)), "{answers:?}");
        assert_eq!(count(&app).await, 1);
    }

    async fn the_host_of_the_installation_itself_is_none(backend: Backend) {
        let url = Url::parse("http://Access.Example.com:8080").unwrap();
        let app = TestApp::on(backend).with(move |config| config.public_url = Some(url.clone())).spawn().await;
        sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let answer = app.unchanged_by(key.post(CALLS, &json!({"host": "access.example.com"}))).await;
        assert!(answer.with_status(422).text.contains("the host of Bailiwick itself"));
        key.post(CALLS, &json!({"host": "api.access.example.com"})).await.with_status(201);
    }

    async fn the_end_of_a_workspace_takes_its_destinations(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        for workspace in ["acme", "elsewhere"] {
            add_destination(&app, workspace, "api.example.com", false).await;
        }
        let page = owner.client.visit("/w/acme/organization/deletion").await;
        owner.client.submit(&page, "/deletion", &[("confirm", "acme")]).await.assert_status(303);
        crate::deletion::purge(&app).await;
        let left = "SELECT w.slug FROM destinations d JOIN workspaces w ON w.id = d.workspace_id";
        assert_eq!(app.scalar_text(left).await.as_deref(), Some("elsewhere"));
    }
}
