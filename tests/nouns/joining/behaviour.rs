//! What links do beyond what every noun does, and what becomes of them when who made them goes.

use super::{AddedLink, JoinLink, add_domain};
use crate::{
    nouns::teams::add_team,
    support::{product::SignUp, *},
    world::{add_member, add_user},
};
use serde_json::json;

/// Somebody with a confirmed address who is no member, and who has followed the link.
async fn guest(app: &TestApp, name: &str, email: &str, path: &str) -> Client {
    add_user(app, name, email).await;
    let client = sign_in(app, email, PASSWORD).await;
    client.visit(path).await;
    client
}

/// Creates a link by the page. Returns the path of its address.
async fn create(by: &Person, fields: &[(&str, &str)]) -> String {
    let path = format!("/w/{}/joining", by.workspace);
    let page = by.client.visit(&path).await;
    let answer = by.client.submit(&page, "/joining/links", fields).await.with_status(303);
    let page = by.client.follow(answer).await.with_status(200);
    let link = page.attributes("#created-link", "value").remove(0);
    format!("/join-links/{}", link.split_once("/join-links/").unwrap().1)
}

async fn role_set(app: &TestApp, email: &str) -> String {
    let sql = "SELECT m.role_set FROM members m JOIN users u ON u.id = m.user_id
        JOIN workspaces w ON w.id = m.workspace_id WHERE w.slug = 'acme' AND u.email = ";
    app.scalar_text(&format!("{sql}{}", quoted(email))).await.unwrap_or_default()
}

