//! Roles: made, named, edited, compared and deleted; and what stands against it.

use crate::nouns::roles::add_role;
use crate::{
    abuse::{refused, toggle},
    support::*,
};
use serde_json::json;

const PATH: &str = "/w/acme/roles";

fn at(slug: &str, rest: &str) -> String {
    format!("{PATH}/{slug}{rest}")
}

/// Makes a role on the page; answers the page that it leads to.
async fn make(by: &Person, name: &str, permissions: &[&str], scopes: &str) -> Page {
    let page = by.client.visit(&format!("{PATH}/new")).await;
    let permissions = permissions.iter().map(|permission| ("permission", *permission));
    let fields: Vec<_> = [("name", name), ("scopes", scopes)].into_iter().chain(permissions).collect();
    let answer = by.client.submit(&page, PATH, &fields).await.with_status(303);
    by.client.follow(answer).await.with_status(200)
}

/// Saves what a role holds, with whatever version its page has now.
async fn edit(by: &Person, slug: &str, permissions: &[&str], scopes: &str) -> Page {
    let page = by.client.visit(&at(slug, "")).await;
    by.client.send(&page, &changed(&page, permissions, scopes)).await
}

fn changed(page: &Page, permissions: &[&str], scopes: &str) -> FormOnPage {
    let permissions = permissions.iter().map(|permission| ("permission", *permission));
    let fields: Vec<_> = [("scopes", scopes)].into_iter().chain(permissions).collect();
    page.form("/scopes").without("permission").fill(&fields)
}

/// The version of the form on a page, which somebody who has no such form may send all the same.
async fn version(reader: &Person, slug: &str, form: &str) -> String {
    reader.client.visit(&at(slug, "")).await.form(form).values("version")[0].to_owned()
}

async fn scopes_of(app: &TestApp, slug: &str) -> Vec<String> {
    let sql = "SELECT g.scope FROM grants g JOIN roles r ON r.id = g.role_id WHERE r.slug = ";
    let rows = app.rows(&format!("{sql}{} ORDER BY g.scope", quoted(slug))).await;
    rows.iter().map(|row| row["scope"].as_str().unwrap().to_owned()).collect()
}

/// Roles of a member, by slug.
async fn held(app: &TestApp, member: &Person) -> String {
    let sql = format!("SELECT role_set FROM members WHERE id = {}", app.id(member.member_id));
    app.rows(&sql).await[0]["role_set"].as_str().unwrap().to_owned()
}

/// Kind, target and payload of the last events, the latest last.
async fn latest_events(app: &TestApp, last: usize) -> Vec<(String, String, serde_json::Value)> {
    let sql = format!(
        "SELECT kind, target_name, payload FROM {AUDIT_RECORD} r WHERE workspace_id IS NOT NULL
        AND outcome = 'done' ORDER BY seq DESC"
    );
    let rows = app.rows(&sql).await;
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    let payload =
        |row: &serde_json::Value| row["payload"].as_object().unwrap().values().next().unwrap().clone();
    let told = rows.iter().take(last).map(|row| (text(row, "kind"), text(row, "target_name"), payload(row)));
    told.collect::<Vec<_>>().into_iter().rev().collect()
}

