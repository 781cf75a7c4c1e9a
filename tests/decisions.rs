//! Decisions for services: the levels Basic Core, Batch Core, Search Core and Discovery of the OpenID
//! AuthZEN 1.0 certification scenario, and what is our own beside them.

use crate::support::product::BuiltIn;
use crate::{support::*, world::*};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SUBJECTS: &str = "/access/v1/search/subject";
const RESOURCES: &str = "/access/v1/search/resource";
const ACTIONS: &str = "/access/v1/search/action";

/// The fixture of the scenario, entered through the API; gives the service that asks.
async fn scenario(app: &TestApp) -> Api {
    new_owner(app).await;
    let owner = workspace_key(app, "acme", &["owner"]).await;
    let roles = [
        ("record-writer", json!(["read:record", "write:record"])),
        ("record-reader", json!(["read:record"])),
        ("record-keeper", json!(["delete:record"])),
    ];
    for (slug, scopes) in roles {
        let role = json!({"name": slug, "slug": slug, "scopes": scopes});
        owner.post("/api/sso/v1/roles", &role).await.with_status(201);
    }
    for (who, role) in [("alice", "record-writer"), ("bob", "record-reader")] {
        let email = format!("{who}@example.com");
        let user = json!({"email": email, "name": who, "external_id": who, "roles": [role]});
        owner.post("/api/sso/v1/users", &user).await.with_status(201);
    }
    for id in ["record-1", "record-2"] {
        let resource = json!({"type": "record", "id": id, "name": id});
        owner.post("/api/sso/v1/resources", &resource).await.with_status(201);
    }
    workspace_key(app, "acme", &["developer"]).await
}

