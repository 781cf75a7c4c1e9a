//! Abuse cases: roles and members.

use super::*;

both! {
    async fn a_member_posts_their_own_role_as_owner_403(app: TestApp) {
        let owner = new_owner(&app).await;
        for role in ["viewer", "developer", "support"] {
            let member = member(&app, &owner, role).await;
            let page = refused(&app, "acme", 403, assign_roles(&member, &member, &["owner"])).await;
            page.assert_says("Change member roles");
            refused(&app, "acme", 403, assign_roles(&member, &owner, &["viewer"])).await;
        }
    }

    async fn an_admin_makes_self_or_another_an_owner_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        for roles in [&["owner"][..], &["admin", "owner"], &["owner", "viewer"]] {
            refused(&app, "acme", 403, assign_roles(&admin, &admin, roles)).await;
            refused(&app, "acme", 403, assign_roles(&admin, &viewer, roles)).await;
        }
        let page = admin.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        assert!(page.has("input[value=owner][disabled]"), "{}", page.text());
    }

    async fn an_admin_demotes_removes_or_suspends_an_owner_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let second = second_owner(&app, &owner).await;
        refused(&app, "acme", 403, assign_roles(&admin, &owner, &["viewer"])).await.assert_says("Only an Owner");
        for what in ["suspension", "removal"] {
            refused(&app, "acme", 403, admin.client.post_form(&at(&owner, what), &[])).await;
            app.unchanged_by(admin.client.get(&at(&owner, what))).await.assert_status(403);
        }
        // A suspended Owner is an Owner all the same.
        owner.client.post_form(&at(&second, "suspension"), &[]).await.assert_status(303);
        refused(&app, "acme", 403, admin.client.post_form(&at(&second, "reactivation"), &[])).await;
        refused(&app, "acme", 403, admin.client.post_form(&at(&second, "removal"), &[])).await;
        refused(&app, "acme", 403, assign_roles(&admin, &second, &["viewer"])).await;
    }

    async fn an_admin_changes_suspends_or_removes_another_admin_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let other =
            invite_and_join(&app, &owner.client, "acme", "admin-two@example.com", &["admin", "viewer"]).await;
        refused(&app, "acme", 403, assign_roles(&admin, &other, &["viewer"]))
            .await
            .assert_says("with less access than you");
        for what in ["suspension", "removal"] {
            refused(&app, "acme", 403, admin.client.post_form(&at(&other, what), &[])).await;
            app.unchanged_by(admin.client.get(&at(&other, what))).await.assert_status(403);
        }
        owner.client.post_form(&at(&other, "suspension"), &[]).await.assert_status(303);
        refused(&app, "acme", 403, admin.client.post_form(&at(&other, "reactivation"), &[])).await;
        // What an Owner may do to both of them.
        owner.client.post_form(&at(&other, "reactivation"), &[]).await.assert_status(303);
        assign_roles(&owner, &other, &["viewer"]).await.assert_status(303);
        admin.client.post_form(&at(&other, "removal"), &[]).await.assert_status(303);
    }

    async fn lacking_a_permission_nobody_assigns_or_invites_with_a_role_that_contains_it_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        // Developers may change roles now; they hold no `write:*`, which Editors do.
        let developer = member(&app, &owner, "developer").await;
        toggle(&owner, "update:member-roles", "developer", true).await.assert_status(303);
        refused(&app, "acme", 403, assign_roles(&developer, &viewer, &["editor"])).await.assert_says("write:*");
        refused(&app, "acme", 403, assign_roles(&developer, &viewer, &["developer", "billing"])).await;
        let invite = developer
            .client
            .post_form("/w/acme/invitations", &[("emails", "a@example.com"), ("role", "editor")]);
        refused(&app, "acme", 403, invite).await.assert_says("write:*");
        // What an Owner takes from Admins, they cannot hand out any more, and the page says so.
        toggle(&owner, "read:credits", "admin", false).await.assert_status(303);
        refused(&app, "acme", 403, assign_roles(&admin, &viewer, &["billing"])).await.assert_says("View credits");
        let page = admin.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        let label = page.select("label:has(input[value=billing][disabled])");
        assert!(label.iter().any(|words| words.contains("View credits")), "{label:?}");
        // Nor manage one who holds it.
        let billing = member(&app, &owner, "billing").await;
        refused(&app, "acme", 403, admin.client.post_form(&at(&billing, "suspension"), &[])).await;
    }

    async fn a_holder_of_update_permissions_hands_out_a_permission_that_they_lack_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        toggle(&owner, "update:permissions", "viewer", true).await.assert_status(303);
        for permission in ["remove:members", "delete:organization", "update:member-roles", "read:audit"] {
            let seen = version(&owner, permission).await;
            let path = format!("/w/acme/security/{permission}");
            // To their own role, and to one that holds less than they do.
            for role in ["viewer", "billing"] {
                let fields = [("role", "admin"), ("role", role), ("version", seen.as_str())];
                refused(&app, "acme", 403, viewer.client.post_form(&path, &fields)).await;
            }
        }
        // Taking from a role that holds more than they do is over their head, too.
        let seen = version(&owner, "invite:members").await;
        let fields = [("version", seen.as_str())];
        let take = viewer.client.post_form("/w/acme/security/invite:members", &fields);
        refused(&app, "acme", 403, take).await;
        let page = viewer.client.visit("/w/acme/security").await;
        assert!(page.has("#f-read-members input[value=viewer]:not([disabled])"), "{}", page.html);
    }

    async fn a_bulk_request_that_mixes_allowed_and_forbidden_is_403_and_none_is_applied(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        refused(&app, "acme", 403, assign_roles(&admin, &viewer, &["billing", "owner"])).await;
        let fields = [("emails", "a@example.com, b@example.com"), ("role", "viewer"), ("role", "owner")];
        refused(&app, "acme", 403, admin.client.post_form("/w/acme/invitations", &fields)).await;
        app.mail_is_out().await;
        assert!(app.mail.to("a@example.com").is_empty() && app.mail.to("b@example.com").is_empty());
    }

    async fn another_endpoint_for_the_same_effect_gives_the_same_verdict(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        // Four ways to one more Owner.
        refused(&app, "acme", 403, assign_roles(&admin, &viewer, &["owner"])).await;
        refused(&app, "acme", 403, admin.client.post_form(&at(&viewer, "ownership-offer"), &[])).await;
        let fields = [("emails", "new@example.com"), ("role", "owner")];
        refused(&app, "acme", 403, admin.client.post_form("/w/acme/invitations", &fields)).await;
        // An invitation that an Owner sent is not theirs to send again.
        let invited = invite(&owner.client, "acme", "new@example.com", &["owner"]).await;
        invited.assert_says("Invited");
        let id = pending(&app, "new@example.com").await;
        let path = format!("/w/acme/invitations/{id}/resend");
        refused(&app, "acme", 403, admin.client.post_form(&path, &[])).await;
        // And the way of every row of the Security page: Owner is not among its roles.
        let seen = version(&owner, "read:audit").await;
        let path = "/w/acme/security/read:audit";
        let fields = [("role", "owner"), ("role", "admin"), ("version", seen.as_str())];
        app.unchanged_by(owner.client.post_form(path, &fields)).await.assert_status(422);
    }

    async fn an_admin_edits_an_owners_sessions_or_credentials_404(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let sql = format!("SELECT id FROM sessions WHERE user_id = {}", app.id(owner.user_id));
        let session = app.scalar_uuid(&sql).await;
        let path = format!("/me/sessions/{session}/revocation");
        ignored(&app, 404, admin.client.post_form(&path, &[])).await;
        owner.client.get("/me").await.assert_status(200);
        // The forms of one's own take no other person's id.
        for (path, field) in [("/me/profile", "user_id"), ("/me/email", "id"), ("/me/password", "user")] {
            let id = owner.user_id.to_string();
            ignored(&app, 422, admin.client.post_form(path, &[(field, &id)])).await;
        }
    }

    async fn roles_that_do_not_exist_or_none_at_all_are_422_with_the_field_named(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        for roles in [&[][..], &["king"], &["viewer", "king"], &[""], &["Viewer"], &["viewer\0"]] {
            let page = app.unchanged_by(assign_roles(&owner, &viewer, roles)).await;
            page.assert_status(422);
            assert!(page.field_error("role").is_some(), "{roles:?}: {}", page.text());
        }
        let page = app
            .unchanged_by(owner.client.post_form(
                "/w/acme/invitations",
                &[("emails", "a@example.com"), ("message", "Kept."), ("role", "king")],
            ))
            .await;
        page.assert_status(422);
        assert!(page.field_error("role").is_some());
        assert_eq!(page.field_value("emails").as_deref(), Some("a@example.com"));
        assert_eq!(page.field_value("message").as_deref(), Some("Kept."));
    }

    async fn a_suspended_member_may_do_nothing_not_even_leave_403(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        admin.client.csrf().await;
        owner.client.post_form(&at(&admin, "suspension"), &[]).await.assert_status(303);
        for path in ["", "/members", "/security", "/organization", "/departure", "/activity", "/roles"] {
            let page = refused(&app, "acme", 403, admin.client.get(&format!("/w/acme{path}"))).await;
            page.assert_says("suspended").assert_silent_about("Viewer One");
        }
        refused(&app, "acme", 403, assign_roles(&admin, &viewer, &["billing"])).await;
        refused(&app, "acme", 403, admin.client.post_form("/w/acme/departure", &[])).await;
        refused(&app, "acme", 403, admin.client.post_form(&at(&admin, "reactivation"), &[])).await;
        let page = admin.client.visit("/workspaces").await;
        page.assert_says("Suspended");
    }
}
