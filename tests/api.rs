//! The API as programs use it: what is documented works as printed, versions, asking twice, limits,
//! and the document itself.

use crate::nouns::roles::add_role;
use crate::support::product::{BuiltIn, Face, Permission, Requirement, call_rows};
use crate::{support::*, world::*};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command, time::Duration};

/// Beside these, the port of a server that is started for the test.
const WORKSPACES: &str = r#"curl -X POST http://localhost:8000/api/sso/v1/workspaces \
  -H "Authorization: Bearer TOKEN" \
  -d '{"name": "Engineering", "slug": "engineering"}'"#;
const ROLES: &str = r#"curl -X POST http://localhost:8000/api/sso/v1/roles \
  -H "Authorization: Bearer TOKEN" \
  -d '{
    "name": "Developer",
    "slug": "developer",
    "scopes": ["read:code", "write:code", "deploy:staging"]
  }'"#;
const USERS: &str = r#"curl -X PATCH http://localhost:8000/api/sso/v1/users/USER_ID \
  -H "Authorization: Bearer TOKEN" \
  -d '{"roles": ["developer", "viewer"]}'"#;

/// Runs a command as it is printed, but for the port, which another program may have.
fn shell(command: &str, port: u16, token: &str, user: &str) -> Value {
    let filled = command
        .replace("localhost:8000", &format!("localhost:{port}"))
        .replace("TOKEN", token)
        .replace("USER_ID", user);
    let done = Command::new("sh").arg("-c").arg(&filled).env("no_proxy", "*").output().unwrap();
    assert!(done.status.success(), "{filled}: {}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{filled}: {error}: {said}"))
}

async fn make_admin(app: &TestApp, key: uuid::Uuid) {
    let yes = if app.backend == Backend::Sqlite { "1" } else { "TRUE" };
    app.execute(&format!("UPDATE api_keys SET is_admin = {yes} WHERE id = {}", app.id(key))).await;
}

/// Every `pattern` in a document.
fn collect_patterns(value: &Value, patterns: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            patterns.extend(object.get("pattern").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect_patterns(value, patterns));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_patterns(value, patterns)),
        _ => {}
    }
}

