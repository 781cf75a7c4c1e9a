//! Accounts: who gets in, their people and admins, who may create workspaces, and how somebody of the
//! account comes into a workspace without an invitation.

use crate::{
    races::assert_chain_holds,
    support::*,
    world::{account_id, add_to_account, add_user, assert_counted},
};
use uuid::Uuid;

/// The address of the account that a workspace belongs to.
async fn account(app: &TestApp, slug: &str) -> String {
    format!("/a/{}", account_id(app, slug).await)
}

fn of(account: &str, whom: Uuid, noun: &str) -> String {
    format!("{account}/people/{whom}/{noun}")
}

async fn make_admin(by: &Person, account: &str, whom: Uuid) {
    by.client.post_form(&of(account, whom, "admin"), &[("admin", "yes")]).await.assert_status(303);
}

/// Somebody of the account of acme who is a member of nothing there, signed in.
async fn bystander(app: &TestApp, name: &str, email: &str) -> (Client, Uuid) {
    let user = add_user(app, name, email).await;
    add_to_account(app, "acme", user).await;
    (sign_in(app, email, PASSWORD).await, user)
}

async fn refusals(app: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND account_id IS NOT NULL";
    app.scalar_i64(sql).await
}

/// Does `work`: it is refused with this status, changes no row, and the account's record tells of it.
async fn refused(app: &TestApp, status: u16, work: impl Future<Output = Page>) -> Page {
    let before = refusals(app).await;
    let page = app.unchanged_by(work).await.with_status(status);
    assert_eq!(refusals(app).await - before, 1, "refusals told of {}", page.path());
    page
}

async fn kinds(app: &TestApp) -> Vec<String> {
    let sql =
        "SELECT kind FROM audit_events WHERE account_id IS NOT NULL AND outcome = 'done' ORDER BY at, id";
    app.rows(sql).await.iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
}

/// A second workspace of the account of acme.
async fn second_workspace(app: &TestApp, owner: &Person) {
    let id = account_id(app, "acme").await.to_string();
    let fields = [("name", "Second"), ("slug", "second"), ("account", id.as_str())];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
}

async fn is_member(app: &TestApp, user: Uuid, slug: &str) -> bool {
    let sql = format!(
        "SELECT count(*) FROM members m JOIN workspaces w ON w.id = m.workspace_id
         WHERE w.slug = '{slug}' AND m.user_id = {}",
        app.id(user)
    );
    app.scalar_i64(&sql).await == 1
}

