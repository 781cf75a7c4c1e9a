//! What the API says to programs that meet it for the first time: where what they created is, how long a list is, which
//! value is wrong, whom to ask for a permission; and that its document says all of that.

use crate::{
    nouns::{credits::grant, roles::add_role},
    support::*,
    world::*,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operations of the document, by name: method, path, and what is said of them.
async fn operations(app: &TestApp) -> BTreeMap<String, (String, String, Value)> {
    let document = Api::new(app, "").with(None).get("/openapi.json").await.with_status(200).body;
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            all.insert(name, (method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// The items of a list, without what changes while they are read.
fn items(page: &Value) -> Vec<Value> {
    let mut items = page["items"].as_array().unwrap().clone();
    for item in &mut items {
        item.as_object_mut().unwrap().retain(|name, _| !name.starts_with("last_"));
    }
    items
}

async fn administer(app: &TestApp, secret_hint: &str) {
    let yes = if app.backend == Backend::Sqlite { "1" } else { "TRUE" };
    app.execute(&format!("UPDATE api_keys SET is_admin = {yes} WHERE name = {}", quoted(secret_hint))).await;
}

both! {
    async fn what_is_created_says_where_it_is_and_which_version_it_has(app: TestApp) {
        new_owner(&app).await;
        new_owner_of(&app, "Owner Two", "owner-two@example.com", "elsewhere").await;
        // Another workspace of the account: where the key that is added is at home.
        let api = workspace_key(&app, "acme", &["owner"]).await;
        administer(&app, "Key owner").await;
        let created = |answer: &Answer| answer.header("location").expect("a Location").to_owned();
        let side = api.post("/api/sso/v1/workspaces", &json!({"name": "Side"})).await.with_status(201);
        assert_eq!(created(&side), "/api/sso/v1/workspaces/side");
        let lent = api.post("/api/sso/v1/apikeys?workspace=side", &json!({"name": "Lent"})).await.with_status(201);
        let lent = lent.body["id"].as_str().unwrap().to_owned();
        // The tag is good for a change. First of all, while nothing is done in the background that changes rows.
        let team = api.post("/api/sso/v1/teams", &json!({"name": "Tagged"})).await.with_status(201);
        let (at, tag) = (created(&team), team.header("etag").unwrap().to_owned());
        let rename = Some(json!({"name": "Renamed"}).to_string());
        api.send(Method::PATCH, &at, rename.clone(), &[("if-match", &tag)]).await.with_status(200);
        app.unchanged_by(api.send(Method::PATCH, &at, rename, &[("if-match", &tag)])).await.with_status(412);

        let bodies = [
            ("createWorkspace", json!({"name": "Third", "slug": "third"})),
            ("provisionUser", json!({"email": "ada@example.com", "roles": ["viewer"]})),
            ("createJoinLink", json!({"name": "Interns", "roles": ["viewer"], "days": 7, "max_uses": 3})),
            ("addJoinDomain", json!({"domain": "example.org", "role": "viewer"})),
            ("createTeam", json!({"name": "Team", "description": "Ours"})),
            ("createRole", json!({"name": "Auditor", "scopes": ["read:ledger"]})),
            ("createApiKey", json!({"name": "Another", "roles": ["viewer"]})),
            ("addApiKey", json!({"roles": ["viewer"]})),
            ("registerResource", json!({"type": "record", "id": "a/b c", "name": "Record"})),
            ("createDestination", json!({"host": "api.example.com"})),
            ("sendTestEvent", json!(null)),
            ("holdCredits", json!({"id": "invoice-7", "amount": 1})),
            ("purchaseCredits", json!({"id": "order-17", "pack": "small"})),
            ("requestArchive", json!(null)),
            ("createSupportRequest", json!({"category": "technical", "expected": "A page", "happened": "An error"})),
        ];
        let operations = operations(&app).await;
        let with_201 = operations.iter().filter(|(_, (.., operation))| operation["responses"].get("201").is_some());
        let with_201: BTreeSet<&str> = with_201.map(|(name, _)| name.as_str()).collect();
        assert_eq!(with_201, bodies.iter().map(|(name, _)| *name).collect(), "left: the document, right: this test");
        let receiver = api.post("/api/sso/v1/destinations", &json!({"host": "hooks.example.com"})).await;
        let receiver = receiver.with_status(201).body["id"].as_str().unwrap().to_owned();
        let events = format!("/api/sso/v1/destinations/{receiver}/events");
        api.call(Method::PUT, &events, Some(&json!({"path": "/hooks", "kinds": ["team"]}))).await.with_status(200);
        grant(&app, "acme", 10).await;
        for (name, body) in bodies {
            let (method, path, operation) = &operations[name];
            let documented = |header: &str| operation["responses"]["201"]["headers"].get(header).is_some();
            let path = path.replace("{key}", &lent).replace("{destination}", &receiver);
            // Once by the key's home, and once where the query names the workspace.
            let body = (!body.is_null()).then_some(&body);
            let done = api.call(method.parse().unwrap(), &path, body).await.with_status(201);
            let location = created(&done);
            assert!(documented("Location"), "{name}");
            let item = api.get(&location).await.with_status(200);
            assert_eq!(documented("ETag"), item.header("etag").is_some(), "{name}");
            assert_eq!(done.header("etag"), item.header("etag"), "{name}");
        }
        // `Location` leads to what was created, whichever workspace the request named.
        let named = api.post("/api/sso/v1/teams?workspace=side", &json!({"name": "There"})).await.with_status(201);
        let location = created(&named);
        assert!(location.ends_with("?workspace=side"), "{location}");
        assert_eq!(api.get(&location).await.with_status(200).body["name"], "There");
        let resource = json!({"type": "record", "id": "1&2", "name": "There"});
        let location = created(&api.post("/api/sso/v1/resources?workspace=side", &resource).await.with_status(201));
        assert_eq!(api.get(&location).await.with_status(200).body["items"][0]["id"], "1&2");
        // What was there before has no Location.
        let again = api.post("/api/sso/v1/resources?workspace=side", &resource).await.with_status(200);
        assert_eq!(again.header("location"), None);
        // A repeated request is told the same.
        let once = [("idempotency-key", "once")];
        let body = json!({"name": "Once"}).to_string();
        let first = api.send(Method::POST, "/api/sso/v1/teams", Some(body.clone()), &once).await.with_status(201);
        let again = api.send(Method::POST, "/api/sso/v1/teams", Some(body), &once).await.with_status(201);
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        for header in ["location", "etag"] {
            assert_eq!(again.header(header), first.header(header));
            assert!(first.header(header).is_some());
        }
    }

    async fn lists_are_as_long_as_was_asked_for(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        administer(&app, "Key owner").await;
        for n in 0..7 {
            let user = add_user(&app, &format!("Person {n}"), &format!("person-{n}@example.com")).await;
            add_member(&app, "acme", user, "active", &["viewer"]).await;
            api.post("/api/sso/v1/teams", &json!({"name": format!("Team {n}")})).await.with_status(201);
            api.post("/api/sso/v1/resources", &json!({"type": "record", "id": n.to_string(), "name": "R"})).await.with_status(201);
            api.post("/api/sso/v1/destinations", &json!({"host": format!("api-{n}.example.com")})).await.with_status(201);
            api.post("/api/sso/v1/apikeys", &json!({"name": format!("Key {n}")})).await.with_status(201);
        }
        let lists = operations(&app).await.into_iter().filter(|(name, _)| name.starts_with("list"));
        let mut longer = 0;
        for (name, (_, path, operation)) in lists.filter(|(_, (_, path, _))| !path.contains('{')) {
            let parameter = |name: &str| {
                operation["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == name).cloned()
            };
            let limit = parameter("limit").unwrap_or_else(|| panic!("{name} has no limit"));
            assert_eq!((&limit["schema"]["minimum"], &limit["schema"]["maximum"]), (&json!(1), &json!(100)), "{name}");
            assert!(parameter("after").is_some(), "{name} has no cursor");
            for wrong in ["0", "101", "-1"] {
                let refused = api.get(&format!("{path}?limit={wrong}")).await.with_status(422);
                assert_eq!(refused.body["errors"][0]["field"], "limit", "{name}");
            }
            let refused = api.get(&format!("{path}?limit=many")).await.with_status(400);
            assert_eq!(refused.body["errors"][0]["field"], "limit", "{name}: {}", refused.text);
            let whole = items(&api.get(&format!("{path}?limit=100")).await.with_status(200).body);
            let (mut parts, mut after) = (Vec::new(), String::new());
            loop {
                let page = api.get(&format!("{path}?limit=3&after={after}")).await.with_status(200).body;
                let items = items(&page);
                assert!(items.len() <= 3, "{name}");
                parts.extend(items.iter().cloned());
                match page["next"].as_str() {
                    Some(next) => {
                        assert_eq!(items.len(), 3, "{name}");
                        next.clone_into(&mut after);
                    }
                    None => break,
                }
            }
            assert_eq!(parts, whole, "{name}");
            longer += usize::from(parts.len() > 3);
        }
        assert!(longer >= 9, "only {longer} lists had more than one page");
    }

    async fn a_value_that_is_wrong_is_named(app: TestApp) {
        new_owner(&app).await;
        let api = workspace_key(&app, "acme", &["owner"]).await;
        for (query, field, says) in [
            ("members?status=odd", "status", "Choose one of active, suspended."),
            ("members?kind=robot", "kind", "Choose one of user, api_key."),
            ("invitations?status=odd", "status", "Choose one of pending, accepted, declined, cancelled, expired."),
            ("audit?outcome=odd", "outcome", "Choose one of done, refused."),
            ("audit?from=yesterday", "from", "This isn't a whole number."),
        ] {
            let refused = api.get(&format!("/api/sso/v1/{query}")).await.with_status(400);
            assert_eq!(refused.body["errors"], json!([{"field": field, "detail": says}]), "{query}");
            assert_eq!(refused.body["detail"], format!("{field}: {says} Nothing was changed."), "{query}");
        }
        let refused = api.get("/api/sso/v1/audit?actor=nobody").await.with_status(400);
        assert_eq!(refused.body["errors"][0]["field"], "actor", "{}", refused.text);
    }

    async fn a_refusal_names_all_who_can_give_the_permission(app: TestApp) {
        let owner = new_owner(&app).await;
        for (name, role) in [("Admin One", "admin"), ("Developer One", "developer"), ("Billing One", "billing")] {
            let user = add_user(&app, name, &format!("{role}@example.com")).await;
            add_member(&app, "acme", user, "active", &[role]).await;
        }
        let suspended = add_user(&app, "Admin Suspended", "suspended@example.com").await;
        add_member(&app, "acme", suspended, "suspended", &["admin"]).await;
        let viewer = member(&app, &owner, "viewer").await;
        // Admins can make a viewer a developer, who sees API keys.
        let page = viewer.client.get("/w/acme/api-keys").await.with_status(403);
        page.assert_says("People who can give it to you: Admin One, Owner One.");
        let api = workspace_key(&app, "acme", &["viewer"]).await;
        let refused = api.get("/api/sso/v1/apikeys").await.with_status(403);
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("People who can give it to you: Admin One, Owner One."), "{detail}");
        // Only Owners hold this one, so nobody else can give it.
        let page = viewer.client.get("/w/acme/organization/deletion").await.with_status(403);
        page.assert_says("People who can give it to you: Owner One.");
        // Who holds less than they would give can't give it.
        add_role(&app, "acme", "keeper", "Keeper", &["read:members", "update:member-roles"]).await;
        let keeper = add_user(&app, "Keeper One", "keeper@example.com").await;
        add_member(&app, "acme", keeper, "active", &["keeper"]).await;
        viewer.client.get("/w/acme/api-keys").await.with_status(403).assert_silent_about("Keeper One");
    }

    async fn the_document_says_what_strangers_need(app: TestApp) {
        let document = Api::new(&app, "").with(None).get("/openapi.json").await.with_status(200).body;
        for tag in document["tags"].as_array().unwrap() {
            assert!(tag["description"].as_str().is_some_and(|about| about.len() > 10), "{tag}");
        }
        for (name, (method, path, operation)) in operations(&app).await {
            let at = format!("{name}: {method} {path}");
            let content = &operation["requestBody"]["content"]["application/json"];
            assert!(content.is_null() || content["example"].is_object(), "{at}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let content = &response["content"]["application/json"];
                let is_any = content["schema"] == json!({"type": "object"});
                assert!(content.is_null() || is_any || content["example"].is_object(), "{at}, {status}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string() || parameter["schema"]["enum"].is_array(), "{at}: {parameter}");
                // A query can't say null.
                assert!(!parameter["schema"].to_string().contains("\"null\""), "{at}: {parameter}");
            }
        }
        let removal = &document["paths"]["/api/sso/v1/resources"]["delete"];
        assert!(removal["description"].as_str().unwrap().contains("`type` and `id`"), "{removal}");
        let required = |name: &str| removal["parameters"].as_array().unwrap().iter().any(|p| p["name"] == name && p["required"] == true);
        assert!(required("type") && required("id") && removal["responses"].get("204").is_some() && removal["responses"].get("404").is_some());
    }

    async fn each_example_of_a_request_is_a_request(app: TestApp) {
        new_owner(&app).await;
        let owner = workspace_key(&app, "acme", &["owner"]).await;
        let mut sent = 0;
        for (name, (method, path, operation)) in operations(&app).await {
            let content = &operation["requestBody"]["content"]["application/json"];
            if content.is_null() {
                continue;
            }
            let path = path.replace("{workspace}", "acme").replace("{role}", "viewer").replace("{permission}", "read:members");
            let path = path.split('/').map(|part| if part.starts_with('{') { "00000000-0000-7000-8000-000000000000" } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let answer = owner.call(method.parse().unwrap(), &path, Some(&content["example"])).await;
            // What stands for something that exists is made up; that is all that may be wrong with it.
            let is_shaped = !answer.text.contains("isn't supported") && !answer.text.contains("is required");
            assert!(is_shaped && ![400, 415, 500].contains(&answer.status), "{name}: {} {}", answer.status, answer.text);
            sent += 1;
        }
        assert!(sent > 20, "{sent}");
    }
}
