//! Many members or invitations changed at once: everyone named before, all or none, told one by one.

use crate::support::*;
use std::time::Duration;
use uuid::Uuid;

const MEMBERS: &str = "/w/acme/members/selection";
const INVITATIONS: &str = "/w/acme/invitations/selection";

/// An address about a selection, such as `…/removal?member=…&member=…`.
fn about(base: &str, noun: &str, ids: &[Uuid]) -> String {
    let field = if base == MEMBERS { "member" } else { "invitation" };
    let query: Vec<String> = ids.iter().map(|id| format!("{field}={id}")).collect();
    format!("{base}/{noun}?{}", query.join("&"))
}

/// Opens the page that names everyone, sends its form and follows to the results.
async fn through(who: &Person, base: &str, noun: &str, ids: &[Uuid], fields: &[(&str, &str)]) -> Page {
    let page = who.client.visit(&about(base, noun, ids)).await;
    let answer = who.client.submit(&page, &format!("{base}/{noun}"), fields).await.with_status(303);
    who.client.follow(answer).await.with_status(200)
}

/// The same without a page that offers it.
async fn forced(who: &Person, base: &str, noun: &str, ids: &[Uuid], role: &str) -> Page {
    let field = if base == MEMBERS { "member" } else { "invitation" };
    let texts: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let mut fields: Vec<(&str, &str)> = texts.iter().map(|id| (field, id.as_str())).collect();
    if !role.is_empty() {
        fields.push(("role", role));
    }
    who.client.post_form(&format!("{base}/{noun}"), &fields).await
}

fn results(page: &Page) -> Vec<(String, String)> {
    let names = page.select("[aria-labelledby=results-title] tbody .main");
    let words = page.select("[aria-labelledby=results-title] tbody [data-label=Result]");
    names.into_iter().zip(words).collect()
}

fn pair(name: &str, word: &str) -> (String, String) {
    (name.to_owned(), word.to_owned())
}

async fn roles_of(app: &TestApp, member: &Person) -> String {
    let sql = format!(
        "SELECT string_agg(r.slug, ' ') FROM member_roles mr JOIN roles r ON r.id = mr.role_id
         WHERE mr.member_id = {}",
        app.id(member.member_id)
    );
    app.scalar_text(&sql).await.unwrap_or_default()
}

async fn events(app: &TestApp, kind: &str) -> i64 {
    app.scalar_i64(&format!("SELECT COUNT(*) FROM audit_events WHERE kind = '{kind}'")).await
}

async fn invitation_id(app: &TestApp, email: &str) -> Uuid {
    app.scalar_uuid(&format!("SELECT id FROM invitations WHERE email = {}", quoted(email))).await
}

