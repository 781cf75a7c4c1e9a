//! Domains whose people join by themselves: what DNS must say, and when it is asked.

use crate::{support::*, world::add_user};
use serde_json::json;
use std::time::Duration;

/// An app that asks this test's DNS server, and its Owner.
async fn start(backend: Backend) -> (Upstream, TestApp, Person) {
    let upstream = Upstream::open(&[]).await;
    let app = TestApp::on(backend).with(upstream.settings()).spawn().await;
    let owner = new_owner(&app).await;
    (upstream, app, owner)
}

/// Adds a domain by the page. Returns the page with it.
async fn add(by: &Person, domain: &str) -> Page {
    let page = by.client.visit("/w/acme/joining").await;
    let answer = by.client.submit(&page, "/joining/domains", &[("domain", domain)]).await.with_status(303);
    by.client.follow(answer).await.with_status(200)
}

async fn verify(by: &Person) -> Page {
    let page = by.client.visit("/w/acme/joining").await;
    let answer = by.client.submit(&page, "/verification", &[]).await.with_status(303);
    by.client.follow(answer).await.with_status(200)
}

/// The text that DNS must have of the only domain there is.
async fn text(app: &TestApp) -> String {
    let challenge = app.scalar_text("SELECT challenge FROM join_domains").await.unwrap();
    format!("bailiwick-verification={challenge}")
}

async fn somebody(app: &TestApp, email: &str) -> Client {
    add_user(app, "Some One", email).await;
    sign_in(app, email, PASSWORD).await
}

