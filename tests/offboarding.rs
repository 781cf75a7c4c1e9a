//! Offboarding: all that a person has, ended in one place, or nothing of it.

use crate::{
    nouns::{joining::JoinLink, teams::add_team},
    support::*,
    world::{account_id, add_member, add_user, suspend},
};
use serde_json::json;

fn at(person: &Person) -> String {
    format!("/w/acme/members/{}/offboarding", person.member_id)
}

/// Another workspace of the account of acme, with its Owner.
async fn second_workspace(app: &TestApp, owner: &Person) {
    let account = account_id(app, "acme").await.to_string();
    let fields = [("name", "Second"), ("slug", "second"), ("account", account.as_str())];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
}

async fn memberships(app: &TestApp, person: &Person) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM members WHERE user_id = {}", app.id(person.user_id));
    app.scalar_i64(&sql).await
}

async fn is_in_account(app: &TestApp, person: &Person) -> bool {
    let sql = format!("SELECT COUNT(*) FROM account_people WHERE user_id = {}", app.id(person.user_id));
    app.scalar_i64(&sql).await == 1
}

/// How many events of this kind there are.
async fn told(app: &TestApp, kind: &str) -> i64 {
    app.scalar_i64(&format!("SELECT COUNT(*) FROM audit_events WHERE kind = '{kind}' AND outcome = 'done'"))
        .await
}

