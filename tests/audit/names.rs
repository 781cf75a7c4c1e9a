//! Who acted is known by more than a name that they chose.

use super::*;
use std::time::Duration;

async fn rename(person: &Person, name: &str) {
    person.client.post_form("/me/profile", &[("name", name)]).await.assert_status(303);
}

both! {
    async fn who_takes_a_colleagues_name_and_gives_it_back_is_known_by_the_address(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        rename(&admin, "Owner One").await;
        let removal = format!("/w/acme/members/{}/removal", viewer.member_id);
        admin.client.post_form(&removal, &[]).await.assert_status(303);
        rename(&admin, &admin.name).await;

        let page = owner.client.visit("/w/acme/activity?kind=member.removed").await;
        page.assert_says("Owner One removed Viewer One");
        page.assert_says("By admin-one@example.com, now called Admin One · To viewer-one@example.com");
        // Where nothing changed since, there is nothing more to say.
        let page = owner.client.visit("/w/acme/activity?kind=invitation.sent").await;
        page.assert_says("By owner-one@example.com").assert_silent_about("now called");
        // The changes of the name are events: of theirs, and of the workspace.
        let page = owner.client.visit("/w/acme/activity?kind=member.renamed").await;
        page.assert_says("Admin One changed their name Before: Admin One After: Owner One");
        page.assert_says("Owner One changed their name Before: Owner One After: Admin One");
        let sql = "SELECT count(*) FROM audit_events WHERE kind = 'user.profile-updated' AND user_id = ";
        assert_eq!(app.scalar_i64(&format!("{sql}{}", app.id(admin.user_id))).await, 2);
    }

    /// Suspended or not; where they are no member, it is nobody's business.
    async fn a_change_of_name_is_recorded_in_each_workspace_that_they_belong_to(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = new_owner_of(&app, "Other One", "other-one@example.com", "other").await;
        new_owner_of(&app, "Third One", "third-one@example.com", "third").await;
        let guest = member(&app, &owner, "viewer").await;
        invite(&other.client, "other", &guest.email, &["viewer"]).await;
        accept_invitation(&app, &guest.client, &guest.email).await.assert_status(303);
        let suspension = format!("/w/acme/members/{}/suspension", guest.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);

        rename(&guest, "Viewer Renamed").await;
        rename(&guest, "Viewer Renamed").await;

        let sql = format!(
            "SELECT w.slug || ' ' || r.actor_name || ' ' || r.target_name || r.payload AS text FROM {AUDIT_RECORD} r
            JOIN workspaces w ON w.id = r.workspace_id WHERE r.kind = 'member.renamed' ORDER BY w.slug"
        );
        let rows = app.rows(&sql).await;
        let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap()).collect();
        let said = r#"Viewer One Viewer One{"member_renamed":{"before":"Viewer One","after":"Viewer Renamed"}}"#;
        assert_eq!(texts, [format!("acme {said}"), format!("other {said}")]);
        Record::of(&app).await.assert_whole().await;
    }

    /// Each is an event in every workspace of theirs: there is an end to it.
    async fn a_name_is_changed_only_so_often(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..30 {
            rename(&owner, &format!("Owner {n}")).await;
        }
        let name = "SELECT name FROM users";
        let before = app.scalar_text(name).await;
        app.unchanged_by(owner.client.post_form("/me/profile", &[("name", "Once More")])).await.assert_status(429);
        assert_eq!(app.scalar_text(name).await, before);
        app.clock.advance(Duration::from_secs(3_600));
        rename(&owner, "Once More").await;
    }

    async fn a_change_of_address_is_recorded_where_they_belong_and_both_are_shown(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&path, &[("role", "editor")]).await.assert_status(303);
        let fields = [("email", "viewer-new@example.com"), ("current_password", PASSWORD)];
        viewer.client.post_form("/me/email", &fields).await.assert_status(303);
        verify_email(&app, &viewer.client, "viewer-new@example.com").await;

        let page = owner.client.visit("/w/acme/activity?kind=member.address-changed").await;
        page.assert_says("Viewer One changed their e-mail address");
        page.assert_says("viewer-one@example.com").assert_says("viewer-new@example.com");
        let page = owner.client.visit("/w/acme/activity?kind=member.roles-changed").await;
        page.assert_says("To viewer-one@example.com, now viewer-new@example.com");
        rename(&viewer, "Viewer Renamed").await;
        let page = owner.client.visit("/w/acme/activity?kind=member.roles-changed").await;
        page.assert_says("To viewer-one@example.com, now called Viewer Renamed (viewer-new@example.com)");
        Record::of(&app).await.assert_whole().await;
    }

    async fn a_key_that_is_renamed_has_both_names(app: TestApp) {
        let owner = new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Deploy", &["admin"]).await;
        let team = serde_json::json!({"name": "By a key"});
        Api::new(&app, &secret).post("/api/sso/v1/teams", &team).await.with_status(201);
        let fields = [("name", "Report")];
        owner.client.post_form(&format!("/w/acme/api-keys/{key}/details"), &fields).await.assert_status(303);
        let page = owner.client.visit("/w/acme/activity?kind=team.created").await;
        page.assert_says("Deploy").assert_says("Deploy is now called Report");
    }

    async fn a_member_who_is_renamed_after_what_was_done_to_them_has_both_names(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        rename(&viewer, "Nobody Known").await;
        let page = owner.client.visit("/w/acme/activity?kind=member.suspended").await;
        page.assert_says("To viewer-one@example.com, now called Nobody Known");
    }

    /// In lists, on pages, and in answers of the API.
    async fn who_invited_or_added_somebody_is_listed_with_the_address(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let api = workspace_key(&app, "acme", &["admin"]).await;
        let path = "/api/sso/v1/invitations";
        let of_key = serde_json::json!({"emails": ["guest-two@example.com"]});
        api.post(path, &of_key).await.with_status(200);

        let invited = "Invited by Owner One (owner-one@example.com)";
        owner.client.visit("/w/acme/members").await.assert_says(invited);
        owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await.assert_says(invited);
        let page = owner.client.visit("/w/acme/invitations").await;
        page.assert_says("Owner One (owner-one@example.com)").assert_says("Key admin (API key)");
        let listed = async |text: &str| {
            let all = api.get(&format!("{path}?q={text}")).await.with_status(200).body;
            (all["items"][0]["inviter"].clone(), all["items"][0]["inviter_email"].clone())
        };
        let (one, two) = (serde_json::json!("Owner One"), serde_json::json!("owner-one@example.com"));
        assert_eq!(listed("guest-one").await, (one, two));
        assert_eq!(listed("guest-two").await, (serde_json::json!("Key admin"), serde_json::Value::Null));
    }

    async fn an_invitation_shows_name_and_address_of_who_sent_it(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let mail = app.mail.wait_for("guest-one@example.com", "invited you").await;
        assert!(mail.text.contains("Owner One (owner-one@example.com) invited you"), "{}", mail.text);
        let guest = app.client();
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        let page = guest.visit(&link).await;
        page.assert_says("Owner One (owner-one@example.com) invited you");
        guest.visit("/sign-up").await.assert_says("Owner One (owner-one@example.com) invited you");

        // Whoever takes another name afterwards is still known by the one that the mail has.
        rename(&owner, "Owner Uno").await;
        let both = "Owner One (owner-one@example.com, now called Owner Uno) invited you";
        guest.visit(&link).await.assert_says(both);
        guest.visit("/sign-up").await.assert_says(both);
    }
}