both! {
    async fn people_join_by_their_domain_once_dns_says_that_it_is_the_workspaces(backend: Backend) {
        let (upstream, app, owner) = start(backend).await;
        let page = add(&owner, " Example.org. ").await;
        page.assert_says("example.org added").assert_says("Not verified yet");
        let record = text(&app).await;
        let shown = page.attributes("#join-domains input[readonly]", "value");
        assert_eq!(shown, ["_bailiwick.example.org".to_owned(), record.clone()]);
        let some = somebody(&app, "some@example.org").await;
        some.visit("/workspaces").await.assert_silent_about("Workspaces you can join");
        let id = app.scalar_uuid("SELECT id FROM join_domains").await;
        let join = format!("/workspaces/joinable/{id}/membership");
        app.unchanged_by(some.post_form(&join, &[])).await.assert_status(404);

        verify(&owner).await.assert_says("DNS doesn't have the text for example.org yet");
        upstream.dns.set_texts("_bailiwick.example.org", &["v=spf1 -all", "bailiwick-verification=another"]);
        verify(&owner).await.assert_says("DNS doesn't have the text for example.org yet");
        // At the domain itself it proves nothing.
        upstream.dns.set_texts("example.org", &[&record]);
        verify(&owner).await.assert_says("DNS doesn't have the text for example.org yet");
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM join_domains WHERE verified_at IS NOT NULL").await, 0);
        upstream.dns.set_texts("_bailiwick.example.org", &["v=spf1 -all", &record]);
        verify(&owner).await.assert_says("example.org verified");

        // Neither who is at another domain nor who has not confirmed the address.
        let other = somebody(&app, "some@sub.example.org").await;
        app.unchanged_by(other.post_form(&join, &[])).await.assert_status(404);
        let confirmed = |at: &str| format!("UPDATE users SET email_verified_at = {at} WHERE email = 'some@example.org'");
        app.execute(&confirmed("NULL")).await;
        app.unchanged_by(some.post_form(&join, &[])).await.assert_status(403);
        app.execute(&confirmed("1")).await;
        let page = some.visit("/workspaces").await;
        page.assert_says("Workspaces you can join").assert_says("acme");
        let joined = some.submit(&page, "/membership", &[]).await.with_status(303);
        some.follow(joined).await.assert_says("Welcome to acme. Your role: Viewer.");
        app.unchanged_by(some.post_form(&join, &[])).await.assert_status(409);
        owner.client.visit("/w/acme/activity").await.assert_says("example.org");
    }

    // Breaks without `look_again` in by_domain::join_by_domain: a domain that somebody else bought lets people in.
    async fn a_domain_that_is_no_longer_proved_lets_nobody_in(backend: Backend) {
        let (upstream, app, owner) = start(backend).await;
        add(&owner, "example.org").await;
        upstream.dns.set_texts("_bailiwick.example.org", &[&text(&app).await]);
        verify(&owner).await.assert_says("example.org verified");
        let some = somebody(&app, "some@example.org").await;
        let id = app.scalar_uuid("SELECT id FROM join_domains").await;
        let join = format!("/workspaces/joinable/{id}/membership");
        app.clock.advance(Duration::from_secs(2 * 86_400));
        // While nobody answers, nothing is known: it stays as it is.
        upstream.dns.say_nothing_of("_bailiwick.example.org");
        app.unchanged_by(some.post_form(&join, &[])).await.assert_status(503);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM join_domains WHERE verified_at IS NOT NULL").await, 1);
    }

    async fn a_domain_whose_text_is_gone_is_not_verified_any_more(backend: Backend) {
        let (upstream, app, owner) = start(backend).await;
        add(&owner, "example.org").await;
        upstream.dns.set_texts("_bailiwick.example.org", &[&text(&app).await]);
        verify(&owner).await.assert_says("example.org verified");
        upstream.dns.set_texts("_bailiwick.example.org", &["v=spf1 -all"]);
        // For a day the proof counts.
        let first = somebody(&app, "first@example.org").await;
        let id = app.scalar_uuid("SELECT id FROM join_domains").await;
        let join = format!("/workspaces/joinable/{id}/membership");
        first.post_form(&join, &[]).await.assert_status(303);
        app.clock.advance(Duration::from_secs(86_400));
        let second = somebody(&app, "second@example.org").await;
        second.post_form(&join, &[]).await.assert_status(410).assert_says("could not be confirmed");
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM join_domains WHERE verified_at IS NOT NULL").await, 0);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM members").await, 2, "who joined before stays");
        app.unchanged_by(second.post_form(&join, &[])).await.assert_status(404);
        let unverified = "SELECT COUNT(*) FROM audit_events WHERE kind = 'invitation.domain-unverified'";
        assert_eq!(app.scalar_i64(unverified).await, 1);
    }

    async fn a_domain_takes_two_permissions_and_a_role_that_one_may_give(backend: Backend) {
        let (_upstream, app, owner) = start(backend).await;
        let admin = member(&app, &owner, "admin").await;
        let fields = [("domain", "example.org"), ("role", "owner")];
        app.unchanged_by(admin.client.post_form("/w/acme/joining/domains", &fields)).await.assert_status(403);
        app.unchanged_by(owner.client.post_form("/w/acme/joining/domains", &fields)).await.assert_status(422)
            .assert_says("Owners are invited one by one");
        let taken = "DELETE FROM grants WHERE scope = 'invite:members' AND role_id IN (SELECT id FROM roles WHERE slug = 'admin')";
        app.execute(taken).await;
        let fields = [("domain", "example.org"), ("role", "viewer")];
        app.unchanged_by(admin.client.post_form("/w/acme/joining/domains", &fields)).await.assert_status(403);
        for domain in ["", "localhost", "exa mple.org", "https://example.org/", "example..org"] {
            let fields = [("domain", domain), ("role", "viewer")];
            let refused = app.unchanged_by(owner.client.post_form("/w/acme/joining/domains", &fields)).await;
            assert!(refused.with_status(422).field_error("domain").is_some(), "{domain:?}");
        }
        add(&owner, "example.org").await;
        let fields = [("domain", "EXAMPLE.org"), ("role", "viewer")];
        app.unchanged_by(owner.client.post_form("/w/acme/joining/domains", &fields)).await.assert_status(422);
    }

    async fn a_service_adds_verifies_and_removes_a_domain(backend: Backend) {
        let (upstream, app, _) = start(backend).await;
        let robot = workspace_key(&app, "acme", &["owner"]).await;
        let path = "/api/sso/v1/join-domains";
        let added = robot.post(path, &json!({"domain": "example.org", "role": "viewer"})).await.with_status(201).body;
        let at = format!("{path}/{}", added["id"].as_str().unwrap());
        let checked = robot.post(&format!("{at}/verification"), &json!({})).await.with_status(200).body;
        assert!(checked["verified_at"].is_null());
        let (name, text) = (added["record_name"].as_str().unwrap(), added["record_text"].as_str().unwrap());
        upstream.dns.set_texts(name, &[text]);
        let checked = robot.post(&format!("{at}/verification"), &json!({})).await.with_status(200).body;
        assert!(checked["verified_at"].is_number());
        robot.delete(&at).await.with_status(204);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM join_domains").await, 0);
    }
}
