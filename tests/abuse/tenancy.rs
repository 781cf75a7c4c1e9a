//! Abuse cases: tenancy. The matrix walks every route; here stand the ways around it.

use super::*;
use crate::{
    nouns,
    support::product::{BuiltIn, Requirement},
    walk::{Attempt, Caller, Entry, Place, Row},
    world::World,
};
use uuid::Uuid;

/// A row, its address with everything filled in, and what its form holds.
type FilledRow = (&'static Row, String, Vec<(&'static str, String)>);

/// Every route of a workspace or an account that names a thing in it, as the Owner of acme would call it.
fn routes_to_things(world: &World, place: Place) -> Vec<FilledRow> {
    let owner = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
    let rows = nouns::pages().iter().filter(|row| row.is_of_tenant());
    let things = rows.filter(|row| row.params().next().is_some() || row.selects.is_some());
    let routes = things.filter_map(|row| {
        let at = Attempt::new(world, row, &owner, place);
        Some((row, at.address()?, at.fields()))
    });
    let routes: Vec<_> = routes.collect();
    println!("tenancy: {} routes", routes.len());
    assert!(routes.len() > 50, "{} routes", routes.len());
    routes
}

async fn ask(client: &Client, row: &Row, path: &str, fields: &[(&str, String)]) -> Page {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if row.is_page() { client.get(path).await } else { client.post_form(path, &fields).await }
}

/// The same page comes to both addresses, as for what does not exist, and neither leaves a trace.
async fn assert_both_nothing(
    app: &TestApp,
    client: &Client,
    row: &Row,
    paths: [&str; 2],
    fields: &[(&str, String)],
) {
    let page = ignored(app, 404, ask(client, row, paths[0], fields)).await;
    let same = ignored(app, 404, ask(client, row, paths[1], fields)).await;
    assert_eq!(without_tokens(&page.html), without_tokens(&same.html), "{} {}", row.method, paths[0]);
}