both! {
    async fn one_form_ends_all_that_a_person_has_and_says_what_it_was(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        second_workspace(&app, &owner).await;
        add_member(&app, "second", admin.user_id, "active", &["editor"]).await;
        add_team(&app, "acme", "Crew", &[], &[(admin.member_id, true)]).await;
        invite(&admin.client, "acme", "guest-one@example.com", &["viewer"]).await;
        JoinLink::named("Interns").by(admin.user_id).add(&app, "acme").await;
        let key = admin.client.visit("/w/acme/api-keys/new").await;
        admin.client.submit(&key, "/api-keys", &[("name", "Robot"), ("role", "viewer")]).await.assert_status(200);

        let page = owner.client.visit(&format!("/w/acme/members/{}", admin.member_id)).await;
        let page = owner.client.visit(&page.link("/offboarding")).await;
        for words in ["Crew", "1 invitation", "1 join link", "Robot", "Second"] {
            page.assert_says(words);
        }
        // As the page comes, all of it is ticked.
        let report = owner.client.submit(&page, "/offboarding", &[("keys", "revoke")]).await.with_status(200);
        for words in ["was offboarded", "Admin One", "admin-one@example.com", "Crew", "Second", "No longer in the account"] {
            report.assert_says(words);
        }
        assert_eq!(memberships(&app, &admin).await, 0);
        assert!(!is_in_account(&app, &admin).await);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM api_keys WHERE revoked_at IS NULL").await, 0);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM invitations WHERE status = 'pending'").await, 0);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM join_links WHERE revoked_at IS NULL").await, 0);
        assert_eq!((told(&app, "member.offboarded").await, told(&app, "member.removed").await), (1, 2));
        let in_second = "SELECT COUNT(*) FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
            WHERE w.slug = 'second' AND e.kind = 'member.removed'";
        assert_eq!(app.scalar_i64(in_second).await, 1);
        admin.client.get("/w/acme").await.assert_status(404);
        admin.client.get("/w/second").await.assert_status(404);
        admin.client.visit("/me").await;
        owner.client.get(&at(&admin)).await.assert_status(404);
    }

    async fn what_was_unticked_stays(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        second_workspace(&app, &owner).await;
        add_member(&app, "second", admin.user_id, "active", &["editor"]).await;
        invite(&admin.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let page = owner.client.visit(&at(&admin)).await;
        let form = page.form("/offboarding").without("leaving").without("account").fill(&[("offers", "take_over")]);
        owner.client.send(&page, &form).await.with_status(200).assert_says("Invitations: 1.");
        assert_eq!(memberships(&app, &admin).await, 1);
        assert!(is_in_account(&app, &admin).await);
        let mine = format!("SELECT COUNT(*) FROM invitations WHERE status = 'pending' AND inviter_id = {}", app.id(owner.user_id));
        assert_eq!(app.scalar_i64(&mine).await, 1);
    }

    // Breaks without `ensure_owner_remains` in offboarding/offboard.rs, and without LAST_OWNER in the removal.
    async fn the_last_owner_of_any_of_the_workspaces_stays_and_so_does_everything_else(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        // Alone in acme, the only Owner is offboarded by nobody.
        let robot = workspace_key(&app, "acme", &["owner"]).await;
        second.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        let call = format!("/api/sso/v1/members/{}/offboarding", owner.member_id);
        let answer = app.unchanged_by(robot.post(&call, &json!({}))).await;
        assert!([403, 409].contains(&answer.status), "{}", answer.text);
        app.unchanged_by(owner.client.post_form(&at(&owner), &[])).await.assert_status(409);

        // Here another Owner is left; there the person is the only one, and whom they would be removed by is an Admin.
        let third = invite_and_join(&app, &owner.client, "acme", "owner-three@example.com", &["owner"]).await;
        second_workspace(&app, &owner).await;
        let there = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'second'").await.to_string();
        let also = add_member(&app, "second", third.user_id, "active", &["admin"]).await;
        let fields = [("leaving", there.as_str())];
        app.unchanged_by(third.client.post_form(&at(&owner), &fields)).await.assert_status(403);
        // Who is suspended there does nothing there, and sees nothing of it.
        suspend(&app, also).await;
        app.unchanged_by(third.client.post_form(&at(&owner), &fields)).await.assert_status(403);
        assert_eq!(told(&app, "member.offboarded").await, 0);
        let page = third.client.visit(&at(&owner)).await;
        page.assert_silent_about("Remove them from Second");
    }

    async fn nobody_reaches_further_than_they_may(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let editor = member(&app, &owner, "editor").await;
        second_workspace(&app, &owner).await;
        add_member(&app, "second", editor.user_id, "active", &["editor"]).await;
        add_member(&app, "second", admin.user_id, "active", &["viewer"]).await;
        let elsewhere = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        add_member(&app, "elsewhere", editor.user_id, "active", &["viewer"]).await;
        let id = async |slug: &str| {
            app.scalar_uuid(&format!("SELECT id FROM workspaces WHERE slug = '{slug}'")).await.to_string()
        };
        // There they are a Viewer; and that one is of another account.
        for slug in ["second", "elsewhere"] {
            let there = id(slug).await;
            app.unchanged_by(admin.client.post_form(&at(&editor), &[("leaving", &there)])).await.assert_status(403);
        }
        let there = id("elsewhere").await;
        app.unchanged_by(owner.client.post_form(&at(&editor), &[("leaving", &there)])).await.assert_status(403);
        // The account is its admins' alone.
        app.unchanged_by(admin.client.post_form(&at(&editor), &[("account", "yes")])).await.assert_status(403);
        app.unchanged_by(editor.client.post_form(&at(&admin), &[])).await.assert_status(403);
        app.unchanged_by(elsewhere.client.post_form(&at(&editor), &[])).await.assert_status(404);
        let page = admin.client.visit(&at(&editor)).await;
        assert!(!page.has("[name=account]"));
        admin.client.submit(&page, "/offboarding", &[]).await.assert_status(200);
        assert_eq!(memberships(&app, &editor).await, 2);
    }

    // Breaks without `sessions_from` in end_elsewhere: there they would have to sign in again.
    async fn a_session_that_does_not_open_a_workspace_ends_nothing_there(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let editor = member(&app, &owner, "editor").await;
        second_workspace(&app, &owner).await;
        add_member(&app, "second", editor.user_id, "active", &["editor"]).await;
        let there = add_member(&app, "second", admin.user_id, "active", &["admin"]).await;
        let from = async |at: i64| {
            app.execute(&format!("UPDATE members SET sessions_from = {at} WHERE id = {}", app.id(there))).await;
        };
        from(app.clock.now().as_millis()).await;
        let second = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'second'").await.to_string();
        let fields = [("leaving", second.as_str())];
        app.unchanged_by(admin.client.post_form(&at(&editor), &fields)).await.assert_status(403);
        admin.client.visit(&at(&editor)).await.assert_silent_about("Remove them from Second");
        from(1).await;
        admin.client.visit(&at(&editor)).await.assert_says("Remove them from Second");
        admin.client.post_form(&at(&editor), &fields).await.assert_status(200);
    }

    // Breaks without `behind_key` in take_over.rs: the key would invite whoever knows its secret.
    async fn a_key_takes_over_what_it_could_have_sent_and_nothing_to_who_knows_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let knows = add_user(&app, "Knows One", "knows@example.com").await;
        let (key, user) = (app.id(key), app.id(knows));
        app.execute(&format!("UPDATE api_key_secrets SET shown_to = {user} WHERE api_key_id = {key}")).await;
        for email in ["knows@example.com", "guest-one@example.com"] {
            invite(&admin.client, "acme", email, &["viewer"]).await;
        }
        let robot = Api::new(&app, &secret);
        robot.delete(&format!("/api/sso/v1/members/{}?offers=take_over", admin.member_id)).await.with_status(204);
        let status = async |email: &str| {
            app.scalar_text(&format!("SELECT status FROM invitations WHERE email = {}", quoted(email))).await
        };
        assert_eq!(status("knows@example.com").await.as_deref(), Some("cancelled"));
        assert_eq!(status("guest-one@example.com").await.as_deref(), Some("pending"));
    }

    async fn the_last_admin_of_the_account_stays_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        // Who is no account admin offboards the one who is: the account stays theirs.
        app.unchanged_by(second.client.post_form(&at(&owner), &[("account", "yes")])).await.assert_status(403);
        second.client.post_form(&at(&owner), &[]).await.assert_status(200);
        let admins = format!("SELECT COUNT(*) FROM account_people WHERE user_id = {} AND is_admin", app.id(owner.user_id));
        assert_eq!(app.scalar_i64(&admins).await, 1);
        assert_eq!(memberships(&app, &owner).await, 0);
    }
}