both! {
    async fn the_documented_commands_work_as_printed(app: TestApp) {
        let owner = new_owner(&app).await;
        let somebody = member(&app, &owner, "editor").await;
        let (key, _, token) = add_key(&app, "acme", "Robot", &["owner"]).await;
        make_admin(&app, key).await;
        let dir = tempfile::tempdir().unwrap();
        let program = Program::serve(&app.database, dir.path(), &[]).await;
        let user = somebody.user_id.to_string();

        let made = shell(WORKSPACES, program.port, &token, &user);
        assert_eq!((&made["slug"], &made["name"]), (&json!("engineering"), &json!("Engineering")));
        let role = shell(ROLES, program.port, &token, &user);
        assert_eq!(role["slug"], "developer");
        // The same again changes nothing, and is as good.
        assert_eq!(shell(ROLES, program.port, &token, &user), role);
        let given = shell(USERS, program.port, &token, &user);
        assert_eq!(given["workspaces"][0]["roles"], json!(["developer", "viewer"]));

        // Seen on the pages.
        let browser = program.client();
        sign_in_with(&browser, &owner.email, PASSWORD).await;
        browser.visit("/workspaces").await.assert_says("Engineering");
        let page = browser.visit("/w/engineering/members").await;
        page.assert_says("Owner One").assert_says("Robot");
        let role = browser.visit("/w/acme/roles/developer").await;
        for scope in ["read:code", "write:code", "deploy:staging"] {
            role.assert_says(scope);
        }
        let typed = role.form("/roles/developer/scopes").values("scopes").concat();
        assert_eq!(typed.split_whitespace().collect::<Vec<_>>(), ["deploy:staging", "read:code", "write:code"]);
        let page = browser.visit(&format!("/w/acme/members/{}", somebody.member_id)).await;
        page.assert_says("Developer").assert_says("Viewer");
        // What a developer may do here was not touched: nor was the key's home.
        let api = Api { base: program.url(), ..Api::new(&app, &token) };
        let scopes = api.get("/api/sso/v1/roles/developer").await.with_status(200).body["scopes"].clone();
        for permission in Permission::ALL.iter().filter(|p| p.defaults().contains(&BuiltIn::Developer)) {
            assert!(scopes.as_array().unwrap().contains(&json!(permission.scope())), "{permission:?}");
        }
        assert_eq!(api.get("/api/sso/v1/users").await.with_status(200).body["items"].as_array().unwrap().len(), 2);
    }

    async fn a_user_is_told_with_the_workspaces_that_the_key_sees(app: TestApp) {
        let world = World::build(&app).await;
        let (key, _, secret) = add_key(&app, "acme", "Robot", &["viewer"]).await;
        make_admin(&app, key).await;
        let api = Api::new(&app, &secret);
        let user = world.person(BuiltIn::Owner).user_id;
        let path = format!("/api/sso/v1/users/{user}");
        let places = async || {
            let body = api.get(&path).await.with_status(200).body;
            assert_eq!(body["user_id"], user.to_string());
            let places = body["workspaces"].as_array().unwrap().clone();
            places.iter().map(|place| format!("{} {}", place["slug"], place["roles"])).collect::<Vec<_>>()
        };
        assert_eq!(places().await, [r#""acme" ["owner","viewer"]"#]);

        // Founded by the key, with whoever answers for it as an Owner beside it.
        let made = api.post("/api/sso/v1/workspaces", &json!({"name": "Second Place"})).await.with_status(201).body;
        assert_eq!(made["slug"], "second-place");
        assert_eq!(places().await, [r#""acme" ["owner","viewer"]"#, r#""second-place" ["owner"]"#]);
        let listed = api.get("/api/sso/v1/workspaces").await.with_status(200).body;
        let homes: Vec<_> = listed["items"].as_array().unwrap().iter().map(|w| (w["slug"].clone(), w["is_home"].clone())).collect();
        assert_eq!(homes, [(json!("acme"), json!(true)), (json!("second-place"), json!(false))]);
        // In the list too, each with theirs; keys are no users.
        let all = api.get("/api/sso/v1/users").await.with_status(200).body;
        let all = all["items"].as_array().unwrap();
        assert!(all.iter().all(|user| user["user_id"].is_string() && !user["workspaces"].as_array().unwrap().is_empty()));
        assert!(all.iter().all(|user| !user.to_string().contains("lsewhere")), "what the key does not see is not told");

        // Where it may not view members, nothing is told of them.
        let second = app.scalar_uuid("SELECT id FROM workspaces WHERE slug = 'second-place'").await;
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE workspace_id = {} AND kind = 'api_key'", app.id(second))).await;
        assert_eq!(places().await, [r#""acme" ["owner","viewer"]"#]);
        api.get("/api/sso/v1/users?workspace=second-place").await.with_status(403);

        // Who is to own it must be a person of the account, and who knows the secret an admin of it.
        let before = app.tenants().await;
        let stranger = json!({"name": "Third", "owner": world.outsider.user_id});
        let answer = api.post("/api/sso/v1/workspaces", &stranger).await.with_status(422);
        assert_eq!(answer.body["errors"][0]["field"], "owner");
        api.post("/api/sso/v1/workspaces", &json!({"name": "Second Place"})).await.with_status(422);
        before.assert_same(&app.tenants().await);
        let stranger = app.id(world.outsider.user_id);
        app.execute(&format!("UPDATE api_key_secrets SET shown_to = {stranger} WHERE api_key_id = {}", app.id(key))).await;
        api.post("/api/sso/v1/workspaces", &json!({"name": "Third"})).await.with_status(403);
    }

    async fn a_built_in_role_is_told_what_it_means_to_applications(app: TestApp) {
        World::build(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let path = "/api/sso/v1/roles";
        let developer = |scopes: Value| json!({"name": "developer", "slug": "developer", "scopes": scopes});
        let role = owner.post(path, &developer(json!(["read:code"]))).await.with_status(200).body;
        assert!(role["scopes"].as_array().unwrap().contains(&json!("read:code")));
        let events = app.scalar_i64("SELECT COUNT(*) FROM audit_events").await;
        owner.post(path, &developer(json!(["read:code"]))).await.with_status(200);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM audit_events").await, events, "nothing was to be changed");

        let before = app.tenants().await;
        owner.post(path, &developer(json!(["read:code", "read:audit"]))).await.with_status(409);
        owner.post(path, &json!({"name": "Coder", "slug": "developer"})).await.with_status(409);
        owner.post(path, &json!({"name": "Owner", "slug": "owner"})).await.with_status(403);
        owner.post(path, &json!({"name": "New", "slug": "comparison"})).await.with_status(422);
        let answer = owner.post(path, &json!({"name": "New", "scopes": ["users_read"]})).await.with_status(422);
        assert!(answer.text.contains("did you mean read:users?"), "{}", answer.text);
        // Of a custom role: the same is the same, another is another.
        before.assert_same(&app.tenants().await);
        let new = json!({"name": "Bot", "slug": "bots", "scopes": ["run:bots"]});
        owner.post(path, &new).await.with_status(201);
        owner.post(path, &new).await.with_status(200);
        owner.post(path, &json!({"name": "Bot", "slug": "bots", "scopes": []})).await.with_status(409);

        // Who may make roles and not change what they hold does not get there this way.
        add_role(&app, "acme", "maker", "Maker", &["manage:roles", "read:members", "read:teams", "*:*"]).await;
        let maker = workspace_key(&app, "acme", &["maker"]).await;
        let before = app.tenants().await;
        maker.post(path, &json!({"name": "Viewer", "slug": "viewer", "scopes": ["read:code"]})).await.with_status(403);
        // Nor over its head.
        maker.post(path, &developer(json!([]))).await.with_status(403);
        before.assert_same(&app.tenants().await);
        maker.post(path, &json!({"name": "Reader", "scopes": ["read:code"]})).await.with_status(201);
    }

    async fn what_was_changed_meanwhile_is_not_overwritten(app: TestApp) {
        let world = World::build(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let (key, _, _) = add_key(&app, "acme", "Other", &["viewer"]).await;
        let things = &world.acme;
        for (path, change, second) in [
            ("/workspaces/acme".to_owned(), ("", json!({"name": "Acme Two"})), json!({"name": "Acme Three"})),
            (format!("/members/{}", things.id("member")), ("", json!({"roles": ["editor"]})), json!({"roles": ["viewer"]})),
            ("/roles/helper".to_owned(), ("", json!({"name": "Aid"})), json!({"name": "Help"})),
            ("/roles/helper".to_owned(), ("/scopes", json!({"scopes": ["read:a"]})), json!({"scopes": []})),
            (format!("/teams/{}", things.id("team")), ("", json!({"name": "Team Two"})), json!({"name": "Team 3"})),
            (format!("/teams/{}", things.id("team")), ("/roles", json!({"roles": []})), json!({"roles": ["viewer"]})),
            (format!("/permissions/{}", Permission::ReadTeams.scope()), ("", json!({"roles": []})), json!({"roles": ["viewer"]})),
            (format!("/apikeys/{key}"), ("", json!({"name": "Third"})), json!({"name": "Fourth"})),
        ] {
            let (path, below) = (format!("/api/sso/v1{path}"), change.0);
            let method = if below.is_empty() && !path.contains("/permissions/") { Method::PATCH } else { Method::PUT };
            let put = async |body: &Value, tag: &str| {
                let headers = if tag.is_empty() { vec![] } else { vec![("if-match", tag)] };
                owner.send(method.clone(), &format!("{path}{below}"), Some(body.to_string()), &headers).await
            };
            let seen = owner.get(&path).await.with_status(200).header("etag").unwrap().to_owned();
            let changed = put(&change.1, &seen).await.with_status(200);
            let now = owner.get(&path).await.with_status(200).header("etag").unwrap().to_owned();
            assert_eq!(changed.header("etag"), Some(now.as_str()), "{path}{below} tells the version that is there now");
            assert_ne!(now, seen, "{path}{below}");
            let before = app.tenants().await;
            put(&second, &seen).await.with_status(412);
            let weak = put(&second, &format!("W/{now}, W/\"other\"")).await.with_status(412);
            assert!(weak.text.contains("never matches") && !weak.text.contains("changed in the meantime"), "{}", weak.text);
            put(&second, "nothing").await.with_status(422);
            before.assert_same(&app.tenants().await);
            put(&second, &format!("\"other\", {now}")).await.with_status(200);
            put(&change.1, "*").await.with_status(200);
            put(&second, "").await.with_status(200);
        }
        // Twenty who saw the same: one writes.
        let path = "/api/sso/v1/workspaces/acme";
        let seen = owner.get(path).await.header("etag").unwrap().to_owned();
        let answers = race(20, async |n| {
            let body = json!({"name": format!("Acme {n}")}).to_string();
            owner.send(Method::PATCH, path, Some(body), &[("if-match", &seen)]).await.status
        }).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
    }

    async fn what_is_asked_for_twice_is_done_once(app: TestApp) {
        new_owner(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let other = workspace_key(&app, "acme", &["admin"]).await;
        let ask = async |api: &Api, path: &str, body: &Value, name: &str| {
            api.send(Method::POST, path, Some(body.to_string()), &[("idempotency-key", name)]).await
        };
        let (teams, team) = ("/api/sso/v1/teams", json!({"name": "Team One"}));
        let first = ask(&owner, teams, &team, "one").await.with_status(201);
        assert_eq!(first.header("idempotency-replayed"), None);
        let again = ask(&owner, teams, &team, "one").await.with_status(201);
        assert_eq!((again.header("idempotency-replayed"), &again.text), (Some("true"), &first.text));
        let before = app.tenants().await;
        // Another request under the same name; the same at another address; another's name is theirs.
        ask(&owner, teams, &json!({"name": "Team Two"}), "one").await.with_status(422);
        ask(&owner, &format!("{teams}?workspace=acme"), &team, "one").await.with_status(422);
        ask(&other, teams, &team, "one").await.with_status(422);
        for wrong in ["", "with space", "é", &"x".repeat(256)] {
            ask(&owner, teams, &json!({"name": "Team Two"}), wrong).await.with_status(422);
        }
        // What was refused is not kept: it may be put right and sent again under its name.
        ask(&owner, teams, &json!({"name": ""}), "two").await.with_status(422);
        before.assert_same(&app.tenants().await);
        ask(&owner, teams, &json!({"name": "Team Two"}), "two").await.with_status(201);

        // Who lost the permission meanwhile is not even told what was answered.
        let admin = ask(&other, teams, &json!({"name": "Team Three"}), "three").await.with_status(201);
        app.execute("DELETE FROM grants WHERE scope = 'create:teams'").await;
        ask(&other, teams, &json!({"name": "Team Three"}), "three").await.with_status(403);
        assert!(admin.text.contains("Team Three"));

        // A secret is kept nowhere.
        let new = json!({"name": "New Key", "roles": ["viewer"]});
        let made = ask(&owner, "/api/sso/v1/apikeys", &new, "key").await.with_status(201);
        let secret = made.body["api_key"].as_str().unwrap();
        ask(&owner, "/api/sso/v1/apikeys", &new, "key").await.with_status(409);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM api_keys WHERE name = 'New Key'").await, 1);
        let kept = format!("{:?}", app.rows("SELECT * FROM idempotency_keys").await);
        assert!(!kept.contains(secret) && !kept.contains("blw_"), "{kept}");

        // After a day the name stands for nothing any more.
        app.clock.advance(Duration::from_secs(86_400));
        ask(&owner, teams, &json!({"name": "Team Four"}), "one").await.with_status(201);
        // A node that was killed before it did anything leaves the name to the next, after a while; one
        // that was killed after it did, does not.
        let hang = "UPDATE idempotency_keys SET done_at = NULL, status = NULL, body = NULL WHERE name = 'one'";
        app.execute(hang).await;
        let five = json!({"name": "Team Four"});
        let answer = ask(&owner, teams, &five, "one").await.with_status(409);
        assert!(answer.header("retry-after").is_some());
        app.clock.advance(Duration::from_secs(150));
        app.execute("DELETE FROM teams").await;
        ask(&owner, teams, &five, "one").await.with_status(201);
        app.execute("UPDATE idempotency_keys SET status = NULL, body = NULL WHERE name = 'one'").await;
        app.clock.advance(Duration::from_secs(150));
        ask(&owner, teams, &five, "one").await.with_status(409);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM teams").await, 1);
    }

    async fn twenty_who_ask_for_the_same_get_one(app: TestApp) {
        new_owner(&app).await;
        let nodes = [app.another_node().await];
        let apis = [workspace_key(&app, "acme", &["owner"]).await];
        let there = Api { base: nodes[0].url(), ..apis[0].clone() };
        let answers = race(20, async |n| {
            let api = if n % 2 == 0 { &apis[0] } else { &there };
            let body = json!({"name": "Team One"}).to_string();
            let answer = api.send(Method::POST, "/api/sso/v1/teams", Some(body), &[("idempotency-key", "same")]).await;
            (answer.status, answer.header("idempotency-replayed").is_some())
        }).await;
        let (mut done, mut others) = (0, 0);
        for (status, replayed) in answers {
            match (status, replayed) {
                (201, false) => done += 1,
                (201, true) | (409, false) => others += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((done, others), (1, 19));
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM teams").await, 1);
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM audit_events WHERE kind = 'team.created'").await, 1);
    }

    async fn a_minute_has_so_many_calls(backend: Backend) {
        let app = TestApp::on(backend).with(|config| config.calls_per_minute = 5).spawn().await;
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["viewer"]).await;
        let path = "/api/sso/v1/apikeys/self";
        let first = api.get(path).await.with_status(200);
        assert_eq!(first.header("ratelimit-policy"), Some("\"calls\";q=5;w=60"));
        assert_eq!(first.header("ratelimit"), Some("\"calls\";r=4;t=60"));
        for _ in 0..4 {
            // What is refused is counted, and told, as well.
            let answer = api.get("/api/sso/v1/audit").await.with_status(403);
            assert!(answer.header("ratelimit").is_some());
        }
        app.clock.advance(Duration::from_secs(20));
        let over = api.get(path).await.with_status(429);
        assert_eq!(over.header("ratelimit"), Some("\"calls\";r=0;t=40"));
        assert_eq!(over.header("retry-after"), Some("40"));
        assert_eq!(over.header("content-type"), Some("application/problem+json"));
        // Others are not held up, nor are pages.
        workspace_key(&app, "acme", &["viewer"]).await.get(path).await.with_status(200);
        app.client().get("/sign-in").await.assert_status(200);
        app.clock.advance(Duration::from_secs(40));
        api.get(path).await.with_status(200);
        // What is verified is anybody's key: it is the address that counts.
        for n in 0..7 {
            let answer = api.with(None).post("/api/sso/v1/apikeys/verify", &json!({"api_key": format!("{n}")})).await;
            assert_eq!(answer.status, if n < 5 { 401 } else { 429 });
        }
    }

    async fn a_request_is_called_what_its_caller_calls_it(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["viewer"]).await;
        let called = async |id: &str| {
            let answer = api.send(Method::GET, "/api/sso/v1/members", None, &[("x-request-id", id)]).await;
            answer.header("x-request-id").unwrap().to_owned()
        };
        assert_eq!(called("mine-1:{}").await, "mine-1:{}");
        for odd in ["", "with space", &"x".repeat(129)] {
            let id = called(odd).await;
            assert!(id != odd && id.len() == 36, "{id}");
        }
    }

    async fn queries_and_bodies_say_nothing_that_is_not_known(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        let gets = call_rows().into_iter().filter(|row| row.method == "GET" && !row.path.contains('{'));
        for path in gets.filter(|row| row.requirement != Requirement::Public).map(|row| row.path) {
            // What it requires is missing.
            let requires = ["/api/sso/v1/sending", "/api/sso/v1/billing/preview"];
            let status = if requires.contains(&path) { 422 } else { 200 };
            api.get(path).await.with_status(status);
            api.get(&format!("{path}?other=1")).await.with_status(422);
            api.get(&format!("{path}?workspace=acme&other=%00")).await.with_status(422);
        }
        // NUL, on both databases.
        for path in ["members?q=%00", "members?role=%00", "users?q=%00", "invitations?q=%00", "audit?q=%00", "apikeys?q=%00"] {
            let answer = api.get(&format!("/api/sso/v1/{path}")).await;
            assert!([200, 422].contains(&answer.status), "{path}: {}", answer.text);
        }
        api.get("/api/sso/v1/members?workspace=%00").await.with_status(404);
        api.get("/api/sso/v1/members?status=odd").await.with_status(400);
        let before = app.tenants().await;
        for body in [
            json!({"name": "a\u{0}"}), json!({"name": "x".repeat(81)}), json!({"name": 7}), json!({"name": null}),
            json!({"name": "A", "is_admin": true}), json!({"name": "A", "description": "a\nb"}), json!({}),
        ] {
            api.post("/api/sso/v1/teams", &body).await.with_status(422);
        }
        let twice = r#"{"name": "A", "name": "B"}"#.to_owned();
        api.send(Method::POST, "/api/sso/v1/teams", Some(twice), &[]).await.with_status(422);
        for body in [json!({"emails": ["a@example.com, b@example.com"]}), json!({"emails": []}), json!({"emails": ["a@example.com"], "roles": []})] {
            api.post("/api/sso/v1/invitations", &body).await.with_status(422);
        }
        before.assert_same(&app.tenants().await);
        api.post("/api/sso/v1/departure?x=1", &json!({})).await.with_status(422);
        api.post("/api/sso/v1/departure", &json!({"x": 1})).await.with_status(422);
    }

    async fn invitations_answer_for_each_address(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["admin"]).await;
        let path = "/api/sso/v1/invitations";
        let emails = json!({"emails": ["new-one@example.com", "owner-one@example.com", "not@valid"], "message": "Hello"});
        let sent = api.post(path, &emails).await.with_status(200).body;
        let outcomes: Vec<_> = sent["results"].as_array().unwrap().iter().map(|sent| sent["outcome"].clone()).collect();
        assert_eq!(outcomes, ["sent", "already_member", "sent"].map(|word| json!(word)));
        let link = sent["results"][0]["link"].as_str().unwrap();
        // The link works, and the mail is there too.
        app.client().visit(link).await.assert_says("acme");
        app.mail.wait_for_link("new-one@example.com", "/invitations/").await;
        let listed = api.get(&format!("{path}?q=new-one&status=pending")).await.with_status(200).body;
        let one = &listed["items"][0];
        assert_eq!((&one["roles"], &one["inviter"]), (&json!(["viewer"]), &json!("Key admin")));
        let one = format!("{path}/{}", one["id"].as_str().unwrap());
        assert_eq!(api.get(&one).await.with_status(200).body["status"], "pending");
        let again = api.post(&format!("{one}/resend"), &json!({})).await.with_status(200).body;
        assert_ne!(again["link"], link);
        api.delete(&one).await.with_status(204);
        api.delete(&one).await.with_status(409);
        assert_eq!(api.get(&one).await.with_status(200).body["status"], "cancelled");
    }

    async fn lists_go_on_where_the_page_before_ended(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["admin"]).await;
        for n in 0..70 {
            let user = add_user(&app, &format!("Person {n:02}"), &format!("person-{n:02}@example.com")).await;
            add_member(&app, "acme", user, "active", &["viewer"]).await;
        }
        for (path, count) in [("members", 72), ("users", 71)] {
            let (mut seen, mut after) = (BTreeSet::new(), String::new());
            loop {
                let page = api.get(&format!("/api/sso/v1/{path}?after={after}")).await.with_status(200).body;
                for item in page["items"].as_array().unwrap() {
                    assert!(seen.insert(item.to_string()), "{item} came twice");
                }
                match page["next"].as_str() {
                    Some(next) => next.clone_into(&mut after),
                    None => break,
                }
            }
            assert_eq!(seen.len(), count);
        }
        let found = api.get("/api/sso/v1/members?q=person-07").await.with_status(200).body;
        assert_eq!(found["items"][0]["name"], "Person 07");
        let keys = api.get("/api/sso/v1/members?kind=api_key").await.with_status(200).body;
        assert_eq!(keys["items"].as_array().unwrap().len(), 1);
        let events = api.get("/api/sso/v1/audit?kind=workspace.created").await.with_status(200).body;
        assert_eq!(events["items"][0]["details"]["slug"], "acme");
        api.get("/api/sso/v1/audit?kind=odd").await.with_status(422);
    }

    async fn the_document_and_the_table_are_one(app: TestApp) {
        let anybody = Api::new(&app, "").with(None);
        let answer = anybody.get("/openapi.json").await.with_status(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("cache-control").unwrap().starts_with("public"));
        let document = answer.body;
        assert_eq!(document["openapi"], "3.1.0");
        let mut told = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                told.insert(format!("{} {path}", method.to_uppercase()));
                assert!(ids.insert(operation["operationId"].to_string()), "{}", operation["operationId"]);
                assert!(operation["summary"].is_string() && operation["tags"][0].is_string());
                let named: Vec<&str> = operation["parameters"].as_array().into_iter().flatten()
                    .filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
                let in_path: Vec<&str> = path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
                assert_eq!(named, in_path, "{path}");
            }
        }
        let table: BTreeSet<_> = call_rows().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
        assert_eq!(told, table, "left: the document, right: the table");
        for row in call_rows() {
            let operation = &document["paths"][row.path][row.method.as_str().to_lowercase()];
            let has = |status: &str| operation["responses"].get(status).is_some();
            let is_secured = operation["security"].as_array().is_some_and(|all| !all.is_empty());
            assert_eq!(is_secured, row.requirement != Requirement::Public, "{} {}", row.method, row.path);
            assert_eq!(has("401"), is_secured || row.path.ends_with("/verify"), "{} {}", row.method, row.path);
            if let Requirement::Member(_) = row.requirement {
                assert!(has("403") && has("404") && has("422") && has("429"), "{} {}", row.method, row.path);
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            // AuthZEN has it that a question may hold more than is known.
            if let Some(name) = body.as_str().filter(|_| row.face == Face::Api) {
                let schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
                assert_eq!(schema["additionalProperties"], false, "{name}");
            }
        }
        // Each pattern is one to a program in JavaScript too.
        let mut patterns = BTreeSet::new();
        collect_patterns(&document, &mut patterns);
        assert!(patterns.len() > 8, "{patterns:?}");
        for pattern in patterns {
            assert!(regress::Regex::with_flags(&pattern, "u").is_ok(), "new RegExp({pattern:?}, \"u\")");
        }
        // Every reference leads somewhere.
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "there is no schema {name}");
        }
    }
}