fn user(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

fn record(id: &str) -> Value {
    json!({"type": "record", "id": id})
}

fn evaluation_of(who: &str, action: &str, id: &str) -> Value {
    json!({"subject": user(who), "action": {"name": action}, "resource": record(id)})
}

/// The question without one part of it.
fn without(question: &Value, path: &[&str]) -> Value {
    let mut question = question.clone();
    let (last, above) = path.split_last().unwrap();
    let mut object = &mut question;
    for part in above {
        object = object.get_mut(*part).unwrap();
    }
    object.as_object_mut().unwrap().remove(*last).unwrap();
    question
}

fn with(question: &Value, name: &str, value: Value) -> Value {
    let mut question = question.clone();
    question[name] = value;
    question
}

fn decisions(answer: &Value) -> Vec<bool> {
    answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

fn results(answer: &Value, name: &str) -> BTreeSet<String> {
    let results = answer["results"].as_array().unwrap();
    assert_eq!(answer["page"]["count"], results.len());
    results.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

both! {
    async fn basic_core(app: TestApp) {
        let service = scenario(&app).await;
        for (who, action, expected) in
            [("alice", "read", true), ("alice", "write", true), ("bob", "read", true), ("bob", "write", false)]
        {
            let question = evaluation_of(who, action, "record-1");
            let plain = service.post(EVALUATION, &question).await.with_status(200);
            assert_eq!(plain.header("content-type"), Some("application/json"));
            assert_eq!(plain.body["decision"], expected, "{who} {action}");
            assert!(plain.body["context"].is_object());
            // Asked again, or with what we do not know: the same.
            let context = json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1", "role": "owner"});
            let properties = json!({"department": "Sales", "role": "owner"});
            let mut rich = with(&question, "context", context);
            rich["subject"]["properties"] = properties.clone();
            rich["action"]["properties"] = json!({"method": "GET"});
            rich["resource"]["properties"] = properties;
            rich["futureField"] = json!({"nested": true});
            for question in [&question, &rich] {
                for _ in 0..2 {
                    let again = service.post(EVALUATION, question).await.with_status(200);
                    assert_eq!(again.body, plain.body, "{question}");
                }
            }
        }
    }

    async fn what_is_malformed_is_400_and_who_is_not_known_401(app: TestApp) {
        let service = scenario(&app).await;
        let question = evaluation_of("alice", "read", "record-1");
        let missing: [&[&str]; 8] = [
            &["subject"], &["action"], &["resource"], &["subject", "type"], &["subject", "id"],
            &["action", "name"], &["resource", "type"], &["resource", "id"],
        ];
        let mut bad: Vec<Value> = missing.iter().map(|path| without(&question, path)).collect();
        bad.extend([
            with(&question, "subject", json!("alice")),
            with(&question, "action", json!({"name": 123})),
            with(&question, "resource", json!(null)),
            with(&question, "context", json!("text")),
            with(&question, "subject", json!({"type": "user", "id": "alice", "properties": []})),
            json!({}),
        ]);
        for question in &bad {
            let answer = service.post(EVALUATION, question).await.with_status(400);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{question}");
        }
        for body in ["", "{", "[]", "null", "\u{0}", &"[".repeat(500)] {
            for path in [EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS] {
                service.send(Method::POST, path, Some(body.to_owned()), &[]).await.with_status(400);
            }
        }
        // The content type must be said.
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let answer = http
                .post(format!("{}{EVALUATION}", app.url().trim_end_matches('/')))
                .bearer_auth(service.secret.as_ref().unwrap())
                .header("content-type", kind)
                .body(question.to_string());
            assert_eq!(answer.send().await.unwrap().status(), 400, "{kind:?}");
        }
        // Who is nobody is told nothing else, whatever was asked.
        for asked in [&question, &bad[0]] {
            for path in [EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS] {
                let answer = service.with(None).post(path, asked).await.with_status(401);
                assert!(answer.header("www-authenticate").is_some());
            }
        }
        // A key without the permission: 403, as for any route.
        let viewer = workspace_key(&app, "acme", &["viewer"]).await;
        for asked in [&question, &bad[0]] {
            for path in [EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS] {
                viewer.post(path, asked).await.with_status(403);
            }
        }
    }

    async fn batch_core(app: TestApp) {
        let service = scenario(&app).await;
        let batch = json!({"subject": user("alice"), "action": {"name": "read"}, "evaluations": [
            {"resource": record("record-1")}, {"resource": record("record-2")}]});
        let answer = service.post(EVALUATIONS, &batch).await.with_status(200).body;
        assert_eq!(decisions(&answer), [true, true]);
        assert!(answer.get("decision").is_none());
        let batch = json!({"subject": user("bob"), "resource": record("record-1"), "evaluations": [
            {"action": {"name": "read"}}, {"action": {"name": "write"}}]});
        assert_eq!(decisions(&service.post(EVALUATIONS, &batch).await.with_status(200).body), [true, false]);
        // With no defaults, and with those of which only a part is said anew.
        let batch = json!({"evaluations": [evaluation_of("alice", "read", "record-1"), evaluation_of("bob", "write", "record-1")]});
        assert_eq!(decisions(&service.post(EVALUATIONS, &batch).await.with_status(200).body), [true, false]);
        let batch = json!({"subject": user("alice"), "action": {"name": "write"}, "resource": {"type": "record"},
            "context": {"time": "now"},
            "evaluations": [{"resource": {"id": "record-1"}, "context": {"time": "then"}}, {"resource": {"type": "other", "id": "1"}}]});
        assert_eq!(decisions(&service.post(EVALUATIONS, &batch).await.with_status(200).body), [true, false]);
        // One that says too little is refused alone.
        let batch = json!({"subject": user("alice"), "action": {"name": "read"}, "evaluations": [
            {"resource": record("record-1")}, {}, {"resource": 1}, 7]});
        let answer = service.post(EVALUATIONS, &batch).await.with_status(200).body;
        assert_eq!(decisions(&answer), [true, false, false, false]);
        assert_eq!(answer["evaluations"][1]["context"]["error"]["status"], 400);
        // None at all is one question.
        for evaluations in [None, Some(json!([]))] {
            let mut question = evaluation_of("alice", "read", "record-1");
            if let Some(evaluations) = evaluations {
                question["evaluations"] = evaluations;
            }
            assert_eq!(service.post(EVALUATIONS, &question).await.with_status(200).body["decision"], true);
        }
        // Each semantic ends where it says.
        let batch = |semantic: &str| json!({"subject": user("bob"), "resource": record("record-1"),
            "options": {"evaluations_semantic": semantic, "other": 1}, "evaluations": [
                {"action": {"name": "read"}}, {"action": {"name": "write"}}, {"action": {"name": "read"}}]});
        for (semantic, expected) in [
            ("execute_all", &[true, false, true][..]),
            ("deny_on_first_deny", &[true, false]),
            ("permit_on_first_permit", &[true]),
        ] {
            let answer = service.post(EVALUATIONS, &batch(semantic)).await.with_status(200).body;
            assert_eq!(decisions(&answer), expected, "{semantic}");
        }
        service.post(EVALUATIONS, &batch("majority")).await.with_status(400);
        let question = evaluation_of("alice", "read", "record-1");
        service.post(EVALUATIONS, &with(&question, "evaluations", json!({}))).await.with_status(400);
        service.post(EVALUATIONS, &with(&question, "options", json!([]))).await.with_status(400);
        let many = json!({"subject": user("bob"), "resource": record("record-1"), "action": {"name": "read"},
            "evaluations": vec![json!({}); 1_001]});
        service.post(EVALUATIONS, &many).await.with_status(400);
    }

    async fn search_core(app: TestApp) {
        let service = scenario(&app).await;
        let readers = json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": record("record-1")});
        let answer = service.post(SUBJECTS, &with(&readers, "context", json!({"a": 1}))).await.with_status(200).body;
        assert!(results(&answer, "id").is_superset(&BTreeSet::from(["alice".into(), "bob".into()])));
        assert!(answer["results"].as_array().unwrap().iter().all(|one| one["type"] == "user"));
        assert_eq!(answer["page"]["next_token"], "");
        let writers = with(&readers, "action", json!({"name": "write"}));
        let answer = service.post(SUBJECTS, &writers).await.with_status(200).body;
        assert!(results(&answer, "id").contains("alice") && !results(&answer, "id").contains("bob"));

        let readable = json!({"subject": user("alice"), "action": {"name": "read"}, "resource": {"type": "record"}});
        let answer = service.post(RESOURCES, &readable).await.with_status(200).body;
        assert_eq!(results(&answer, "id"), BTreeSet::from(["record-1".into(), "record-2".into()]));

        let doable = json!({"subject": user("alice"), "resource": record("record-1"), "context": {}});
        let answer = service.post(ACTIONS, &doable).await.with_status(200).body;
        assert_eq!(results(&answer, "name"), BTreeSet::from(["read".into(), "write".into()]));

        // Page by page: each once, none left out, whatever the size of a page.
        for (path, search, name) in
            [(SUBJECTS, &readers, "id"), (RESOURCES, &readable, "id"), (ACTIONS, &doable, "name")]
        {
            let whole = results(&service.post(path, search).await.body, name);
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = with(search, "page", json!({"limit": 1, "token": token}));
                let answer = service.post(path, &page).await.with_status(200).body;
                seen.extend(results(&answer, name));
                token = answer["page"]["next_token"].as_str().unwrap().to_owned();
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen.len(), whole.len(), "{path}");
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), whole, "{path}");
        }

        // Whom nobody knows, and what nobody can be.
        let nobody = with(&doable, "subject", user("nonexistent-user"));
        assert_eq!(service.post(ACTIONS, &nobody).await.with_status(200).body["results"], json!([]));
        let spaceship = with(&readers, "subject", json!({"type": "spaceship"}));
        assert_eq!(service.post(SUBJECTS, &spaceship).await.with_status(200).body["results"], json!([]));
        let spaceships = with(&readable, "resource", json!({"type": "spaceship"}));
        assert_eq!(service.post(RESOURCES, &spaceships).await.with_status(200).body["results"], json!([]));

        for (path, bad) in [
            (SUBJECTS, without(&readers, &["action"])),
            (SUBJECTS, without(&readers, &["subject"])),
            (SUBJECTS, without(&readers, &["subject", "type"])),
            (SUBJECTS, without(&readers, &["resource", "id"])),
            (RESOURCES, without(&readable, &["subject"])),
            (RESOURCES, without(&readable, &["subject", "id"])),
            (RESOURCES, without(&readable, &["resource", "type"])),
            (ACTIONS, without(&doable, &["resource"])),
            (ACTIONS, without(&doable, &["subject"])),
            (SUBJECTS, with(&readers, "page", json!({"limit": 0}))),
            (SUBJECTS, with(&readers, "page", json!({"token": "nothing"}))),
            (SUBJECTS, with(&readers, "page", json!([]))),
        ] {
            service.post(path, &bad).await.with_status(400);
        }
    }

    async fn discovery(app: TestApp) {
        let anybody = Api::new(&app, "").with(None);
        let answer = anybody.get("/.well-known/authzen-configuration").await.with_status(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let base = app.url();
        let base = base.trim_end_matches('/');
        assert_eq!(answer.body["policy_decision_point"], base);
        for (name, path) in [
            ("access_evaluation_endpoint", EVALUATION),
            ("access_evaluations_endpoint", EVALUATIONS),
            ("search_subject_endpoint", SUBJECTS),
            ("search_resource_endpoint", RESOURCES),
            ("search_action_endpoint", ACTIONS),
        ] {
            assert_eq!(answer.body[name], format!("{base}{path}"));
        }
    }

    async fn a_request_keeps_its_id(app: TestApp) {
        let service = scenario(&app).await;
        let question = evaluation_of("alice", "read", "record-1").to_string();
        let headers = [("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")];
        for path in [EVALUATION, EVALUATIONS] {
            let answer = service.send(Method::POST, path, Some(question.clone()), &headers).await.with_status(200);
            assert_eq!(answer.header("x-request-id"), Some(headers[0].1));
        }
        let bad = service.send(Method::POST, EVALUATION, Some("{".into()), &headers).await.with_status(400);
        assert_eq!(bad.header("x-request-id"), Some(headers[0].1));
        let answer = service.send(Method::POST, EVALUATION, Some(question), &[]).await.with_status(200);
        assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
    }

    async fn an_answer_says_why_and_follows_every_change(app: TestApp) {
        let world = World::build(&app).await;
        let service = workspace_key(&app, "acme", &["developer"]).await;
        let viewer = world.person(BuiltIn::Viewer);
        let ask = async |subject: Value, action: &str, kind: &str| {
            let question = json!({"subject": subject, "action": {"name": action}, "resource": {"type": kind, "id": "1"}});
            service.post(EVALUATION, &question).await.with_status(200).body
        };
        // By id, by confirmed address, by external id; and in a batch each by its own way alone.
        let by_id = user(&viewer.user_id.to_string());
        let answer = ask(by_id.clone(), "read", "posts").await;
        assert_eq!(answer, json!({"decision": true, "context":
            {"reason": "granted", "scope": "read:posts", "role": "viewer", "grant": "read:*"}}));
        let answer = ask(by_id.clone(), "write", "posts").await;
        assert_eq!(answer["context"]["roles_that_would"], json!(["owner", "admin", "editor"]));
        assert_eq!(ask(user(&viewer.email), "read", "posts").await["decision"], true);
        app.execute(&format!("UPDATE users SET email_verified_at = NULL WHERE id = {}", app.id(viewer.user_id))).await;
        assert_eq!(ask(user(&viewer.email), "read", "posts").await["context"]["reason"], "no_active_membership");
        let batch = json!({"action": {"name": "read"}, "resource": {"type": "posts", "id": "1"},
            "evaluations": [{"subject": by_id}, {"subject": user(&viewer.email)}]});
        assert_eq!(decisions(&service.post(EVALUATIONS, &batch).await.body), [true, false]);

        // A permission of the catalogue is had by its own name alone.
        let admin = user(&world.person(BuiltIn::Admin).user_id.to_string());
        assert_eq!(ask(admin.clone(), "read", "anything").await["decision"], true);
        assert_eq!(ask(admin.clone(), "delete", "organization").await["decision"], false);
        assert_eq!(ask(admin.clone(), "read", "members").await["context"]["grant"], "read:members");
        let owner = user(&world.person(BuiltIn::Owner).user_id.to_string());
        assert_eq!(ask(owner, "delete", "organization").await["decision"], true);
        // What stands for many is no question, and what can be no scope is refused with a reason.
        for (action, kind) in [("*", "posts"), ("read", "*"), ("reäd", "posts"), ("read", "Blog Posts"), ("read", "a:b:c")] {
            let answer = ask(admin.clone(), action, kind).await;
            assert_eq!((&answer["decision"], &answer["context"]["reason"]), (&json!(false), &json!("no_such_scope")));
        }
        assert_eq!(ask(admin.clone(), "read", "posts:title").await["decision"], true);
        // Actions, types and the types of subjects are read in any case, and people have other words too.
        assert_eq!(ask(by_id.clone(), "Read", "POSTS").await["context"]["scope"], "read:posts");
        assert_eq!(ask(by_id.clone(), "DELETE", "Posts").await["context"]["scope"], "delete:posts");
        for kind in ["identity", "person", "User"] {
            let subject = json!({"type": kind, "id": viewer.user_id.to_string()});
            assert_eq!(ask(subject, "read", "posts").await["decision"], true, "{kind}");
        }
        // The permission to send is no scope of an application, however it is written.
        let answer = ask(by_id.clone(), "Send", "Destination").await;
        assert_eq!(answer["context"]["scope"], "send:destinations");

        // Keys are subjects too.
        let (key, member, _) = add_key(&app, "acme", "Subject", &["viewer"]).await;
        let robot = json!({"type": "api_key", "id": key.to_string()});
        assert_eq!(ask(robot.clone(), "read", "posts").await["decision"], true);
        app.execute(&format!("UPDATE api_keys SET revoked_at = 1 WHERE id = {}", app.id(key))).await;
        assert_eq!(ask(robot.clone(), "read", "posts").await["decision"], false);
        app.execute(&format!("UPDATE api_keys SET revoked_at = NULL, expires_at = 1 WHERE id = {}", app.id(key))).await;
        assert_eq!(ask(robot.clone(), "read", "posts").await["decision"], false);
        app.execute(&format!("DELETE FROM members WHERE id = {}", app.id(member))).await;

        // Another workspace's people, suspended ones, and what is no id at all: the same answer.
        let outsider = user(&world.outsider.user_id.to_string());
        let suspended = user(&world.suspended.user_id.to_string());
        let nobody = user("nobody-at-all");
        for subject in [outsider, suspended, nobody, json!({"type": "group", "id": "1"}), robot, user("a\u{0}b"), user("@")] {
            let answer = ask(subject.clone(), "read", "posts").await;
            assert_eq!(answer, json!({"decision": false, "context": {"reason": "no_active_membership"}}), "{subject}");
        }

        // Demoted, suspended, removed: the very next answer knows.
        let developer = world.person(BuiltIn::Developer);
        let subject = user(&developer.user_id.to_string());
        assert_eq!(ask(subject.clone(), "write", "code").await["decision"], true);
        let owner = &world.person(BuiltIn::Owner).client;
        let page = owner.visit(&format!("/w/acme/members/{}", developer.member_id)).await;
        owner.submit(&page, "/roles", &[("role", "viewer")]).await.assert_status(303);
        assert_eq!(ask(subject.clone(), "write", "code").await["decision"], false);
        assert_eq!(ask(subject.clone(), "read", "code").await["decision"], true);
        app.execute(&format!("UPDATE members SET status = 'suspended' WHERE id = {}", app.id(developer.member_id))).await;
        assert_eq!(ask(subject.clone(), "read", "code").await["decision"], false);
        app.execute(&format!("UPDATE members SET status = 'active' WHERE id = {}", app.id(developer.member_id))).await;
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(developer.user_id))).await;
        assert_eq!(ask(subject, "read", "code").await["decision"], false);
    }

    async fn a_decision_is_one_statement_and_a_batch_of_a_hundred_three_at_most(app: TestApp) {
        let service = scenario(&app).await;
        let question = evaluation_of("alice", "read", "record-1");
        let batch: Vec<Value> = (0..100)
            .map(|n| evaluation_of(&format!("{}{}", if n % 2 == 0 { "alice" } else { "bob" }, if n > 50 { n } else { 0 }), "read", "record-1"))
            .collect();
        let batch = json!({"evaluations": batch});
        service.post(EVALUATION, &question).await.with_status(200);
        let (_, statements) = app.statements_of(service.post(EVALUATION, &question)).await;
        assert_eq!(statements, 1);
        let (answer, statements) = app.statements_of(service.post(EVALUATIONS, &batch)).await;
        assert_eq!(answer.with_status(200).body["evaluations"].as_array().unwrap().len(), 100);
        assert!(statements <= 3, "{statements} statements");
    }

    async fn reasons_are_left_out_on_request(app: TestApp) {
        let service = scenario(&app).await;
        let question = evaluation_of("alice", "read", "record-1");
        let batch = json!({"action": {"name": "write"}, "resource": record("record-1"),
            "evaluations": [{"subject": user("alice")}, {"subject": user("bob")}, {"subject": 7}]});
        let ask = async |path: &str, body: &Value, prefer: &str| {
            let headers = [("prefer", prefer)];
            service.send(Method::POST, path, Some(body.to_string()), &headers).await.with_status(200)
        };
        for prefer in ["return=minimal", "respond-async, Return=\"minimal\"; x=1", "wait=10,return=minimal"] {
            let answer = ask(EVALUATION, &question, prefer).await;
            assert_eq!(answer.body, json!({"decision": true}), "{prefer}");
            assert_eq!(answer.header("preference-applied"), Some("return=minimal"));
            let answer = ask(EVALUATIONS, &batch, prefer).await;
            let some = answer.body["evaluations"].as_array().unwrap();
            assert_eq!(some[..2], [json!({"decision": true}), json!({"decision": false})], "{prefer}");
            // What was wrong with a question is no reason of a decision.
            assert_eq!(some[2]["context"]["error"]["status"], 400);
        }
        for prefer in ["return=representation", "minimal", "", "return", "handling=strict", "return=representation, return=minimal"] {
            let answer = ask(EVALUATION, &question, prefer).await;
            assert_eq!(answer.body["context"]["reason"], "granted", "{prefer}");
            assert_eq!(answer.header("preference-applied"), None, "{prefer}");
        }
    }

    async fn own_is_what_belongs_to_the_subject(app: TestApp) {
        let world = World::build(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        for (slug, scopes) in [
            ("writer", json!(["read:*", "write:own"])),
            ("keeper", json!(["delete:note:own"])),
            ("chief", json!(["write:note"])),
        ] {
            let role = json!({"name": format!("The {slug}"), "slug": slug, "scopes": scopes});
            owner.post("/api/sso/v1/roles", &role).await.with_status(201);
        }
        let mut ids = Vec::new();
        for (who, roles) in [("alice", vec!["writer", "keeper"]), ("bob", vec!["writer"]), ("carol", vec!["writer", "chief"])] {
            let new = json!({"email": format!("{who}@example.com"), "external_id": who, "roles": roles});
            let entered = owner.post("/api/sso/v1/users", &new).await.with_status(201).body;
            ids.push(entered["user_id"].as_str().unwrap().to_owned());
        }
        let (key, ..) = add_key(&app, "acme", "Own robot", &["writer"]).await;
        let register = async |id: &str, owned_by: Value| {
            let body = json!({"type": "note", "id": id, "name": id, "owner": owned_by});
            owner.post("/api/sso/v1/resources", &body).await.with_status(201)
        };
        register("of-alice", user("alice")).await;
        register("of-bob", user(&ids[1])).await;
        register("of-robot", json!({"type": "api_key", "id": key.to_string()})).await;
        register("of-nobody", Value::Null).await;

        let service = workspace_key(&app, "acme", &["developer"]).await;
        let ask = async |subject: Value, action: &str, id: &str, properties: Value| {
            let question = json!({"subject": subject, "action": {"name": action},
                "resource": {"type": "note", "id": id, "properties": properties}});
            let one = service.post(EVALUATION, &question).await.with_status(200).body;
            let batch = json!({"evaluations": [question, evaluation_of("alice", "read", "1")]});
            let batch = service.post(EVALUATIONS, &batch).await.with_status(200).body;
            assert_eq!(batch["evaluations"][0], one, "{question}");
            one
        };
        let none = || json!({});
        // By what is registered: the owner alone, by whatever name they are meant.
        let answer = ask(user("alice"), "write", "of-alice", none()).await;
        assert_eq!(answer["context"], json!({"reason": "granted", "scope": "write:note", "role": "writer", "grant": "write:own"}));
        for subject in [user(&ids[0]), json!({"type": "identity", "id": "alice"})] {
            assert_eq!(ask(subject, "Write", "of-alice", none()).await["decision"], true);
        }
        let answer = ask(user("bob"), "write", "of-alice", none()).await;
        assert_eq!((&answer["decision"], &answer["context"]["reason"], &answer["context"]["owner"]),
            (&json!(false), &json!("not_own"), &json!("another")));
        let would = answer["context"]["roles_that_would"].as_array().unwrap();
        assert!(would.contains(&json!("chief")) && !would.contains(&json!("writer")), "{would:?}");
        assert_eq!(ask(user("carol"), "write", "of-alice", none()).await["context"]["role"], "chief");
        assert_eq!(ask(user("alice"), "delete", "of-alice", none()).await["context"]["grant"], "delete:note:own");
        assert_eq!(ask(user("bob"), "delete", "of-bob", none()).await["context"]["reason"], "not_granted");
        let robot = json!({"type": "api_key", "id": key.to_string()});
        assert_eq!(ask(robot.clone(), "write", "of-robot", none()).await["decision"], true);
        assert_eq!(ask(robot, "write", "of-alice", none()).await["decision"], false);
        // Of nobody, and of what is not registered, nothing is known.
        for id in ["of-nobody", "unknown", "a\u{0}b"] {
            let answer = ask(user("alice"), "write", id, none()).await;
            assert_eq!((&answer["context"]["reason"], &answer["context"]["owner"]), (&json!("not_own"), &json!("unknown")), "{id:?}");
        }
        // By what the question says: each name that the member has here, and a service's own entry by its address.
        for named in ["alice", &ids[0], "Alice@Example.com"] {
            for word in ["owner", "owner_id", "ownerID", "ownerId"] {
                let answer = ask(user("alice"), "write", "unknown", json!({word: named})).await;
                assert_eq!(answer["decision"], true, "{word} {named}");
                assert_eq!(ask(user("bob"), "write", "unknown", json!({word: named})).await["decision"], false);
            }
        }
        assert_eq!(ask(user("alice"), "write", "unknown", json!({"owner": user("alice")})).await["decision"], true);
        // Nobody whom this workspace knows, somebody of another one, no name at all.
        for named in [json!("nobody"), json!(world.outsider.user_id.to_string()), json!(7), json!(["alice"]), json!("")] {
            let answer = ask(user("alice"), "write", "unknown", json!({"owner": named})).await;
            assert_eq!((&answer["decision"], &answer["context"]["owner"]), (&json!(false), &json!("another")), "{named}");
        }
        // Both must agree, and so must two words in one question.
        for (id, properties, expected) in [
            ("of-alice", json!({"owner": "alice"}), true),
            ("of-alice", json!({"owner": "bob"}), false),
            ("of-bob", json!({"owner": "alice"}), false),
            ("of-nobody", json!({"owner": "alice"}), true),
            ("unknown", json!({"owner": "alice", "owner_id": "bob"}), false),
        ] {
            let answer = ask(user("alice"), "write", id, properties.clone()).await;
            assert_eq!(answer["decision"], expected, "{id} {properties}");
        }
        // In a batch, what is said of one resource is said of no other.
        let batch = json!({"subject": user("alice"), "action": {"name": "write"},
            "resource": {"type": "note", "id": "unknown", "properties": {"owner": "alice"}},
            "evaluations": [{}, {"resource": {"id": "other"}}, {"resource": {"properties": {"owner": "alice"}}},
                {"resource": {"properties": {"owner": "bob"}}}]});
        let answer = service.post(EVALUATIONS, &batch).await.with_status(200).body;
        assert_eq!(decisions(&answer), [true, false, true, false]);
        // The scope itself, as an application asks that decides for itself what is whose; and of somebody else's.
        let literal = async |properties: Value| {
            let question = json!({"subject": user("alice"), "action": {"name": "write"},
                "resource": {"type": "own", "id": "1", "properties": properties}});
            service.post(EVALUATION, &question).await.with_status(200).body["decision"].clone()
        };
        assert_eq!([literal(none()).await, literal(json!({"owner": "alice"})).await, literal(json!({"owner": "bob"})).await],
            [json!(true), json!(true), json!(false)]);
        // A permission of the catalogue belongs to nobody.
        let question = json!({"subject": user("alice"), "action": {"name": "read"},
            "resource": {"type": "audit", "id": "1", "properties": {"owner": "alice"}}});
        assert_eq!(service.post(EVALUATION, &question).await.with_status(200).body["context"]["reason"], "not_granted");

        // Searches say the same.
        let search = async |path: &str, body: Value, name: &str| {
            let mut found = Vec::new();
            for limit in [1, 100] {
                let (mut seen, mut token) = (Vec::new(), String::new());
                loop {
                    let page = with(&body, "page", json!({"limit": limit, "token": token}));
                    let answer = service.post(path, &page).await.with_status(200).body;
                    assert!(answer["results"].as_array().unwrap().len() <= limit, "{answer}");
                    seen.extend(results(&answer, name));
                    token = answer["page"]["next_token"].as_str().unwrap().to_owned();
                    if token.is_empty() {
                        break;
                    }
                }
                let set: BTreeSet<String> = seen.iter().cloned().collect();
                assert_eq!(seen.len(), set.len(), "each once: {seen:?}");
                found.push(set);
            }
            assert_eq!(found[0], found[1]);
            found.remove(0)
        };
        let on = |who: &str, action: &str| json!({"subject": user(who), "action": {"name": action}, "resource": {"type": "Note"}});
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(search(RESOURCES, on("alice", "write"), "id").await, set(&["of-alice"]));
        assert_eq!(search(RESOURCES, on("carol", "write"), "id").await, set(&["of-alice", "of-bob", "of-nobody", "of-robot"]));
        assert_eq!(search(RESOURCES, on("bob", "delete"), "id").await, set(&[]));
        let who = |id: &str, properties: Value| json!({"subject": {"type": "user"}, "action": {"name": "write"},
            "resource": {"type": "note", "id": id, "properties": properties}});
        let writers = search(SUBJECTS, who("unknown", none()), "id").await;
        assert!(writers.contains("carol") && !writers.contains("alice") && !writers.contains("bob"), "{writers:?}");
        let with_alice = search(SUBJECTS, who("of-alice", none()), "id").await;
        assert_eq!(with_alice.difference(&writers).cloned().collect::<BTreeSet<_>>(), set(&["alice"]));
        assert_eq!(search(SUBJECTS, who("of-alice", json!({"owner": "bob"})), "id").await, writers);
        assert_eq!(search(SUBJECTS, who("unknown", json!({"owner": "carol"})), "id").await, writers);
        let keys = with(&who("of-robot", none()), "subject", json!({"type": "api_key"}));
        assert!(search(SUBJECTS, keys, "id").await.contains(&key.to_string()));
        let actions = |id: &str| json!({"subject": user("alice"), "resource": {"type": "note", "id": id}});
        assert_eq!(search(ACTIONS, actions("of-alice"), "name").await, set(&["delete", "read", "write"]));
        assert_eq!(search(ACTIONS, actions("of-bob"), "name").await, set(&["read"]));

        // Whoever was entered keeps their things when they accept. Once they are gone, these belong to nobody.
        let client = sign_up(&app, "Alice Herself", "alice@example.com", PASSWORD, "alices").await;
        verify_email(&app, &client, "alice@example.com").await;
        let page = client.visit("/workspaces").await;
        client.submit(&page, "/acceptance", &[]).await.assert_status(303);
        assert_eq!(ask(user("alice"), "write", "of-alice", none()).await["decision"], true);
        let member = app.scalar_uuid("SELECT id FROM members WHERE external_id = 'alice'").await;
        owner.delete(&format!("/api/sso/v1/members/{member}")).await.with_status(204);
        assert_eq!(ask(user("bob"), "write", "of-alice", none()).await["context"]["owner"], "unknown");
        let listed = owner.get("/api/sso/v1/resources?type=note&id=of-alice").await.with_status(200).body;
        assert_eq!(listed["items"][0]["owner"], Value::Null);
    }

    async fn whose_a_resource_is_says_who_may_do_everything_with_it(app: TestApp) {
        let world = World::build(&app).await;
        let path = "/api/sso/v1/resources";
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        admin.post("/api/sso/v1/users", &json!({"email": "alice@example.com", "external_id": "alice"})).await.with_status(201);
        let owner_role = workspace_key(&app, "acme", &["owner"]).await;
        let role = json!({"name": "Records", "slug": "records", "scopes": ["check:access", "*:record"]});
        owner_role.post("/api/sso/v1/roles", &role).await.with_status(201);
        let service = workspace_key(&app, "acme", &["records"]).await;
        let developer = workspace_key(&app, "acme", &["developer"]).await;
        let of = |kind: &str, id: &str, owned_by: Value| json!({"type": kind, "id": id, "name": "N", "owner": owned_by});

        let made = service.post(path, &of("record", "1", user("alice"))).await.with_status(201).body;
        assert_eq!(made["owner"], user("alice"));
        let listed = service.get(&format!("{path}?type=record&id=1")).await.with_status(200).body;
        assert_eq!(listed["items"][0]["owner"], user("alice"));
        // Nothing is said: it stays, and everybody who may check access can rename it.
        let renamed = json!({"type": "record", "id": "1", "name": "Other"});
        assert_eq!(developer.post(path, &renamed).await.with_status(200).body["owner"], user("alice"));
        // Of another type, for oneself, of nobody, and away with it: by nobody who may not do everything with it.
        let before = app.tenants().await;
        for (api, body) in [
            (&service, of("invoice", "1", user("alice"))),
            (&developer, of("record", "2", user("alice"))),
            (&developer, of("record", "1", user(&world.person(BuiltIn::Developer).user_id.to_string()))),
            (&developer, of("record", "1", Value::Null)),
            (&service, of("own", "1", user("alice"))),
        ] {
            let refused = api.post(path, &body).await.with_status(403);
            assert!(refused.text.contains("*:"), "{}", refused.text);
        }
        developer.delete(&format!("{path}?type=record&id=1")).await.with_status(403);
        // Nobody of this workspace, and no shape.
        for owned_by in [user("nobody"), user(&world.outsider.user_id.to_string()), user("a\u{0}b"), user("")] {
            let refused = service.post(path, &of("record", "1", owned_by)).await.with_status(422);
            assert_eq!(refused.body["errors"][0]["field"], "owner");
        }
        for owned_by in [json!("alice"), json!({"type": "user"}), json!({"type": "group", "id": "1"})] {
            let refused = service.post(path, &of("record", "1", owned_by)).await;
            assert!([400, 422].contains(&refused.status), "{}", refused.text);
        }
        assert!(before == app.tenants().await);
        // Given to somebody else, to nobody, and forgotten; each of it is recorded.
        let developer_id = world.person(BuiltIn::Developer).user_id.to_string();
        let given = service.post(path, &of("record", "1", user(&developer_id))).await.with_status(200).body;
        assert_eq!(given["owner"], user(&developer_id));
        let page = world.person(BuiltIn::Developer).client.visit("/w/acme/resources").await;
        page.assert_says(&developer_id);
        assert_eq!(service.post(path, &of("record", "1", Value::Null)).await.with_status(200).body["owner"], Value::Null);
        service.post(path, &of("record", "1", Value::Null)).await.with_status(200);
        service.delete(&format!("{path}?type=record&id=1")).await.with_status(204);
        let events = app.scalar_i64("SELECT COUNT(*) FROM audit_events WHERE kind = 'resource.owner-changed'").await;
        assert_eq!(events, 3);
        world.person(BuiltIn::Owner).client.visit("/w/acme/activity").await.assert_says("removed the owner of the resource");
    }

    async fn who_is_found_may_and_who_may_is_found(app: TestApp) {
        new_owner(&app).await;
        let service = workspace_key(&app, "acme", &["developer"]).await;
        let mut expected = BTreeSet::new();
        for n in 0..250 {
            let id = add_user(&app, &format!("Person {n}"), &format!("person-{n}@example.com")).await;
            let role = ["viewer", "billing", "editor", "developer"][n % 4];
            let status = if n % 9 == 0 { "suspended" } else { "active" };
            add_member(&app, "acme", id, status, &[role]).await;
            if status == "active" && role != "billing" {
                expected.insert(id.to_string());
            }
        }
        let mut seen: Vec<String> = Vec::new();
        let mut token = String::new();
        let mut pages = 0;
        loop {
            let search = json!({"subject": {"type": "user"}, "action": {"name": "read"},
                "resource": {"type": "posts", "id": "1"}, "page": {"token": token}});
            let answer = service.post(SUBJECTS, &search).await.with_status(200).body;
            seen.extend(results(&answer, "id"));
            pages += 1;
            token = answer["page"]["next_token"].as_str().unwrap().to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert!(pages >= 2, "{pages} pages");
        let owner = app.scalar_uuid("SELECT user_id FROM members WHERE origin = 'founder'").await;
        expected.insert(owner.to_string());
        assert_eq!(seen.len(), expected.len());
        assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), expected);
        let questions: Vec<Value> = seen.iter().map(|id| json!({"subject": user(id)})).collect();
        let batch = json!({"action": {"name": "read"}, "resource": {"type": "posts", "id": "1"}, "evaluations": questions});
        let answer = service.post(EVALUATIONS, &batch).await.with_status(200).body;
        assert!(decisions(&answer).iter().all(|is_allowed| *is_allowed));
    }

    async fn a_service_enters_people_and_what_it_calls_them(app: TestApp) {
        let world = World::build(&app).await;
        let admin = workspace_key(&app, "acme", &["admin"]).await;
        let users = "/api/sso/v1/users";
        let new = json!({"email": "carol@example.com", "external_id": "carol"});
        let entered = admin.post(users, &new).await.with_status(201).body;
        assert_eq!(entered["workspaces"], json!([{"workspace_id": world.acme.id.to_string(), "roles": ["viewer"], "own_roles": ["viewer"]}]));
        let id = entered["user_id"].as_str().unwrap().to_owned();

        let before = app.tenants().await;
        // Here already; somebody of another account; over one's head; another's external id; no shape.
        admin.post(users, &new).await.with_status(409);
        admin.post(users, &json!({"email": "owner@elsewhere.example.com"})).await.with_status(409);
        admin.post(users, &json!({"email": "dan@example.com", "roles": ["owner"]})).await.with_status(403);
        admin.post(users, &json!({"email": "dan@example.com", "external_id": "carol"})).await.with_status(422);
        for bad in [
            json!({"email": "dan"}),
            json!({"email": "dan@example.com", "roles": ["nothing"]}),
            json!({"email": "dan@example.com", "roles": []}),
            json!({"email": "dan@example.com", "name": ""}),
            json!({"email": "dan@example.com", "external_id": "a@b"}),
            json!({"email": "dan@example.com", "external_id": world.outsider.user_id.to_string()}),
            json!({"email": "dan@example.com", "external_id": "a\u{0}b"}),
            json!({"email": "dan@example.com", "password": "correct horse battery staple 9"}),
            json!({}),
        ] {
            admin.post(users, &bad).await.with_status(422);
        }
        let change = format!("{users}/{id}");
        admin.patch(&change, &json!({"external_id": ""})).await.with_status(422);
        let owner = format!("{users}/{}", world.person(BuiltIn::Owner).user_id);
        admin.patch(&owner, &json!({"external_id": "boss"})).await.with_status(403);
        admin.patch(&format!("{users}/{}", world.outsider.user_id), &json!({"external_id": "x"})).await.with_status(404);
        let viewer = workspace_key(&app, "acme", &["viewer"]).await;
        let before_viewer = app.tenants().await;
        viewer.post(users, &json!({"email": "dan@example.com"})).await.with_status(403);
        viewer.patch(&change, &json!({"external_id": null})).await.with_status(403);
        assert!(app.tenants().await == before_viewer);
        assert!(before != before_viewer, "the viewer's key is new");

        // Nobody signs in as them: the person with the address comes as if they were unknown, and accepts.
        let client = app.client();
        let page = client.visit("/sign-in").await;
        for password in ["", "carol", "!"] {
            let fields = [("email", "carol@example.com"), ("password", password)];
            client.submit(&page, "/sign-in", &fields).await.assert_status(422);
        }
        let carol = sign_up(&app, "Carol", "carol@example.com", PASSWORD, "carols").await;
        verify_email(&app, &carol, "carol@example.com").await;
        let page = carol.visit("/workspaces").await;
        carol.submit(&page, "/acceptance", &[]).await.assert_status(303);
        carol.visit("/w/acme").await;

        // Called otherwise, and by nothing; the service knows them by the id that it was given.
        admin.patch(&change, &json!({"external_id": "c-1", "roles": ["editor"]})).await.with_status(200);
        let called = "SELECT COALESCE(m.external_id, '') FROM members m JOIN users u ON u.id = m.user_id
            JOIN workspaces w ON w.id = m.workspace_id WHERE u.email = 'carol@example.com' AND w.slug = 'acme'";
        assert_eq!(app.scalar_text(called).await.unwrap(), "c-1");
        // By that id as well, whatever is in it.
        for (id, path) in [("user:alice", "user:alice"), ("a/b %41+ü", "a%2Fb%20%2541+%C3%BC"), ("c-1", "c-1")] {
            admin.patch(&change, &json!({"external_id": id})).await.with_status(200);
            let (by_id, named) = (admin.get(&change).await.with_status(200), format!("{users}/{path}"));
            let by_name = admin.get(&named).await.with_status(200);
            assert_eq!(by_name.body, by_id.body, "{id}");
            assert_eq!((by_name.body["external_id"].clone(), by_name.header("etag")), (json!(id), by_id.header("etag")));
            let changed = admin.patch(&named, &json!({"roles": ["viewer"]})).await.with_status(200).body;
            assert_eq!(changed["user_id"], by_id.body["user_id"]);
            let query = path.replace('+', "%2B");
            let found = admin.get(&format!("{users}?external_id={query}&status=active")).await.with_status(200).body;
            assert_eq!(found["items"].as_array().unwrap().len(), 1);
            assert_eq!((&found["items"][0]["external_id"], &found["items"][0]["email"]), (&json!(id), &json!("carol@example.com")));
        }
        let (_, _, secret) = add_key(&app, "elsewhere", "Robot", &["owner"]).await;
        let before = app.tenants().await;
        for nobody in ["nobody", "c-1%20", "C-1", "carol@example.com"] {
            admin.get(&format!("{users}/{nobody}")).await.with_status(404);
            admin.patch(&format!("{users}/{nobody}"), &json!({"roles": ["viewer"]})).await.with_status(404);
        }
        viewer.patch(&format!("{users}/c-1"), &json!({"external_id": null})).await.with_status(403);
        Api::new(&app, &secret).get(&format!("{users}/c-1")).await.with_status(404);
        assert!(before == app.tenants().await);
        for (query, count) in [("external_id=c-1", 1), ("external_id=c-1&status=suspended", 0), ("external_id=C-1", 0), ("external_id=", 2)] {
            let found = admin.get(&format!("{users}?{query}&limit=2")).await.with_status(200).body;
            assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
        }
        for wrong in ["external_id=a@b", "external_id=a%00b"] {
            let refused = admin.get(&format!("{users}?{wrong}")).await.with_status(422);
            assert_eq!(refused.body["errors"][0]["field"], "external_id");
        }
        admin.patch(&format!("{users}/c-1"), &json!({"external_id": null})).await.with_status(200);
        assert_eq!(app.scalar_text(called).await.unwrap(), "");
        admin.patch(&change, &json!({})).await.with_status(200);
    }

    async fn users_and_roles_come_page_by_page_by_number(app: TestApp) {
        World::build(&app).await;
        let api = workspace_key(&app, "acme", &["viewer"]).await;
        for list in ["users", "roles"] {
            let path = format!("/api/sso/v1/{list}");
            let items = |answer: Answer| answer.body["items"].as_array().unwrap().clone();
            let whole = items(api.get(&format!("{path}?limit=100")).await.with_status(200));
            assert!(whole.len() > 4, "{list}");
            let mut seen = Vec::new();
            for page in 1.. {
                let some = items(api.get(&format!("{path}?page={page}&limit=3")).await.with_status(200));
                assert!(some.len() <= 3, "{list}");
                if some.is_empty() {
                    break;
                }
                seen.extend(some);
            }
            assert_eq!(seen, whole, "{list}");
            // From there on by cursor, too.
            let first = api.get(&format!("{path}?page=1&limit=3")).await.with_status(200).body;
            let next = first["next"].as_str().unwrap();
            let second = items(api.get(&format!("{path}?after={next}&limit=3")).await.with_status(200));
            assert_eq!(second, items(api.get(&format!("{path}?page=2&limit=3")).await.with_status(200)), "{list}");
            for wrong in ["page=0", "page=-1", "page=101&limit=100", "page=102&limit=100", "page=9223372036854775807", &format!("page=1&after={next}")] {
                let answer = api.get(&format!("{path}?{wrong}")).await;
                match wrong {
                    "page=101&limit=100" => assert!(items(answer.with_status(200)).is_empty()),
                    _ => assert_eq!(answer.with_status(422).body["errors"][0]["field"], "page", "{list} {wrong}"),
                }
            }
        }
        api.get("/api/sso/v1/members?page=1").await.with_status(422);
    }

    async fn resources_are_registered_named_and_forgotten(app: TestApp) {
        let world = World::build(&app).await;
        let service = workspace_key(&app, "acme", &["developer"]).await;
        let path = "/api/sso/v1/resources";
        let one = json!({"type": "record", "id": "r/1 ü", "name": "One"});
        assert_eq!(service.post(path, &one).await.with_status(201).body["name"], "One");
        service.post(path, &one).await.with_status(200);
        service.post(path, &json!({"type": "record", "id": "r/1 ü", "name": "Other"})).await.with_status(200);
        let listed = service.get("/api/sso/v1/resources?type=record").await.with_status(200).body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed["items"][0]["name"], "Other");
        let rows = "SELECT COUNT(*) FROM resources";
        for bad in [
            json!({"type": "Record", "id": "1", "name": "n"}), json!({"type": "a:b", "id": "1", "name": "n"}),
            json!({"type": "*", "id": "1", "name": "n"}), json!({"type": "record", "id": "", "name": "n"}),
            json!({"type": "record", "id": "1", "name": ""}), json!({"type": "record", "id": "a\u{0}", "name": "n"}),
            json!({"type": "record", "id": "1", "name": "n", "workspace_id": world.elsewhere.id.to_string()}),
        ] {
            service.post(path, &bad).await.with_status(422);
        }
        let viewer = workspace_key(&app, "acme", &["viewer"]).await;
        viewer.post(path, &json!({"type": "record", "id": "2", "name": "n"})).await.with_status(403);
        viewer.delete("/api/sso/v1/resources?type=record&id=r/1%20%C3%BC").await.with_status(403);
        // Elsewhere it does not exist.
        let (_, _, secret) = add_key(&app, "elsewhere", "Robot", &["owner"]).await;
        let elsewhere = Api::new(&app, &secret);
        elsewhere.delete("/api/sso/v1/resources?type=record&id=r/1%20%C3%BC").await.with_status(404);
        assert_eq!(elsewhere.get(path).await.with_status(200).body["items"], json!([]));
        assert_eq!(app.scalar_i64(rows).await, 1);
        service.delete("/api/sso/v1/resources?type=record&id=r/1%20%C3%BC").await.with_status(204);
        service.delete("/api/sso/v1/resources?type=record&id=r/1%20%C3%BC").await.with_status(404);
        assert_eq!(app.scalar_i64(rows).await, 0);
        // Page by page.
        for n in 0..130 {
            service.post(path, &json!({"type": "record", "id": format!("{n:03}"), "name": "n"})).await.with_status(201);
        }
        let first = service.get(&format!("{path}?limit=100")).await.with_status(200).body;
        let next = first["next"].as_str().unwrap();
        let second = service.get(&format!("{path}?limit=100&after={next}")).await.with_status(200).body;
        let sizes = [&first, &second].map(|page| page["items"].as_array().unwrap().len());
        assert_eq!(sizes, [100, 30]);
        assert!(second.get("next").is_none());
        service.get(&format!("{path}?after=nothing")).await.with_status(422);
        service.get(&format!("{path}?other=1")).await.with_status(422);
    }

    async fn who_checks_access_sees_the_resources_on_a_page(app: TestApp) {
        let world = World::build(&app).await;
        let (path, page) = ("/api/sso/v1/resources", "/w/acme/resources");
        let developer = &world.person(BuiltIn::Developer).client;
        let empty = developer.visit(page).await;
        empty.assert_says("No resources yet");
        // As the page says: by each command, with a secret in it.
        let (_, _, secret) = add_key(&app, "acme", "Robot", &["developer"]).await;
        let run = async |id: &str| {
            let command = empty.attributes(id, "value").remove(0).replace("SECRET", &secret);
            let mut shell = std::process::Command::new("sh");
            shell.arg("-c").arg(format!("{command} --silent --fail")).env("NO_PROXY", "127.0.0.1");
            let done = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
            assert!(done.status.success(), "{command}: {done:?}");
        };
        run("#register").await;
        developer.visit(page).await.assert_says("Record 1");
        run("#forget").await;
        developer.visit(page).await.assert_says("No resources yet");

        let service = workspace_key(&app, "acme", &["developer"]).await;
        for n in 0..120 {
            let kind = ["site", "record", "record.old"][n % 3];
            let one = json!({"type": kind, "id": format!("{n:03} é"), "name": format!("Été {n}")});
            service.post(path, &one).await.with_status(201);
        }
        let ids = |page: &Page| page.select("#results tbody bdi");
        let all = |kind: usize| (0..120).filter(move |n| n % 3 == kind).map(|n| format!("{n:03} é"));
        let in_order: Vec<String> = all(1).chain(all(2)).chain(all(0)).collect();
        let mut at = developer.visit(page).await;
        let mut forwards = ids(&at);
        while at.has("a[rel=next]") {
            at = developer.visit(&at.attributes("a[rel=next]", "href").remove(0)).await;
            forwards.extend(ids(&at));
        }
        assert_eq!(forwards, in_order);
        let mut backwards = ids(&at);
        while at.has("a[rel=prev]") {
            at = developer.visit(&at.attributes("a[rel=prev]", "href").remove(0)).await;
            backwards.splice(0..0, ids(&at));
        }
        assert_eq!(backwards, in_order);
        for (query, count) in [
            ("type=record", 40), ("q=11", 11), ("q=011", 1), ("q=%C3%89t%C3%A9+7", 11), ("q=t%C3%A9+7&type=site", 3),
            ("q=%25", 0), ("q=_", 0), ("type=reco", 0),
        ] {
            assert_eq!(ids(&developer.visit(&format!("{page}?{query}")).await).len(), count, "{query}");
        }
        app.unchanged_by(world.person(BuiltIn::Viewer).client.get(page)).await.assert_status(403).assert_says("Check access");
        let elsewhere = world.outsider.client.visit("/w/elsewhere/resources").await;
        elsewhere.assert_says("No resources yet");
    }
}
