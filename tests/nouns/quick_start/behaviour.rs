use crate::{nouns::roles::add_role, support::*, world::new_id};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const PAGE: &str = "/w/acme/quick-start";
const ECHO: &str = "/w/acme/out/echo/hello";
const EVALUATION: &str = "/access/v1/evaluation";
const SENDERS: &str = "/api/sso/v1/permissions/send:destinations";

/// The page after a test key was created by its form, with the secret.
async fn with_test_key(person: &Person) -> (Page, String) {
    let page = person.client.visit(PAGE).await;
    let page = person.client.submit(&page, "/quick-start/key", &[]).await.with_status(200);
    let secret = page.field_value("secret").unwrap();
    assert!(secret.starts_with("blw_key_"), "{secret}");
    (page, secret)
}

/// A request through the gateway, as curl sends it.
async fn through_gateway(app: &TestApp, secret: &str, path: &str) -> Answer {
    let nobody = Api::new(app, "").with(None);
    nobody.send(Method::GET, path, None, &[("x-bailiwick-key", secret)]).await
}

/// The word of the stage that refused it.
fn stage(answer: &Answer) -> &str {
    answer.body["stage"].as_str().unwrap_or_default()
}

async fn requests_left(app: &TestApp) -> i64 {
    app.scalar_i64("SELECT requests_left FROM api_keys WHERE requests_left IS NOT NULL").await
}