both! {
    async fn one_workspace_with_the_ids_of_another_every_type_and_verb_404_as_for_an_unknown_id(app: TestApp) {
        let world = World::build(&app).await;
        let foreign = routes_to_things(&world, Place::ForeignIds);
        for (row, path, fields) in foreign.iter().filter(|(row, ..)| row.requirement != Requirement::Account) {
            let unknown = Attempt::unknown(&world, row);
            assert_both_nothing(&app, world.owner(), row, [path, &unknown], fields).await;
        }
    }

    async fn an_outsider_who_knows_the_slug_404_everywhere_as_for_no_workspace(app: TestApp) {
        let world = World::build(&app).await;
        let outsider = &world.outsider.client;
        let owner = Caller::of_role(BuiltIn::Owner, Entry::Browser(world.owner().clone()));
        let mut paths = 0;
        for row in nouns::pages().iter().filter(|row| matches!(row.requirement, Requirement::Member(_))) {
            let at = Attempt::new(&world, row, &owner, Place::Own);
            let (address, fields) = (at.address().unwrap(), at.fields());
            let narrowed = row.filters.iter().map(|query| format!("{address}?{query}"));
            for path in [address.clone()].into_iter().chain(narrowed) {
                let nowhere = path.replace("/w/acme", "/w/no-such-place");
                assert_both_nothing(&app, outsider, row, [&path, &nowhere], &fields).await;
                paths += 1;
            }
        }
        assert!(paths > 80, "only {paths} paths");
    }

    async fn search_filters_and_counts_never_reach_over(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = outsider(&app).await;
        invite_and_join(&app, &other.client, "elsewhere", "viewer-two@example.com", &["viewer"]).await;
        invite(&other.client, "elsewhere", "guest-two@example.com", &["viewer"]).await;
        nouns::destinations::add_sample_destination(&app).await;
        let lists = nouns::pages().iter().filter(|row| !row.filters.is_empty());
        let narrowed = lists.flat_map(|row| row.filters.iter().map(|query| format!("{}?{query}", row.sample(""))));
        let paths: Vec<String> = narrowed.chain(["/w/acme/members?before=end".to_owned()]).collect();
        assert!(paths.len() > 10, "{paths:?}");
        for path in paths {
            let page = owner.client.visit(&path).await;
            page.assert_silent_about("Viewer Two")
                .assert_silent_about("guest-two")
                .assert_silent_about("Outsider");
        }
        let actor = format!("/w/acme/activity?actor={}", other.user_id);
        owner.client.visit(&actor).await.assert_silent_about("Outsider");
        let page = owner.client.visit("/w/acme/security").await;
        assert!(page.select(".reach").iter().all(|words| words == "1 person"), "{:?}", page.select(".reach"));
        // A cursor of the one list leads nowhere in the other.
        for i in 0..60_u128 {
            let (user, id) = (app.id(Uuid::from_u128(1000 + i)), app.id(Uuid::from_u128(5000 + i)));
            app.execute(&format!(
                "INSERT INTO users (id, email, name, password_hash, created_at)
                VALUES ({user}, 'm{i:03}@example.com', 'Member {i:03}', '', 0)"
            ))
            .await;
            app.execute(&format!(
                "INSERT INTO members (id, workspace_id, kind, user_id, status, origin, joined_at)
                SELECT {id}, id, 'user', {user}, 'active', 'api', 0 FROM workspaces WHERE slug = 'elsewhere'"
            ))
            .await;
        }
        let page = other.client.visit("/w/elsewhere/members").await;
        let next = page.link("after=").replace("/elsewhere/", "/acme/");
        owner.client.visit(&next).await.assert_silent_about("Member 0");
    }

    async fn a_role_of_another_workspace_is_no_role_here_422(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        outsider(&app).await;
        let id = app.id(Uuid::from_u128(99));
        app.execute(&format!("INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
            SELECT {id}, id, 'pilot', 'Pilot', '', false, false, 90, 0 FROM workspaces WHERE slug = 'elsewhere'")).await;
        app.unchanged_by(assign_roles(&owner, &viewer, &["pilot"])).await.assert_status(422);
        let fields = [("emails", "a@example.com"), ("role", "pilot")];
        app.unchanged_by(owner.client.post_form("/w/acme/invitations", &fields)).await.assert_status(422);
        let seen = version(&owner, "create:teams").await;
        let fields = [("role", "pilot"), ("version", seen.as_str())];
        app.unchanged_by(owner.client.post_form("/w/acme/security/create:teams", &fields))
            .await
            .assert_status(422);
        owner.client.get("/w/acme/members?role=pilot").await.assert_status(422);
    }

    async fn an_account_of_somebody_else_takes_no_workspace_404(app: TestApp) {
        let owner = new_owner(&app).await;
        let other = outsider(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let sql = format!(
            "SELECT account_id FROM account_people WHERE is_admin AND user_id = {}",
            app.id(owner.user_id)
        );
        let account = app.scalar_uuid(&sql).await.to_string();
        let theirs = [("name", "Mine"), ("account", account.as_str())];
        let page = ignored(&app, 404, other.client.post_form("/workspaces", &theirs)).await;
        let fields = [("name", "Mine"), ("account", &Uuid::from_u128(5).to_string())];
        let same = ignored(&app, 404, other.client.post_form("/workspaces", &fields)).await;
        assert_eq!(without_tokens(&page.html), without_tokens(&same.html));
        // Who belongs to the account knows that it is there, and is told who could.
        let page = app.unchanged_by(viewer.client.post_form("/workspaces", &theirs)).await;
        page.assert_status(403).assert_says("Owner One");
    }

    async fn an_account_with_the_keys_of_another_404_as_for_an_unknown_id(app: TestApp) {
        let world = World::build(&app).await;
        let foreign = routes_to_things(&world, Place::ForeignIds);
        let of_account: Vec<_> = foreign.iter().filter(|(row, ..)| row.requirement == Requirement::Account).collect();
        assert!(of_account.len() > 8, "{} routes", of_account.len());
        for (row, path, fields) in of_account {
            let unknown = Attempt::unknown(&world, row);
            assert_both_nothing(&app, world.owner(), row, [path, &unknown], fields).await;
        }
    }

    async fn a_deleted_workspace_is_404_everywhere_its_invitations_dead_and_then_gone_but_its_record(app: TestApp) {
        let world = World::build(&app).await;
        let (owner, viewer) = (world.person(BuiltIn::Owner), world.person(BuiltIn::Viewer));
        let paths = routes_to_things(&world, Place::Own);
        // What is elsewhere stays, and would be counted.
        let there = app.id(world.elsewhere.id);
        app.execute(&format!("UPDATE workspaces SET deleted_at = 1 WHERE id = {there}")).await;
        app.execute(&format!("DELETE FROM workspaces WHERE id = {there}")).await;
        invite(&owner.client, "acme", "guest-of-acme@example.com", &["viewer"]).await;
        let link = app.mail.wait_for_link("guest-of-acme@example.com", "/invitations/").await;
        let events = app.scalar_i64("SELECT count(*) FROM audit_events").await;
        owner
            .client
            .post_form("/w/acme/organization/deletion", &[("confirm", "acme")])
            .await
            .assert_status(303);
        for person in [owner, viewer] {
            for (row, path, fields) in paths.iter().filter(|(row, ..)| row.requirement != Requirement::Account) {
                ignored(&app, 404, ask(&person.client, row, path, fields)).await;
            }
            person.client.get("/w/acme").await.assert_status(404);
            let page = person.client.visit("/workspaces").await;
            page.assert_says("No workspaces yet");
            assert_eq!(page.has_form("/restoration"), std::ptr::eq(person, owner), "for Owners alone");
        }
        let client = app.client();
        client.follow(client.get(&link).await).await.assert_status(410);
        assert_eq!(app.scalar_i64("SELECT count(*) FROM audit_events").await, events + 1);
        crate::deletion::purge(&app).await;
        let catalogue = app.catalogue().await;
        let tables: Vec<_> = catalogue.with_column("workspace_id").filter(|table| *table != "audit_events").collect();
        assert!(tables.len() > 11, "{tables:?}");
        for table in tables.into_iter().filter(|table| !crate::deletion::OF_THE_INSTALLATION.contains(table)) {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        let kept = app.scalar_i64("SELECT count(*) FROM audit_events WHERE workspace_id IS NOT NULL").await;
        assert!(kept > 3, "{kept}");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM audit_events").await, events + 2);
        assert_eq!(
            app.scalar_i64("SELECT count(*) FROM audit_events WHERE kind = 'organization.deleted'").await,
            1
        );
        // The address is free again, and what was goes with none of it.
        viewer
            .client
            .post_form("/workspaces", &[("name", "Acme again"), ("slug", "acme")])
            .await
            .assert_status(303);
        viewer.client.visit("/w/acme/activity").await.assert_silent_about("Owner One");
        owner.client.get("/w/acme").await.assert_status(404);
    }
}
