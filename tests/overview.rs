//! The first page of a workspace: how many, what changed, what needs care and the link that mends it.

use crate::{nouns::support::add_grant, support::*};

/// What needs care, each with where its link leads.
fn care(page: &Page) -> Vec<(String, String)> {
    let what = page.select("[aria-labelledby=care] .rows strong");
    what.into_iter().zip(page.attributes("[aria-labelledby=care] .rows a", "href")).collect()
}

async fn grant(app: &TestApp, role: &str, scope: &str) {
    let sql = format!(
        "INSERT INTO grants (workspace_id, role_id, scope)
         SELECT workspace_id, id, {} FROM roles WHERE slug = {}",
        quoted(scope),
        quoted(role)
    );
    assert_eq!(app.execute(&sql).await, 1);
}

both! {
    async fn first_steps_go_one_by_one_or_all_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let open = async |person: &Person| person.client.visit("/w/acme").await.select(".first-steps > li:not(.done) a");
        assert_eq!(open(&owner).await, ["Invite people", "View members", "Create API key", "Add destination"]);
        let viewer = member(&app, &owner, "viewer").await;
        assert_eq!(open(&owner).await, ["Create API key", "Add destination"]);
        assert!(open(&viewer).await.is_empty(), "only what one may do oneself");
        let admin = member(&app, &owner, "admin").await;

        // Hidden from oneself alone, and shown again by the Undo.
        let page = owner.client.visit("/w/acme").await;
        let hidden = owner.client.submit(&page, "/me/choices/first-steps", &[]).await.with_status(303);
        let page = owner.client.follow(hidden).await.with_status(200);
        assert!(!page.has(".first-steps"));
        assert!(open(&owner).await.is_empty());
        assert_eq!(open(&admin).await, ["Create API key", "Add destination"]);
        owner.client.submit(&page, "/me/choices/first-steps", &[]).await.assert_status(303);
        assert_eq!(open(&owner).await, ["Create API key", "Add destination"]);
        // Of a workspace that is not theirs, nobody chooses anything.
        let stranger = new_owner_of(&app, "Other One", "other-one@example.com", "other").await;
        let answer = stranger.client.post_form("/me/choices/first-steps", &[("workspace", "acme")]).await;
        assert_eq!(answer.with_status(303).location(), "/workspaces");
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM user_choices").await, 0);
    }

    async fn who_has_one_workspace_lands_in_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let client = app.client();
        let landed = sign_in_with(&client, &owner.email, PASSWORD).await;
        assert_eq!(landed.location(), "/");
        assert_eq!(client.follow(landed).await.with_status(200).path(), "/w/acme");
        owner.client.post_form("/workspaces", &[("name", "Second"), ("slug", "second")]).await.assert_status(303);
        assert_eq!(client.get("/").await.with_status(303).location(), "/workspaces");
        // The one that was used last comes first.
        for (slug, others) in [("acme", "second"), ("second", "acme")] {
            let sql = "UPDATE members SET last_active_at = CASE WHEN workspace_id =
                (SELECT id FROM workspaces WHERE slug = ";
            app.execute(&format!("{sql}{}) THEN 2 ELSE 1 END", quoted(slug))).await;
            let listed = client.visit("/workspaces").await.attributes("#yours .name a", "href");
            assert_eq!(listed, [format!("/w/{slug}"), format!("/w/{others}")]);
        }
    }

    async fn what_needs_care_comes_with_the_link_that_mends_it(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let look = async || care(&owner.client.visit("/w/acme").await);
        let single = ("There's only one Owner".to_owned(), "/w/acme/members".to_owned());
        assert_eq!(look().await, [single]);

        grant(&app, "editor", "delete:organization").await;
        app.execute("DELETE FROM grants WHERE scope IN ('cancel:invitations', 'read:audit')").await;
        // Seen, but longer ago than 90 days.
        let long_ago = format!("UPDATE members SET last_active_at = 1, joined_at = 1 WHERE id = {}", app.id(viewer.member_id));
        app.execute(&long_ago).await;

        let found = look().await;
        let words: Vec<&str> = found.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(words, [
            "There's only one Owner",
            "“Delete organization” is granted to Editor",
            "Only Owners have “Cancel invitations” and 1 more",
            "1 member hasn't been active for 90 days",
        ]);
        let links: Vec<&str> = found.iter().map(|(_, link)| link.as_str()).collect();
        assert_eq!(links[1..3], ["/w/acme/security#p-delete-organization", "/w/acme/security#p-cancel-invitations"]);
        let page = owner.client.visit("/w/acme/security").await;
        for row in ["#p-delete-organization", "#p-cancel-invitations"] {
            assert!(page.has(row), "{row} is where the link leads");
        }
        let page = owner.client.visit(links[3]).await;
        assert_eq!(page.select("#results tbody .name a")[0], "Viewer One", "the longest absent comes first");

        app.execute("DELETE FROM grants WHERE scope = 'delete:organization'").await;
        for scope in ["cancel:invitations", "read:audit"] {
            grant(&app, "admin", scope).await;
        }
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        owner.client.post_form(&path, &[("role", "owner")]).await.assert_status(303);
        app.clock.advance(std::time::Duration::from_secs(3_600));
        viewer.client.visit("/w/acme").await;
        // That somebody was here is written down a little later.
        let seen = format!("SELECT COUNT(*) FROM members WHERE last_active_at > 1 AND id = {}", app.id(viewer.member_id));
        until("the visit was not written down", async || app.scalar_i64(&seen).await == 1).await;
        assert_eq!(look().await, [], "all of it is mended");
    }

    async fn what_is_put_off_comes_back_after_a_week_or_when_it_changes(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let admin = member(&app, &owner, "admin").await;
        let words = async |person: &Person| {
            let page = person.client.visit("/w/acme").await;
            care(&page).into_iter().map(|(what, _)| what).collect::<Vec<_>>()
        };
        let single = "There's only one Owner".to_owned();
        let item = owner.client.visit("/w/acme").await.attributes("button[name=item]", "value");
        assert_eq!(item, ["single-owner"]);
        let fields = [("item", "single-owner")];
        owner.client.post_form("/w/acme/attention/snooze", &fields).await.assert_status(303);
        assert!(words(&owner).await.is_empty());
        let page = owner.client.visit("/w/acme").await;
        page.assert_says("Nothing else needs your attention").assert_says("Show 1 hidden");
        owner.client.submit(&page, "/attention/restoration", &[]).await.assert_status(303);
        assert_eq!(words(&owner).await, std::slice::from_ref(&single));

        // Of what is counted, one more is news.
        crate::nouns::access_requests::add_request(&app, "acme", viewer.member_id, "read:audit", "A task").await;
        for item in owner.client.visit("/w/acme").await.attributes("button[name=item]", "value") {
            owner.client.post_form("/w/acme/attention/snooze", &[("item", item.as_str())]).await.assert_status(303);
        }
        assert!(words(&owner).await.is_empty());
        assert_eq!(words(&admin).await, ["A member asks for access"], "what the Owner puts off, others see");
        crate::nouns::access_requests::add_request(&app, "acme", viewer.member_id, "invite:members", "A task").await;
        assert_eq!(words(&owner).await, ["2 requests for access wait for an answer"]);
        app.clock.advance(std::time::Duration::from_secs(8 * 86_400));
        assert_eq!(words(&owner).await[0], single);
        for odd in ["nothing", "%00"] {
            let fields = [("item", odd)];
            app.unchanged_by(owner.client.post_form("/w/acme/attention/snooze", &fields)).await.assert_status(303);
        }
    }

    // Breaks when what is put off says how many requests wait, and not which.
    async fn a_request_for_support_access_is_not_hidden_with_the_one_before(app: TestApp) {
        let owner = new_owner(&app).await;
        let says = "The people who run this installation ask for support access";
        add_grant(&app, "acme", "Operator One", "read:members").await;
        let page = owner.client.visit("/w/acme").await;
        let items = page.assert_says(says).attributes("button[name=item]", "value");
        let item = items.iter().find(|item| item.starts_with("support-access")).unwrap();
        owner.client.post_form("/w/acme/attention/snooze", &[("item", item.as_str())]).await.assert_status(303);
        owner.client.visit("/w/acme").await.assert_silent_about(says);
        app.execute("UPDATE support_grants SET status = 'declined'").await;
        app.clock.advance(std::time::Duration::from_secs(86_400));
        add_grant(&app, "acme", "Operator Two", "read:audit").await;
        owner.client.visit("/w/acme").await.assert_says(says);
    }

    // Breaks when somebody is asked to extend their own access, which they can't.
    async fn nobody_is_to_mend_the_end_of_their_own_access(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let ends = app.clock.now().as_millis() + 3 * product::DAY;
        let sql = format!("UPDATE members SET access_until = {ends} WHERE id = {}", app.id(admin.member_id));
        assert_eq!(app.execute(&sql).await, 1);
        owner.client.visit("/w/acme").await.assert_says("The access of 1 member ends within a week");
        admin.client.visit("/w/acme").await.assert_silent_about("ends within a week");
    }

    async fn who_left_and_whose_roles_others_changed_is_to_be_reviewed(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let editor = member(&app, &owner, "editor").await;
        let path = format!("/w/acme/members/{}/roles", viewer.member_id);
        admin.client.post_form(&path, &[("role", "editor")]).await.assert_status(303);
        let path = format!("/w/acme/members/{}/removal", editor.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        let of = async |person: &Person| care(&person.client.visit("/w/acme").await);
        let left = (
            "Editor One left: review what they could reach".to_owned(),
            format!("/w/acme/activity?actor={}", editor.user_id),
        );
        let changed = (
            "The roles of Viewer One changed: review what they can reach".to_owned(),
            format!("/w/acme/members/{}/access", viewer.member_id),
        );
        let seen = of(&owner).await;
        assert!(seen.contains(&left) && seen.contains(&changed), "{seen:?}");
        for (_, link) in &seen {
            owner.client.visit(link).await;
        }
        // Who changed it themselves has looked at it; and after two weeks nobody is reminded any more.
        let seen = of(&admin).await;
        assert!(seen.contains(&left) && !seen.contains(&changed), "{seen:?}");
        app.clock.advance(std::time::Duration::from_secs(15 * 86_400));
        let owner = Person { client: sign_in(&app, &owner.email, PASSWORD).await, ..owner };
        let seen = of(&owner).await;
        assert!(!seen.contains(&left) && !seen.contains(&changed), "{seen:?}");
    }

    // Breaks when somebody is to review whom they may not change.
    async fn the_roles_of_whom_one_may_not_change_are_for_others_to_review(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let editor = member(&app, &owner, "editor").await;
        for (person, role) in [(&viewer, "owner"), (&editor, "viewer")] {
            let path = format!("/w/acme/members/{}/roles", person.member_id);
            owner.client.post_form(&path, &[("role", role)]).await.assert_status(303);
        }
        let seen: Vec<String> = care(&admin.client.visit("/w/acme").await).into_iter().map(|(what, _)| what).collect();
        let of = |name: &str| format!("The roles of {name} changed: review what they can reach");
        assert!(seen.contains(&of("Editor One")) && !seen.contains(&of("Viewer One")), "{seen:?}");
    }

    async fn a_second_owner_is_asked_for_of_owners_alone(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        owner.client.visit("/w/acme").await.assert_says("There's only one Owner");
        admin.client.visit("/w/acme").await.assert_silent_about("There's only one Owner");
    }

    // Breaks when `concerns` (api_keys/list.rs) names a key that the viewer may not touch.
    async fn keys_that_the_viewer_may_not_touch_are_not_theirs_to_mend(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        add_key(&app, "acme", "Nightly", &["owner"]).await;
        let says = "“Nightly” is an Owner and never expires";
        owner.client.visit("/w/acme").await.assert_says(says);
        admin.client.visit("/w/acme/api-keys").await.assert_says("Nightly");
        admin.client.visit("/w/acme").await.assert_silent_about(says);
    }

    async fn the_counts_are_of_this_moment(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        invite(&owner.client, "acme", "a@example.com b@example.com", &["viewer"]).await;
        let figures = async || owner.client.visit("/w/acme").await.select(".tile .figure");
        assert_eq!(figures().await, ["2", "0", "2"]);
        let path = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&path, &[]).await.assert_status(303);
        assert_eq!(figures().await, ["1", "1", "2"]);
        app.clock.advance(std::time::Duration::from_secs(6 * 86_400));
        owner.client.visit("/w/acme").await.assert_says("2 expire within 2 days");
        app.clock.advance(std::time::Duration::from_secs(2 * 86_400));
        assert_eq!(figures().await, ["1", "1", "0"]);
    }
}
