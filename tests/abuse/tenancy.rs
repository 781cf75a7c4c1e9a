//! Abuse cases: tenancy. The matrix walks every route; here stand the ways around it.

use super::*;
use crate::support::product::{Access, table};
use reqwest::Method;
use uuid::Uuid;

/// Ids of one thing of each type in a workspace, by the name that paths give them.
async fn things(app: &TestApp, owner: &Person, member: &Person) -> Vec<(&'static str, String)> {
    let guest = format!("guest-of-{}@example.com", owner.workspace);
    invite(&owner.client, &owner.workspace, &guest, &["viewer"]).await;
    let invitation = pending(app, &guest).await;
    owner.client.post_form(&at(member, "ownership-offer"), &[]).await.assert_status(303);
    let sql = format!("SELECT id FROM ownership_offers WHERE to_member_id = {}", app.id(member.member_id));
    let offer = app.scalar_uuid(&sql).await;
    let role = format!("role-of-{}", owner.workspace);
    crate::world::add_role(app, &owner.workspace, &role, &role, &[]).await;
    let teams = format!("/w/{}/teams", owner.workspace);
    let team = owner.client.post_form(&teams, &[("name", "Team")]).await.with_status(303);
    let team = team.location().rsplit('/').next().unwrap().to_owned();
    let people = format!("{teams}/{team}/members");
    owner.client.post_form(&people, &[("member", &member.member_id.to_string())]).await.assert_status(303);
    let roles = owner.client.visit(&format!("{teams}/{team}")).await;
    owner.client.submit(&roles, "/roles", &[("role", "viewer")]).await.assert_status(303);
    let event = crate::world::newest_event(app, &owner.workspace).await;
    let (key, ..) = add_key(app, &owner.workspace, "Key", &["viewer"]).await;
    vec![
        ("{event}", event.to_string()),
        ("{key}", key.to_string()),
        ("{team}", team),
        ("{role}", role),
        ("{member}", member.member_id.to_string()),
        ("{invitation}", invitation.to_string()),
        ("{offer}", offer.to_string()),
    ]
}

