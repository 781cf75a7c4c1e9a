//! Abuse cases: invitations. Twenty at once stand in `races/`.

use super::*;
use crate::support::product::DAY;
use std::time::Duration;

const GUEST: &str = "guest-one@example.com";

fn days(days: i64) -> Duration {
    Duration::from_millis(u64::try_from(days * DAY).unwrap())
}

/// What a link leads to now, in a browser of its own that is not signed in.
async fn follow(app: &TestApp, link: &str) -> Page {
    let client = app.client();
    client.follow(client.get(link).await).await
}

/// The link is dead in every form, whether or not somebody is signed in, and says why.
async fn is_dead(app: &TestApp, guest: &Client, link: &str, why: &str) {
    follow(app, link).await.with_status(410).assert_says(why);
    guest.follow(guest.get(link).await).await.with_status(410).assert_says(why);
    for verb in ["acceptance", "decline"] {
        let page = app.unchanged_by(guest.post_form(&format!("/invitation/{verb}"), &[])).await;
        page.assert_status(410).assert_says(why);
    }
}

/// The invited person, with an account and a workspace of their own.
async fn guest(app: &TestApp) -> Client {
    new_owner_of(app, "Guest One", GUEST, "home").await.client
}

both! {
    async fn an_admin_posts_an_invitation_with_role_owner_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let fields = [("emails", GUEST), ("role", "owner")];
        let page = refused(&app, "acme", 403, admin.client.post_form("/w/acme/invitations", &fields)).await;
        page.assert_says("Only an Owner");
        app.mail_is_out().await;
        assert!(app.mail.to(GUEST).is_empty());
    }

    async fn an_unverified_account_with_the_invited_address_views_or_accepts_403_and_no_token_is_shown(app: TestApp) {
        let owner = new_owner(&app).await;
        sign_up(&app, "Guest One", GUEST, PASSWORD, "home").await;
        let thief = sign_in(&app, GUEST, PASSWORD).await;
        invite(&owner.client, "acme", GUEST, &["admin"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let token = link.rsplit('/').next().unwrap();
        let list = thief.visit("/workspaces").await;
        list.assert_silent_about("acme").assert_silent_about(token);
        let page = app.unchanged_by(async { thief.follow(thief.get(&link).await).await }).await;
        page.assert_status(403).assert_says("Confirm your address first").assert_silent_about(token);
        let accept = thief.post_form("/invitation/acceptance", &[]);
        refused(&app, "acme", 403, accept).await.assert_silent_about(token);
        let decline = app.unchanged_by(thief.post_form("/invitation/decline", &[])).await;
        decline.assert_status(403);
        thief.get("/w/acme").await.assert_status(404);
        // Once confirmed, the same browser goes on.
        verify_email(&app, &thief, GUEST).await;
        thief.post_form("/invitation/acceptance", &[]).await.assert_status(303);
        thief.visit("/w/acme").await;
    }

    async fn a_stolen_link_with_another_address_signed_in_403_naming_both(app: TestApp) {
        let owner = new_owner(&app).await;
        let thief = outsider(&app).await.client;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let page = thief.follow(thief.get(&link).await).await.with_status(403);
        page.assert_says(GUEST).assert_says("outsider-one@example.com");
        assert!(page.has_form("/sign-out"), "offers to switch");
        let page = refused(&app, "acme", 403, thief.post_form("/invitation/acceptance", &[])).await;
        page.assert_says(GUEST).assert_says("outsider-one@example.com");
        app.unchanged_by(thief.post_form("/invitation/decline", &[])).await.assert_status(403);
        thief.get("/w/acme").await.assert_status(404);
    }

    async fn sign_up_by_invitation_with_the_address_altered_422(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let client = app.client();
        client.visit(&link).await;
        let page = client.visit("/sign-up").await;
        let fields = [("name", "Guest One"), ("email", "thief-one@example.com"), ("password", PASSWORD)];
        let page = app.unchanged_by(client.submit(&page, "/sign-up", &fields)).await.with_status(422);
        assert!(page.field_error("email").unwrap().contains(GUEST));
        assert_eq!(page.field_value("name").as_deref(), Some("Guest One"));
    }

    async fn accept_after_cancel_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let id = pending(&app, GUEST).await;
        owner
            .client
            .post_form(&format!("/w/acme/invitations/{id}/cancellation"), &[])
            .await
            .assert_status(303);
        is_dead(&app, &guest, &link, "This invitation was cancelled").await;
    }

    async fn accept_after_expiry_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        app.clock.advance(days(7) - Duration::from_secs(10));
        follow(&app, &link).await.with_status(200);
        app.clock.advance(Duration::from_secs(10));
        is_dead(&app, &guest, &link, "This invitation has expired").await;
    }

    async fn accept_after_resend_410_and_the_newer_link_works(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        let shown = invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let shown = shown.attributes("#link-1", "value").remove(0);
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let id = pending(&app, GUEST).await;
        owner.client.post_form(&format!("/w/acme/invitations/{id}/resend"), &[]).await.assert_status(303);
        is_dead(&app, &guest, &link, "A newer link was sent").await;
        is_dead(&app, &guest, &shown, "A newer link was sent").await;
        let letters = app.mail.wait_for_several(GUEST, "invited you", 2).await;
        let newer = letters[1].link("/invitations/");
        assert_ne!(newer, link);
        let page = guest.visit(&newer).await;
        guest.submit(&page, "/acceptance", &[]).await.assert_status(303);
    }

    async fn accept_twice_410_and_one_membership(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        accept_invitation(&app, &guest, GUEST).await.assert_status(303);
        is_dead(&app, &guest, &link, "already accepted").await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM members WHERE origin = 'invitation'").await, 1);
    }

    async fn accept_after_decline_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        guest.visit(&link).await;
        guest.post_form("/invitation/decline", &[]).await.assert_status(303);
        is_dead(&app, &guest, &link, "This invitation was declined").await;
    }

    async fn a_removed_member_replays_the_old_link_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let member = member(&app, &owner, "viewer").await;
        let link = app.mail.wait_for_link(&member.email, "/invitations/").await;
        owner.client.post_form(&at(&member, "removal"), &[]).await.assert_status(303);
        is_dead(&app, &member.client, &link, "already accepted").await;
        member.client.get("/w/acme").await.assert_status(404);
    }

    async fn lists_and_activity_hold_no_token_and_a_shown_link_is_shown_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let path = "/w/acme/invitations";
        let answer =
            owner.client.post_form(path, &[("emails", GUEST), ("role", "viewer")]).await.with_status(303);
        let notice = answer.location();
        // Whoever else learns the address of the notice sees no link in it.
        let page = admin.client.visit(&notice).await;
        assert!(!page.html.contains("blw_inv_"), "{}", page.html);
        let page = owner.client.visit(&notice).await;
        assert_eq!(page.attributes("#link-1", "value").len(), 1, "{}", page.text());
        let mailed = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let mailed = mailed.rsplit('/').next().unwrap();
        page.assert_silent_about(mailed);
        owner.client.visit(&notice).await.assert_silent_about("blw_inv_");
        for path in [path, "/w/acme/activity", "/w/acme", "/w/acme/members", "/workspaces", "/me"] {
            owner.client.visit(path).await.assert_silent_about("blw_inv_");
        }
    }

    async fn a_get_of_the_link_uses_nothing_up_and_the_pages_own_url_carries_no_token(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let token = link.rsplit('/').next().unwrap();
        for _ in 0..3 {
            let client = app.client();
            let first = app.unchanged_by(client.get(&link)).await.with_status(303);
            assert_eq!(first.header("referrer-policy"), Some("no-referrer"));
            assert!(first.location().starts_with("/invitation?link="), "{}", first.location());
            let page = app.unchanged_by(client.follow(first)).await.with_status(200);
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
            assert_eq!(page.header("cache-control"), Some("no-store"));
            assert!(!page.url.as_str().contains(token));
            page.assert_silent_about(token);
        }
        let head = guest.request(reqwest::Method::HEAD, &link, None);
        app.unchanged_by(head).await.assert_status(303);
        accept_invitation(&app, &guest, GUEST).await.assert_status(303);
    }

    async fn an_inviter_who_is_suspended_makes_it_dead_410_until_they_are_back(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        let inviter = member(&app, &owner, "developer").await;
        invite(&inviter.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        owner.client.post_form(&at(&inviter, "suspension"), &[]).await.assert_status(303);
        is_dead(&app, &guest, &link, "can no longer invite people").await;
        owner.client.post_form(&at(&inviter, "reactivation"), &[]).await.assert_status(303);
        // The whole person, by an operator.
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(inviter.user_id)))
            .await;
        is_dead(&app, &guest, &link, "can no longer invite people").await;
        app.execute("UPDATE users SET suspended_at = NULL").await;
        accept_invitation(&app, &guest, GUEST).await.assert_status(303);
    }

    async fn an_inviter_who_is_demoted_makes_it_dead_410_until_they_hold_it_again(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        let inviter = member(&app, &owner, "admin").await;
        invite(&inviter.client, "acme", GUEST, &["editor"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        // As Developer they may still invite, but no Editor.
        for role in ["viewer", "developer"] {
            assign_roles(&owner, &inviter, &[role]).await.assert_status(303);
            is_dead(&app, &guest, &link, "can no longer invite people").await;
        }
        assign_roles(&owner, &inviter, &["admin"]).await.assert_status(303);
        accept_invitation(&app, &guest, GUEST).await.assert_status(303);
    }

    async fn an_inviter_who_is_removed_or_leaves_makes_it_dead_410_for_good(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        let inviter = member(&app, &owner, "developer").await;
        invite(&inviter.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let preview = owner.client.visit(&at(&inviter, "removal")).await;
        preview.assert_says("1 invitation they sent is cancelled");
        owner.client.post_form(&at(&inviter, "removal"), &[]).await.assert_status(303);
        is_dead(&app, &guest, &link, "This invitation was cancelled").await;
        // Back again, and what they sent before stays dead.
        invite(&owner.client, "acme", &inviter.email, &["developer"]).await;
        let back = app.mail.wait_for_several(&inviter.email, "invited you", 2).await;
        let page = inviter.client.visit(&back[1].link("/invitations/")).await;
        inviter.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        is_dead(&app, &guest, &link, "This invitation was cancelled").await;
        invite(&inviter.client, "acme", GUEST, &["viewer"]).await;
        inviter.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        let letters = app.mail.wait_for_several(GUEST, "invited you", 2).await;
        is_dead(&app, &guest, &letters[1].link("/invitations/"), "This invitation was cancelled").await;
    }

    async fn a_permission_toggled_away_from_the_inviter_or_into_the_role_makes_it_dead_410(app: TestApp) {
        let owner = new_owner(&app).await;
        let guest = guest(&app).await;
        let inviter = member(&app, &owner, "developer").await;
        invite(&inviter.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        toggle(&owner, "invite:members", "developer", false).await.assert_status(303);
        is_dead(&app, &guest, &link, "can no longer invite people").await;
        toggle(&owner, "invite:members", "developer", true).await.assert_status(303);
        // The role that was offered grew over the inviter's head.
        toggle(&owner, "remove:members", "viewer", true).await.assert_status(303);
        is_dead(&app, &guest, &link, "can no longer invite people").await;
        toggle(&owner, "remove:members", "viewer", false).await.assert_status(303);
        accept_invitation(&app, &guest, GUEST).await.assert_status(303);
    }

    async fn no_link_at_all_or_one_of_another_kind_is_410_and_never_a_bare_error(app: TestApp) {
        let owner = new_owner(&app).await;
        app.client().get("/invitation").await.assert_status(410);
        app.client().post_form("/invitation/decline", &[]).await.assert_status(410);
        owner.client.post_form("/invitation/acceptance", &[]).await.assert_status(410);
        let mut others: Vec<String> =
            ["x", "blw_inv_", "%00", "%2e%2e%2fme", "blw_ses_0", "%F0%9F%92%A5"].map(str::to_owned).to_vec();
        app.client().post_form("/forgot-password", &[("email", &owner.email)]).await.assert_status(200);
        let reset = app.mail.wait_for_link(&owner.email, "/reset-password/").await;
        others.push(reset.rsplit('/').next().unwrap().to_owned());
        for token in others {
            follow(&app, &format!("/invitations/{token}"))
                .await
                .with_status(410)
                .assert_says("no longer works");
            follow(&app, &format!("/email-verification/{token}")).await.assert_status(410);
        }
    }

    async fn a_dead_invitation_does_not_stand_in_the_way_of_signing_up(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let id = pending(&app, GUEST).await;
        owner
            .client
            .post_form(&format!("/w/acme/invitations/{id}/cancellation"), &[])
            .await
            .assert_status(303);
        let client = app.client();
        client.follow(client.get(&link).await).await.assert_status(410);
        let page = client.visit("/sign-up").await;
        let fields = [("name", "Guest One"), ("email", GUEST), ("password", PASSWORD), ("workspace", "Home")];
        client.submit(&page, "/sign-up", &fields).await.assert_status(303);
        verify_email(&app, &client, GUEST).await;
        client.visit("/w/home").await;
    }
}
