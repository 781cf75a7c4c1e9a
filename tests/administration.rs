//! Who administers the account, beside the Owners of its workspaces: transferred with the ownership, named on the page
//! before somebody goes, asked for by an Owner, and recorded in each workspace.

use crate::{races::assert_chain_holds, support::*, world::account_id};

async fn is_admin(app: &TestApp, person: &Person) -> bool {
    let sql = format!(
        "SELECT COUNT(*) FROM account_people WHERE is_admin AND user_id = {}",
        app.id(person.user_id)
    );
    app.scalar_i64(&sql).await == 1
}

/// A second Owner of acme, who is no admin of its account.
async fn second_owner(app: &TestApp, owner: &Person) -> Person {
    invite_and_join(app, &owner.client, "acme", "owner-two@example.com", &["owner"]).await
}

fn at(person: &Person, noun: &str) -> String {
    format!("/w/acme/members/{}/{noun}", person.member_id)
}

async fn second_workspace(app: &TestApp, owner: &Person) {
    let account = account_id(app, "acme").await.to_string();
    let fields = [("name", "Second"), ("slug", "second"), ("account", account.as_str())];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
}

/// Offers the ownership by the page, with the fields as they are there; the other one accepts.
async fn hand_over(owner: &Person, to: &Person, form: impl Fn(FormOnPage) -> FormOnPage) {
    let page = owner.client.visit(&format!("/w/acme/members/{}", to.member_id)).await;
    let offer = form(page.form("/ownership-offer"));
    owner.client.send(&page, &offer).await.assert_status(303);
    let page = to.client.visit("/w/acme").await;
    to.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
}

