//! A key as a member: admitted as a person is, changed by the rules for people, and named apart.

use super::*;

both! {
    async fn a_key_is_admitted_as_a_person_is(app: TestApp) {
        let world = World::build(&app).await;
        let (key, member, secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let api = Api::new(&app, &secret);

        let listed = api.get(MEMBERS).await.with_status(200);
        let items = listed.body["items"].as_array().unwrap();
        assert!(items.iter().any(|item| item["id"] == member.to_string() && item["kind"] == "api_key"));

        // Who is none, in every way.
        let before = app.tenants().await;
        for wrong in ["", "blw_key_", &secret[..secret.len() - 1], &format!("{secret}0")] {
            api.with(Some(wrong)).get(MEMBERS).await.with_status(401);
        }
        let none = api.with(None);
        let answer = none.get(MEMBERS).await.with_status(401);
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        none.send(reqwest::Method::GET, MEMBERS, None, &[("x-api-key", &secret)]).await.with_status(200);
        api.send(reqwest::Method::GET, MEMBERS, None, &[("x-api-key", &secret)]).await.with_status(401);
        // A session is no key, and a key no session.
        let session = world.person(BuiltIn::Owner).client.get(MEMBERS).await;
        session.assert_status(401);

        // Another's workspace, and one that is not there: the same.
        let elsewhere = api.get("/api/sso/v1/members?workspace=elsewhere").await.with_status(404);
        let nowhere = api.get("/api/sso/v1/members?workspace=nowhere").await.with_status(404);
        assert_eq!(elsewhere.text, nowhere.text);
        api.get("/api/sso/v1/members?workspace=acme").await.with_status(200);
        api.get("/api/sso/v1/members?workspace=acme&workspace=acme").await.with_status(422);

        // Without the permission nothing is done, and it is written down by the key's name.
        let user = world.person(BuiltIn::Viewer).user_id;
        let path = format!("/api/sso/v1/users/{user}");
        api.patch(&path, &json!({"roles": ["owner"]})).await.with_status(403);
        assert!(app.tenants().await == before);
        let refused = app.scalar_i64(&format!(
            "SELECT COUNT(*) FROM audit_events WHERE kind = 'access.refused' AND actor_kind = 'api_key'
                AND via = 'api' AND actor_id = {}", app.id(key))).await;
        assert_eq!(refused, 1);

        // Suspended, it is shut out at the next request; so it is when its workspace is.
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(member))).await;
        api.get(MEMBERS).await.with_status(403);
        app.execute(&format!("UPDATE members SET status = 'active' WHERE id = {}", app.id(member))).await;
        api.get(MEMBERS).await.with_status(200);
        app.execute(&format!("UPDATE workspaces SET suspended_at = 1 WHERE id = {}", app.id(world.acme.id))).await;
        api.get(MEMBERS).await.with_status(403);
        app.execute("UPDATE workspaces SET suspended_at = NULL").await;

        // Expired, replaced or revoked, it is dead at the next request.
        let key = app.id(key);
        for (over, live) in [
            ("api_keys SET expires_at = 1 WHERE id = ", "api_keys SET expires_at = NULL WHERE id = "),
            ("api_key_secrets SET expires_at = 1 WHERE api_key_id = ", "api_key_secrets SET expires_at = NULL WHERE api_key_id = "),
            ("api_keys SET revoked_at = 1 WHERE id = ", "api_keys SET revoked_at = NULL WHERE id = "),
        ] {
            app.execute(&format!("UPDATE {over}{key}")).await;
            api.get(MEMBERS).await.with_status(401);
            app.execute(&format!("UPDATE {live}{key}")).await;
            api.get(MEMBERS).await.with_status(200);
        }

        // Gone from its home it must say where.
        app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await;
        let answer = api.get(MEMBERS).await.with_status(422);
        assert_eq!(answer.body["errors"][0]["field"], "workspace");
        api.get("/api/sso/v1/members?workspace=acme").await.with_status(404);
    }

    async fn a_key_changes_roles_by_the_rules_for_people(app: TestApp) {
        let world = World::build(&app).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let viewer = world.person(BuiltIn::Viewer);
        let roles = async || app.scalar_text(&format!(
            "SELECT role_set FROM members WHERE id = {}", app.id(viewer.member_id))).await.unwrap();

        let path = format!("/api/sso/v1/users/{}", viewer.user_id);
        admin.patch(&path, &json!({"roles": ["developer", "viewer"]})).await.with_status(200);
        assert_eq!(roles().await, "developer viewer");
        let before = app.tenants().await;
        // Over its head, above it, unknown, malformed.
        admin.patch(&path, &json!({"roles": ["owner"]})).await.with_status(403);
        let owner = format!("/api/sso/v1/users/{}", world.person(BuiltIn::Owner).user_id);
        admin.patch(&owner, &json!({"roles": ["viewer"]})).await.with_status(403);
        let outsider = format!("/api/sso/v1/users/{}", world.outsider.user_id);
        admin.patch(&outsider, &json!({"roles": ["viewer"]})).await.with_status(404);
        admin.patch(&path, &json!({"roles": ["nothing"]})).await.with_status(422);
        admin.patch(&path, &json!({"roles": []})).await.with_status(422);
        admin.patch(&path, &json!({"roles": ["viewer"], "is_admin": true})).await.with_status(422);
        admin.patch(&path, &json!({"roles": "viewer"})).await.with_status(422);
        for broken in ["", "{", "[[\"viewer\"]]", "\"roles\"", "null"] {
            admin.send(reqwest::Method::PATCH, &path, Some(broken.to_owned()), &[]).await.with_status(400);
        }
        assert!(app.tenants().await == before);
    }

    async fn a_key_stays_in_its_account_and_a_membership_whose_it_is(app: TestApp) {
        let world = World::build(&app).await;
        let (key, member, _) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let (key, member) = (app.id(key), app.id(member));
        let there = app.id(world.elsewhere.id);
        let id = app.id(UNKNOWN);
        let insert = format!(
            "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as)
            VALUES ({id}, {there}, 'api_key', {key}, 'active', 'account', 1, 'robot')");
        assert!(app.try_execute(&insert).await.is_err());
        for change in [
            format!("UPDATE members SET workspace_id = {there} WHERE id = {member}"),
            format!("UPDATE members SET kind = 'user' WHERE id = {member}"),
            format!("UPDATE members SET user_id = {} WHERE id = {}", app.id(world.outsider.user_id), app.id(world.acme.id("member"))),
            format!("UPDATE api_keys SET account_id = (SELECT account_id FROM workspaces WHERE id = {there}) WHERE id = {key}"),
        ] {
            assert!(app.try_execute(&change).await.is_err(), "{change}");
        }
    }

    async fn a_key_among_the_members_reads_as_one(app: TestApp) {
        let owner = new_owner(&app).await;
        let (key, id, _) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let (_, other, _) = add_key(&app, "acme", "Another", &["viewer"]).await;
        let list = owner.client.visit("/w/acme/members?kind=api_key").await;
        assert_eq!(list.select("tbody .name"), ["Another", "Robot"]);
        assert_eq!(list.select("tbody .avatar").iter().filter(|letters| !letters.is_empty()).count(), 0);
        assert_eq!(list.select("tbody .sub"), ["API key", "API key"]);
        let people = owner.client.visit("/w/acme/members?kind=user").await;
        assert_eq!(people.assert_silent_about("Robot").select("tbody .sub"), [owner.email.as_str()]);

        // An Owner that is a key keeps no workspace in hands.
        let path = format!("/w/acme/members/{}", owner.member_id);
        app.unchanged_by(owner.client.post_form(&format!("{path}/roles"), &[("role", "viewer")])).await.with_status(409);
        app.unchanged_by(owner.client.post_form("/w/acme/departure", &[])).await.with_status(409);
        let path = format!("/w/acme/members/{id}");
        let page = owner.client.visit(&path).await;
        page.assert_silent_about("is the only Owner").assert_says("What it did");
        assert!(page.links().contains(&format!("{KEYS}/{key}")) && !page.has_form("/ownership-offer"));
        let other_path = format!("/w/acme/members/{other}");
        assert!(!owner.client.visit(&other_path).await.has_form("/ownership-offer"));
        let offer = format!("{other_path}/ownership-offer");
        app.unchanged_by(owner.client.post_form(&offer, &[])).await.with_status(403);

        // Two of them in one go: roles, a suspension, an end.
        let (first, second) = (id.to_string(), other.to_string());
        let both = [("member", first.as_str()), ("member", second.as_str())];
        let at = |verb: &str| format!("/w/acme/members/selection/{verb}");
        let fields: Vec<_> = both.iter().copied().chain([("role", "editor")]).collect();
        owner.client.post_form(&at("roles"), &fields).await.assert_status(303);
        owner.client.post_form(&at("suspension"), &both).await.assert_status(303);
        let listed = owner.client.visit(KEYS).await;
        assert_eq!(listed.select("tbody .status"), ["Suspended", "Suspended"]);
        owner.client.post_form(&format!("{path}/reactivation"), &[]).await.assert_status(303);
        let review = owner.client.visit(&format!("{}?member={first}&member={second}", at("removal"))).await;
        review.assert_says("Removed API keys stay in the account");
        owner.client.post_form(&at("removal"), &both).await.assert_status(303);
        owner.client.visit(KEYS).await.assert_says("No API keys yet");
        app.mail_is_out().await;
        assert!(app.mail.all().iter().all(|letter| !letter.to.is_empty()));
        assert!(app.mail.all().iter().all(|letter| letter.to.iter().all(|to| to.contains('@'))));
    }

    async fn people_are_counted_and_keys_are_said_apart(app: TestApp) {
        let owner = new_owner(&app).await;
        add_key(&app, "acme", "Robot", &["viewer"]).await;
        let page = owner.client.visit("/w/acme").await;
        assert_eq!(page.select(".tile .figure")[0], "1");
        page.assert_says("plus 1 API key");
        let page = owner.client.visit("/w/acme/security").await;
        let reach = page.select("#p-read-members .reach");
        assert_eq!(reach, ["1 person, 1 key"]);
        assert_eq!(page.select("#p-delete-teams .reach"), ["1 person"]);
    }
}