both! {
    async fn a_link_lets_in_as_many_as_it_says_with_its_roles_and_teams(app: TestApp) {
        let owner = new_owner(&app).await;
        let team = add_team(&app, "acme", "Crew", &["support"], &[]).await.to_string();
        let fields = [("name", "Interns"), ("role", "editor"), ("team", &team), ("days", "3"), ("max_uses", "1")];
        let path = create(&owner, &fields).await;
        let page = owner.client.visit("/w/acme/joining").await;
        page.assert_says("Interns").assert_says("0 of 1").assert_says("Works");
        assert!(!page.html.contains(path.as_str()), "the address was shown once");

        let page = app.client().visit(&path).await;
        page.assert_says("Join acme").assert_says("Editor").assert_says("Crew").assert_says("Owner One");
        let first = guest(&app, "First One", "first@example.com", &path).await;
        let second = guest(&app, "Second One", "second@example.com", &path).await;
        let joined = first.post_form("/join/acceptance", &[]).await.with_status(303);
        first.follow(joined).await.assert_says("Welcome to acme.");
        assert_eq!(role_set(&app, "first@example.com").await, "editor support");

        app.unchanged_by(second.post_form("/join/acceptance", &[])).await.assert_status(410)
            .assert_says("As many people as this link is for");
        second.get(&path).await.assert_status(303);
        let page = owner.client.visit("/w/acme/joining").await;
        page.assert_says("1 of 1").assert_says("Used up");
        let page = owner.client.visit(&page.link("/joining/links/")).await;
        page.assert_says("First One").assert_silent_about("Second One");
        assert!(!page.has_form("/revocation"));
        owner.client.visit("/w/acme/activity").await.assert_says("First One");
    }

    async fn whom_a_link_is_not_for_is_refused_and_nothing_changes(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [("name", "Ours"), ("role", "viewer"), ("days", "3"), ("max_uses", "5"), ("domains", "Example.org, @example.net")];
        let path = create(&owner, &fields).await;
        let stranger = guest(&app, "Other One", "other@example.com", &path).await;
        let refused = app.unchanged_by(stranger.post_form("/join/acceptance", &[])).await;
        refused.assert_status(403).assert_says("example.net").assert_says("example.org");
        // An address that begins or ends like one of them is none of them.
        for email in ["one@sub.example.org", "two@notexample.org"] {
            let client = guest(&app, "Other Two", email, &path).await;
            app.unchanged_by(client.post_form("/join/acceptance", &[])).await.assert_status(403);
        }
        // Whoever has not confirmed the address could be anybody.
        let client = guest(&app, "Not Confirmed", "new@example.org", &path).await;
        let confirmed = |at: &str| format!("UPDATE users SET email_verified_at = {at} WHERE email = 'new@example.org'");
        app.execute(&confirmed("NULL")).await;
        app.unchanged_by(client.post_form("/join/acceptance", &[])).await.assert_status(403)
            .assert_says("Confirm your address first");
        app.execute(&confirmed("1")).await;
        client.post_form("/join/acceptance", &[]).await.assert_status(303);
        assert_eq!(role_set(&app, "new@example.org").await, "viewer");
    }

    // Breaks without `is_new` in joining/enter.rs.
    async fn who_was_removed_does_not_come_back_by_a_link_but_by_an_invitation(app: TestApp) {
        let owner = new_owner(&app).await;
        let editor = member(&app, &owner, "editor").await;
        let AddedLink { path, .. } = JoinLink::named("Open").by(owner.user_id).add(&app, "acme").await;
        editor.client.visit(&path).await;
        app.unchanged_by(editor.client.post_form("/join/acceptance", &[])).await.assert_status(409)
            .assert_says("already a member");
        owner.client.post_form(&format!("/w/acme/members/{}/removal", editor.member_id), &[]).await.assert_status(303);
        app.unchanged_by(editor.client.post_form("/join/acceptance", &[])).await.assert_status(409)
            .assert_says("You were a member of this workspace before");
        invite(&owner.client, "acme", &editor.email, &["viewer"]).await;
        accept_invitation(&app, &editor.client, &editor.email).await.assert_status(303);
        assert_eq!(role_set(&app, &editor.email).await, "viewer");
    }

    // Breaks without the comparison with the inviter's holdings in by_link::load.
    async fn a_link_is_worth_what_who_made_it_can_still_invite_with(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let path = create(&admin, &[("name", "By Admin"), ("role", "editor"), ("days", "3"), ("max_uses", "5")]).await;
        let above = [("name", "Above"), ("role", "owner"), ("days", "3"), ("max_uses", "5")];
        app.unchanged_by(admin.client.post_form("/w/acme/joining/links", &above)).await.assert_status(403);
        // Nobody becomes an Owner by what several people can use: breaks without `without_owner` in links.rs.
        app.unchanged_by(owner.client.post_form("/w/acme/joining/links", &above)).await.assert_status(422)
            .assert_says("Owners are invited one by one");
        let client = guest(&app, "First One", "first@example.com", &path).await;
        let roles = format!("/w/acme/members/{}/roles", admin.member_id);
        owner.client.post_form(&roles, &[("role", "viewer")]).await.assert_status(303);
        app.unchanged_by(client.post_form("/join/acceptance", &[])).await.assert_status(410)
            .assert_says("can no longer invite people");
        owner.client.post_form(&roles, &[("role", "admin")]).await.assert_status(303);
        client.post_form("/join/acceptance", &[]).await.assert_status(303);
    }

    // Breaks without the look at who answers for the offer in enter::is_new: a key may not invite them either.
    async fn who_knows_a_keys_secret_does_not_join_by_what_the_key_offers(app: TestApp) {
        new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["admin"]).await;
        let knows = add_user(&app, "Knows One", "knows@example.com").await;
        let (key, user) = (app.id(key), app.id(knows));
        app.execute(&format!("UPDATE api_key_secrets SET shown_to = {user} WHERE api_key_id = {key}")).await;
        let robot = Api::new(&app, &secret);
        let new = json!({"name": "By Robot", "roles": ["viewer"], "days": 7, "max_uses": 10});
        let made = robot.post("/api/sso/v1/join-links", &new).await.with_status(201);
        let link = made.body["link"].as_str().unwrap();
        let path = format!("/join-links/{}", link.split_once("/join-links/").unwrap().1);
        let domain = add_domain(&app, "acme", "example.com", knows).await;
        let now = app.clock.now().as_millis();
        app.execute(&format!("UPDATE join_domains SET inviter_key_id = {key}, verified_at = {now}, checked_at = {now}"))
            .await;

        let knows = sign_in(&app, "knows@example.com", PASSWORD).await;
        knows.visit(&path).await;
        let by_domain = format!("/workspaces/joinable/{domain}/membership");
        for join in ["/join/acceptance", &by_domain] {
            app.unchanged_by(knows.post_form(join, &[])).await.assert_status(403).assert_says("knows its secret");
        }
        let first = guest(&app, "First One", "first@example.com", &path).await;
        first.post_form("/join/acceptance", &[]).await.assert_status(303);
        let second = guest(&app, "Second One", "second@example.com", &path).await;
        second.post_form(&by_domain, &[]).await.assert_status(303);
    }

    // Breaks without `ReadTeams` in invitations/list.rs, joining/links.rs and offboarding/offboard.rs.
    async fn who_may_not_see_teams_reads_the_name_of_none(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, editor) = (member(&app, &owner, "admin").await, member(&app, &owner, "editor").await);
        let team = add_team(&app, "acme", "Crew", &[], &[(editor.member_id, false)]).await.to_string();
        let fields = [("name", "Interns"), ("role", "viewer"), ("team", &team), ("days", "3"), ("max_uses", "5")];
        create(&owner, &fields).await;
        let fields = [("emails", "guest-one@example.com"), ("role", "viewer"), ("team", &team)];
        owner.client.post_form("/w/acme/invitations", &fields).await.assert_status(303);
        // Editors may not either: an admin manages only people with less access.
        let taken = "DELETE FROM grants WHERE scope = 'read:teams'
            AND role_id IN (SELECT id FROM roles WHERE slug IN ('admin', 'editor'))";
        assert_eq!(app.execute(taken).await, 2);
        let link = app.scalar_uuid("SELECT id FROM join_links").await;
        for path in ["/w/acme/invitations", "/w/acme/joining", &format!("/w/acme/joining/links/{link}")] {
            owner.client.visit(path).await.assert_says("Crew");
            admin.client.visit(path).await.assert_silent_about("Crew");
        }
        let path = format!("/w/acme/members/{}/offboarding", editor.member_id);
        let report = admin.client.post_form(&path, &[]).await.with_status(200);
        report.assert_says("was offboarded").assert_silent_about("Crew");
    }

    async fn a_link_is_revoked_and_expires(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = create(&owner, &[("name", "Short"), ("role", "viewer"), ("days", "1"), ("max_uses", "5")]).await;
        let client = guest(&app, "First One", "first@example.com", &path).await;
        app.clock.advance(std::time::Duration::from_secs(86_400));
        app.unchanged_by(client.post_form("/join/acceptance", &[])).await.assert_status(410).assert_says("has expired");
        let path = create(&owner, &[("name", "Long"), ("role", "viewer"), ("days", "90"), ("max_uses", "5")]).await;
        client.visit(&path).await;
        let page = owner.client.visit("/w/acme/joining").await;
        let page = owner.client.visit(&page.link("/joining/links/")).await;
        owner.client.submit(&page, "/revocation", &[]).await.assert_status(303);
        app.unchanged_by(client.post_form("/join/acceptance", &[])).await.assert_status(410).assert_says("was revoked");
        for (field, value) in [("days", "0"), ("days", "91"), ("max_uses", "0"), ("max_uses", "1001"), ("domains", "no domain!")] {
            let mut fields = vec![("name", "Wrong"), ("role", "viewer"), ("days", "1"), ("max_uses", "1")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let refused = app.unchanged_by(owner.client.post_form("/w/acme/joining/links", &fields)).await;
            assert!(refused.with_status(422).field_error(field).is_some(), "{field}={value}");
        }
    }

    // Removing who sent invitations asks what becomes of them: they end, or the actor takes them over.
    async fn who_removes_an_inviter_decides_what_becomes_of_their_offers(app: TestApp) {
        let owner = new_owner(&app).await;
        for (choice, status) in [("end", "cancelled"), ("take_over", "pending")] {
            let email = format!("admin-{}@example.com", choice.replace('_', "-"));
            let admin = invite_and_join(&app, &owner.client, "acme", &email, &["admin"]).await;
            let invited = format!("{}@example.org", choice.replace('_', "-"));
            invite(&admin.client, "acme", &invited, &["viewer"]).await;
            let link = JoinLink::named(choice).by(admin.user_id).add(&app, "acme").await;
            let domain = add_domain(&app, "acme", &format!("{}.example.org", choice.replace('_', "-")), admin.user_id).await;
            let path = format!("/w/acme/members/{}/removal", admin.member_id);
            let page = owner.client.visit(&path).await;
            page.assert_says("1 invitation").assert_says("1 join link").assert_says("1 domain");
            owner.client.submit(&page, "/removal", &[("offers", choice)]).await.assert_status(303);

            let is = format!("SELECT status FROM invitations WHERE email = {}", quoted(&invited));
            assert_eq!(app.scalar_text(&is).await.as_deref(), Some(status));
            let works = format!("SELECT COUNT(*) FROM join_links WHERE id = {} AND revoked_at IS NULL", app.id(link.id));
            let stays = format!("SELECT COUNT(*) FROM join_domains WHERE id = {}", app.id(domain));
            let taken = i64::from(choice == "take_over");
            assert_eq!((app.scalar_i64(&works).await, app.scalar_i64(&stays).await), (taken, taken));
            let mine = format!("inviter_id = {}", app.id(owner.user_id));
            for table in ["join_links", "join_domains"] {
                let mine = format!("SELECT COUNT(*) FROM {table} WHERE {mine}");
                assert_eq!(app.scalar_i64(&mine).await, taken, "{table}");
            }
        }
        // What was taken over is worth what the one who took it can invite with.
        add_user(&app, "Guest One", "take-over@example.org").await;
        let guest = sign_in(&app, "take-over@example.org", PASSWORD).await;
        accept_invitation(&app, &guest, "take-over@example.org").await.assert_status(303);
    }

    async fn what_the_actor_could_not_have_sent_ends_though_they_take_over(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let user = add_user(&app, "Second Admin", "admin-two@example.com").await;
        let second = add_member(&app, "acme", user, "active", &["viewer"]).await;
        let link = JoinLink::named("Above").by(user).add(&app, "acme").await;
        app.execute(&format!(
            "UPDATE join_link_roles SET role_id = (SELECT r.id FROM roles r JOIN workspaces w ON w.id = r.workspace_id
                WHERE w.slug = 'acme' AND r.slug = 'owner') WHERE link_id = {}",
            app.id(link.id)
        ))
        .await;
        let path = format!("/w/acme/members/{second}/removal");
        admin.client.post_form(&path, &[("offers", "take_over")]).await.assert_status(303);
        let ended = format!("SELECT COUNT(*) FROM join_links WHERE id = {} AND revoked_at IS NOT NULL", app.id(link.id));
        assert_eq!(app.scalar_i64(&ended).await, 1);
    }

    // Where nobody signs up without an invitation, a link is one.
    async fn whoever_has_a_link_signs_up_by_it_with_an_address_that_fits(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.sign_up = SignUp::Invited).spawn().await;
        let first = app.client();
        let page = first.visit(&app.first_sign_up()).await;
        let fields = [
            ("name", "Owner One"),
            ("email", "owner-one@example.com"),
            ("password", PASSWORD),
            ("workspace", "acme"),
        ];
        first.submit(&page, "/sign-up", &fields).await.assert_status(303);
        let sql = "SELECT id FROM users WHERE email = 'owner-one@example.com'";
        let owner = app.scalar_uuid(sql).await;
        let link = JoinLink::named("Ours").by(owner).add(&app, "acme").await;
        app.execute("UPDATE users SET email_verified_at = created_at").await;
        app.execute("UPDATE join_links SET domains = 'example.org'").await;

        let new = app.client();
        app.client().get("/sign-up").await.assert_status(403);
        let page = new.visit(&link.path).await;
        let page = new.visit(&page.link("/sign-up")).await;
        page.assert_says("Join acme");
        let fields = [("name", "New One"), ("email", "new@example.com"), ("password", PASSWORD)];
        let refused = new.submit(&page, "/sign-up", &fields).await.with_status(422);
        assert!(refused.field_error("email").unwrap().contains("example.org"));
        let fields = [("name", "New One"), ("email", "new@example.org"), ("password", PASSWORD)];
        new.submit(&page, "/sign-up", &fields).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM workspaces").await, 1);
        let confirm = app.mail.wait_for_link("new@example.org", "/email-verification/").await;
        let page = new.visit(&confirm).await;
        let confirmed = new.submit(&page, "/email-verification", &[]).await.with_status(303);
        // Back to the link, signed in.
        let page = new.follow(confirmed).await;
        page.assert_says("Join acme");
        let joined = new.submit(&page, "/join/acceptance", &[]).await.with_status(303);
        new.follow(joined).await.assert_says("Welcome to acme.");
        assert_eq!(role_set(&app, "new@example.org").await, "viewer");
    }
}