both! {
    async fn from_a_test_key_to_the_first_answer(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, secret) = with_test_key(&owner).await;
        page.assert_says("shown on this page only").assert_says("60 requests");
        // The host is the next step, and the request says so before it is done.
        let refused = owner.client.submit(&page, "/quick-start/request", &[]).await.with_status(200);
        refused.assert_says("Refused: Destination").assert_says("This workspace has no such destination");
        let page = owner.client.submit(&page, "/quick-start/echo", &[]).await.with_status(200);
        page.assert_says("Destination echo added.");
        assert_eq!(page.field_value("secret").as_deref(), Some(secret.as_str()), "no form loses it");
        let page = owner.client.submit(&page, "/quick-start/request", &[]).await.with_status(200);
        page.assert_says("GET echo/hello").assert_says("\"method\": \"GET\"").assert_says("\"path\": \"/hello\"");
        page.assert_silent_about("Not reached");
        assert_eq!(requests_left(&app).await, 59, "what was refused before is not counted");

        let answer = through_gateway(&app, &secret, ECHO).await.with_status(200);
        assert_eq!(answer.body["path"], "/hello");
        assert!(!answer.text.contains(&secret) && !answer.text.contains("x-bailiwick"), "{}", answer.text);
        assert_eq!(requests_left(&app).await, 58);
        let answer = through_gateway(&app, &secret, "/w/acme/out/echo/status/418").await;
        assert_eq!(answer.status, 418);
        let page = owner.client.visit("/w/acme/api-keys").await;
        page.assert_says("Test key").assert_silent_about(&secret);
    }

    async fn when_the_role_loses_the_permission_the_next_request_is_refused(app: TestApp) {
        let owner = new_owner(&app).await;
        let developer = member(&app, &owner, "developer").await;
        let (page, secret) = with_test_key(&developer).await;
        let page = developer.client.submit(&page, "/quick-start/echo", &[]).await;
        let page = developer.client.submit(&page, "/quick-start/request", &[]).await;
        page.assert_says("\"path\": \"/hello\"");

        let key = workspace_key(&app, "acme", &["owner"]).await;
        key.call(Method::PUT, SENDERS, Some(&json!({"roles": []}))).await.with_status(200);
        let page = developer.client.submit(&page, "/quick-start/request", &[]).await.with_status(200);
        page.assert_says("Refused: Permission").assert_says("needs the “Send requests” permission");
        let answer = through_gateway(&app, &secret, ECHO).await.with_status(403);
        assert_eq!(stage(&answer), "permission");
        assert_eq!(requests_left(&app).await, 59);
        developer.client.visit(PAGE).await.assert_says("No role that you can assign has “Send requests”");
        let page = developer.client.visit(PAGE).await;
        assert!(!page.has_form("/quick-start/key"));
        let sent = developer.client.post_form("/w/acme/quick-start/key", &[("made", "1")]);
        app.unchanged_by(sent).await.assert_status(403);
    }

    async fn a_test_key_holds_one_permission_whatever_its_role(app: TestApp) {
        let owner = new_owner(&app).await;
        let (_, secret) = with_test_key(&owner).await;
        let key = Api::new(&app, &secret);
        for path in ["members", "destinations", "apikeys", "roles", "audit"] {
            key.get(&format!("/api/sso/v1/{path}")).await.with_status(403);
        }
        let body = json!({"emails": ["a@example.com"], "roles": ["viewer"]});
        let invited = key.post("/api/sso/v1/invitations", &body);
        app.unchanged_by(invited).await.with_status(403);
        let own = key.get("/api/sso/v1/apikeys/self").await.with_status(200);
        let id = own.body["id"].as_str().unwrap().to_owned();

        let service = workspace_key(&app, "acme", &["owner"]).await;
        let ask = async |action: &str, kind: &str| {
            let question = json!({"subject": {"type": "api_key", "id": id}, "action": {"name": action}, "resource": {"type": kind, "id": "echo"}});
            service.post(EVALUATION, &question).await.with_status(200).body["decision"] == true
        };
        assert!(!ask("read", "members").await && !ask("read", "posts").await && !ask("manage", "api-keys").await);
        assert!(ask("send", "destinations").await, "the permission itself");
        let verified = service.post("/api/sso/v1/apikeys/verify", &json!({"api_key": secret})).await.with_status(200);
        assert!(verified.text.contains("send:destinations") && !verified.text.contains("manage:api-keys"), "{}", verified.text);
        let member = app.scalar_uuid("SELECT m.id FROM members m JOIN api_keys k ON k.id = m.api_key_id WHERE k.only_scope IS NOT NULL").await;
        let page = owner.client.visit(&format!("/w/acme/members/{member}/access")).await;
        page.assert_says("In its roles, but limited");
        // A role more gives it nothing.
        app.execute(&format!("INSERT INTO member_roles (workspace_id, member_id, role_id)
            SELECT m.workspace_id, m.id, r.id FROM members m JOIN roles r ON r.workspace_id = m.workspace_id
            WHERE m.id = {} AND r.slug = 'owner'", app.id(member))).await;
        key.get("/api/sso/v1/members").await.with_status(403);
    }

    async fn a_test_key_sends_sixty_requests_and_no_more_however_many_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, secret) = with_test_key(&owner).await;
        owner.client.submit(&page, "/quick-start/echo", &[]).await.assert_status(200);
        app.execute("UPDATE api_keys SET requests_left = 3 WHERE requests_left IS NOT NULL").await;
        let answers = race(8, async |_| {
            let answer = through_gateway(&app, &secret, ECHO).await;
            (answer.status, stage(&answer).to_owned())
        })
        .await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 3, "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, stage)| stage == "credits").count(), 5, "{answers:?}");
        assert_eq!(requests_left(&app).await, 0);
        let page = owner.client.submit(&page, "/quick-start/request", &[]).await;
        page.assert_says("Refused: Credits").assert_says("Create another one on the Quick start page");
    }

    async fn a_test_key_works_for_a_day(app: TestApp) {
        let owner = new_owner(&app).await;
        let (page, secret) = with_test_key(&owner).await;
        owner.client.submit(&page, "/quick-start/echo", &[]).await.assert_status(200);
        app.clock.advance(Duration::from_secs(23 * 3_600));
        through_gateway(&app, &secret, ECHO).await.with_status(200);
        app.clock.advance(Duration::from_secs(2 * 3_600));
        let answer = through_gateway(&app, &secret, ECHO).await.with_status(401);
        assert_eq!(stage(&answer), "key");
    }

    async fn a_form_creates_one_key_and_nobody_has_more_than_ten(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit(PAGE).await;
        owner.client.submit(&page, "/quick-start/key", &[]).await.assert_status(200);
        let again = app.unchanged_by(owner.client.submit(&page, "/quick-start/key", &[])).await;
        again.with_status(409).assert_says("maybe with this form");
        for _ in 0..9 {
            with_test_key(&owner).await;
        }
        let page = owner.client.visit(PAGE).await;
        let more = app.unchanged_by(owner.client.submit(&page, "/quick-start/key", &[])).await;
        more.with_status(409).assert_says("You already have 10 test keys that work");
        app.clock.advance(Duration::from_secs(25 * 3_600));
        with_test_key(&owner).await;
    }

    async fn echo_is_no_name_that_anybody_can_enter(app: TestApp) {
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let form = owner.client.post_form("/w/acme/destinations", &[("host", "echo")]);
        app.unchanged_by(form).await.assert_status(422);
        app.unchanged_by(key.post("/api/sso/v1/destinations", &json!({"host": "echo"}))).await.with_status(422);
        let answer = through_gateway(&app, key.secret.as_deref().unwrap(), ECHO).await.with_status(403);
        assert_eq!(stage(&answer), "destination");
        // Twice is once.
        for _ in 0..2 {
            let form = owner.client.post_form("/w/acme/quick-start/echo", &[]).await;
            owner.client.follow(form).await.assert_says("estination echo");
        }
        assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM destinations").await, 1);
        through_gateway(&app, key.secret.as_deref().unwrap(), ECHO).await.with_status(200);
    }

    async fn what_is_wrong_in_the_form_is_said_at_its_field(app: TestApp) {
        let owner = new_owner(&app).await;
        let page = owner.client.visit(PAGE).await;
        for (field, value) in [
            ("secret", ""),
            ("host", "https://api.example.com"),
            ("host", "127.0.0.1"),
            ("path", "hello"),
            ("path", "/a b"),
            ("path", "/a/../b"),
        ] {
            let mut fields = vec![("secret", "blw_key_x"), ("host", "echo"), ("path", "/hello")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let answer = app.unchanged_by(owner.client.submit(&page, "/quick-start/request", &fields)).await;
            let answer = answer.with_status(422);
            assert!(answer.field_error(field).is_some_and(|error| !error.is_empty()), "{field}={value}");
        }
        let fields = [("secret", "blw_key_x"), ("host", "echo"), ("path", "/hello")];
        let answer = owner.client.submit(&page, "/quick-start/request", &fields).await.with_status(200);
        answer.assert_says("Refused: Key");
    }

    async fn who_may_not_is_told_who_can(app: TestApp) {
        let owner = new_owner(&app).await;
        add_role(&app, "acme", "reader", "Reader", &["read:destinations"]).await;
        let reader = member(&app, &owner, "reader").await;
        let page = reader.client.visit(PAGE).await;
        page.assert_says("You need “Manage API keys” to create a key").assert_says("You need “Manage destinations”");
        assert!(!page.has_form("/quick-start/key") && !page.has_form("/quick-start/echo"));
        for form in ["key", "echo"] {
            let path = format!("{PAGE}/{form}");
            let sent = reader.client.post_form(&path, &[]);
            app.unchanged_by(sent).await.assert_status(403);
        }
        // With somebody's key it is the key that counts.
        owner.client.post_form("/w/acme/quick-start/echo", &[]).await.assert_status(303);
        let (_, _, secret) = add_key(&app, "acme", "Sender", &["developer"]).await;
        let page = reader.client.submit(&page, "/quick-start/request", &[("secret", &secret)]).await;
        page.assert_says("\"path\": \"/hello\"");
        // Another workspace's key is none here.
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        let (_, _, foreign) = add_key(&app, "elsewhere", "Foreign", &["owner"]).await;
        let page = reader.client.submit(&page, "/quick-start/request", &[("secret", &foreign)]).await;
        page.assert_says("Refused: Membership");
    }

    /// AuthZEN, the call for proxies and the gateway agree in every situation.
    async fn send_on_a_destination_is_decided_as_the_gateway_does(app: TestApp) {
        let owner = new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let (sender, membership, secret) = add_key(&app, "acme", "Sender", &["developer"]).await;
        let (_, _, viewer) = add_key(&app, "acme", "Viewer", &["viewer"]).await;
        let viewer_id = app.scalar_uuid("SELECT id FROM api_keys WHERE name = 'Viewer'").await;
        let question = |id: Uuid, host: &str| {
            json!({"subject": {"type": "api_key", "id": id.to_string()}, "action": {"name": "send"}, "resource": {"type": "destination", "id": host}})
        };
        let agree = async |expected: &str| {
            for (id, secret, has_permission) in [(sender, secret.as_str(), true), (viewer_id, viewer.as_str(), false)] {
                let gateway = through_gateway(&app, secret, ECHO).await;
                let single = service.post(EVALUATION, &question(id, "echo")).await.with_status(200).body;
                let batch = json!({"evaluations": [question(id, "echo"), question(id, "unknown.example.com")]});
                let batch = service.post("/access/v1/evaluations", &batch).await.with_status(200).body;
                let call = Api::new(&app, secret).get("/api/sso/v1/sending?host=echo").await.status;
                assert_eq!(batch["evaluations"][0], single);
                assert_eq!(batch["evaluations"][1]["decision"], false);
                let expected = if has_permission { expected } else { "permission" };
                assert_eq!(single["decision"], expected.is_empty(), "{expected:?}: {single}");
                assert_eq!(gateway.status, if expected.is_empty() { 200 } else { 403 }, "{expected:?}");
                assert_eq!(call, if expected.is_empty() { 204 } else { 403 }, "{expected:?}");
                assert_eq!(stage(&gateway), expected);
                match expected {
                    "" => assert_eq!(single["context"]["scope"], "send:destinations"),
                    "permission" => assert_eq!(single["context"]["reason"], "not_granted"),
                    stage => assert_eq!(single["context"]["stage"], stage),
                }
            }
        };
        agree("destination").await;
        owner.client.post_form("/w/acme/quick-start/echo", &[]).await.assert_status(303);
        agree("").await;
        let (yes, no) = if app.backend == Backend::Postgres { ("TRUE", "FALSE") } else { ("1", "0") };
        app.execute("UPDATE destinations SET paused_at = 1").await;
        agree("destination").await;
        app.execute(&format!("UPDATE destinations SET paused_at = NULL, allows_requests = {no}")).await;
        agree("destination").await;
        app.execute(&format!("UPDATE destinations SET allows_requests = {yes}, is_restricted = {yes}")).await;
        agree("destination").await;
        for (column, value) in [("member_id", app.id(membership)), ("role_id", "(SELECT id FROM roles WHERE slug = 'developer')".to_owned())] {
            app.execute(&format!("INSERT INTO destination_senders (id, workspace_id, destination_id, {column})
                SELECT {}, d.workspace_id, d.id, {value} FROM destinations d", app.id(new_id()))).await;
            agree("").await;
            app.execute("DELETE FROM destination_senders").await;
            agree("destination").await;
        }
        app.execute(&format!("UPDATE destinations SET is_restricted = {no}")).await;
        agree("").await;
        // Searches agree, too: who, to where, and what.
        let search = async |what: &str, body: Value| {
            let found = service.post(&format!("/access/v1/search/{what}"), &body).await.with_status(200).body;
            found["results"].as_array().unwrap().clone()
        };
        let (subject, action) = (json!({"type": "api_key", "id": sender.to_string()}), json!({"name": "send"}));
        let resource = json!({"type": "destination", "id": "echo"});
        let keys = search("subject", json!({"subject": {"type": "api_key"}, "action": action, "resource": resource})).await;
        assert!(keys.contains(&subject) && !keys.iter().any(|key| key["id"] == viewer_id.to_string()), "{keys:?}");
        let hosts = search("resource", json!({"subject": subject, "action": action, "resource": {"type": "destination"}})).await;
        assert_eq!(hosts, std::slice::from_ref(&resource));
        let actions = search("action", json!({"subject": subject, "resource": resource})).await;
        assert!(actions.contains(&action), "{actions:?}");
        // A person is a subject, too.
        let person = json!({"subject": {"type": "user", "id": owner.email}, "action": {"name": "send"}, "resource": {"type": "destination", "id": "echo"}});
        assert_eq!(service.post(EVALUATION, &person).await.body["decision"], Value::Bool(true));
        app.execute(&format!("UPDATE api_keys SET requests_left = 0 WHERE id = {}", app.id(sender))).await;
        let used_up = service.post(EVALUATION, &question(sender, "echo")).await.body;
        assert_eq!((&used_up["decision"], &used_up["context"]["stage"]), (&json!(false), &json!("credits")));
        Api::new(&app, &secret).get("/api/sso/v1/sending?host=echo").await.with_status(403);
        let answer = through_gateway(&app, &secret, ECHO).await;
        assert_eq!(stage(&answer), "credits");
    }

    /// One more label in place of the asterisk, and the exact host wins.
    async fn a_wildcard_is_decided_on_as_the_gateway_matches_it(app: TestApp) {
        new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["owner"]).await;
        let made = service.post("/api/sso/v1/destinations", &json!({"host": "api.example.com"})).await.with_status(201);
        assert!(made.body["id"].is_string());
        let yes = if app.backend == Backend::Postgres { "TRUE" } else { "1" };
        app.execute(&format!("INSERT INTO destinations (id, workspace_id, host, description, search_text, created_by, created_at, is_wildcard)
            SELECT {}, d.workspace_id, '*.example.com', '', '', d.created_by, 0, {yes} FROM destinations d", app.id(new_id()))).await;
        app.execute("UPDATE destinations SET paused_at = 1 WHERE host = 'api.example.com'").await;
        let (sender, _, _) = add_key(&app, "acme", "Sender", &["developer"]).await;
        for (host, expected) in [
            ("shop.example.com", true),
            ("SHOP.example.com.", true),
            ("api.example.com", false),
            ("a.shop.example.com", false),
            ("example.com", false),
            ("*.example.com", false),
            ("127.0.0.1", false),
        ] {
            let question = json!({"subject": {"type": "api_key", "id": sender.to_string()}, "action": {"name": "send"}, "resource": {"type": "destination", "id": host}});
            let answer = service.post(EVALUATION, &question).await.with_status(200).body;
            assert_eq!(answer["decision"], expected, "{host}: {answer}");
        }
    }
}
