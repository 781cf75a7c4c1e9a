//! The workspace's own name and address, and its end.

use crate::support::*;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

const PATH: &str = "/w/acme/organization";

both! {
    async fn name_and_address_are_changed_and_the_old_address_is_gone(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit(PATH).await;
        let answer = owner
            .client
            .submit(&page, PATH, &[("name", " Acme   Two "), ("slug", "acme-two")])
            .await
            .with_status(303);
        assert_eq!(answer.location(), "/w/acme-two/organization");
        let page = owner.client.follow(answer).await;
        page.assert_says("Organization saved.");
        assert_eq!(page.field_value("name").as_deref(), Some("Acme Two"));
        viewer.client.get("/w/acme").await.assert_status(404);
        viewer.client.visit("/w/acme-two").await.assert_says("Acme Two");
        let page = owner.client.visit("/w/acme-two/activity").await;
        page.assert_says("Owner One updated the workspace Acme Two").assert_says("/w/acme-two");
        // Who may not change it sees why.
        let page = viewer.client.visit("/w/acme-two/organization").await;
        page.assert_says("You need the “Update organization” permission");
        assert!(!page.has_form("form[action='/w/acme-two/organization']"));
    }

    // Breaks without is_idle_owner (domain/enforce/workspace/admission.rs), and without the subquery of
    // LastSeen::updates (domain/base/presence.rs).
    async fn owners_are_signed_out_sooner_where_they_say_so(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let set = async |by: &Person, hours: &'static str| {
            let fields = [("name", "acme"), ("slug", "acme"), ("owner_idle_hours", hours)];
            by.client.post_form(PATH, &fields).await
        };
        // Nobody but an Owner, and nothing that is no number of hours.
        assert!(!admin.client.visit(PATH).await.has("[name=owner_idle_hours]"));
        app.unchanged_by(set(&admin, "720")).await.assert_status(403);
        for bad in ["0", "-1", "721", "1.5", "soon", "99999999999999999999"] {
            let page = app.unchanged_by(set(&owner, bad)).await.with_status(422);
            assert!(page.field_error("owner_idle_hours").is_some(), "{bad}");
        }
        set(&owner, "8").await.assert_status(303);
        let page = owner.client.visit(PATH).await;
        assert_eq!(page.field_value("owner_idle_hours").as_deref(), Some("8"));
        owner.client.visit("/w/acme/activity").await.assert_says("Owners are signed out after 8 h without use");

        // Used in time it goes on; the Admin's lasts as it did.
        for _ in 0..2 {
            app.clock.advance(HOUR * 7);
            owner.client.get(PATH).await.assert_status(200);
            let seen = format!("SELECT count(*) FROM sessions WHERE last_seen_at = {}", app.clock.now().as_millis());
            until("the use of the session is not stored", async || app.scalar_i64(&seen).await == 1).await;
        }
        app.clock.advance(HOUR * 8);
        for path in [PATH, "/me"] {
            let page = owner.client.get(path).await.with_status(401);
            assert!(page.has_form("/sign-in"), "{}", page.text());
        }
        admin.client.get(PATH).await.assert_status(200);
        let seen = format!("SELECT count(*) FROM sessions WHERE last_seen_at = {}", app.clock.now().as_millis());
        until("the use of the session is not stored", async || app.scalar_i64(&seen).await == 1).await;
        sign_in_with(&owner.client, &owner.email, PASSWORD).await;
        owner.client.get(PATH).await.assert_status(200);

        // For who becomes an Owner it counts from now on.
        let roles = format!("/w/acme/members/{}/roles", admin.member_id);
        owner.client.post_form(&roles, &[("role", "owner")]).await.assert_status(303);
        admin.client.get(PATH).await.assert_status(200);
        app.clock.advance(HOUR * 8);
        admin.client.get(PATH).await.assert_status(401);
    }

    async fn a_refused_change_comes_back_filled_in_with_the_field_named(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "taken").await;
        let page = owner.client.visit(PATH).await;
        for (name, slug, field) in [
            ("", "fine", "name"),
            ("Fine", "", "slug"),
            ("Fine", "taken", "slug"),
            ("Fine", "Not A Slug", "slug"),
            ("Fine", "-a-", "slug"),
            ("Fine", "a", "slug"),
            ("x\u{200b}", "fine", "name"),
        ] {
            let refused = app
                .unchanged_by(owner.client.submit(&page, PATH, &[("name", name), ("slug", slug)]))
                .await
                .with_status(422);
            assert!(refused.field_error(field).is_some(), "{name:?} {slug:?}: {}", refused.text());
            let form = refused.form(PATH);
            assert_eq!((form.values("name"), form.values("slug")), (vec![name], vec![slug]));
        }
    }

    async fn deletion_is_confirmed_by_typing_the_slug(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let path = format!("{PATH}/deletion");
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let page = owner.client.visit(&path).await;
        page.assert_says("All 2 members, including you, lose access immediately.")
            .assert_says("1 pending invitation is paused");
        for wrong in ["", "Acme", "acm", "acme-two", "acme acme"] {
            let refused = app
                .unchanged_by(owner.client.submit(&page, &path, &[("confirm", wrong)]))
                .await
                .with_status(422);
            assert!(refused.field_error("confirm").is_some(), "{wrong}");
            assert_eq!(refused.field_value("confirm").as_deref(), Some(wrong));
        }
        admin.client.get(&path).await.assert_status(403);
        app.unchanged_by(admin.client.post_form(&path, &[("confirm", "acme")])).await.assert_status(403);
        let answer = owner.client.submit(&page, &path, &[("confirm", " acme ")]).await.with_status(303);
        owner.client.follow(answer).await.assert_says("acme deleted.");
        for client in [&owner.client, &admin.client] {
            client.get("/w/acme").await.assert_status(404);
        }
    }
}
