//! Abuse cases: programs with a key. What is kept for them, what is counted, and what they enter.

use super::*;
use crate::nouns::{invitations::Invitation, roles::add_role, teams::add_team};
use crate::support::product::{Purpose, Token};
use reqwest::Method;
use serde_json::{Value, json};

const EVALUATION: &str = "/access/v1/evaluation";

fn may(user: &str, action: &str, kind: &str) -> Value {
    json!({"subject": {"type": "user", "id": user}, "action": {"name": action}, "resource": {"type": kind, "id": "1"}})
}

both! {
    async fn a_decision_is_made_anew_whatever_the_request_is_called(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let (key, robot, secret) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let api = Api::new(&app, &secret);
        add_role(&app, "acme", "reader", "Reader", &["read:record"]).await;
        assign_roles(&owner, &viewer, &["reader"]).await.assert_status(303);
        let ask = async || {
            let question = may(&viewer.user_id.to_string(), "read", "record").to_string();
            api.send(Method::POST, EVALUATION, Some(question), &[("idempotency-key", "same")]).await
        };
        assert_eq!(ask().await.with_status(200).body["decision"], true);
        owner.client.post_form(&at(&viewer, "suspension"), &[]).await.assert_status(303);
        let answer = ask().await.with_status(200);
        assert_eq!((&answer.body["decision"], answer.header("idempotency-replayed")), (&json!(false), None));
        // The key that is verified, and the one that asks.
        let (_, _, other) = add_key(&app, "acme", "Other", &["viewer"]).await;
        let verify = async || {
            let body = json!({"api_key": other}).to_string();
            api.send(Method::POST, "/api/sso/v1/apikeys/verify", Some(body), &[("idempotency-key", "verify")]).await
        };
        verify().await.with_status(200);
        let now = app.clock.now().as_millis();
        app.execute(&format!("UPDATE api_keys SET revoked_at = {now} WHERE name = 'Other'")).await;
        verify().await.with_status(401);
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(robot))).await;
        ask().await.with_status(403);
        app.execute(&format!("UPDATE api_keys SET revoked_at = {now} WHERE id = {}", app.id(key))).await;
        ask().await.with_status(401);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM idempotency_keys").await, 0);
    }

    async fn what_was_done_at_one_home_is_not_replayed_at_another(app: TestApp) {
        new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let api = Api::new(&app, &secret);
        let team = json!({"name": "Team One"}).to_string();
        let create = async || {
            api.send(Method::POST, "/api/sso/v1/teams", Some(team.clone()), &[("idempotency-key", "one")]).await
        };
        create().await.with_status(201);
        assert_eq!(create().await.with_status(201).header("idempotency-replayed"), Some("true"));
        let other = new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        let key = app.id(key);
        app.execute(&format!("DELETE FROM members WHERE api_key_id = {key}")).await;
        let account = "(SELECT account_id FROM workspaces WHERE slug = 'acme')";
        app.execute(&format!("UPDATE workspaces SET account_id = {account} WHERE slug = 'other'")).await;
        for sql in [
            format!("UPDATE api_keys SET home_id = (SELECT id FROM workspaces WHERE slug = 'other') WHERE id = {key}"),
            format!("UPDATE api_key_secrets SET shown_to = {} WHERE api_key_id = {key}", app.id(other.user_id)),
            format!("INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as, vouched_by)
                SELECT {key}, w.id, 'api_key', {key}, 'active', 'account', 0, 'robot', {} FROM workspaces w
                WHERE w.slug = 'other'", app.id(other.user_id)),
            format!("INSERT INTO member_roles (workspace_id, member_id, role_id)
                SELECT w.id, {key}, r.id FROM workspaces w JOIN roles r ON r.workspace_id = w.id
                WHERE w.slug = 'other' AND r.slug = 'owner'"),
        ] {
            app.execute(&sql).await;
        }
        create().await.with_status(422);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM teams").await, 1);
    }

    async fn calls_are_counted_however_they_are_written_and_whatever_secret_is_shown(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.calls_per_minute = 5).spawn().await;
        new_owner(&app).await;
        let (_, _, secret) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let api = Api::new(&app, &secret);
        let myself = api.get("/api/sso/v1/apikeys/self").await.with_status(200).body;
        for path in ["/%61pi/sso/v1/apikeys/self", "/api/sso/v1/apikeys/%73elf"] {
            let answer = api.get(path).await.with_status(200);
            assert!(answer.header("ratelimit").is_some(), "{path}");
        }
        // Another secret of the same key, and the same count.
        let path = format!("/api/sso/v1/apikeys/{}/rotation", myself["id"].as_str().unwrap());
        let made = api.post(&path, &json!({"overlap_seconds": 60})).await.with_status(200).body;
        let api = api.with(made["api_key"].as_str());
        api.get("/api/sso/v1/apikeys/self").await.with_status(200);
        api.get("/%61pi/sso/v1/apikeys/self").await.with_status(429);
        // Secrets that are made up count for where they come from. One call of each of the two above did.
        let mut statuses = Vec::new();
        for _ in 0..5 {
            let secret = Token::new(Purpose::ApiKey);
            let answer = api.with(Some(secret.expose())).get("/api/sso/v1/apikeys/self").await;
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            statuses.push(answer.status);
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
        // A batch counts as what it asks.
        let (_, _, secret) = add_key(&app, "acme", "Asker", &["developer"]).await;
        let api = Api::new(&app, &secret);
        app.clock.advance(std::time::Duration::from_secs(61));
        let questions: Vec<Value> = (0..60).map(|n| may(&format!("user-{n}"), "read", "record")).collect();
        let batch = json!({"evaluations": questions});
        let answer = api.post("/access/v1/evaluations", &batch).await.with_status(200);
        assert_eq!(answer.header("ratelimit"), Some("\"decisions\";r=0;t=60"));
        api.post(EVALUATION, &questions[0]).await.with_status(429);
    }

    async fn an_address_written_otherwise_is_answered_as_ever(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let nobody = api.with(None);
        for (api, path, status) in [
            (&nobody, "/%61pi/sso/v1/members", 401),
            (&api, "/%61pi/sso/v1/nothing", 404),
            (&api, "/%61pi/sso/v1/departure", 405),
            (&api, "/api", 404),
            (&api, "/access", 404),
            (&api, "/api/sso/v1/members?role=%FF", 422),
        ] {
            let answer = api.get(path).await.with_status(status);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        }
    }

    async fn a_query_that_cannot_be_read_names_no_workspace(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let before = app.tenants().await;
        let team = json!({"name": "Team One"});
        api.post("/api/sso/v1/teams?workspace=no-such", &team).await.with_status(404);
        api.post("/api/sso/v1/teams?workspace=no-such&x=%FF", &team).await.with_status(422);
        let question = may("nobody", "read", "record");
        api.post("/access/v1/evaluation?workspace=no-such&x=%FF", &question).await.with_status(422);
        assert!(app.tenants().await == before);
    }

    async fn an_action_brings_no_type_along(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        add_role(&app, "acme", "reader", "Reader", &["read:posts"]).await;
        assign_roles(&owner, &viewer, &["reader"]).await.assert_status(303);
        let api = workspace_key(&app, "acme", &["developer"]).await;
        let user = viewer.user_id.to_string();
        for (action, kind, is_allowed) in [
            ("read", "posts", true),
            ("read", "posts:title", true),
            ("read", "secret", false),
            ("read:posts", "secret", false),
            ("read:posts", "posts", false),
        ] {
            let answer = api.post(EVALUATION, &may(&user, action, kind)).await.with_status(200).body;
            assert_eq!(answer["decision"], is_allowed, "{action} {kind}");
        }
    }

    async fn a_page_token_is_ours_or_none(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["developer"]).await;
        let subject = json!({"type": "user", "id": owner.user_id.to_string()});
        for token in [hex::encode(r#""\u0000""#), hex::encode("[]"), "zz".to_owned()] {
            let search = json!({"subject": subject, "action": {"name": "read"}, "resource": {"type": "record"}, "page": {"token": token}});
            api.post("/access/v1/search/resource", &search).await.with_status(400);
        }
    }

    async fn a_key_that_may_not_found_is_written_down(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let refusals = "SELECT COUNT(*) FROM audit_events WHERE outcome = 'refused' AND actor_kind = 'api_key'";
        let before = app.tenants().await;
        api.post("/api/sso/v1/workspaces", &json!({"name": "Another"})).await.with_status(403);
        assert!(app.tenants().await == before);
        assert_eq!(app.scalar_i64(refusals).await, 1);
    }

    async fn who_never_came_is_no_owner_to_rely_on(app: TestApp) {
        let owner = new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let new = json!({"email": "typo@example.com", "roles": ["owner"]});
        api.post("/api/sso/v1/users", &new).await.with_status(201);
        let before = app.tenants().await;
        owner.client.post_form("/w/acme/departure", &[]).await.assert_status(409);
        let roles = format!("/w/acme/members/{}/roles", owner.member_id);
        owner.client.post_form(&roles, &[("role", "viewer")]).await.assert_status(409);
        assert!(app.tenants().await == before, "somebody remains whom nobody can be");
        // Once they came, and accepted, they are one.
        let client = sign_up(&app, "Typo", "typo@example.com", PASSWORD, "Typo").await;
        verify_email(&app, &client, "typo@example.com").await;
        owner.client.post_form("/w/acme/departure", &[]).await.assert_status(409);
        let page = client.visit("/workspaces").await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        owner.client.post_form("/w/acme/departure", &[]).await.assert_status(303);
    }

    async fn who_is_invited_is_not_entered_over_it(app: TestApp) {
        let owner = new_owner(&app).await;
        Invitation { roles: &["admin"], ..Invitation::to("invited@example.com") }.by(owner.user_id).add(&app, "acme").await;
        let api = workspace_key(&app, "acme", &["developer"]).await;
        let before = app.tenants().await;
        api.post("/api/sso/v1/users", &json!({"email": "invited@example.com"})).await.with_status(409);
        assert!(app.tenants().await == before);
    }

    async fn addresses_are_asked_for_as_seldom_by_entering_as_by_inviting(app: TestApp) {
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "other").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let known = json!({"email": "owner-two@example.com"});
        api.post("/api/sso/v1/users", &known).await.with_status(409);
        app.execute("UPDATE rate_limits SET used = 1000 WHERE key LIKE 'invite%'").await;
        api.post("/api/sso/v1/users", &known).await.with_status(429);
        let before = app.tenants().await;
        api.post("/api/sso/v1/users", &json!({"email": "unknown@example.com"})).await.with_status(429);
        assert!(app.tenants().await == before);
    }

    async fn what_was_changed_has_another_tag(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let user = format!("/api/sso/v1/users/{}", viewer.user_id);
        let one = format!("/api/sso/v1/members/{}", viewer.member_id);
        let tag = async |path: &str| api.get(path).await.with_status(200).header("etag").unwrap().to_owned();
        let (seen, of_member) = (tag(&user).await, tag(&one).await);
        let change = |id: &str| Some(json!({"external_id": id}).to_string());
        let first = [("if-match", seen.as_str())];
        api.send(Method::PATCH, &user, change("first"), &first).await.with_status(200);
        let before = app.tenants().await;
        api.send(Method::PATCH, &user, change("second"), &first).await.with_status(412);
        assert!(app.tenants().await == before);
        let after = tag(&user).await;
        assert!(after != seen && tag(&one).await != of_member);
        // What a team brings along shows, too.
        let team = add_team(&app, "acme", "Team One", &["billing"], &[(viewer.member_id, false)]).await;
        assert_ne!(tag(&user).await, after);
        let path = format!("/api/sso/v1/teams/{team}");
        let stale = [("if-match", "\"stale\"")];
        api.send(Method::DELETE, &path, None, &stale).await.with_status(412);
        let seen = tag(&path).await;
        api.send(Method::DELETE, &path, None, &[("if-match", seen.as_str())]).await.with_status(204);
    }

    async fn a_secret_that_is_being_replaced_outlives_nothing(app: TestApp) {
        new_owner(&app).await;
        let (key, _, old) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let api = Api::new(&app, &old);
        let rotation = format!("/api/sso/v1/apikeys/{key}/rotation");
        let made = api.post(&rotation, &json!({"overlap_seconds": 3600})).await.with_status(200).body;
        let new = api.with(made["api_key"].as_str());
        let before = app.tenants().await;
        api.post(&rotation, &json!({})).await.with_status(403);
        api.post("/api/sso/v1/apikeys", &json!({"name": "Another"})).await.with_status(403);
        assert!(app.tenants().await == before);
        // For all else it is good until its end.
        api.get("/api/sso/v1/members").await.with_status(200);
        new.post("/api/sso/v1/apikeys", &json!({"name": "Another"})).await.with_status(201);
    }

    async fn a_key_that_expires_makes_none_that_goes_on(app: TestApp) {
        new_owner(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["owner"]).await;
        let (api, end) = (Api::new(&app, &secret), app.clock.now().as_millis() + 60_000);
        app.execute(&format!("UPDATE api_keys SET expires_at = {end} WHERE id = {}", app.id(key))).await;
        let before = app.tenants().await;
        let new = |expires_at: Value| json!({"name": "Another", "roles": ["viewer"], "expires_at": expires_at});
        api.post("/api/sso/v1/apikeys", &new(json!(end + 1))).await.with_status(422);
        assert!(app.tenants().await == before);
        for expires_at in [json!(null), json!(end)] {
            api.post("/api/sso/v1/apikeys", &new(expires_at)).await.with_status(201);
        }
        let made = format!("SELECT COUNT(*) FROM api_keys WHERE name = 'Another' AND expires_at = {end}");
        assert_eq!(app.scalar_i64(&made).await, 2);
    }

    async fn a_key_has_another_tag_when_it_holds_something_else(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let (key, robot, _) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        let path = format!("/api/sso/v1/apikeys/{key}");
        let tag = async || api.get(&path).await.with_status(200).header("etag").unwrap().to_owned();
        let seen = tag().await;
        api.patch(&format!("/api/sso/v1/members/{robot}"), &json!({"roles": ["editor"]})).await.with_status(200);
        assert_ne!(tag().await, seen);
        let before = app.tenants().await;
        api.send(Method::DELETE, &path, None, &[("if-match", seen.as_str())]).await.with_status(412);
        assert!(app.tenants().await == before);
        let now = tag().await;
        api.send(Method::DELETE, &path, None, &[("if-match", now.as_str())]).await.with_status(204);
    }
}