/// Every route of a workspace that names a thing in it, as method and path.
fn routes_to_things(slug: &str, ids: &[(&'static str, String)]) -> Vec<(Method, String)> {
    let of_workspace = table().into_iter().filter(|route| matches!(route.access, Access::Member(_)));
    let mut paths = Vec::new();
    for route in of_workspace {
        let mut path = route.path.replace("{workspace}", slug);
        for (name, id) in ids {
            path = path.replace(name, id);
        }
        if path != route.path.replace("{workspace}", slug) {
            paths.push((route.method.as_str().parse().unwrap(), path));
        }
    }
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

/// Fields that the form of this path may carry.
fn fields(path: &str) -> Vec<(&'static str, &'static str)> {
    match path.rsplit('/').next() {
        Some("roles") => vec![("role", "billing")],
        Some("lead") => vec![("lead", "yes")],
        _ => vec![],
    }
}

async fn ask(client: &Client, method: &Method, path: &str) -> Page {
    if *method == Method::GET { client.get(path).await } else { client.post_form(path, &fields(path)).await }
}

both! {
    async fn one_workspace_with_the_ids_of_another_every_type_and_verb_404_as_for_an_unknown_id(app: TestApp) {
        let owner = founder(&app).await;
        let other = outsider(&app).await;
        let theirs =
            invite_and_join(&app, &other.client, "elsewhere", "viewer-two@example.com", &["viewer"]).await;
        let ids = things(&app, &other, &theirs).await;
        let unknown: Vec<_> = ids.iter().map(|(name, _)| (*name, Uuid::from_u128(77).to_string())).collect();
        let nobody = routes_to_things("acme", &unknown);
        for ((method, path), (_, unknown)) in routes_to_things("acme", &ids).into_iter().zip(nobody) {
            let page = ignored(&app, 404, ask(&owner.client, &method, &path)).await;
            let same = ignored(&app, 404, ask(&owner.client, &method, &unknown)).await;
            assert_eq!(page.html, same.html, "{method} {path}");
        }
    }

    async fn an_outsider_who_knows_the_slug_404_everywhere_as_for_no_workspace(app: TestApp) {
        let owner = founder(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let ids = things(&app, &owner, &viewer).await;
        let outsider = outsider(&app).await;
        let mut paths = routes_to_things("acme", &ids);
        for path in [
            "",
            "/members",
            "/invitations",
            "/roles",
            "/security",
            "/organization",
            "/activity",
            "/departure",
            "/organization/deletion",
            "/members?q=viewer",
            "/activity?q=viewer",
            "/api-keys",
            "/api-keys/new",
            "/api-keys/addition",
            "/resources",
            "/resources?type=record",
        ] {
            paths.push((Method::GET, format!("/w/acme{path}")));
        }
        for path in [
            "/invitations",
            "/organization",
            "/organization/deletion",
            "/departure",
            "/security/create:teams",
            "/api-keys",
            "/api-keys/addition",
        ] {
            paths.push((Method::POST, format!("/w/acme{path}")));
        }
        for (method, path) in paths {
            let page = ignored(&app, 404, ask(&outsider.client, &method, &path)).await;
            let nowhere = path.replace("/w/acme", "/w/no-such-place");
            let same = ignored(&app, 404, ask(&outsider.client, &method, &nowhere)).await;
            assert_eq!(page.html, same.html, "{method} {path}");
        }
    }

    async fn search_filters_and_counts_never_reach_over(app: TestApp) {
        let owner = founder(&app).await;
        let other = outsider(&app).await;
        invite_and_join(&app, &other.client, "elsewhere", "viewer-two@example.com", &["viewer"]).await;
        invite(&other.client, "elsewhere", "guest-two@example.com", &["viewer"]).await;
        for path in [
            "/w/acme/members?q=two",
            "/w/acme/members?q=%25",
            "/w/acme/members?q=_",
            "/w/acme/members?role=viewer",
            "/w/acme/invitations?q=two",
            "/w/acme/activity?q=two",
            "/w/acme/members?before=end",
        ] {
            let page = owner.client.visit(path).await;
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
        let owner = founder(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        outsider(&app).await;
        let id = app.id(Uuid::from_u128(99));
        app.execute(&format!("INSERT INTO roles (id, workspace_id, slug, name, description, built_in, is_owner, position, created_at)
            SELECT {id}, id, 'pilot', 'Pilot', '', false, false, 90, 0 FROM workspaces WHERE slug = 'elsewhere'")).await;
        app.unchanged_by(give(&owner, &viewer, &["pilot"])).await.assert_status(422);
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
        let owner = founder(&app).await;
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
        assert_eq!(page.html, same.html);
        // Who belongs to the account knows that it is there, and is told who could.
        let page = app.unchanged_by(viewer.client.post_form("/workspaces", &theirs)).await;
        page.assert_status(403).assert_says("Owner One");
    }

    async fn an_account_with_the_keys_of_another_404_as_for_an_unknown_id(app: TestApp) {
        let owner = founder(&app).await;
        outsider(&app).await;
        let (theirs, ..) = add_key(&app, "elsewhere", "Key", &["viewer"]).await;
        let account = crate::world::account_id(&app, "acme").await;
        let of_keys = |key: Uuid| {
            let routes = table().into_iter().filter(|route| route.path.starts_with("/a/{account}/api-keys/{key}"));
            routes.map(move |route| {
                let path = route.path.replace("{account}", &account.to_string()).replace("{key}", &key.to_string());
                (route.method.as_str().parse::<Method>().unwrap(), path)
            })
        };
        for ((method, path), (_, unknown)) in of_keys(theirs).zip(of_keys(Uuid::from_u128(77))) {
            let fields: &[(&str, &str)] = match path.rsplit('/').next() {
                Some("details") => &[("name", "Mine")],
                Some("rotation") => &[("overlap", "0"), ("version", "0-test")],
                _ => &[],
            };
            let ask = async |path: &str| match method == Method::GET {
                true => owner.client.get(path).await,
                false => owner.client.post_form(path, fields).await,
            };
            let page = ignored(&app, 404, ask(&path)).await;
            let same = ignored(&app, 404, ask(&unknown)).await;
            assert_eq!(page.html, same.html, "{method} {path}");
        }
    }

    async fn a_deleted_workspace_is_404_everywhere_its_slug_free_its_invitations_dead_its_record_kept(app: TestApp) {
        let owner = founder(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let ids = things(&app, &owner, &viewer).await;
        let link = app.mail.wait_for_link("guest-of-acme@example.com", "/invitations/").await;
        let events = app.scalar_i64("SELECT count(*) FROM audit_events").await;
        owner
            .client
            .post_form("/w/acme/organization/deletion", &[("confirm", "acme")])
            .await
            .assert_status(303);
        for person in [&owner, &viewer] {
            for (method, path) in routes_to_things("acme", &ids) {
                ignored(&app, 404, ask(&person.client, &method, &path)).await;
            }
            person.client.get("/w/acme").await.assert_status(404);
            person.client.visit("/workspaces").await.assert_says("No workspaces yet");
        }
        let client = app.client();
        client.follow(client.get(&link).await).await.assert_status(410);
        let catalogue = app.catalogue().await;
        let tables: Vec<_> = catalogue.with_column("workspace_id").filter(|table| *table != "audit_events").collect();
        assert!(tables.len() > 11, "{tables:?}");
        for table in tables {
            assert_eq!(app.scalar_i64(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
        }
        let kept = app.scalar_i64("SELECT count(*) FROM audit_events WHERE workspace_id IS NOT NULL").await;
        assert!(kept > 3, "{kept}");
        assert_eq!(app.scalar_i64("SELECT count(*) FROM audit_events").await, events + 1);
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
