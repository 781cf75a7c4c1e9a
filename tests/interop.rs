//! The interop scenarios of the AuthZEN working group: their own vectors, in `vendor/authzen`, against workspaces
//! that are built through the API.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TODO: &str = include_str!("vendor/authzen/todo.json");
const GATEWAY: &str = include_str!("vendor/authzen/gateway.json");
const IDP: &str = include_str!("vendor/authzen/idp.json");

/// The vectors of an endpoint: each a request and the expected response.
fn vectors(file: &str, endpoint: &str) -> Vec<(Value, Value)> {
    let file: Value = serde_json::from_str(file).unwrap();
    let vectors = file[endpoint].as_array().unwrap().iter();
    vectors.map(|vector| (vector["request"].clone(), vector["expected"].clone())).collect()
}

/// Enters users under an external id, with a role each; gives the service that asks.
async fn workspace(app: &TestApp, roles: &[(&str, Vec<&str>)], users: &[(&str, String, Vec<&str>)]) -> Api {
    new_owner(app).await;
    let owner = workspace_key(app, "acme", &["owner"]).await;
    for (slug, scopes) in roles {
        let role = json!({"name": format!("The {slug}"), "slug": slug, "scopes": scopes});
        owner.post("/api/sso/v1/roles", &role).await.with_status(201);
    }
    for (external_id, email, roles) in users {
        let user = json!({"email": email, "external_id": external_id, "roles": roles});
        owner.post("/api/sso/v1/users", &user).await.with_status(201);
    }
    owner
}

/// The people of the todo application, with these roles of the workspace for their roles there.
async fn citizens(app: &TestApp, roles: &[(&str, Vec<&str>)]) -> Api {
    let people = [
        (
            "CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
            "rick@the-citadel.com",
            vec!["todo-admin", "evil-genius"],
        ),
        (
            "CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
            "morty@the-citadel.com",
            vec!["todo-editor"],
        ),
        (
            "CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
            "summer@the-smiths.com",
            vec!["todo-editor"],
        ),
        (
            "CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
            "beth@the-smiths.com",
            vec!["todo-viewer"],
        ),
        (
            "CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs",
            "jerry@the-smiths.com",
            vec!["todo-viewer"],
        ),
    ];
    let people = people.map(|(id, email, roles)| (id, email.to_owned(), roles));
    workspace(app, roles, &people).await
}

both! {
    /// Whoever is an editor updates and deletes their own todos alone; whose a todo is, the question says.
    async fn todo(app: TestApp) {
        let views = ["can_read_user:user", "can_read_todos:todo"];
        let edits = [&views[..], &["can_create_todo:todo", "can_update_todo:own", "can_delete_todo:own"]].concat();
        let service = citizens(&app, &[
            ("todo-viewer", views.to_vec()),
            ("todo-editor", edits.clone()),
            ("todo-admin", [&edits[..], &["can_delete_todo:todo"]].concat()),
            ("evil-genius", [&edits[..], &["can_update_todo:todo"]].concat()),
        ])
        .await;
        // The responses are compared as a whole: they are to say nothing else.
        let minimal = [("prefer", "return=minimal")];
        let mut passed = 0;
        for (request, expected) in vectors(TODO, "evaluation") {
            let answer =
                service.send(Method::POST, "/access/v1/evaluation", Some(request.to_string()), &minimal).await;
            assert_eq!(answer.with_status(200).body, json!({"decision": expected}), "{request}");
            passed += 1;
        }
        for (request, expected) in vectors(TODO, "evaluations") {
            let answer =
                service.send(Method::POST, "/access/v1/evaluations", Some(request.to_string()), &minimal).await;
            assert_eq!(answer.header("preference-applied"), Some("return=minimal"));
            assert_eq!(answer.with_status(200).body, json!({"evaluations": expected}), "{request}");
            passed += 1;
        }
        assert_eq!(passed, 43);
    }

    /// A gateway asks by method and route, of subjects that it calls identities.
    async fn gateway(app: TestApp) {
        let views = ["get:route"];
        let edits = ["get:route", "post:route", "put:route", "delete:route"];
        let service = citizens(&app, &[
            ("todo-viewer", views.to_vec()),
            ("todo-editor", edits.to_vec()),
            ("todo-admin", edits.to_vec()),
            ("evil-genius", edits.to_vec()),
        ])
        .await;
        let vectors = vectors(GATEWAY, "evaluation");
        assert_eq!(vectors.len(), 25);
        for (request, expected) in vectors {
            let answer = service.post("/access/v1/evaluation", &request).await.with_status(200);
            assert_eq!(answer.body["decision"], expected, "{request}");
        }
    }

    /// An identity provider asks for the records that somebody may delete, to put them into a token: their own.
    async fn idp(app: TestApp) {
        let people = ["alice", "bob", "carol", "dan", "erin", "felix"];
        let users = people.map(|id| (id, format!("{id}@example.com"), vec!["record-keeper"]));
        let roles = [("record-keeper", vec!["view:record", "edit:record:own", "delete:own"])];
        let service = workspace(&app, &roles, &users).await;
        // As in `interop/authzen-idp/data/records.json`: 20 records, which belong to the six in turn.
        for (n, owner) in (101..=120).zip(people.iter().cycle()) {
            let record = json!({"type": "record", "id": n.to_string(), "name": format!("Record {n}"),
                "owner": {"type": "user", "id": owner}});
            service.post("/api/sso/v1/resources", &record).await.with_status(201);
        }
        let vectors = vectors(IDP, "search");
        assert_eq!(vectors.len(), 6);
        let sorted = |of: &Value| -> BTreeSet<String> {
            of["results"].as_array().unwrap().iter().map(Value::to_string).collect()
        };
        for (request, expected) in vectors {
            let answer = service.post("/access/v1/search/resource", &request).await.with_status(200);
            assert_eq!(sorted(&answer.body), sorted(&expected), "{request}");
        }
    }
}