both! {
    async fn a_transfer_of_ownership_offers_the_administration_of_the_account_with_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        assert_eq!(page.form("/ownership-offer").values("account"), ["yes"], "preselected");

        hand_over(&owner, &viewer, |form| form).await;

        assert!(is_admin(&app, &viewer).await && !is_admin(&app, &owner).await);
        let account = format!("/a/{}", account_id(&app, "acme").await);
        viewer.client.visit(&account).await.assert_says("became an admin of the account in place of Owner One");
        viewer.client.visit("/w/acme/activity").await.assert_says("became an admin of the account in place of");
        owner.client.get(&account).await.assert_status(403);
        app.mail_is_out().await;
        let letter = app.mail.wait_for(&viewer.email, "wants to transfer").await;
        assert!(letter.text.contains("administration of its account"), "{}", letter.text);
        assert_chain_holds(&app).await;
    }

    async fn without_it_the_administration_stays_and_every_owner_sees_that(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        second_workspace(&app, &owner).await;
        let page = owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        let form = page.form("/ownership-offer");
        assert!(form.values("account").is_empty(), "with several workspaces it is a choice");

        hand_over(&owner, &viewer, |form| form).await;

        assert!(is_admin(&app, &owner).await && !is_admin(&app, &viewer).await);
        let removal = viewer.client.visit(&at(&owner, "removal")).await;
        removal.assert_says("They stay an admin of the account");
        viewer.client.submit(&removal, "/removal", &[]).await.assert_status(303);
        viewer.client.visit("/w/acme").await.assert_says("An account admin is not a member here: Owner One");
        viewer.client.visit("/w/acme/organization").await.assert_says("Not a member here");
    }

    async fn nobody_offers_an_administration_that_they_do_not_have(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = other.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        page.assert_silent_about("administration of the account");
        let offer = at(&viewer, "ownership-offer");
        app.unchanged_by(other.client.post_form(&offer, &[("account", "yes")])).await.assert_status(403);
        app.unchanged_by(owner.client.post_form(&offer, &[("account", "perhaps")])).await.assert_status(422);
        // Offered, and lost before it is accepted: the ownership passes, and nothing else.
        owner.client.post_form(&offer, &[("account", "yes")]).await.assert_status(303);
        let people = format!("/a/{}/people", account_id(&app, "acme").await);
        for (who, admin) in [(&other, "yes"), (&owner, "no")] {
            let path = format!("{people}/{}/admin", who.user_id);
            owner.client.post_form(&path, &[("admin", admin)]).await.assert_status(303);
        }
        let page = viewer.client.visit("/w/acme").await;
        viewer.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        assert!(is_admin(&app, &other).await && !is_admin(&app, &viewer).await && !is_admin(&app, &owner).await);
    }

    async fn who_leaves_is_told_what_stays(app: TestApp) {
        let owner = new_owner(&app).await;
        second_owner(&app, &owner).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = owner.client.visit("/w/acme/departure").await;
        page.assert_says("You stay an admin of the account").link("/people");
        viewer.client.visit("/w/acme/departure").await.assert_silent_about("admin of the account");
    }

    async fn an_owner_asks_for_the_administration_of_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        let viewer = member(&app, &owner, "viewer").await;
        second_workspace(&app, &owner).await;
        let ask = "/w/acme/organization/administration-request";
        app.unchanged_by(viewer.client.post_form(ask, &[])).await.assert_status(403);
        app.unchanged_by(owner.client.post_form(ask, &[])).await.assert_status(409);
        // The only admin is removed, and asked in the same step to hand it over.
        let page = other.client.visit(&at(&owner, "removal")).await;
        page.assert_says("They stay an admin of the account");
        other.client.submit(&page, "/removal", &[("administration", "yes")]).await.assert_status(303);

        let page = other.client.visit("/w/acme/organization").await;
        page.assert_says("You asked to become an account admin");
        assert!(!page.has_form("/administration-request"));
        app.unchanged_by(other.client.post_form(ask, &[])).await.assert_status(409);
        let letter = app.mail.wait_for(&owner.email, "asks to become an admin").await;
        assert!(letter.text.contains(&other.email));
        let account = format!("/a/{}", account_id(&app, "acme").await);
        let page = owner.client.visit(&account).await;
        page.assert_says("asks to become an admin of this account").assert_says(&other.email);
        let request = app.scalar_uuid("SELECT id FROM administration_requests").await;
        let accept = format!("{account}/administration-requests/{request}/acceptance");
        app.unchanged_by(other.client.post_form(&accept, &[])).await.assert_status(403);
        owner.client.submit(&page, "/acceptance", &[]).await.assert_status(303);

        assert!(is_admin(&app, &other).await && is_admin(&app, &owner).await);
        app.unchanged_by(owner.client.post_form(&accept, &[])).await.assert_status(404);
        for (client, slug) in [(&other.client, "acme"), (&owner.client, "second")] {
            let activity = client.visit(&format!("/w/{slug}/activity")).await;
            activity.assert_says("made Owner Two an admin of the account");
        }
        assert_chain_holds(&app).await;
    }

    async fn a_request_is_declined_or_dies_with_the_ownership(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        let account = format!("/a/{}", account_id(&app, "acme").await);
        let page = other.client.visit("/w/acme/organization").await;
        other.client.submit(&page, "/administration-request", &[]).await.assert_status(303);
        let page = owner.client.visit(&account).await;
        let answer = owner.client.submit(&page, "/decline", &[]).await.with_status(303);
        owner.client.follow(answer).await.assert_says("Owner Two's request was declined.");
        assert!(!is_admin(&app, &other).await);
        other.client.visit("/w/acme/activity").await.assert_says("declined the request to become an admin");

        other.client.submit(&other.client.visit("/w/acme/organization").await, "/administration-request", &[])
            .await
            .assert_status(303);
        let page = owner.client.visit(&account).await;
        let accept = page.form("/acceptance");
        owner.client.post_form(&at(&other, "roles"), &[("role", "viewer")]).await.assert_status(303);
        app.unchanged_by(owner.client.send(&page, &accept)).await.assert_status(410);
        owner.client.visit(&account).await.assert_silent_about("asks to become an admin");
        owner.client.post_form(&at(&other, "roles"), &[("role", "owner")]).await.assert_status(303);
        app.clock.advance(std::time::Duration::from_secs(7 * 86_400));
        app.unchanged_by(owner.client.send(&page, &accept)).await.assert_status(410);
        other.client.visit("/w/acme/organization").await.form("/administration-request");
    }

    // Breaks without `record_elsewhere` in `take_over` (domain/nouns/ownership/mod.rs).
    async fn an_administration_handed_over_is_recorded_in_every_workspace_of_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        second_workspace(&app, &owner).await;
        new_owner_of(&app, "Owner Elsewhere", "owner@elsewhere.example.com", "elsewhere").await;
        owner.client.post_form(&at(&viewer, "ownership-offer"), &[("account", "yes")]).await.assert_status(303);
        let page = viewer.client.visit("/w/acme").await;

        viewer.client.submit(&page, "/acceptance", &[]).await.assert_status(303);

        assert!(is_admin(&app, &viewer).await && !is_admin(&app, &owner).await);
        for (client, slug) in [(&viewer.client, "acme"), (&owner.client, "second")] {
            let activity = client.visit(&format!("/w/{slug}/activity")).await;
            activity.assert_says("became an admin of the account in place of Owner One (owner-one@example.com)");
        }
        let recorded = "SELECT COUNT(*) FROM audit_events WHERE kind = 'account.handed-over'";
        assert_eq!(app.scalar_i64(recorded).await, 2);
        let of_account = format!("{recorded} AND account_id IS NOT NULL");
        assert_eq!(app.scalar_i64(&of_account).await, 1);
        assert_chain_holds(&app).await;
    }

    // Breaks without `record_in_each` in `remove_person` (domain/nouns/accounts/change.rs).
    async fn an_admin_removed_from_the_account_is_recorded_in_its_workspaces(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let support = member(&app, &owner, "support").await;
        second_workspace(&app, &owner).await;
        let people = format!("/a/{}/people", account_id(&app, "acme").await);
        let admin = format!("{people}/{}/admin", viewer.user_id);
        owner.client.post_form(&admin, &[("admin", "yes")]).await.assert_status(303);
        for person in [&viewer, &support] {
            owner.client.post_form(&at(person, "removal"), &[]).await.assert_status(303);
            let removal = format!("{people}/{}/removal", person.user_id);
            owner.client.post_form(&removal, &[]).await.assert_status(303);
        }
        for slug in ["acme", "second"] {
            let activity = owner.client.visit(&format!("/w/{slug}/activity")).await;
            activity.assert_says("removed Viewer One as an admin of the account");
            // Whether somebody else belongs to the account is not a workspace's business.
            activity.assert_silent_about("removed Support One as an admin");
        }
        assert_chain_holds(&app).await;
    }

    // Breaks without BY_OWNER (domain/records/requests.rs) in `request` and `account_admins`.
    async fn a_request_that_nobody_could_accept_is_in_nobodys_way(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        second_workspace(&app, &owner).await;
        let ask = "organization/administration-request";
        other.client.post_form(&format!("/w/acme/{ask}"), &[]).await.assert_status(303);
        owner.client.post_form(&at(&other, "roles"), &[("role", "viewer")]).await.assert_status(303);
        invite(&owner.client, "second", &other.email, &["owner"]).await;
        app.mail_is_out().await;
        accept_invitation(&app, &other.client, &other.email).await.assert_status(303);

        let page = other.client.visit("/w/second/organization").await;
        other.client.submit(&page, "/administration-request", &[]).await.assert_status(303);

        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM administration_requests").await, 1);
        other.client.visit("/w/second/organization").await.assert_says("You asked to become an account admin");
        app.unchanged_by(other.client.post_form(&format!("/w/second/{ask}"), &[])).await.assert_status(409);
        let page = owner.client.visit(&format!("/a/{}", account_id(&app, "acme").await)).await;
        owner.client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        assert!(is_admin(&app, &other).await);
    }

    // Breaks when `ask_together` (domain/nouns/administration/mod.rs) returns what the request is refused with.
    async fn who_cannot_ask_removes_all_the_same(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        let viewer = member(&app, &owner, "viewer").await;
        let support = member(&app, &owner, "support").await;
        let removed = async |by: &Person, person: &Person| {
            let path = at(person, "removal");
            let answer = by.client.post_form(&path, &[("administration", "yes")]).await.with_status(303);
            let page = by.client.follow(answer).await;
            page.assert_says("removed from the workspace").assert_says("You did not ask to become an account admin");
            let sql = format!("SELECT COUNT(*) FROM members WHERE id = {}", app.id(person.member_id));
            assert_eq!(app.scalar_i64(&sql).await, 0);
        };

        removed(&owner, &viewer).await;
        let unconfirmed = format!("UPDATE users SET email_verified_at = NULL WHERE id = {}", app.id(other.user_id));
        assert_eq!(app.execute(&unconfirmed).await, 1);
        removed(&other, &support).await;

        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM administration_requests").await, 0);
        // The page offers it to nobody who can't.
        let page = other.client.visit(&at(&owner, "removal")).await;
        page.assert_says("They stay an admin of the account");
        assert!(!page.has("[name=administration]"));
        assert!(!other.client.visit("/w/acme/organization").await.has_form("/administration-request"));
    }

    async fn eight_requests_at_once_are_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = second_owner(&app, &owner).await;
        second_workspace(&app, &owner).await;
        invite(&owner.client, "second", &other.email, &["owner"]).await;
        app.mail_is_out().await;
        accept_invitation(&app, &other.client, &other.email).await.assert_status(303);
        let twins = other.client.twins(8).await;
        // In two workspaces, whose locks do not keep them apart.
        let pages = race(8, async |i| {
            let slug = if i % 2 == 0 { "acme" } else { "second" };
            let path = format!("/w/{slug}/organization/administration-request");
            twins[i].post_form(&path, &[]).await
        })
        .await;
        let count = |status: u16| pages.iter().filter(|page| page.status.as_u16() == status).count();
        assert_eq!((count(303), count(409)), (1, 7));
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM administration_requests").await, 1);
        assert_chain_holds(&app).await;
    }

    async fn what_an_account_does_to_a_workspace_is_in_its_activity(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        second_workspace(&app, &owner).await;
        let (key, ..) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let account = format!("/a/{}", account_id(&app, "acme").await);
        let keys = format!("{account}/api-keys/{key}");
        owner.client.post_form(&format!("{keys}/details"), &[("name", "Robot Two")]).await.assert_status(303);
        owner.client.post_form(&format!("{keys}/administration"), &[("administers", "yes")]).await.assert_status(303);
        let admin = format!("{account}/people/{}/admin", viewer.user_id);
        owner.client.post_form(&admin, &[("admin", "yes")]).await.assert_status(303);

        let activity = owner.client.visit("/w/acme/activity").await;
        activity
            .assert_says("renamed the API key Robot Two")
            .assert_says("changed the account rights of the API key Robot Two")
            .assert_says("made Viewer One an admin of the account");
        // A key that is no member there is none of another workspace's business.
        let activity = owner.client.visit("/w/second/activity").await;
        activity.assert_says("made Viewer One an admin of the account").assert_silent_about("Robot");
        viewer.client.get("/w/acme/activity").await.assert_status(403);
        assert_chain_holds(&app).await;
    }
}
