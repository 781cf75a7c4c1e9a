//! People: sign-up, confirmation, sign-in, passwords, addresses, sessions.

use crate::support::product::SignUp;
use crate::support::*;
use std::time::Duration;

const NEW: &str = "another battery horse staple 7";

both! {
    async fn sign_up_makes_a_person_an_account_and_a_first_workspace(app: TestApp) {
        let client = sign_up(&app, "Owner One", "Owner-One@Example.COM", PASSWORD, "Acme & Sons").await;
        assert_eq!(app.scalar_i64("SELECT count(*) FROM account_people WHERE is_admin").await, 1);
        assert_eq!(app.scalar_text("SELECT slug FROM workspaces").await.as_deref(), Some("acme-sons"));
        // An address counts without regard to case, and signing in does not wait for its confirmation.
        sign_in_with(&client, " owner-one@example.com ", PASSWORD).await;
        let page = client.visit("/w/acme-sons").await;
        page.assert_says("Your roles: Owner.").assert_says("Confirm owner-one@example.com");
        verify_email(&app, &client, "owner-one@example.com").await;
        assert!(!client.visit("/w/acme-sons").await.has(".banner"));
        client.visit("/me").await.assert_says("Confirmed").assert_says("Signed up");
    }

    async fn two_workspaces_of_one_name_get_addresses_of_their_own(app: TestApp) {
        sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "Acme").await;
        sign_up(&app, "Owner Two", "owner-two@example.com", PASSWORD, "Acme").await;
        sign_up(&app, "Owner Three", "owner-three@example.com", PASSWORD, "\u{4e16}\u{754c}").await;
        let mut slugs: Vec<_> = app.rows("SELECT slug FROM workspaces").await;
        slugs.sort_by_key(|row| row["slug"].to_string());
        let slugs: Vec<_> = slugs.iter().map(|row| row["slug"].as_str().unwrap().to_owned()).collect();
        assert_eq!(&slugs[..2], ["acme", "acme-2"]);
        assert!(slugs[2].starts_with("workspace"), "{slugs:?}");
    }

    async fn a_refused_sign_up_comes_back_filled_in_with_each_field_named(app: TestApp) {
        let client = app.client();
        let page = client.visit("/sign-up").await;
        let fields = [("name", ""), ("email", "no address"), ("password", "short"), ("workspace", "x\ny")];
        let page = app.unchanged_by(client.submit(&page, "/sign-up", &fields)).await.with_status(422);
        for (name, typed) in fields {
            assert!(page.field_error(name).is_some(), "{name}: {}", page.text());
            let kept = if name == "password" { "" } else { typed };
            assert_eq!(page.field_value(name).unwrap().replace('\n', ""), kept.replace('\n', ""), "{name}");
        }
        let fields = [
            ("name", "Owner One"),
            ("email", "owner-one@example.com"),
            ("password", PASSWORD),
            ("workspace", " "),
        ];
        let page = app.unchanged_by(client.submit(&page, "/sign-up", &fields)).await.with_status(422);
        assert!(page.field_error("workspace").is_some());
        assert_eq!(page.field_value("name").as_deref(), Some("Owner One"));
        // Nothing but the field that was wrong needs typing again.
        let fields = [("password", PASSWORD), ("workspace", "Acme")];
        client.submit(&page, "/sign-up", &fields).await.assert_status(303);
    }

    async fn where_only_invited_people_sign_up_the_page_and_its_post_say_so(backend: Backend) {
        let app = TestApp::spawn(backend).await;
        let owner = new_owner(&app).await;
        let closed = TestApp::on(backend).with(|config| config.sign_up = SignUp::Invited).spawn().await;
        let client = closed.client();
        client.get("/sign-up").await.assert_status(403).assert_says("by invitation");
        let fields = [
            ("name", "Some One"),
            ("email", "some@example.com"),
            ("password", PASSWORD),
            ("workspace", "Acme"),
        ];
        closed.unchanged_by(client.post_form("/sign-up", &fields)).await.assert_status(403);
        client.visit("/sign-in").await.assert_says("New people join by invitation");
        owner.client.visit("/w/acme").await;
    }

    async fn a_confirmation_link_works_once_for_three_days_and_a_newer_one_ends_it(app: TestApp) {
        let client = sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        sign_in_with(&client, "owner-one@example.com", PASSWORD).await;
        let first = app.mail.wait_for("owner-one@example.com", "Confirm").await.link("/email-verification/");
        let page = client.visit("/me").await;
        client.submit(&page, ".banner form", &[]).await.assert_status(303);
        let letters =
            app.mail.wait_for_several("owner-one@example.com", "Confirm", 2).await;
        let second = letters[1].link("/email-verification/");
        let try_link = async |link: &str| {
            let browser = app.client();
            browser.get(link).await.assert_status(303);
            browser.post_form("/email-verification", &[("password", PASSWORD)]).await
        };
        app.unchanged_by(try_link(&first)).await.assert_status(410);
        app.clock.advance(Duration::from_secs(3 * 86_400));
        app.unchanged_by(try_link(&second)).await.assert_status(410);
        client.post_form("/me/verification", &[]).await.assert_status(303);
        let letters =
            app.mail.wait_for_several("owner-one@example.com", "Confirm", 3).await;
        let third = letters[2].link("/email-verification/");
        try_link(&third).await.assert_status(303);
        app.unchanged_by(try_link(&third)).await.assert_status(410);
    }

    async fn signing_in_leads_on_to_where_they_wanted_to_go(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = app.client();
        let page = client.get("/w/acme/members?q=owner").await.with_status(401);
        page.assert_says("Please sign in to continue");
        let wrong = client
            .submit(&page, "/sign-in", &[("email", &owner.email), ("password", "wrong guess of it")])
            .await;
        wrong.assert_status(422);
        assert_eq!(wrong.field_value("email").as_deref(), Some("owner-one@example.com"));
        assert_eq!(wrong.field_value("next").as_deref(), Some("/w/acme/members?q=owner"));
        assert!(wrong.field_error("password").is_some());
        let answer = client.submit(&wrong, "/sign-in", &[("password", PASSWORD)]).await.with_status(303);
        assert_eq!(answer.location(), "/w/acme/members?q=owner");
        client.get("/").await.assert_status(303);
        let out = client.submit(&client.visit("/me").await, "form[action='/sign-out']", &[]).await;
        client.follow(out).await.assert_says("You're signed out");
    }

    async fn a_forgotten_password_is_chosen_anew_by_mail_and_confirms_the_address(app: TestApp) {
        sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        let client = app.client();
        let page = client.visit("/forgot-password").await;
        let wrong = client.submit(&page, "/forgot-password", &[("email", "nonsense")]).await.with_status(422);
        assert_eq!(wrong.field_value("email").as_deref(), Some("nonsense"));
        assert!(wrong.field_error("email").is_some());
        client
            .submit(&wrong, "/forgot-password", &[("email", "owner-one@example.com")])
            .await
            .assert_says("Check your e-mail");
        let link = app.mail.wait_for_link("owner-one@example.com", "/reset-password/").await;
        let page = client.visit(&link).await;
        let weak = client.submit(&page, "/reset-password", &[("password", "short")]).await.with_status(422);
        assert!(weak.field_error("password").is_some());
        let done = client.submit(&weak, "/reset-password", &[("password", NEW)]).await;
        client.follow(done).await.assert_says("Password changed");
        let client = sign_in(&app, "owner-one@example.com", NEW).await;
        assert!(!client.visit("/me").await.has(".banner"), "the address counts as confirmed");
        app.mail.wait_for("owner-one@example.com", "Your password was changed").await;
    }

    async fn an_address_changes_once_the_link_sent_there_was_opened(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/me").await;
        for (email, password, field) in [
            ("nonsense", PASSWORD, "email"),
            ("owner-one@example.com", PASSWORD, "email"),
            ("owner-new@example.com", "wrong guess of it", "email_password"),
        ] {
            let fields = [("email", email), ("current_password", password)];
            let refused =
                app.unchanged_by(owner.client.submit(&page, "/me/email", &fields)).await.with_status(422);
            assert!(refused.field_error(field).is_some(), "{email}: {}", refused.text());
            assert_eq!(refused.form("/me/email").values("email"), [email]);
        }
        let fields = [("email", "owner-new@example.com"), ("current_password", PASSWORD)];
        let answer = owner.client.submit(&page, "/me/email", &fields).await.with_status(303);
        owner.client.follow(answer).await.assert_says("Until then, your address stays the same");
        sign_in(&app, "owner-one@example.com", PASSWORD).await;
        verify_email(&app, &owner.client, "owner-new@example.com").await;
        owner
            .client
            .visit("/me")
            .await
            .assert_says("Changed e-mail address from owner-one@example.com to owner-new@example.com");
        app.mail.wait_for("owner-one@example.com", "Your e-mail address was changed").await;
        let old = app
            .client()
            .post_form("/sign-in", &[("email", "owner-one@example.com"), ("password", PASSWORD)])
            .await;
        old.assert_status(422);
        sign_in(&app, "owner-new@example.com", PASSWORD).await.visit("/w/acme").await;
    }

    async fn an_address_that_somebody_else_took_meanwhile_is_refused(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [("email", "owner-new@example.com"), ("current_password", PASSWORD)];
        owner.client.post_form("/me/email", &fields).await.assert_status(303);
        let link = app.mail.wait_for_link("owner-new@example.com", "/email-verification/").await;
        sign_up(&app, "Owner Two", "owner-new@example.com", PASSWORD, "other").await;
        owner.client.get(&link).await.assert_status(303);
        app.unchanged_by(owner.client.post_form("/email-verification", &[])).await.assert_status(422);
    }

    async fn the_profile_is_renamed_and_a_refused_name_stays_typed(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/me").await;
        let long = "x".repeat(81);
        let refused = owner.client.submit(&page, "/me/profile", &[("name", &long)]).await.with_status(422);
        assert_eq!(refused.field_value("name"), Some(long));
        assert!(refused.field_error("name").is_some());
        let answer = owner.client.submit(&refused, "/me/profile", &[("name", "  Owner   Renamed ")]).await;
        owner.client.follow(answer).await.assert_says("Name changed");
        let page = owner.client.visit("/w/acme/members").await;
        page.assert_says("Owner Renamed");
        owner.client.visit("/me").await.assert_says("Changed name from Owner One to Owner Renamed");
    }

    async fn a_password_change_asks_for_the_current_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/me").await;
        let fields = [("current_password", "wrong guess of it"), ("password", NEW)];
        let refused =
            app.unchanged_by(owner.client.submit(&page, "/me/password", &fields)).await.with_status(422);
        assert!(refused.field_error("current_password").is_some());
        let fields = [("current_password", PASSWORD), ("password", NEW)];
        let answer = owner.client.submit(&refused, "/me/password", &fields).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Password changed. You were signed out everywhere else.")
            .assert_says("Changed password");
    }

    async fn sessions_are_listed_and_ended_one_by_one_or_all_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let phone = app.client().with_header("user-agent", agent);
        sign_in_with(&phone, &owner.email, PASSWORD).await;
        let third = sign_in(&app, &owner.email, PASSWORD).await;
        let page = owner.client.visit("/me").await;
        page.assert_says("Firefox on Linux").assert_says("This session");
        let ends: Vec<_> = page
            .forms()
            .into_iter()
            .filter(|f| f.action.contains("/me/sessions/") && f.buttons.iter().any(|b| b.label == "End"))
            .collect();
        assert_eq!(ends.len(), 2);
        let sql = format!("SELECT id FROM sessions WHERE user_agent = {}", quoted(agent));
        let id = app.scalar_uuid(&sql).await;
        let answer = owner.client.submit(&page, &format!("/me/sessions/{id}/revocation"), &[]).await;
        owner.client.follow(answer).await.assert_says("Session ended");
        phone.get("/me").await.assert_status(401);
        third.visit("/me").await;
        owner.client.post_form(&format!("/me/sessions/{id}/revocation"), &[]).await.assert_status(404);
        let page = owner.client.visit("/me").await;
        let answer = owner.client.submit(&page, "form[action='/me/sessions/revocation']", &[]).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("1 other session ended").assert_says("You have no other sessions");
        third.get("/me").await.assert_status(401);
        // One's own ends, too: that is signing out.
        let own = page
            .forms()
            .into_iter()
            .find(|f| f.buttons.iter().any(|b| b.label == "Sign out") && f.action.contains("/me/sessions/"))
            .unwrap();
        let answer = owner.client.send(&page, &own).await.with_status(303);
        assert_eq!(answer.location(), "/sign-in");
        owner.client.get("/me").await.assert_status(401);
    }

    async fn a_new_workspace_is_founded_from_the_list_and_a_refused_form_stays_filled_in(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/workspaces").await;
        let account = page.form("/workspaces").values("account")[0].to_owned();
        let refused = owner
            .client
            .submit(&page, "/workspaces", &[("name", "Second"), ("slug", "acme")])
            .await
            .with_status(422);
        assert!(refused.field_error("slug").unwrap().contains("taken"));
        assert_eq!(refused.form("/workspaces").values("name"), ["Second"]);
        assert_eq!(refused.form("/workspaces").values("account"), [account.as_str()]);
        let answer = owner.client.submit(&refused, "/workspaces", &[("slug", "")]).await.with_status(303);
        assert_eq!(answer.location(), "/w/second");
        owner.client.follow(answer).await.assert_says("Workspace created");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM accounts").await, 1);
        let page = owner.client.visit("/workspaces").await;
        owner
            .client
            .submit(&page, "/workspaces", &[("name", "Third"), ("account", "")])
            .await
            .assert_status(303);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM accounts").await, 2);
        let refused = owner
            .client
            .submit(&page, "/workspaces", &[("name", "Fourth"), ("slug", "No Slug")])
            .await
            .with_status(422);
        assert_eq!(refused.field_value("slug").as_deref(), Some("No Slug"));
    }
}
