//! Invitations, from the offer to the membership. Abuse of them stands in `abuse/`.

use crate::{
    nouns::{roles::add_role, teams::add_team},
    support::*,
    world::add_user,
};
use std::time::Duration;

const GUEST: &str = "guest-one@example.com";

async fn status_of(app: &TestApp, email: &str) -> Vec<String> {
    let sql =
        format!("SELECT status FROM invitations WHERE email = {} ORDER BY created_at, id", quoted(email));
    app.rows(&sql).await.iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn many_addresses_each_get_a_result_of_their_own(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "early@example.com", &["viewer"]).await;
        let pasted = "Guest One <guest-one@example.com>, GUEST-TWO@example.com;guest-three@example.com\r\n early@example.com  owner-one@example.com\n nonsense guest-one@example.com";
        let page = invite(&owner.client, "acme", pasted, &["viewer", "billing"]).await;
        page.assert_says("3 invited, 3 not.");
        let rows = page.select("[aria-labelledby=results-title] tbody tr");
        let expected = [
            // What needs a look stands first.
            ("early@example.com", "Already invited"),
            ("owner-one@example.com", "Already a member"),
            ("nonsense", "Not an e-mail address"),
            ("guest-one@example.com", "Invited"),
            ("guest-two@example.com", "Invited"),
            ("guest-three@example.com", "Invited"),
        ];
        assert_eq!(rows.len(), expected.len(), "{rows:?}");
        for (row, (email, word)) in rows.iter().zip(expected) {
            assert!(row.contains(email) && row.contains(word), "{row}: {email} {word}");
        }
        let links = page.attributes("[aria-labelledby=results-title] input", "value");
        assert_eq!(links.len(), 3);
        let letter = app.mail.wait_for("guest-two@example.com", "Owner One invited you to acme").await;
        assert!(letter.text.contains("Billing") && letter.text.contains("Viewer"), "{}", letter.text);
        assert!(
            !links.contains(&letter.link("/invitations/")),
            "the shown link is another than the mailed one"
        );
    }

    async fn the_form_chooses_no_role_and_a_refused_one_comes_back_filled_in(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = "/w/acme/invitations";
        let page = owner.client.visit(path).await;
        assert!(page.form(path).values("role").is_empty());
        page.assert_says("No invitations yet");
        for emails in ["", " , ;", "nonsense", "a@, b@"] {
            let fields = [
                ("emails", emails),
                ("message", "Come and join us."),
                ("role", "billing"),
                ("role", "editor"),
            ];
            let refused = app.unchanged_by(owner.client.submit(&page, path, &fields)).await.with_status(422);
            assert!(refused.field_error("emails").is_some(), "{emails:?}");
            let form = refused.form(path);
            assert_eq!(form.values("message"), ["Come and join us."]);
            assert_eq!(form.values("emails"), [emails]);
            let mut roles = form.values("role");
            roles.sort_unstable();
            assert_eq!(roles, ["billing", "editor"]);
        }
        let many: String = (0..201).map(|i| format!("a{i}@example.com ")).collect();
        let refused = owner.client.submit(&page, path, &[("emails", &many)]).await.with_status(422);
        assert!(refused.field_error("emails").unwrap().contains("200"));
        let long = "x".repeat(1_001);
        let refused =
            owner.client.submit(&page, path, &[("emails", GUEST), ("message", &long)]).await.with_status(422);
        assert!(refused.field_error("message").is_some());
        assert_eq!(refused.form(path).values("emails"), [GUEST]);
        // Whoever ticks one role invites with that one: nothing is ticked beforehand.
        assert!(page.form(path).values("role").is_empty());
        // Two hundred at once are fine; a form without a role means Viewer.
        let many: String = (0..200).map(|i| format!("a{i}@example.com ")).collect();
        let form = page.form(path).fill(&[("emails", &many)]);
        owner.client.send(&page, &form).await.assert_status(303);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM invitations WHERE status = 'pending'").await, 200);
        let sql = "SELECT count(*) FROM invitation_roles ir JOIN roles r ON r.id = ir.role_id WHERE r.slug <> 'viewer'";
        assert_eq!(app.scalar_i64(sql).await, 0);
    }

    async fn a_new_person_by_the_mailed_link_is_confirmed_at_once_and_joins(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer", "billing"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let client = app.client();
        let page = client.visit(&link).await;
        page.assert_says("Owner One")
            .assert_says("acme")
            .assert_says("Billing")
            .assert_says("Viewer")
            .assert_says("in 7 days");
        let page = client.visit(&page.link("/sign-up")).await;
        assert_eq!(page.field_value("email").as_deref(), Some(GUEST));
        let answer = client.submit(&page, "/sign-up", &[("name", "Guest One"), ("password", PASSWORD)]).await;
        let page = client.follow(answer).await;
        let answer = client.submit(&page, "/acceptance", &[]).await.with_status(303);
        assert_eq!(answer.location(), "/w/acme");
        client.follow(answer).await.assert_says("Welcome to acme");
        assert!(!client.visit("/me").await.has(".banner"));
        assert_eq!(status_of(&app, GUEST).await, ["accepted"]);
        let id = member_id(&app, GUEST, "acme").await;
        owner.client.visit(&format!("/w/acme/members/{id}")).await.assert_says("Invited by Owner One");
    }

    async fn a_new_person_by_the_shown_link_must_confirm_first(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let shown = page.attributes("#link-1", "value").remove(0);
        let client = app.client();
        let page = client.visit(&shown).await;
        assert!(!page.has_form("/decline"), "the shown link proves nothing");
        app.unchanged_by(client.post_form("/invitation/decline", &[])).await.assert_status(401);
        let page = client.visit("/sign-up").await;
        let answer = client.submit(&page, "/sign-up", &[("name", "Guest One"), ("password", PASSWORD)]).await;
        client.follow(answer).await.assert_says("Check your e-mail");
        let page = client.visit("/sign-in?next=/invitation").await;
        let answer = client.submit(&page, "/sign-in", &[("email", GUEST), ("password", PASSWORD)]).await;
        let page = client.follow(answer).await.with_status(403);
        page.assert_says("Confirm your address first");
        assert!(page.has_form("/me/verification"));
        app.unchanged_by(client.post_form("/invitation/acceptance", &[])).await.assert_status(403);
        // The link of the confirmation, opened in the same browser, leads back to the invitation.
        let confirm = app.mail.wait_for_link(GUEST, "/email-verification/").await;
        let page = client.visit(&confirm).await;
        let page = client.follow(client.submit(&page, "/email-verification", &[]).await).await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        client.visit("/w/acme").await;
    }

    async fn somebody_with_an_account_signs_in_and_accepts(app: TestApp) {
        let owner = new_owner(&app).await;
        new_owner_of(&app, "Guest One", GUEST, "home").await;
        invite(&owner.client, "acme", GUEST, &["editor"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let client = app.client();
        let page = client.visit(&link).await;
        let page = client.visit(&page.link("/sign-in")).await;
        let answer = client.submit(&page, "/sign-in", &[("email", GUEST), ("password", PASSWORD)]).await;
        assert!(answer.location().starts_with("/invitation?link="), "{}", answer.location());
        let page = client.follow(answer).await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        client.visit("/workspaces").await.assert_says("acme").assert_says("home");
        // Signing up again with that address through the link says to sign in.
        invite(&owner.client, "acme", "late@example.com", &["viewer"]).await;
    }

    async fn an_invitation_is_declined_with_or_without_an_account(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let client = app.client();
        let page = client.visit(&link).await;
        let answer = client.submit(&page, "/decline", &[]).await;
        client.follow(answer).await.assert_says("You declined the invitation to acme");
        assert_eq!(status_of(&app, GUEST).await, ["declined"]);
        owner.client.visit("/w/acme/activity").await.assert_says("declined the invitation");
        // And may be invited again.
        let guest = new_owner_of(&app, "Guest One", GUEST, "home").await.client;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await.assert_says("1 invitation sent.");
        let letters = app.mail.wait_for_several(GUEST, "invited you", 2).await;
        let page = guest.visit(&letters[1].link("/invitations/")).await;
        guest.submit(&page, "/decline", &[]).await.assert_status(303);
        assert_eq!(status_of(&app, GUEST).await, ["declined", "declined"]);
    }

    async fn the_list_shows_every_state_and_filters_by_it_and_by_address(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = "/w/acme/invitations";
        invite(&owner.client, "acme", "old@example.com", &["viewer"]).await;
        app.clock.advance(Duration::from_secs(8 * 86_400));
        invite(&owner.client, "acme", "new@example.com, gone@example.com, no@example.com", &["billing"])
            .await;
        member(&app, &owner, "viewer").await;
        let sql = "SELECT id FROM invitations WHERE email = 'gone@example.com'";
        let gone = app.scalar_uuid(sql).await;
        let page = owner.client.visit(&format!("{path}/{gone}/cancellation")).await;
        page.assert_says("Cancel the invitation to gone@example.com?");
        let answer = owner.client.submit(&page, "/cancellation", &[]).await;
        owner.client.follow(answer).await.assert_says("Invitation to gone@example.com cancelled");
        let link = app.mail.wait_for_link("no@example.com", "/invitations/").await;
        let refuser = app.client();
        let page = refuser.visit(&link).await;
        refuser.submit(&page, "/decline", &[]).await.assert_status(303);
        for (state, email) in [
            ("pending", "new@"),
            ("accepted", "viewer-one@"),
            ("declined", "no@"),
            ("cancelled", "gone@"),
            ("expired", "old@"),
        ] {
            let page = owner.client.visit(&format!("{path}?status={state}")).await;
            let rows = page.select("#results tbody tr");
            assert_eq!(rows.len(), 1, "{state}: {rows:?}");
            assert!(rows[0].contains(email) && rows[0].to_lowercase().contains(state), "{rows:?}");
        }
        let page = owner.client.visit(&format!("{path}?q=NEW")).await;
        assert_eq!(page.select("#results tbody tr").len(), 1);
        owner.client.visit(&format!("{path}?q=%25")).await.assert_says("No invitations match your search");
        owner.client.get(&format!("{path}?status=lost")).await.assert_status(422);
        // An expired one can be sent again, and lives again; a cancelled one cannot.
        let old = app.scalar_uuid("SELECT id FROM invitations WHERE email = 'old@example.com'").await;
        let page = owner.client.visit(path).await;
        let answer = owner.client.submit(&page, &format!("/{old}/resend"), &[]).await;
        owner
            .client
            .follow(answer)
            .await
            .assert_says("New link sent to old@example.com. The old link no longer works.");
        let client = app.client();
        let letters =
            app.mail.wait_for_several("old@example.com", "invited you", 2).await;
        client.visit(&letters[1].link("/invitations/")).await;
        app.unchanged_by(owner.client.post_form(&format!("{path}/{gone}/resend"), &[]))
            .await
            .assert_status(409);
        app.unchanged_by(owner.client.post_form(&format!("{path}/{gone}/cancellation"), &[]))
            .await
            .assert_status(409);
    }

    async fn after_its_time_the_same_address_can_be_invited_anew(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await;
        invite(&owner.client, "acme", GUEST, &["viewer"]).await.assert_says("Already invited");
        app.clock.advance(Duration::from_secs(7 * 86_400));
        invite(&owner.client, "acme", GUEST, &["viewer"]).await.assert_says("1 invitation sent.");
        assert_eq!(status_of(&app, GUEST).await, ["expired", "pending"]);
    }

    async fn the_mail_carries_the_message_under_the_inviters_name(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [
            ("emails", GUEST),
            ("role", "viewer"),
            ("message", "First line.\r\n\r\nhttp://elsewhere.example"),
        ];
        owner.client.post_form("/w/acme/invitations", &fields).await.assert_status(303);
        let letter = app.mail.wait_for(GUEST, "invited you").await;
        assert!(
            letter.text.replace('\r', "").contains("Message from Owner One:\n\nFirst line."),
            "{}",
            letter.text
        );
        assert!(letter.text.contains("within 7 days"));
        let client = app.client();
        client.visit(&letter.link("/invitations/")).await.assert_says("First line.");
    }

    // Breaks without `may_send` in records::invitations::spend (domain/records/invitations.rs).
    async fn a_person_whose_address_is_not_confirmed_sends_no_mail(app: TestApp) {
        let client = sign_up(&app, "Owner One", "owner-one@example.com", PASSWORD, "acme").await;
        sign_in_with(&client, "owner-one@example.com", PASSWORD).await;
        let page = client.visit("/w/acme/invitations").await;
        assert!(!page.has_form("/w/acme/invitations"), "the form is not offered");
        page.assert_says("Confirm your e-mail address to invite people.");
        let refused =
            app.unchanged_by(client.post_form("/w/acme/invitations", &[("emails", "b@example.com")])).await;
        refused.with_status(403).assert_says("Confirm your address first");
        app.mail_is_out().await;
        assert!(app.mail.to("b@example.com").is_empty());
        verify_email(&app, &client, "owner-one@example.com").await;
        invite(&client, "acme", "b@example.com", &["viewer"]).await;
        app.mail.wait_for("b@example.com", "invited you").await;
    }

    async fn pages_of_the_list_follow_each_other(app: TestApp) {
        let owner = new_owner(&app).await;
        let some: String = (0..120).map(|i| format!("a{i:03}@example.com ")).collect();
        invite(&owner.client, "acme", &some, &["viewer"]).await;
        let (mut seen, mut at) = (Vec::new(), "/w/acme/invitations?status=pending".to_owned());
        loop {
            let page = owner.client.visit(&at).await;
            seen.extend(page.select("#results tbody td.main"));
            match page.attributes("a[rel=next]", "href").pop() {
                Some(next) => at = next,
                None => break,
            }
        }
        assert_eq!(seen.len(), 120);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 120);
    }

    async fn a_table_is_previewed_and_then_each_gets_their_own_roles_and_teams(app: TestApp) {
        let owner = new_owner(&app).await;
        let crew = add_team(&app, "acme", "Crew", &["support"], &[]).await.to_string();
        invite(&owner.client, "acme", "early@example.com", &["viewer"]).await;
        let table = "\u{feff}Name;E-mail;Role;Team\r\n\"One; Guest\";guest-one@example.com;Editor, billing;crew\r\n\
            Two;Guest-Two@example.com;;\r\nAgain;guest-two@example.com;;\r\nThree;guest-three@example.com;Chief;\r\n\
            Four;guest-four@example.com;;Nobody\r\nEarly;early@example.com;;\r\nMe;owner-one@example.com;;\r\nFive;nonsense;;\r\n";
        let path = "/w/acme/invitations";
        let page = owner.client.visit(path).await;
        let typed = page.form(path).fill(&[("emails", table), ("role", "viewer"), ("team", &crew)]);
        let preview = app.unchanged_by(owner.client.send(&page, &typed.press("Preview"))).await.with_status(200);
        app.mail_is_out().await;
        assert!(app.mail.to("guest-two@example.com").is_empty(), "nothing was sent");
        preview.assert_says("2 will be invited, 6 not");
        let expected = [
            ("guest-two@example.com", "Listed more than once"),
            ("guest-three@example.com", "This workspace has no role “Chief”"),
            ("guest-four@example.com", "This workspace has no team “Nobody”"),
            ("early@example.com", "Already invited"),
            ("owner-one@example.com", "Already a member"),
            ("nonsense", "Not an e-mail address"),
            ("guest-one@example.com", "Will be invited"),
            ("guest-two@example.com", "Will be invited"),
        ];
        let rows = preview.select("[aria-labelledby=preview-title] tbody tr");
        assert_eq!(rows.len(), expected.len(), "{rows:?}");
        for (row, (email, word)) in rows.iter().zip(expected) {
            assert!(row.contains(email) && row.contains(word), "{row}: {email} {word}");
        }

        // The form on the page of the preview sends the same list.
        let answer = owner.client.submit(&preview, path, &[]).await.with_status(303);
        let page = owner.client.follow(answer).await;
        page.assert_says("2 invited, 6 not.");
        assert!(page.select("#results-csv")[0].contains("\"early@example.com\",\"Already invited\""));
        let row = &page.select("[aria-labelledby=results-title] tbody tr")[6];
        assert!(row.contains("guest-one@example.com") && row.contains("Invited"), "{row}");
        for (email, roles) in [("guest-one@example.com", "billing editor support"), ("guest-two@example.com", "support viewer")] {
            add_user(&app, "Guest", email).await;
            let guest = sign_in(&app, email, PASSWORD).await;
            accept_invitation(&app, &guest, email).await.assert_status(303);
            let held = format!("SELECT m.role_set FROM members m JOIN users u ON u.id = m.user_id WHERE u.email = '{email}'");
            assert_eq!(app.scalar_text(&held).await.as_deref(), Some(roles), "{email}");
        }
    }

    // Breaks without the teams in `may_offer` (domain/records/offered_teams.rs): an invitation to a team of Owners is one
    // to be an Owner.
    async fn a_team_is_offered_only_by_who_may_put_people_into_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        add_role(&app, "acme", "deployer", "Deployer", &["delete:organization"]).await;
        let above = add_team(&app, "acme", "Above", &["deployer"], &[]).await.to_string();
        let beside = add_team(&app, "acme", "Beside", &["editor"], &[]).await.to_string();
        let path = "/w/acme/invitations";
        let with = |team: &str| [("emails", GUEST.to_owned()), ("role", "viewer".to_owned()), ("team", team.to_owned())];
        let sent = async |team: &str| {
            let fields = with(team);
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            admin.client.post_form(path, &fields).await
        };
        app.unchanged_by(sent(&above)).await.assert_status(403);
        sent(&beside).await.assert_status(303);
        // The team gets a role that the inviter does not have: the invitation is worth no more than they are.
        let role = "INSERT INTO team_roles (workspace_id, team_id, role_id) SELECT r.workspace_id, t.id, r.id FROM roles r
            JOIN teams t ON t.workspace_id = r.workspace_id WHERE r.slug = 'deployer' AND t.name = 'Beside'";
        assert_eq!(app.execute(role).await, 1);
        add_user(&app, "Guest One", GUEST).await;
        let guest = sign_in(&app, GUEST, PASSWORD).await;
        app.mail_is_out().await;
        let link = app.mail.wait_for_link(GUEST, "/invitations/").await;
        let page = guest.get(&link).await;
        guest.follow(page).await.assert_status(410);
        app.unchanged_by(guest.post_form("/invitation/acceptance", &[])).await.assert_status(410);
        app.execute("DELETE FROM teams WHERE name = 'Beside'").await;
        guest.post_form("/invitation/acceptance", &[]).await.assert_status(303);
    }
}
