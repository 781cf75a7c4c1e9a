//! What a refusal looks like: in the frame of the workspace for its members, with what was typed
//! still there, and never a dead end.

use crate::{
    nouns,
    support::{product::BuiltIn, *},
    walk::{Attempt, Caller, Entry, Place},
    world::World,
};

/// The page for a member of the workspace, with its sidebar and breadcrumb.
fn assert_inside(page: &Page, status: u16) {
    page.assert_status(status);
    assert!(page.has(".sidebar a[href='/w/acme/organization']"), "the sidebar:\n{}", page.text());
    assert!(page.has(".crumbs a[href='/w/acme']"), "the breadcrumb:\n{}", page.text());
    assert!(page.links().contains(&"/w/acme".to_owned()), "the way back");
}

both! {
    async fn a_member_who_is_refused_stays_in_the_frame_of_the_workspace(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let forbidden = viewer.client.get("/w/acme/activity").await;
        assert_inside(&forbidden, 403);
        assert!(!forbidden.has("a[href='/w/acme/activity']"), "what they may not open is not offered");
        let nobody = "01890000-0000-7000-8000-000000000000";
        assert_inside(&owner.client.get(&format!("/w/acme/members/{nobody}")).await, 404);
        assert_inside(&owner.client.get("/w/acme/members/no-id").await, 404);
        assert_inside(&owner.client.get(&format!("/w/acme/teams/{nobody}")).await, 404);
        let removal = format!("/w/acme/teams/{nobody}/members/{nobody}/removal");
        assert_inside(&owner.client.post_form(&removal, &[]).await, 404);
        let last = format!("/w/acme/members/{}/roles", owner.member_id);
        assert_inside(&owner.client.post_form(&last, &[("role", "viewer")]).await, 409);

        let suspension = format!("/w/acme/members/{}/suspension", viewer.member_id);
        owner.client.post_form(&suspension, &[]).await.assert_status(303);
        let shut_out = viewer.client.get("/w/acme/members").await.with_status(403);
        assert!(!shut_out.has(".frame"), "who is suspended sees nothing of the workspace");
    }

    async fn an_outsider_sees_the_page_of_a_workspace_that_does_not_exist(app: TestApp) {
        new_owner(&app).await;
        let outsider = new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let other = outsider.client.get("/w/acme/members").await.with_status(404);
        let none = outsider.client.get("/w/nowhere/members").await.with_status(404);
        assert_eq!(without_tokens(&other.html), without_tokens(&none.html));
        assert!(!other.has(".frame"));
    }

    async fn a_refused_filter_says_so_at_its_field_on_the_list_with_what_was_typed(app: TestApp) {
        let mut world = World::build(&app).await;
        world.grow(&app, 1).await;
        let owner = world.owner();
        let caller = Caller::of_role(BuiltIn::Owner, Entry::Browser(owner.clone()));
        let lists: Vec<_> = nouns::pages().iter().filter(|row| !row.refused_filters.is_empty()).collect();
        assert!(lists.len() > 6, "only {} lists", lists.len());
        for row in lists {
            let list = Attempt::new(&world, row, &caller, Place::Own).address().unwrap();
            for (field, value) in row.refused_filters {
                let request = format!("{list}?{field}={value}");
                let page = owner.get(&request).await.with_status(422);
                assert!(page.has(&format!(".filters #{field}-error")), "{request}");
                if !["sort", "after"].contains(field) {
                    let described = format!(".filters [name={field}][aria-describedby={field}-error]");
                    assert!(page.has(&described), "{request}");
                }
                if row.reads.is_some_and(|fields| fields.contains(&"q")) {
                    let typed = page.attributes(".filters [name=q]", "value");
                    assert_eq!(typed, [if *field == "q" { value } else { "" }], "{request}");
                }
                assert!(page.has("#results :is(tbody tr, .feed li)"), "{request}: the list as it is");
                assert!(!page.links().iter().any(|link| link.contains(value)), "{request}: no link carries it");
            }
            let page = owner.visit(&list).await;
            let lengths = page.attributes(".filters [name=q]", "maxlength");
            assert!(lengths.iter().all(|length| length == "100"), "{list}");
        }
    }

    async fn an_address_that_only_takes_forms_leads_up_to_the_nearest_page(app: TestApp) {
        let owner = new_owner(&app).await;
        let member = format!("/w/acme/members/{}", owner.member_id);
        let team = format!("/w/acme/teams/{}", owner.member_id);
        let key = format!("/w/acme/api-keys/{}", owner.member_id);
        let team_members = format!("{team}/members");
        let account = format!("/a/{}", crate::world::account_id(&app, "acme").await);
        let account_key = format!("{account}/api-keys/{}", owner.member_id);
        for (path, above) in [
            (format!("{account}/details"), account.as_str()),
            (format!("{account_key}/rotation"), account_key.as_str()),
            (format!("{member}/roles"), member.as_str()),
            (format!("{member}/reactivation"), member.as_str()),
            (format!("/w/acme/ownership-offers/{}/acceptance", owner.member_id), "/w/acme"),
            ("/w/acme/security/read:audit".into(), "/w/acme/security"),
            ("/w/acme/roles/editor/scopes".into(), "/w/acme/roles/editor"),
            (format!("{team}/roles"), team.as_str()),
            (format!("{key}/rotation"), key.as_str()),
            (format!("{team}/members/{}/lead", owner.member_id), team_members.as_str()),
            ("/me/password".into(), "/me"),
            (format!("/me/sessions/{}/revocation", owner.user_id), "/me"),
            ("/invitation/acceptance".into(), "/invitation"),
            ("/sign-out".into(), "/"),
        ] {
            for client in [&owner.client, &app.client()] {
                let page = client.get(&path).await.with_status(303);
                assert_eq!(page.location(), above, "{path}");
            }
        }
    }

    async fn too_often_on_ones_own_page_keeps_what_was_typed(app: TestApp) {
        let owner = new_owner(&app).await;
        let fields = [("email", "typed@example.com"), ("current_password", "wrong for 7 horses")];
        for _ in 0..10 {
            owner.client.post_form("/me/email", &fields).await.assert_status(422);
        }
        let page = owner.client.post_form("/me/email", &fields).await.with_status(429);
        assert!(page.header("retry-after").is_some());
        page.assert_says("Too many attempts.");
        assert_eq!(page.field_value("email").as_deref(), Some("typed@example.com"));
        let fields = [("current_password", "wrong for 7 horses"), ("password", "another staple for 7 horses")];
        let page = owner.client.post_form("/me/password", &fields).await.with_status(429);
        page.assert_says("Too many attempts.").assert_silent_about("another staple");
        assert!(page.has("form[action='/me/password']"));
    }

    async fn a_workspace_too_many_in_an_hour_keeps_what_was_typed(app: TestApp) {
        let owner = new_owner(&app).await;
        for n in 0..30 {
            let name = format!("Team {n}");
            owner.client.post_form("/workspaces", &[("name", &name)]).await.assert_status(303);
        }
        let fields = [("name", "One Too Many")];
        let page = app.unchanged_by(owner.client.post_form("/workspaces", &fields)).await.with_status(429);
        assert!(page.header("retry-after").is_some());
        page.assert_says("Too many attempts.");
        assert_eq!(page.field_value("name").as_deref(), Some("One Too Many"));
    }

    async fn a_form_without_a_role_is_a_mistake_where_viewer_is_none_that_one_may_give(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let fields = [("emails", "guest@example.com")];
        developer.client.post_form("/w/acme/invitations", &fields).await.assert_status(303);
        let sql = "INSERT INTO grants (workspace_id, role_id, scope)
            SELECT workspace_id, id, 'read:audit' FROM roles WHERE slug = 'viewer'";
        assert_eq!(app.execute(sql).await, 1);
        let fields = [("emails", "second-guest@example.com")];
        let page = app.unchanged_by(developer.client.post_form("/w/acme/invitations", &fields)).await;
        page.assert_status(422);
        assert_eq!(page.field_error("role").as_deref(), Some("Choose at least one role."));
        assert_eq!(page.field_value("emails").as_deref(), Some("second-guest@example.com"));

        let path = format!("/w/acme/members/{}/roles", developer.member_id);
        let page = app.unchanged_by(owner.client.post_form(&path, &[])).await.with_status(422);
        assert_eq!(page.field_error("role").as_deref(), Some("Choose at least one role."));
    }
}