both! {
    async fn a_role_is_made_given_renamed_and_stays_the_same(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = make(&owner, "Release Manager", &["read:audit"], "deploy:*, read:builds").await;
        assert_eq!(page.path(), at("release-manager", ""));
        page.assert_says("Role “Release Manager” created.");
        assert_eq!(scopes_of(&app, "release-manager").await, ["deploy:*", "read:audit", "read:builds"]);
        let told_of = ("role.created".to_owned(), "Release Manager".to_owned(),
            json!({ "scopes": ["deploy:*", "read:audit", "read:builds"] }));
        assert_eq!(latest_events(&app, 1).await, [told_of]);

        let give = format!("/w/acme/members/{}/roles", viewer.member_id);
        let page = owner.client.visit(&format!("/w/acme/members/{}", viewer.member_id)).await;
        owner.client.submit(&page, &give, &[("role", "release-manager")]).await.assert_status(303);
        viewer.client.visit("/w/acme/activity").await;

        let page = owner.client.visit(&at("release-manager", "")).await;
        let fields = [("name", "Captain"), ("description", "Ships what is done.")];
        owner.client.submit(&page, "/details", &fields).await.assert_status(303);
        let list = owner.client.visit(PATH).await;
        list.assert_says("Captain").assert_says("Ships what is done.").assert_silent_about("Release Manager");
        list.assert_says("1 permission, 2 scopes").assert_says("1 person");
        assert_eq!(held(&app, &viewer).await, "release-manager");
        viewer.client.visit("/w/acme/activity").await;
        let members = owner.client.visit("/w/acme/members?role=release-manager").await;
        assert_eq!(members.select("#results tbody .name a"), ["Viewer One"]);
        let renamed = json!({ "name_before": "Release Manager", "name_after": "Captain",
            "description_before": "", "description_after": "Ships what is done." });
        assert_eq!(latest_events(&app, 1).await, [("role.updated".into(), "Release Manager".into(), renamed)]);
        // Saved as it is: nothing to tell.
        let page = owner.client.visit(&at("release-manager", "")).await;
        owner.client.submit(&page, "/details", &[]).await.assert_status(303);
        assert_eq!(latest_events(&app, 1).await[0].0, "role.updated");
    }

    async fn roles_and_security_are_two_views_of_one_matrix(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let answer = edit(&owner, "viewer", &["read:members", "read:audit"], "read:*\nwrite:notes").await;
        let page = owner.client.follow(answer.with_status(303)).await;
        page.assert_says("Role “Viewer” saved: 2 scopes added, 1 scope removed. This takes effect for 1 member");
        let events = latest_events(&app, 3).await;
        let kinds: Vec<_> = events.iter().map(|(kind, target, _)| (kind.as_str(), target.as_str())).collect();
        assert_eq!(kinds, [
            ("permission.changed", "View teams"),
            ("permission.changed", "View activity"),
            ("role.scopes-changed", "Viewer"),
        ]);
        let audit = json!({ "permission": "read:audit", "before": ["Admin"], "after": ["Admin", "Viewer"],
            "gained": 1, "lost": 0 });
        let mut second = events[1].2.clone();
        // For who takes it back: tests/access.rs.
        second.as_object_mut().unwrap().remove("ids");
        assert_eq!(second, audit);
        assert_eq!(events[2].2, json!({ "before": ["read:*"], "after": ["read:*", "write:notes"] }));
        viewer.client.visit("/w/acme/activity").await;
        let security = owner.client.visit("/w/acme/security").await;
        assert_eq!(security.form("#f-read-audit").values("role"), ["admin", "viewer"]);
        // The other way round.
        toggle(&owner, "read:audit", "viewer", false).await.assert_status(303);
        let page = owner.client.visit(&at("viewer", "")).await;
        assert_eq!(page.form("/scopes").values("permission"), ["read:members"]);
        viewer.client.get("/w/acme/activity").await.assert_status(403);
        let feed = owner.client.visit("/w/acme/activity").await;
        feed.assert_says("changed the scopes of the role Viewer").assert_says("write:notes");
    }

    async fn two_people_at_once_the_second_is_told_and_nothing_is_overwritten(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = sign_in(&app, &owner.email, PASSWORD).await;
        make(&owner, "Helper", &["read:members"], "read:posts").await;
        let mine = owner.client.visit(&at("helper", "")).await;
        let theirs = other.visit(&at("helper", "")).await;
        other.send(&theirs, &changed(&theirs, &["read:members"], "read:pages")).await.assert_status(303);
        let form = changed(&mine, &["read:audit"], "read:posts\nwrite:posts");
        let page = app.unchanged_by(owner.client.send(&mine, &form)).await.with_status(409);
        page.assert_says("Someone changed this role after you opened the page");
        assert_eq!(page.form("/scopes").values("permission"), ["read:audit"]);
        assert_eq!(page.field_value("scopes").unwrap().trim(), "read:posts\nwrite:posts");
        assert!(page.select("[aria-labelledby=now]")[0].contains("read:pages"));
        // Meant all the same: it goes on from what is there.
        owner.client.submit(&page, "/scopes", &[]).await.assert_status(303);
        assert_eq!(scopes_of(&app, "helper").await, ["read:audit", "read:posts", "write:posts"]);

        // A toggle on the Security page is a change of the role, one of another role is none.
        let mine = owner.client.visit(&at("helper", "")).await;
        toggle(&owner, "read:billing", "editor", true).await.assert_status(303);
        owner.client.send(&mine, &changed(&mine, &["read:audit"], "")).await.assert_status(303);
        let mine = owner.client.visit(&at("helper", "")).await;
        toggle(&owner, "read:billing", "helper", true).await.assert_status(303);
        app.unchanged_by(owner.client.send(&mine, &changed(&mine, &[], ""))).await.assert_status(409);

        // Names too.
        let mine = owner.client.visit(&at("helper", "")).await;
        other.submit(&mine, "/details", &[("name", "First")]).await;
        let first = other.visit(&at("helper", "")).await;
        other.submit(&first, "/details", &[("name", "First")]).await.assert_status(303);
        let told = owner.client.submit(&mine, "/details", &[("name", "Second")]);
        let page = app.unchanged_by(told).await.with_status(409);
        assert_eq!(page.form("/details").values("name"), ["Second"]);
        owner.client.submit(&page, "/details", &[]).await.assert_status(303);
        owner.client.visit(PATH).await.assert_says("Second");
    }

    async fn nobody_makes_or_edits_a_role_beyond_what_they_hold_403(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Clerk", &["read:members", "manage:roles", "update:permissions"], "read:posts").await;
        make(&owner, "Chief", &["read:members", "read:audit"], "read:posts").await;
        make(&owner, "Below", &["read:members"], "read:posts:title").await;
        let clerk = invite_and_join(&app, &owner.client, "acme", "clerk-one@example.com", &["clerk"]).await;
        let own = ["read:members", "manage:roles", "update:permissions"];

        // Made: with a permission or a scope that they lack; what was typed stays.
        for (permission, scope) in [("read:audit", ""), ("read:members", "write:posts"), ("read:members", "read:*")] {
            let fields = [("name", "Mine"), ("permission", permission), ("scopes", scope)];
            let page = refused(&app, "acme", 403, clerk.client.post_form(PATH, &fields)).await;
            assert!(page.field_error("scopes").unwrap().contains("You can't grant access you don't have"));
            assert_eq!(page.form(PATH).values("name"), ["Mine"]);
            assert_eq!(page.field_value("scopes").unwrap().trim(), scope);
        }
        // Their own role, which would raise themselves; and one below them.
        for slug in ["clerk", "below"] {
            for (more, scopes) in [("read:audit", "read:posts"), ("read:members", "read:posts write:posts")] {
                let seen = version(&clerk, slug, "/scopes").await;
                let mut fields = vec![("version", seen.as_str()), ("scopes", scopes), ("permission", more)];
                fields.extend(own.iter().map(|permission| ("permission", *permission)));
                fields.dedup();
                let page = refused(&app, "acme", 403, clerk.client.post_form(&at(slug, "/scopes"), &fields)).await;
                assert_eq!(page.form("/scopes").values("scopes")[0].trim(), scopes);
            }
        }
        // One that holds more than they do, in any way; not even to take something out of it.
        let seen = version(&owner, "chief", "/scopes").await;
        let less = [("version", seen.as_str()), ("permission", "read:members")];
        refused(&app, "acme", 403, clerk.client.post_form(&at("chief", "/scopes"), &less)).await;
        let seen = version(&owner, "chief", "/details").await;
        let name = [("version", seen.as_str()), ("name", "Renamed")];
        refused(&app, "acme", 403, clerk.client.post_form(&at("chief", "/details"), &name)).await;
        refused(&app, "acme", 403, clerk.client.post_form(&at("chief", "/deletion"), &[])).await;
        refused(&app, "acme", 403, clerk.client.get(&at("chief", "/deletion"))).await;
        let page = clerk.client.visit(&at("chief", "")).await;
        assert!(page.forms().iter().all(|form| !form.action.contains("/roles/chief")));
        page.assert_says("You can't grant access you don't have yourself: View activity.");
        // A duplicate starts without what they lack, and says so.
        let page = clerk.client.visit(&format!("{PATH}/new?from=chief")).await;
        page.assert_says("Left out because you don't have it yourself: View activity.");
        assert_eq!(page.form(PATH).values("permission"), ["read:members"]);
        clerk.client.submit(&page, PATH, &[]).await.assert_status(303);
        assert_eq!(scopes_of(&app, "chief-2").await, ["read:members", "read:posts"]);
        // What they hold they may put in, a field of it too.
        edit(&clerk, "below", &["read:members", "manage:roles"], "read:posts read:posts:title").await.assert_status(303);
    }

    async fn either_permission_alone_is_not_the_other_403(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Helper", &["read:members"], "").await;
        make(&owner, "Namer", &["read:members", "manage:roles"], "").await;
        make(&owner, "Ruler", &["read:members", "update:permissions"], "").await;
        let namer = invite_and_join(&app, &owner.client, "acme", "namer-one@example.com", &["namer"]).await;
        let ruler = invite_and_join(&app, &owner.client, "acme", "ruler-one@example.com", &["ruler"]).await;
        let (scopes, details) = (version(&owner, "helper", "/scopes").await, version(&owner, "helper", "/details").await);
        let page = refused(&app, "acme", 403, namer.client.post_form(&at("helper", "/scopes"), &[("version", &scopes)])).await;
        page.assert_says("Update permissions");
        let fields = [("version", details.as_str()), ("name", "Renamed")];
        refused(&app, "acme", 403, ruler.client.post_form(&at("helper", "/details"), &fields)).await
            .assert_says("Create and delete roles");
        refused(&app, "acme", 403, ruler.client.post_form(PATH, &[("name", "Another")])).await;
        refused(&app, "acme", 403, ruler.client.post_form(&at("helper", "/deletion"), &[])).await;
        ruler.client.post_form(&at("helper", "/scopes"), &[("version", &scopes)]).await.assert_status(303);
        namer.client.post_form(&at("helper", "/details"), &fields).await.assert_status(303);
        namer.client.post_form(&at("helper", "/deletion"), &[]).await.assert_status(303);
    }

    async fn owner_is_fixed_and_built_in_roles_keep_their_names_403(app: TestApp) {
        let owner = new_owner(&app).await;
        for slug in ["owner", "editor"] {
            let fields = [("name", "Renamed"), ("version", "")];
            refused(&app, "acme", 403, owner.client.post_form(&at(slug, "/details"), &fields)).await;
            refused(&app, "acme", 403, owner.client.post_form(&at(slug, "/deletion"), &[("replacement", "viewer")])).await;
        }
        let fields = [("permission", "read:members"), ("version", "")];
        refused(&app, "acme", 403, owner.client.post_form(&at("owner", "/scopes"), &fields)).await
            .assert_says("Owner always has all permissions");
        // What a built-in one holds is its workspace's affair.
        edit(&owner, "editor", &["read:members"], "write:posts").await.assert_status(303);
        assert_eq!(scopes_of(&app, "editor").await, ["read:members", "write:posts"]);
        owner.client.get(&format!("{PATH}/new?from=owner")).await.assert_status(404);
    }

    async fn locking_oneself_out_is_asked_about_first(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Ruler", &["read:members", "update:permissions"], "read:posts").await;
        let ruler = invite_and_join(&app, &owner.client, "acme", "ruler-one@example.com", &["ruler"]).await;
        let page = ruler.client.visit(&at("ruler", "")).await;
        let form = changed(&page, &["read:members"], "read:posts");
        let warned = refused(&app, "acme", 409, ruler.client.send(&page, &form)).await;
        warned.assert_says("You're about to lock yourself out").assert_says("Nothing has been changed yet");
        ruler.client.submit(&warned, "/scopes", &[]).await.assert_status(303);
        assert_eq!(scopes_of(&app, "ruler").await, ["read:members", "read:posts"]);
        let page = ruler.client.visit(&at("ruler", "")).await;
        assert!(!page.has_form("/scopes"));
    }

    async fn a_role_goes_only_with_something_in_its_place(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Helper", &["read:members"], "read:posts").await;
        let one = invite_and_join(&app, &owner.client, "acme", "one@example.com", &["helper"]).await;
        let two = invite_and_join(&app, &owner.client, "acme", "two@example.com", &["helper", "viewer"]).await;
        let suspended = invite_and_join(&app, &owner.client, "acme", "three@example.com", &["helper", "editor"]).await;
        let path = format!("/w/acme/members/{}/suspension", suspended.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        invite(&owner.client, "acme", "guest@example.com", &["helper", "editor"]).await;
        let path = at("helper", "/deletion");

        let page = owner.client.visit(&path).await;
        page.assert_says("3 members get the role you choose instead").assert_says("including 1 suspended");
        page.assert_says("1 pending invitation gets the role you choose instead");
        for nothing in [&[][..], &[("replacement", "")]] {
            let page = refused(&app, "acme", 409, owner.client.post_form(&path, nothing)).await;
            assert!(page.field_error("replacement").unwrap().contains("Choose a replacement role"));
        }
        for wrong in ["king", "helper", "owner", "viewer\0"] {
            let page = app.unchanged_by(owner.client.post_form(&path, &[("replacement", wrong)])).await;
            page.assert_status(422);
            assert!(page.field_error("replacement").is_some(), "{wrong}");
        }
        let answer = owner.client.submit(&page, "/deletion", &[("replacement", "viewer")]).await.with_status(303);
        let list = owner.client.follow(answer).await;
        list.assert_says("Role “Helper” deleted. 3 members and 1 invitation now have Viewer instead.");
        assert_eq!(held(&app, &one).await, "viewer");
        assert_eq!(held(&app, &two).await, "viewer");
        assert_eq!(held(&app, &suspended).await, "editor viewer");
        crate::world::assert_counted(&app).await;
        one.client.visit("/w/acme").await;
        let events = latest_events(&app, 5).await;
        let kinds: Vec<_> = events.iter().map(|(kind, target, _)| (kind.as_str(), target.as_str())).collect();
        assert_eq!(kinds, [
            ("member.roles-changed", "One"),
            ("member.roles-changed", "Two"),
            ("member.roles-changed", "Three"),
            ("invitation.roles-changed", "guest@example.com"),
            ("role.deleted", "Helper"),
        ]);
        assert_eq!(events[2].2["before"], json!(["Editor", "Helper"]));
        assert_eq!(events[2].2["after"], json!(["Editor", "Viewer"]));
        let gone = json!({ "scopes": ["read:members", "read:posts"], "replaced_by": "Viewer", "members": 3,
            "invitations": 1 });
        assert_eq!(events[4].2, gone);
        owner.client.get(&at("helper", "")).await.assert_status(404);
        // The invitation holds, with what took its place.
        let guest = sign_up(&app, "Guest", "guest@example.com", PASSWORD, "guest-place").await;
        verify_email(&app, &guest, "guest@example.com").await;
        accept_invitation(&app, &guest, "guest@example.com").await.assert_status(303);
        let guest = person(&app, guest, "Guest", "guest@example.com", "acme").await;
        assert_eq!(held(&app, &guest).await, "editor viewer");
        owner.client.visit("/w/acme/activity").await.assert_says("deleted the role Helper");
    }

    async fn an_invitation_alone_keeps_a_role_too(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Helper", &[], "read:posts").await;
        invite(&owner.client, "acme", "guest@example.com", &["helper"]).await;
        // Its time is over, and it could still be sent again.
        app.clock.advance(std::time::Duration::from_secs(8 * 86_400));
        refused(&app, "acme", 409, owner.client.post_form(&at("helper", "/deletion"), &[])).await;
        // One that was declined or cancelled keeps nothing.
        app.execute("UPDATE invitations SET status = 'cancelled', ended_at = 1").await;
        owner.client.post_form(&at("helper", "/deletion"), &[]).await.assert_status(303);
        owner.client.visit("/w/acme/invitations?status=cancelled").await;
    }

    async fn deleting_a_role_changes_nobody_whom_one_could_not_change_403(app: TestApp) {
        let owner = new_owner(&app).await;
        make(&owner, "Helper", &["read:members"], "").await;
        make(&owner, "Other", &["read:members"], "").await;
        make(&owner, "Chief", &["read:audit"], "").await;
        make(&owner, "Clerk", &["read:members", "manage:roles"], "").await;
        let clerk = invite_and_join(&app, &owner.client, "acme", "clerk@example.com", &["clerk"]).await;
        let one = invite_and_join(&app, &owner.client, "acme", "one@example.com", &["helper"]).await;
        let with = |role: &'static str| [("replacement", role)];
        let path = at("helper", "/deletion");
        // To give other roles is a permission of its own, on this way as on any other.
        let page = refused(&app, "acme", 403, clerk.client.post_form(&path, &with("other"))).await;
        page.assert_says("Change member roles");
        refused(&app, "acme", 403, clerk.client.get(&path)).await;
        toggle(&owner, "update:member-roles", "clerk", true).await.assert_status(303);
        // What takes its place must be theirs to give.
        refused(&app, "acme", 403, clerk.client.post_form(&path, &with("chief"))).await;
        // Who has it must be below them: neither an Owner, nor they themselves, nor one who holds more.
        for roles in [&["helper", "owner"][..], &["helper", "chief"], &["helper", "clerk"]] {
            let fields: Vec<_> = roles.iter().map(|role| ("role", *role)).collect();
            let give = format!("/w/acme/members/{}/roles", one.member_id);
            owner.client.post_form(&give, &fields).await.assert_status(303);
            refused(&app, "acme", 403, clerk.client.post_form(&path, &with("other"))).await;
        }
        let give = format!("/w/acme/members/{}/roles", one.member_id);
        owner.client.post_form(&give, &[("role", "helper")]).await.assert_status(303);
        clerk.client.post_form(&path, &with("other")).await.assert_status(303);
        assert_eq!(held(&app, &one).await, "other");
        // Their own role they cannot take from under themselves.
        refused(&app, "acme", 403, clerk.client.post_form(&at("clerk", "/deletion"), &with("other"))).await;
    }

    async fn names_slugs_and_numbers_have_their_limits(app: TestApp) {
        let owner = new_owner(&app).await;
        let new = async |fields: &[(&str, &str)]| owner.client.post_form(PATH, fields).await;
        for (name, why) in [("Editor", "already"), ("ÉDITOR", "already"), ("", "Enter a name"), ("a\nb", "invisible characters")] {
            let page = app.unchanged_by(new(&[("name", name), ("scopes", "read:posts")])).await.with_status(422);
            assert!(page.field_error("name").unwrap().contains(why), "{name:?}");
            assert_eq!(page.field_value("scopes").unwrap().trim(), "read:posts");
        }
        let long = "x".repeat(201);
        let page = app.unchanged_by(new(&[("name", "Long"), ("description", &long)])).await.with_status(422);
        assert!(page.field_error("description").is_some());
        for (name, slug) in [("New", "new-2"), ("Comparison", "comparison-2"), ("世界", "role"), ("視界", "role-2"), ("Editor!", "editor-2")] {
            assert_eq!(new(&[("name", name)]).await.with_status(303).location(), at(slug, ""));
        }
        // Each scope that is wrong is answered with what it should have been.
        let page = app.unchanged_by(new(&[("name", "Any"), ("scopes", "users_read, posts:write\nread:members")])).await;
        let said = page.with_status(422).field_error("scopes").unwrap();
        for words in ["did you mean read:users?", "did you mean write:posts?", "the permission “View members”"] {
            assert!(said.contains(words), "{said}");
        }
        app.unchanged_by(new(&[("name", "Any"), ("permission", "fly:rockets")])).await.assert_status(422);
        app.unchanged_by(new(&[("name", "Any"), ("slug", "mine")])).await.assert_status(422);
        let many: String = (0..=200).map(|n| format!("read:thing-{n} ")).collect();
        let page = app.unchanged_by(new(&[("name", "Any"), ("scopes", &many)])).await.with_status(422);
        page.assert_says("at most 200 scopes");
        for n in 5..64 {
            add_role(&app, "acme", &format!("role-no-{n}"), &format!("Role {n}"), &[]).await;
        }
        let page = app.unchanged_by(new(&[("name", "One Too Many")])).await.with_status(422);
        page.assert_says("at most 64 custom roles");
        assert_eq!(page.form(PATH).values("name"), ["One Too Many"]);
    }

    async fn patterns_and_duplicates_fill_the_form_in(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit(&format!("{PATH}/new?template=manager")).await;
        assert_eq!(page.field_value("scopes").unwrap().trim(), "read:*\nwrite:*\nadmin:users");
        assert!(page.form(PATH).values("permission").contains(&"invite:members"));
        assert!(page.has(".patterns button[aria-current][value=manager]"));
        // Another pattern takes the place of the first, and what was typed beside it stays.
        let typed = page.form(PATH).fill(&[
            ("name", "Lead"),
            ("description", "Of ours."),
            ("scopes", "read:*\nwrite:*\nadmin:users\nship:it"),
        ]);
        let typed = typed.press("Viewer Can read but not change anything. read:*");
        assert!(typed.values("csrf").is_empty(), "its token goes into no address");
        let page = owner.client.send(&page, &typed).await.with_status(200);
        let form = page.form(PATH);
        assert_eq!((form.values("name"), form.values("description")), (vec!["Lead"], vec!["Of ours."]));
        assert_eq!(page.field_value("scopes").unwrap().trim(), "read:*\nship:it");
        assert_eq!(form.values("permission"), ["read:members", "read:teams"]);
        let made = owner.client.submit(&page, PATH, &[]).await.with_status(303);
        assert!(made.location().ends_with("/roles/lead"), "Enter makes the role");
        let page = owner.client.visit(&format!("{PATH}/new?from=developer")).await;
        let form = page.form(PATH);
        assert_eq!(form.values("name"), ["Developer 2"]);
        assert_eq!(form.values("permission").len(), 14);
        owner.client.submit(&page, PATH, &[]).await.assert_status(303);
        assert_eq!(scopes_of(&app, "developer-2").await, scopes_of(&app, "developer").await);
        for nothing in ["template=king", "from=king"] {
            owner.client.get(&format!("{PATH}/new?{nothing}")).await.assert_status(404);
        }
        // What is in use is offered, by the script and without it.
        let page = owner.client.visit(&format!("{PATH}/new")).await;
        assert!(page.select("#scopes-known button").contains(&"deploy:staging".to_owned()));
    }

    async fn two_roles_stand_side_by_side(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = viewer.client.visit(&format!("{PATH}/comparison?a=editor&b=support")).await;
        let row = |page: &Page, label: &str| {
            page.select(".compared tbody tr").into_iter().find(|row| row.starts_with(label)).unwrap_or_default()
        };
        assert_eq!(row(&page, "View members"), "View members Yes Yes");
        assert_eq!(row(&page, "write:*"), "write:* Yes –No");
        assert_eq!(row(&page, "read:users"), "read:users via read:* Yes");
        assert!(page.has("tr.differs"));
        page.assert_says("3 differences");
        let only = viewer.client.visit(&page.link("only=differences")).await;
        assert_eq!(only.select(".compared .differs").len(), 3);
        assert_eq!(row(&only, "View members"), "");
        only.assert_says("Show all");
        let page = viewer.client.visit(&format!("{PATH}/comparison?a=editor&b=editor&only=differences")).await;
        page.assert_says("No differences");
        // Owner holds whatever the other names.
        let page = viewer.client.visit(&format!("{PATH}/comparison?a=owner&b=support")).await;
        assert_eq!(row(&page, "impersonate:users"), "impersonate:users Yes Yes");
        let page = viewer.client.get(&format!("{PATH}/comparison?a=king")).await.with_status(422);
        assert!(page.field_error("a").is_some());
    }

    async fn a_thousand_are_moved_at_once_and_not_one_more(app: TestApp) {
        let owner = new_owner(&app).await;
        add_role(&app, "acme", "helper", "Helper", &["read:members"]).await;
        let everybody = "INSERT INTO member_roles (workspace_id, member_id, role_id)
            SELECT m.workspace_id, m.id, r.id FROM members m
            JOIN roles r ON r.workspace_id = m.workspace_id AND r.slug = 'helper'";
        for n in 0..1_000 {
            let email = format!("member-{n}@example.com");
            let user = crate::world::add_user(&app, &format!("Member {n}"), &email).await;
            crate::world::add_member(&app, "acme", user, "active", &[]).await;
        }
        assert_eq!(app.execute(everybody).await, 1_001);
        let path = at("helper", "/deletion");
        let delete = || owner.client.post_form(&path, &[("replacement", "viewer")]);
        let page = app.unchanged_by(delete()).await.with_status(422);
        assert!(page.field_error("replacement").unwrap().contains("More than 1000 members have this role"));
        let give = format!("/w/acme/members/{}/roles", owner.member_id);
        owner.client.post_form(&give, &[("role", "owner")]).await.assert_status(303);
        delete().await.assert_status(303);
        let viewers = "SELECT count(*) FROM members WHERE role_set = 'viewer'";
        assert_eq!(app.scalar_i64(viewers).await, 1_000);
        crate::world::assert_counted(&app).await;
    }
}
