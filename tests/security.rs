//! The Security page: one row a permission, saved at once.

use crate::support::*;

const PATH: &str = "/w/acme/security";

fn form_of(page: &Page, permission: &str) -> FormOnPage {
    page.form(&format!("#f-{}", permission.replace(':', "-")))
}

fn reach(page: &Page, permission: &str) -> String {
    page.select(&format!("#p-{} .reach", permission.replace(':', "-"))).remove(0)
}

both! {
    async fn a_permission_is_found_by_a_word_and_a_save_stays_with_what_was_found(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit("/w/acme/security?q=INVITE").await;
        assert_eq!(page.select(".perms h3"), ["Invite members"]);
        let form = page.form("#f-invite-members").fill(&[("role", "admin")]);
        let saved = owner.client.send(&page, &form).await.with_status(303);
        assert_eq!(saved.location(), "/w/acme/security?q=INVITE");
        let page = owner.client.follow(saved).await.with_status(200);
        assert_eq!(page.select(".perms h3"), ["Invite members"]);
        let undo = page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        assert_eq!(owner.client.send(&page, &undo).await.location(), "/w/acme/security?q=INVITE");
        // By what programs call it, too.
        let page = owner.client.visit("/w/acme/security?q=read:audit").await;
        assert_eq!(page.select(".perms h3"), ["View activity"]);
        owner.client.visit("/w/acme/security?q=nothing+such").await.assert_says("No permissions match your search");
        owner.client.get("/w/acme/security?q=%00").await.assert_status(422);
    }

    async fn three_groups_come_first_in_their_order_then_ours_with_the_defaults(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit(PATH).await;
        let groups = page.select("main .panel h2");
        let first = ["Organization & Teams", "Access & Security", "Billing & Credits"];
        assert_eq!(&groups[..3], first);
        assert_eq!(&groups[3..], ["Members & Roles", "Keys & Integrations", "Activity & Support"]);
        let labels = page.select(".perms h3");
        assert_eq!(labels.len(), 31, "{labels:?}");
        for (i, label) in [
            "View members",
            "View teams",
            "Update organization",
            "Delete organization",
            "Create teams",
            "Update teams",
            "Delete teams",
            "Invite members",
            "Cancel invitations",
            "Update permissions",
            "Create OAuth clients",
            "Export data",
            "View billing",
            "Manage billing",
            "View credits",
            "Purchase credits",
        ]
        .iter()
        .enumerate()
        {
            assert!(labels[i].starts_with(label), "{}: {label}", labels[i]);
        }
        let ticked = |permission: &str| form_of(&page, permission).values("role").join(" ");
        assert_eq!(ticked("read:members"), "admin developer billing editor viewer support");
        assert_eq!(ticked("invite:members"), "admin developer");
        assert_eq!(ticked("delete:organization"), "");
        assert_eq!(ticked("read:credits"), "admin developer billing");
        // Owner is ticked and locked in every row.
        assert_eq!(page.attributes(".perms input[checked][disabled]", "type").len(), 31);
        let soon = labels.iter().filter_map(|label| label.strip_suffix("Coming soon")).map(str::trim);
        assert_eq!(soon.collect::<Vec<_>>(), ["Create OAuth clients", "Manage OAuth clients"]);
        // A button says who holds it in short, and to a screen reader in full.
        let button = |id: &str| page.select(&format!("#d-{id}-button [aria-hidden]")).join("");
        assert_eq!(button("read-members"), "Everyone");
        assert_eq!(button("invite-members"), "Owner, Admin, Developer");
        assert_eq!(button("read-credits"), "Owner, Admin +2");
        let full = page.select("#d-read-credits-button .sr");
        assert_eq!(full, ["View credits: Owner, Admin, Developer, Billing"]);
    }

    async fn a_toggle_is_saved_says_who_gained_and_offers_undo(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        invite_and_join(&app, &owner.client, "acme", "viewer-two@example.com", &["viewer"]).await;
        let page = owner.client.visit(PATH).await;
        assert_eq!(reach(&page, "invite:members"), "1 person");
        assert_eq!(reach(&page, "read:members"), "3 people");
        let form = form_of(&page, "invite:members").fill(&[
            ("role", "admin"),
            ("role", "developer"),
            ("role", "viewer"),
        ]);
        let page = owner.client.follow(owner.client.send(&page, &form).await).await;
        page.assert_says("Saved. 2 members can now invite members.");
        assert_eq!(reach(&page, "invite:members"), "3 people");
        viewer.client.visit("/w/acme/invitations").await;
        // Undo goes through the same checks, and brings back what was.
        let undo =
            page.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        let page = owner.client.follow(owner.client.send(&page, &undo).await).await;
        page.assert_says("Saved. 2 members can no longer invite members.");
        assert_eq!(form_of(&page, "invite:members").values("role"), ["admin", "developer"]);
        viewer.client.get("/w/acme/invitations").await.assert_status(403);
        // An Undo that somebody overtook overwrites nothing.
        let form = form_of(&page, "invite:members").without("role");
        let saved = owner.client.follow(owner.client.send(&page, &form).await).await;
        saved.assert_says("Saved. Nobody's access changed.");
        let undo =
            saved.forms().into_iter().find(|form| form.buttons.iter().any(|b| b.label == "Undo")).unwrap();
        let form = form_of(&saved, "invite:members").fill(&[("role", "support")]);
        owner.client.send(&saved, &form).await.assert_status(303);
        app.unchanged_by(owner.client.send(&saved, &undo)).await.assert_status(409);
    }

    async fn two_people_at_once_the_second_is_told_and_nothing_is_overwritten(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = sign_in(&app, &owner.email, PASSWORD).await;
        let mine = owner.client.visit(PATH).await;
        let theirs = other.visit(PATH).await;
        let form = form_of(&theirs, "create:teams").fill(&[("role", "admin"), ("role", "editor")]);
        other.send(&theirs, &form).await.assert_status(303);
        let form = form_of(&mine, "create:teams").fill(&[("role", "admin"), ("role", "billing")]);
        let told = app.unchanged_by(owner.client.send(&mine, &form)).await.with_status(409);
        told.assert_says("Someone changed this after you opened the page").assert_says("Create teams");
        // The page that tells it shows what it is now, and goes on from there.
        assert_eq!(form_of(&told, "create:teams").values("role"), ["admin", "editor"]);
        // Another row is not in the way.
        owner
            .client
            .send(&mine, &form_of(&mine, "update:teams").fill(&[("role", "editor")]))
            .await
            .assert_status(303);
        let form = form_of(&told, "create:teams").fill(&[("role", "admin"), ("role", "billing")]);
        owner.client.send(&told, &form).await.assert_status(303);
        // No version, or one of another row, is none.
        for version in ["", "0", form_of(&told, "delete:teams").values("version")[0]] {
            let fields = [("role", "admin"), ("version", version)];
            app.unchanged_by(owner.client.post_form(&format!("{PATH}/create:teams"), &fields))
                .await
                .assert_status(409);
        }
    }

    async fn locking_oneself_out_is_asked_about_first(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let page = owner.client.visit(PATH).await;
        let form = form_of(&page, "update:permissions").fill(&[("role", "admin")]);
        owner.client.send(&page, &form).await.assert_status(303);
        let page = admin.client.visit(PATH).await;
        let form = form_of(&page, "update:permissions").without("role");
        let warned = app.unchanged_by(admin.client.send(&page, &form)).await.with_status(409);
        warned.assert_says("You're about to lock yourself out").assert_says("Nothing has been changed yet");
        let answer = admin.client.submit(&warned, "/security/update:permissions", &[]).await.with_status(303);
        let page = admin.client.follow(answer).await;
        page.assert_says("Saved. 1 member can no longer update permissions.").assert_says("You can view this page but not change it.");
        assert!(!page.text().contains("Undo"));
        assert!(page.forms().iter().all(|form| !form.action.contains("/security/")));
        let fields = [("role", "admin"), ("version", "")];
        app.unchanged_by(admin.client.post_form(&format!("{PATH}/update:permissions"), &fields))
            .await
            .assert_status(403);
        // An Owner is never locked out, so never asked.
        let page = owner.client.visit(PATH).await;
        let form = form_of(&page, "update:permissions").fill(&[("role", "admin")]);
        owner.client.send(&page, &form).await.assert_status(303);
        let page = owner.client.visit(PATH).await;
        let form = form_of(&page, "update:permissions").without("role");
        owner.client.send(&page, &form).await.assert_status(303);
    }

    async fn an_editor_who_holds_less_keeps_the_set_whole_and_sees_why(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let page = owner.client.visit(PATH).await;
        let form = form_of(&page, "update:permissions").fill(&[("role", "developer")]);
        owner.client.send(&page, &form).await.assert_status(303);
        let page = developer.client.visit(PATH).await;
        page.assert_says("You can't grant access you don't have yourself");
        // Admin, which holds more, stays ticked though it cannot be touched.
        let form = form_of(&page, "invite:members");
        let mut roles: Vec<String> = form.values("role").into_iter().map(str::to_owned).collect();
        roles.push("viewer".into());
        let fields: Vec<_> = roles.iter().map(|role| ("role", role.as_str())).collect();
        let answer = developer.client.send(&page, &form.without("role").fill(&fields)).await.with_status(303);
        developer.client.follow(answer).await.assert_says("Saved. Nobody's access changed.");
        let page = owner.client.visit(PATH).await;
        assert_eq!(form_of(&page, "invite:members").values("role"), ["admin", "developer", "viewer"]);
    }

    async fn people_are_counted_once_and_only_while_active(app: TestApp) {
        let owner = new_owner(&app).await;
        let both =
            invite_and_join(&app, &owner.client, "acme", "both-one@example.com", &["admin", "developer"])
                .await;
        let page = owner.client.visit(PATH).await;
        assert_eq!(reach(&page, "invite:members"), "2 people");
        // Whoever keeps it by another role neither gains nor loses.
        let form = form_of(&page, "invite:members").fill(&[("role", "admin")]);
        owner
            .client
            .follow(owner.client.send(&page, &form).await)
            .await
            .assert_says("Saved. Nobody's access changed.");
        let path = format!("/w/acme/members/{}/suspension", both.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        assert_eq!(reach(&owner.client.visit(PATH).await, "invite:members"), "1 person");
    }

    async fn what_is_no_permission_or_no_role_is_refused(app: TestApp) {
        let owner = new_owner(&app).await;
        for path in ["read:everything", "*:*", "READ:members", "read:members%20"] {
            app.unchanged_by(owner.client.post_form(&format!("{PATH}/{path}"), &[("role", "admin")]))
                .await
                .assert_status(404);
        }
        let seen = form_of(&owner.client.visit(PATH).await, "read:audit").values("version")[0].to_owned();
        for role in ["king", "owner", ""] {
            let fields = [("role", role), ("version", seen.as_str())];
            app.unchanged_by(owner.client.post_form(&format!("{PATH}/read:audit"), &fields))
                .await
                .assert_status(422);
        }
    }
}