both! {
    async fn roles_are_changed_together_and_told_one_by_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let (editor, viewer) = (member(&app, &owner, "editor").await, member(&app, &owner, "viewer").await);
        let ids = [editor.member_id, viewer.member_id, editor.member_id];

        let page = owner.client.visit(&about(MEMBERS, "roles", &ids)).await;
        page.assert_says("Change the roles of 2 members").assert_says("Editor One").assert_says("viewer-one@example.com");
        let refused = owner.client.submit(&page, "/selection/roles", &[]).await.with_status(422);
        assert_eq!(refused.field_error("role").as_deref(), Some("Choose at least one role."));
        refused.assert_says("Editor One").assert_says("Viewer One");

        let replace = [("role", "viewer"), ("change", "replace")];
        let page = through(&owner, MEMBERS, "roles", &ids, &replace).await;
        assert_eq!(results(&page), [pair("Editor One", "Roles changed from Editor to Viewer"), pair("Viewer One", "Already had these roles")]);
        page.assert_says("1 of 2 members updated.");
        assert_eq!(roles_of(&app, &editor).await, "viewer");
        assert_eq!(events(&app, "member.roles-changed").await, 1);
        assert!(results(&owner.client.visit(page.path()).await).is_empty(), "the results are shown once");
    }

    async fn roles_are_added_and_taken_away_and_the_others_stay(app: TestApp) {
        let owner = new_owner(&app).await;
        let (editor, viewer) = (member(&app, &owner, "editor").await, member(&app, &owner, "viewer").await);
        let ids = [editor.member_id, viewer.member_id];

        // The first button is the one that takes nothing from anybody.
        let page = through(&owner, MEMBERS, "roles", &ids, &[("role", "viewer")]).await;
        assert_eq!(results(&page), [pair("Editor One", "Roles changed from Editor to Editor, Viewer"), pair("Viewer One", "Already had these roles")]);
        let remove = [("role", "editor"), ("change", "remove")];
        let page = through(&owner, MEMBERS, "roles", &ids, &remove).await;
        assert_eq!(results(&page), [pair("Editor One", "Roles changed from Editor, Viewer to Viewer"), pair("Viewer One", "Had none of these roles")]);

        // Nobody is left without a role, and then nobody is changed.
        through(&owner, MEMBERS, "roles", &ids[..1], &[("role", "editor")]).await;
        let page = owner.client.visit(&about(MEMBERS, "roles", &ids)).await;
        let last = [("role", "viewer"), ("change", "remove")];
        let refused = app.unchanged_by(owner.client.submit(&page, "/selection/roles", &last)).await.with_status(422);
        assert_eq!(
            refused.field_error("role").as_deref(),
            Some("Viewer One has no other role. Replace the role instead, or remove them from the workspace.")
        );
        assert_eq!((roles_of(&app, &viewer).await, events(&app, "member.roles-changed").await), ("viewer".into(), 3));
    }

    async fn what_is_forbidden_for_one_is_done_to_none(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let second = invite_and_join(&app, &owner.client, "acme", "admin-two@example.com", &["admin"]).await;
        let viewer = member(&app, &owner, "viewer").await;
        let others = [viewer.member_id, second.member_id];
        for (noun, role) in [("roles", "editor"), ("suspension", ""), ("removal", "")] {
            let page = admin.client.visit(&about(MEMBERS, noun, &others)).await;
            page.assert_says("You can't do this to one of the selected, so nothing will be changed.");
            page.assert_says("You can only manage someone with less access than you.");
            assert!(!page.has_form("/selection/"), "{noun}: a form that would be refused");
            let others_alone = admin.client.visit(&page.link("/selection/")).await;
            others_alone.assert_silent_about("Admin Two").assert_says("Viewer One");
            assert!(others_alone.has_form("/selection/"));

            let refused = app.unchanged_by(forced(&admin, MEMBERS, noun, &others, role)).await;
            refused.assert_status(403);
            // The same the other way round: the one who may be changed came first, and is not.
            let turned = [second.member_id, viewer.member_id];
            app.unchanged_by(forced(&admin, MEMBERS, noun, &turned, role)).await.assert_status(403);
        }
        // A role above oneself, for people below.
        app.unchanged_by(forced(&admin, MEMBERS, "roles", &[viewer.member_id], "owner")).await.assert_status(403);
        // Oneself among others.
        for noun in ["suspension", "removal"] {
            let with_me = [viewer.member_id, admin.member_id];
            app.unchanged_by(forced(&admin, MEMBERS, noun, &with_me, "")).await.assert_status(403);
        }
    }

    async fn a_workspace_keeps_an_owner_when_many_change(app: TestApp) {
        let owner = new_owner(&app).await;
        let second = invite_and_join(&app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await;
        let both = [owner.member_id, second.member_id];
        let refused = app.unchanged_by(forced(&owner, MEMBERS, "roles", &both, "admin")).await;
        refused.assert_status(409).assert_says("A workspace needs at least one active Owner.");
        forced(&owner, MEMBERS, "roles", &[second.member_id], "admin").await.assert_status(303);
        assert_eq!(roles_of(&app, &second).await, "admin");
    }

    async fn somebody_of_another_workspace_is_nobody_here(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let stranger = new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        invite(&stranger.client, "other", "guest@example.com", &["viewer"]).await;
        invite(&owner.client, "acme", "newcomer@example.com", &["viewer"]).await;
        let mixed = [viewer.member_id, stranger.member_id];
        for (noun, role) in [("roles", "editor"), ("suspension", ""), ("removal", "")] {
            owner.client.get(&about(MEMBERS, noun, &mixed)).await.assert_status(404).assert_silent_about("Owner Two");
            app.unchanged_by(forced(&owner, MEMBERS, noun, &mixed, role)).await.assert_status(404);
        }
        let mixed = [invitation_id(&app, "newcomer@example.com").await, invitation_id(&app, "guest@example.com").await];
        for noun in ["resend", "cancellation"] {
            owner.client.get(&about(INVITATIONS, noun, &mixed)).await.assert_status(404).assert_silent_about("guest");
            app.unchanged_by(forced(&owner, INVITATIONS, noun, &mixed, "")).await.assert_status(404);
        }
    }

    async fn many_are_suspended_and_who_was_stays_so(app: TestApp) {
        let owner = new_owner(&app).await;
        let (editor, viewer) = (member(&app, &owner, "editor").await, member(&app, &owner, "viewer").await);
        let path = format!("/w/acme/members/{}/suspension", editor.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        let ids = [viewer.member_id, editor.member_id];
        owner.client.visit(&about(MEMBERS, "suspension", &ids)).await.assert_says("Already suspended");
        let page = through(&owner, MEMBERS, "suspension", &ids, &[]).await;
        page.assert_says("1 of 2 members suspended.");
        assert_eq!(results(&page), [pair("Editor One", "Already suspended"), pair("Viewer One", "Suspended")]);
        assert_eq!(events(&app, "member.suspended").await, 2);
        viewer.client.get("/w/acme").await.assert_status(403);
    }

    async fn many_are_removed_with_what_they_sent(app: TestApp) {
        let owner = new_owner(&app).await;
        let (developer, viewer) = (member(&app, &owner, "developer").await, member(&app, &owner, "viewer").await);
        invite(&developer.client, "acme", "newcomer@example.com", &["viewer"]).await;
        let ids = [developer.member_id, viewer.member_id];
        let page = owner.client.visit(&about(MEMBERS, "removal", &ids)).await;
        page.assert_says("Pending invitations they sent are cancelled: 1.");
        let page = through(&owner, MEMBERS, "removal", &ids, &[]).await;
        assert_eq!(results(&page), [pair("Developer One", "Removed"), pair("Viewer One", "Removed")]);
        assert_eq!(events(&app, "member.removed").await, 2);
        for gone in [&developer, &viewer] {
            gone.client.get("/w/acme").await.assert_status(404);
        }
        let status = "SELECT status FROM invitations WHERE email = 'newcomer@example.com'";
        assert_eq!(app.scalar_text(status).await.as_deref(), Some("cancelled"));
        // Sent once more by somebody with an old page: they are nobody here by now.
        app.unchanged_by(forced(&owner, MEMBERS, "removal", &ids, "")).await.assert_status(404);
    }

    // Breaks without `waiting` in `remove` (domain/nouns/members/bulk.rs).
    async fn whoever_entered_somebody_is_removed_together_with_them(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let new = serde_json::json!({"email": "carol@example.com"});
        api.post("/api/sso/v1/users", &new).await.with_status(201);
        let waiting = app.scalar_uuid("SELECT id FROM members WHERE entered_by IS NOT NULL").await;
        let user = app.id(developer.user_id);
        let by = format!("UPDATE members SET entered_by = {user} WHERE id = {}", app.id(waiting));
        assert_eq!(app.execute(&by).await, 1);
        let ids = [developer.member_id, waiting];
        let page = owner.client.visit(&about(MEMBERS, "removal", &ids)).await;
        page.assert_says("Memberships they entered by the API, and which still wait for an answer, end: 1.");

        through(&owner, MEMBERS, "removal", &ids, &[]).await;

        assert_eq!(events(&app, "member.removed").await, 2);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM users WHERE awaited_email IS NOT NULL").await, 0);
    }

    async fn invitations_are_sent_again_and_cancelled_together(app: TestApp) {
        let owner = new_owner(&app).await;
        invite(&owner.client, "acme", "a@example.com b@example.com c@example.com", &["viewer"]).await;
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            ids.push(invitation_id(&app, &format!("{name}@example.com")).await);
        }
        let old = app.mail.wait_for_link("a@example.com", "/invitations/").await;
        owner.client.post_form(&format!("/w/acme/invitations/{}/cancellation", ids[2]), &[]).await.assert_status(303);
        app.clock.advance(Duration::from_secs(3_600));

        let page = through(&owner, INVITATIONS, "resend", &ids, &[]).await;
        let words = [pair("a@example.com", "Invited"), pair("b@example.com", "Invited"), pair("c@example.com", "No longer pending")];
        assert_eq!(results(&page), words);
        page.assert_says("2 of 3 invitations sent again.");
        assert_eq!(page.attributes("[aria-labelledby=results-title] input", "value").len(), 2, "links to hand over");
        assert_eq!(events(&app, "invitation.resent").await, 2);
        app.mail_is_out().await;
        assert_eq!((app.mail.to("a@example.com").len(), app.mail.to("c@example.com").len()), (2, 1));
        let stranger = app.client();
        let page = stranger.follow(stranger.get(&old).await).await.with_status(410);
        page.assert_says("A newer link was sent for this invitation.");

        let page = through(&owner, INVITATIONS, "cancellation", &ids, &[]).await;
        let words = [pair("a@example.com", "Cancelled"), pair("b@example.com", "Cancelled"), pair("c@example.com", "No longer pending")];
        assert_eq!(results(&page), words);
        assert_eq!(events(&app, "invitation.cancelled").await, 3);
        let page = owner.client.visit(&about(INVITATIONS, "cancellation", &ids)).await;
        assert!(!page.has_form("/selection/"), "nothing is left to be cancelled");
    }

    async fn an_invitation_above_oneself_stops_the_others(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        invite(&owner.client, "acme", "low@example.com", &["viewer"]).await;
        invite(&owner.client, "acme", "high@example.com", &["admin"]).await;
        app.mail_is_out().await;
        let ids = [invitation_id(&app, "low@example.com").await, invitation_id(&app, "high@example.com").await];
        let page = developer.client.visit(&about(INVITATIONS, "resend", &ids)).await;
        page.assert_says("You can't do this to one of the selected, so nothing will be changed.");
        app.unchanged_by(forced(&developer, INVITATIONS, "resend", &ids, "")).await.assert_status(403);
        app.mail_is_out().await;
        assert_eq!(app.mail.to("low@example.com").len(), 1, "no mail for a change that was rolled back");
    }

    async fn a_selection_has_something_in_it_and_not_too_much(app: TestApp) {
        let owner = new_owner(&app).await;
        for (base, noun) in [(MEMBERS, "roles"), (MEMBERS, "suspension"), (MEMBERS, "removal"), (INVITATIONS, "resend"), (INVITATIONS, "cancellation")] {
            let list = base.trim_end_matches("/selection");
            let page = owner.client.get(&format!("{base}/{noun}")).await.with_status(303);
            assert_eq!(page.location(), list);
            owner.client.follow(page).await.assert_says("Nothing is selected.");
            let many: Vec<Uuid> = (0..101).map(Uuid::from_u128).collect();
            for ids in [&many[..0], &many[..]] {
                app.unchanged_by(forced(&owner, base, noun, ids, "")).await.assert_status(422);
            }
            owner.client.get(&about(base, noun, &many)).await.assert_status(422);
            let field = if base == MEMBERS { "member" } else { "invitation" };
            owner.client.get(&format!("{base}/{noun}?{field}=x")).await.assert_status(400);
        }
    }

    async fn only_rows_that_may_be_changed_can_be_ticked(app: TestApp) {
        let owner = new_owner(&app).await;
        let (admin, viewer) = (member(&app, &owner, "admin").await, member(&app, &owner, "viewer").await);
        let ticks = |page: &Page| page.attributes("tbody .pick:not([disabled])", "value");
        let page = admin.client.visit("/w/acme/members").await;
        assert_eq!(ticks(&page), [viewer.member_id.to_string()]);
        let page = viewer.client.visit("/w/acme/members").await;
        assert!(!page.has(".pick") && !page.has(".bulk"), "nothing to tick for who may change nobody");
    }
}
