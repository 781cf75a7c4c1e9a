//! Whose an address is: the link that confirms it, in the browser in which the address was entered and in others;
//! and when sessions end.

use crate::support::*;
use std::time::Duration;

const NEW: &str = "another battery horse staple 7";
const DAY: Duration = Duration::from_secs(86_400);

async fn confirmation(app: &TestApp, email: &str) -> String {
    app.mail.wait_for_link(email, "/email-verification/").await
}

/// Waits until the app has written when this browser's session was last used.
async fn used_now(app: &TestApp, client: &Client) {
    client.visit("/me").await;
    let now = app.clock.now().as_millis() - 60_000;
    until("the use of the session is written", async || {
        app.scalar_i64("SELECT MAX(last_seen_at) FROM sessions").await >= now
    })
    .await;
}

both! {
    async fn in_the_browser_that_signed_up_it_goes_on_signed_in(app: TestApp) {
        let client = sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "Acme Company").await;
        let page = client.visit(&confirmation(&app, "owner-one@example.com").await).await;
        page.assert_says("owner-one@example.com").assert_says("Owner One").assert_says("Acme Company");
        assert!(!page.has("input[name=password]"));
        let answer = client.submit(&page, "/email-verification", &[]).await.with_status(303);
        client.follow(answer).await.assert_says("owner-one@example.com confirmed.");
        assert!(!client.visit("/w/acme-company").await.has(".banner"));
        sign_in(&app, "owner-one@example.com", PASSWORD).await;
    }

    async fn in_another_browser_it_asks_for_a_new_password_and_ends_every_earlier_session(app: TestApp) {
        // Somebody signs up with an address that is not theirs.
        let thief = sign_up(&app, "Mallory Name", "victim@example.com", PASSWORD, "Their Place").await;
        sign_in_with(&thief, "victim@example.com", PASSWORD).await;
        let victim = app.client();
        let link = confirmation(&app, "victim@example.com").await;
        let page = victim.visit(&link).await;
        page.assert_says("victim@example.com").assert_says("Mallory Name").assert_says("Their Place");
        for weak in ["", "short"] {
            let fields = [("password", weak)];
            let refused = victim.submit(&page, "/email-verification", &fields);
            let refused = app.unchanged_by(refused).await.with_status(422);
            assert!(refused.field_error("password").is_some());
        }
        thief.visit("/me").await;
        let answer = victim.submit(&page, "/email-verification", &[("password", NEW)]).await.with_status(303);
        victim.follow(answer).await.assert_says("victim@example.com confirmed.");
        thief.get("/me").await.assert_status(401);
        let old = [("email", "victim@example.com"), ("password", PASSWORD)];
        app.client().post_form("/sign-in", &old).await.assert_status(422);
        sign_in(&app, "victim@example.com", NEW).await.visit("/w/their-place").await;
        // Whoever has the cookie of the sign-up, and not the mailbox, has nothing.
        thief.get(&link).await.assert_status(303);
        app.unchanged_by(thief.post_form("/email-verification", &[])).await.assert_status(410);
    }

    async fn signed_in_as_them_in_another_browser_no_new_password_is_needed(app: TestApp) {
        sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        let phone = sign_in(&app, "owner-one@example.com", PASSWORD).await;
        let page = phone.visit(&confirmation(&app, "owner-one@example.com").await).await;
        assert!(!page.has("input[name=password]"));
        phone.submit(&page, "/email-verification", &[]).await.assert_status(303);
        phone.visit("/w/acme").await;
    }

    async fn signed_in_as_somebody_else_they_stay_so(app: TestApp) {
        let other = new_owner(&app).await;
        sign_up(&app, "New One", "new-one@example.com", PASSWORD, "first").await;
        let page = other.client.visit(&confirmation(&app, "new-one@example.com").await).await;
        page.assert_says("owner-one@example.com");
        let fields = [("password", NEW)];
        let answer = other.client.submit(&page, "/email-verification", &fields).await.with_status(303);
        other.client.follow(answer).await.assert_says("You're still signed in as owner-one@example.com");
        sign_in(&app, "new-one@example.com", NEW).await;
    }

    async fn a_confirmation_that_was_sent_before_a_reset_is_dead_after_it(app: TestApp) {
        let thief = sign_up(&app, "Mallory Name", "victim@example.com", PASSWORD, "place").await;
        let link = confirmation(&app, "victim@example.com").await;
        let victim = app.client();
        victim.post_form("/forgot-password", &[("email", "victim@example.com")]).await.assert_status(200);
        let reset = app.mail.wait_for_link("victim@example.com", "/reset-password/").await;
        let page = victim.visit(&reset).await;
        victim.submit(&page, "/reset-password", &[("password", NEW)]).await.assert_status(303);
        thief.get(&link).await.assert_status(303);
        app.unchanged_by(thief.post_form("/email-verification", &[])).await.assert_status(410);
    }

    async fn a_change_of_address_ends_the_other_sessions(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = sign_in(&app, &owner.email, PASSWORD).await;
        let fields = [("email", "owner-new@example.com"), ("current_password", PASSWORD)];
        owner.client.post_form("/me/email", &fields).await.assert_status(303);
        let link = confirmation(&app, "owner-new@example.com").await;
        let page = owner.client.visit(&link).await;
        page.assert_says("owner-one@example.com").assert_says("owner-new@example.com");
        other.visit("/me").await;
        owner.client.submit(&page, "/email-verification", &[]).await.assert_status(303);
        owner.client.visit("/me").await;
        other.get("/me").await.assert_status(401);
    }

    async fn a_change_of_address_that_is_confirmed_elsewhere_takes_a_new_password(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [("email", "owner-new@example.com"), ("current_password", PASSWORD)];
        owner.client.post_form("/me/email", &fields).await.assert_status(303);
        let phone = app.client();
        let page = phone.visit(&confirmation(&app, "owner-new@example.com").await).await;
        app.unchanged_by(phone.submit(&page, "/email-verification", &[("password", "")])).await.assert_status(422);
        phone.submit(&page, "/email-verification", &[("password", NEW)]).await.assert_status(303);
        phone.visit("/w/acme").await;
        owner.client.get("/me").await.assert_status(401);
        sign_in(&app, "owner-new@example.com", NEW).await;
    }

    async fn a_session_ends_after_fourteen_days_without_use(app: TestApp) {
        let owner = new_owner(&app).await;
        let idle = sign_in(&app, &owner.email, PASSWORD).await;
        app.clock.advance(13 * DAY);
        used_now(&app, &owner.client).await;
        app.clock.advance(DAY);
        owner.client.visit("/me").await;
        for path in ["/me", "/w/acme", "/workspaces"] {
            idle.get(path).await.assert_status(401);
        }
    }

    async fn how_long_a_session_lasts_without_use_is_a_setting(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.session_idle_days = 1).spawn().await;
        let owner = new_owner(&app).await;
        app.clock.advance(DAY - Duration::from_secs(60));
        owner.client.visit("/me").await;
        app.clock.advance(Duration::from_secs(60));
        owner.client.get("/me").await.assert_status(401);
    }

    async fn a_restored_members_old_session_does_not_open_the_workspace_again(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        viewer.client.post_form("/workspaces", &[("name", "Own Place"), ("account", "")]).await.assert_status(303);
        let at = |noun: &str| format!("/w/acme/members/{}/{noun}", viewer.member_id);
        owner.client.post_form(&at("suspension"), &[]).await.assert_status(303);
        viewer.client.get("/w/acme").await.assert_status(403);
        owner.client.post_form(&at("reactivation"), &[]).await.assert_status(303);
        for path in ["/w/acme", "/w/acme/members"] {
            viewer.client.get(path).await.assert_status(401);
        }
        viewer.client.post_form("/w/acme/departure", &[]).await.assert_status(401);
        // Where nobody suspended them, they stay signed in.
        viewer.client.visit("/w/own-place").await;
        // On the page that came instead they sign in, and are back.
        sign_in_in_place(&viewer, "/w/acme").await;
        viewer.client.get("/w/acme").await.assert_status(200);
    }

    async fn a_person_who_was_suspended_is_signed_out_for_good(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        app.client().post_form("/forgot-password", &[("email", &viewer.email)]).await.assert_status(200);
        let reset = app.mail.wait_for_link(&viewer.email, "/reset-password/").await;
        let user = app.id(viewer.user_id);
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {user}")).await;
        viewer.client.get("/me").await.assert_status(401);
        app.execute(&format!("UPDATE users SET suspended_at = NULL WHERE id = {user}")).await;
        viewer.client.get("/me").await.assert_status(401);
        let browser = app.client();
        browser.follow(browser.get(&reset).await).await.assert_status(410);
        sign_in(&app, &viewer.email, PASSWORD).await.visit("/w/acme").await;
    }
}