both! {
    async fn an_account_is_for_its_admins_and_looks_like_nothing_from_elsewhere(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let base = account(&app, "acme").await;
        let nowhere = format!("/a/{}", Uuid::from_u128(7));
        for rest in ["", "/people", &format!("/people/{}/removal", viewer.user_id)] {
            let page = app.unchanged_by(other.client.get(&format!("{base}{rest}"))).await.with_status(404);
            let none = other.client.get(&format!("{nowhere}{rest}")).await.with_status(404);
            assert_eq!(without_tokens(&page.html), without_tokens(&none.html), "{rest}");
            let page = refused(&app, 403, viewer.client.get(&format!("{base}{rest}"))).await;
            page.assert_says("Only account admins can do this").assert_says("Owner One");
            assert!(!page.has(".frame"), "who is no admin sees nothing of the account");
            app.client().get(&format!("{base}{rest}")).await.assert_status(401);
        }
        for path in ["/a/acme", "/a/00000000-0000-0000-0000-000000000000", &base.to_uppercase()] {
            owner.client.get(path).await.assert_status(404);
        }
        let page = owner.client.visit("/workspaces").await;
        let page = owner.client.visit(&page.link("/a/")).await;
        page.assert_says("acme").assert_says("Owner One");
        assert!(page.has(&format!(".sidebar a[href='{base}/people']")));
        viewer.client.visit("/workspaces").await.assert_says("You're in this account.");
    }

    async fn a_flood_of_refusals_is_written_down_up_to_a_bound(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let base = account(&app, "acme").await;
        for _ in 0..30 {
            viewer.client.get(&base).await.assert_status(403);
        }
        assert_eq!(refusals(&app).await, 20);
        app.clock.advance(std::time::Duration::from_secs(61));
        until("the flood was never recorded", async || refusals(&app).await == 21).await;
        refused(&app, 403, viewer.client.get(&base)).await;
    }

    async fn a_suspended_account_is_shut_to_its_admins_too(app: TestApp) {
        let owner = new_owner(&app).await;
        let base = account(&app, "acme").await;
        app.execute("UPDATE accounts SET suspended_at = 1").await;
        let page = refused(&app, 403, owner.client.get(&base)).await;
        page.assert_says("This account is suspended");
        let fields = [("name", "Renamed"), ("creation", "people")];
        refused(&app, 403, owner.client.post_form(&format!("{base}/details"), &fields)).await;
        let id = base.trim_start_matches("/a/");
        refused(&app, 403, owner.client.post_form("/workspaces", &[("name", "More"), ("account", id)])).await;
    }

    // Breaks without the EXISTS of not_admin (domain/enforce/account/admission.rs).
    async fn who_was_removed_from_every_workspace_is_not_shown_who_administers_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let base = account(&app, "acme").await;
        refused(&app, 403, viewer.client.get(&base)).await.assert_says("Owner One");
        let removal = format!("/w/acme/members/{}/removal", viewer.member_id);
        owner.client.post_form(&removal, &[]).await.assert_status(303);
        refused(&app, 403, viewer.client.get(&base)).await.assert_silent_about("Owner One");
    }

    async fn an_admin_of_the_account_gets_into_no_workspace_by_that(app: TestApp) {
        let owner = new_owner(&app).await;
        let (client, user) = bystander(&app, "Admin Only", "admin-only@example.com").await;
        let base = account(&app, "acme").await;
        make_admin(&owner, &base, user).await;
        let page = client.visit(&base).await;
        page.assert_says("acme").assert_says("Owner One").assert_silent_about("/w/acme");
        assert!(!page.links().iter().any(|link| link.starts_with("/w/")), "{:?}", page.links());
        let nowhere = client.get("/w/nowhere/members").await.with_status(404);
        for path in ["", "/members", "/security", "/activity", "/members/new"] {
            let page = app.unchanged_by(client.get(&format!("/w/acme{path}"))).await.with_status(404);
            assert_eq!(without_tokens(&page.html), without_tokens(&nowhere.html), "{path}");
        }
        let fields = [("user", user.to_string()), ("role", "owner".to_owned())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        app.unchanged_by(client.post_form("/w/acme/members", &fields)).await.assert_status(404);
    }

    async fn an_account_is_named_and_its_workspaces_are_listed_but_for_the_deleted(app: TestApp) {
        let owner = new_owner(&app).await;
        let base = account(&app, "acme").await;
        second_workspace(&app, &owner).await;
        let page = owner.client.visit(&base).await;
        assert_eq!(page.select("td.main .name a"), ["Second", "acme"]);
        for (fields, field) in [
            ([("name", ""), ("creation", "admins")], "name"),
            ([("name", "Named\u{202e}"), ("creation", "admins")], "name"),
            ([("name", "Named"), ("creation", "nobody")], "creation"),
        ] {
            let page = app.unchanged_by(owner.client.submit(&page, "/details", &fields)).await;
            page.assert_status(422);
            assert!(page.field_error(field).is_some(), "{fields:?}");
            assert_eq!(page.field_value("name").as_deref(), Some(fields[0].1));
        }
        let fields = [("name", "Acme Group"), ("creation", "people")];
        let answer = owner.client.submit(&page, "/details", &fields).await;
        let page = owner.client.follow(answer).await;
        page.assert_says("Account saved.").assert_says("updated the account Acme Group");
        owner.client.post_form("/w/second/organization/deletion", &[("confirm", "second")]).await.assert_status(303);
        let page = owner.client.visit(&base).await;
        assert_eq!(page.select("td.main .name a"), ["acme"]);
        page.assert_says("deleted the workspace Second").assert_says("Deleted workspaces");
        let told = kinds(&app).await;
        assert_eq!(told, ["workspace.created", "workspace.created", "account.updated", "organization.deleted"]);
        // Each workspace's own record is a chain all the same.
        assert_chain_holds(&app).await;
        // One's own page tells of one's sign-ins, and of no account.
        owner.client.visit("/me").await.assert_silent_about("account.updated");
    }

    async fn who_accepts_an_invitation_belongs_to_the_account_and_stays_when_they_leave(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let base = account(&app, "acme").await;
        let page = owner.client.visit(&format!("{base}/people")).await;
        assert_eq!(page.select("td.main .name span:first-child"), ["Owner One", "Viewer One"]);
        page.assert_says("2 people");
        let removal = of(&base, viewer.user_id, "removal");
        let page = refused(&app, 409, owner.client.get(&removal)).await;
        page.assert_says("still a member of workspaces in this account: 1.");
        refused(&app, 409, owner.client.post_form(&removal, &[])).await;
        viewer.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
        owner.client.visit(&format!("{base}/people")).await.assert_says("Viewer One");
        let page = owner.client.visit(&removal).await;
        page.assert_says("What will happen");
        let answer = owner.client.submit(&page, "/removal", &[]).await;
        owner.client.follow(answer).await.assert_says("Viewer One no longer belongs to the account.").assert_says("1 person");
        app.unchanged_by(owner.client.get(&removal)).await.assert_status(404);
        app.unchanged_by(owner.client.post_form(&removal, &[])).await.assert_status(404);
        assert_counted(&app).await;
    }

    async fn an_account_always_keeps_an_active_admin(app: TestApp) {
        let owner = new_owner(&app).await;
        let base = account(&app, "acme").await;
        let (second, user) = bystander(&app, "Admin Two", "admin-two@example.com").await;
        let own = of(&base, owner.user_id, "admin");
        let page = refused(&app, 409, owner.client.post_form(&own, &[("admin", "no")])).await;
        page.assert_says("An account needs at least one active admin");
        assert!(page.has(".sidebar"), "in the frame of the account");
        refused(&app, 409, owner.client.get(&own)).await;
        make_admin(&owner, &base, user).await;
        // The second is suspended: they count for nothing.
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(user))).await;
        refused(&app, 409, owner.client.post_form(&own, &[("admin", "no")])).await;
        app.execute("UPDATE users SET suspended_at = NULL").await;
        sign_in_with(&second, "admin-two@example.com", PASSWORD).await;
        // Oneself is asked first, and the pages are shut from then on.
        let page = owner.client.visit(&own).await;
        page.assert_says("Stop being an admin");
        let answer = owner.client.submit(&page, "/admin", &[]).await;
        assert_eq!(answer.location(), "/workspaces");
        refused(&app, 403, owner.client.get(&base)).await;
        refused(&app, 403, owner.client.post_form(&own, &[("admin", "yes")])).await;
        second.visit(&base).await.assert_says("removed Owner One as an admin of the account");
        // They are the last one now, and leave no account without one.
        let page = refused(&app, 409, second.post_form(&of(&base, user, "removal"), &[])).await;
        page.assert_says("An account needs at least one active admin");
    }

    async fn the_database_keeps_an_active_admin_whoever_writes_to_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let db = app.db().await;
        let user = app.id(owner.user_id);
        let before = app.tenants().await;
        for sql in [
            "UPDATE account_people SET is_admin = (1 = 0)".to_owned(),
            format!("DELETE FROM account_people WHERE user_id = {user}"),
            format!("UPDATE users SET suspended_at = 1 WHERE id = {user}"),
        ] {
            let error = sea_orm::ConnectionTrait::execute_unprepared(db, &sql).await.unwrap_err();
            assert!(error.to_string().contains("last_admin"), "{sql}: {error}");
        }
        before.assert_same(&app.tenants().await);
        // An account that goes takes its admins with it.
        app.execute("UPDATE workspaces SET deleted_at = 1").await;
        app.execute("DELETE FROM workspaces").await;
        assert_eq!(app.execute("DELETE FROM accounts").await, 1);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM account_people").await, 0);
    }

    async fn who_may_create_workspaces_is_a_setting_of_the_account(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let base = account(&app, "acme").await;
        let id = base.trim_start_matches("/a/");
        let fields = [("name", "Mine"), ("slug", "mine"), ("account", id)];
        assert!(!viewer.client.visit("/workspaces").await.has("#account"), "nothing to choose");
        let page = refused(&app, 403, viewer.client.post_form("/workspaces", &fields)).await;
        page.assert_says("Owner One");
        let everybody = [("name", "Acme"), ("creation", "people")];
        owner.client.post_form(&format!("{base}/details"), &everybody).await.assert_status(303);
        let page = viewer.client.visit("/workspaces").await;
        viewer.client.submit(&page, "/workspaces", &fields).await.assert_status(303);
        assert_eq!(account(&app, "mine").await, base);
        // The account's admin sees that it is there, and not into it.
        owner.client.visit(&base).await.assert_says("Mine").assert_says("Viewer One");
        owner.client.get("/w/mine").await.assert_status(404);
        let admins = [("name", "Acme"), ("creation", "admins")];
        owner.client.post_form(&format!("{base}/details"), &admins).await.assert_status(303);
        let fields = [("name", "More"), ("slug", "more"), ("account", id)];
        refused(&app, 403, viewer.client.post_form("/workspaces", &fields)).await;
    }

    async fn people_are_searched_filtered_and_paged(app: TestApp) {
        let owner = new_owner(&app).await;
        let base = account(&app, "acme").await;
        for i in 0..60 {
            let user = add_user(&app, &format!("Person {i:02}"), &format!("person-{i:02}@example.com")).await;
            add_to_account(&app, "acme", user).await;
        }
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let people = format!("{base}/people");
        let first = owner.client.visit(&people).await;
        first.assert_says("61 people").assert_says("Person 48").assert_silent_about("Person 49").assert_silent_about("Owner Two");
        let next = owner.client.visit(&first.attributes("a[rel=next]", "href")[0]).await;
        next.assert_says("Person 49").assert_says("Person 59").assert_silent_about("Person 48");
        let found = owner.client.visit(&format!("{people}?q=PERSON-07")).await;
        assert_eq!(found.select("td.main .name span:first-child"), ["Person 07"]);
        owner.client.visit(&format!("{people}?q=owner+two")).await.assert_says("No people match your search");
        let admins = owner.client.visit(&format!("{people}?show=admins")).await;
        assert_eq!(admins.select("td.main .name span:first-child"), ["Owner One"]);
        for bad in ["show=kings", "after=00", "q=%00"] {
            owner.client.get(&format!("{people}?{bad}")).await.assert_status(422);
        }
        // Whoever is called otherwise is listed otherwise.
        other.client.get(&people).await.assert_status(404);
        owner.client.post_form("/me/profile", &[("name", "Zoe Last")]).await.assert_status(303);
        let last = owner.client.visit(&format!("{people}?before=end")).await;
        assert_eq!(last.select("td.main .name span:first-child").last().map(String::as_str), Some("Zoe Last"));
    }

    async fn somebody_of_the_account_is_added_to_a_workspace_without_an_invitation(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        assert!(!owner.client.visit("/w/acme/members").await.has("a[href='/w/acme/members/new']"));
        second_workspace(&app, &owner).await;
        let page = owner.client.visit("/w/second/members").await;
        let page = owner.client.visit(&page.link("/members/new")).await;
        assert_eq!(page.attributes("input[type=radio][name=user]", "value"), [viewer.user_id.to_string()]);
        let user = viewer.user_id.to_string();
        // The form comes with Viewer ticked.
        let answer = owner.client.submit(&page, "/w/second/members", &[("user", &user)]).await.with_status(303);
        owner.client.follow(answer).await.assert_says("Viewer One added as Viewer").assert_says("Added from the account by Owner One (owner-one@example.com)");
        let letter = app.mail.wait_for(&viewer.email, "added you to Second").await;
        assert!(letter.text.contains("/w/second"), "{}", letter.text);
        viewer.client.visit("/w/second").await;
        owner.client.visit("/w/second/activity").await.assert_says("added Viewer One");
        let page = owner.client.visit("/w/second/members/new").await;
        page.assert_says("Everyone in the account is already here");

        let page = app.unchanged_by(owner.client.post_form("/w/second/members", &[("user", &user)])).await;
        page.assert_status(409).assert_says("already a member");
        assert_counted(&app).await;
        assert_chain_holds(&app).await;
    }

    async fn who_is_not_of_the_account_is_added_as_little_as_somebody_unknown(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (_, suspended) = bystander(&app, "Person One", "person-one@example.com").await;
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(suspended))).await;
        let page = owner.client.visit("/w/acme/members/new").await;
        page.assert_silent_about("Owner Two").assert_silent_about("Person One");
        owner.client.visit("/w/acme/members/new?q=two").await.assert_says("No people match your search");
        for whom in [Uuid::from_u128(7), other.user_id, suspended] {
            let fields = [("user", whom.to_string()), ("role", "editor".to_owned())];
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page = app.unchanged_by(owner.client.post_form("/w/acme/members", &fields)).await;
            page.assert_status(422).assert_silent_about("Owner Two");
            assert_eq!(page.field_error("user").as_deref(), Some("Choose someone in this account."));
        }
        for (fields, field) in [(vec![("role", "viewer")], "user"), (vec![("user", "me"), ("role", "viewer")], "user")] {
            let page = app.unchanged_by(owner.client.post_form("/w/acme/members", &fields)).await;
            page.assert_status(422);
            assert!(page.field_error(field).is_some(), "{fields:?}");
        }
    }

    async fn nobody_adds_with_a_role_above_their_own(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let viewer = member(&app, &owner, "viewer").await;
        let (_, user) = bystander(&app, "Person One", "person-one@example.com").await;
        let user = user.to_string();
        let told = "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND workspace_id IS NOT NULL";
        for (client, role) in [(&developer.client, "owner"), (&developer.client, "admin"), (&viewer.client, "viewer")] {
            let before = app.scalar_i64(told).await;
            let fields = [("user", user.as_str()), ("role", role)];
            app.unchanged_by(client.post_form("/w/acme/members", &fields)).await.assert_status(403);
            assert_eq!(app.scalar_i64(told).await - before, 1, "{role}");
        }
        app.unchanged_by(viewer.client.get("/w/acme/members/new")).await.assert_status(403);
        let fields = [("user", user.as_str()), ("role", "pilot")];
        let page = app.unchanged_by(owner.client.post_form("/w/acme/members", &fields)).await.with_status(422);
        assert!(page.field_error("role").is_some());
        assert_eq!(page.attributes("input[type=radio][name=user][checked]", "value"), [user.as_str()]);
        let fields = [("user", user.as_str()), ("role", "viewer")];
        developer.client.post_form("/w/acme/members", &fields).await.assert_status(303);
        assert!(is_member(&app, user.parse().unwrap(), "acme").await);
    }

    async fn an_invitation_that_waits_is_answered_by_adding(app: TestApp) {
        let owner = new_owner(&app).await;
        let (client, user) = bystander(&app, "Person One", "person-one@example.com").await;
        invite(&owner.client, "acme", "person-one@example.com", &["editor"]).await;
        let link = app.mail.wait_for_link("person-one@example.com", "/invitations/").await;
        let user = user.to_string();
        owner.client.post_form("/w/acme/members", &[("user", &user)]).await.assert_status(303);
        assert_eq!(app.scalar_text("SELECT status FROM invitations").await.as_deref(), Some("accepted"));
        let page = client.follow(client.get(&link).await).await.with_status(410);
        page.assert_says("find the workspace in your list");
        assert_eq!(app.scalar_text(&format!("SELECT role_set FROM members WHERE user_id = {}", app.id(user.parse().unwrap()))).await.as_deref(), Some("viewer"));
        owner.client.visit("/w/acme/activity").await.assert_says("which also closed their pending invitation");
    }
}
