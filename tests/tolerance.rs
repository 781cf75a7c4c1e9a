//! What people and programs write in another way than the pages and the documents do, and what is meant all the same.

use crate::support::*;
use reqwest::Method;
use serde_json::{Value, json};

both! {
    async fn a_slash_at_the_end_leads_to_the_page(app: TestApp) {
        let owner = new_owner(&app).await;
        let member = format!("/w/acme/members/{}", owner.member_id);
        for (path, page) in [
            ("/sign-in/", "/sign-in"),
            ("/sign-in/?next=/me", "/sign-in?next=/me"),
            ("/me/", "/me"),
            ("/workspaces//", "/workspaces"),
            ("/w/acme/", "/w/acme"),
            ("/w/acme/members/?q=owner", "/w/acme/members?q=owner"),
            (&format!("{member}/"), &member),
            ("/docs/api/", "/docs/api"),
            ("/api/sso/v1/members/", "/api/sso/v1/members"),
        ] {
            let answer = owner.client.get(path).await.with_status(308);
            assert_eq!(answer.location(), page);
        }
        owner.client.visit("/w/acme/members/?q=owner").await.assert_says("Owner One");
        for nothing in ["/nothing/", "/w/acme/nothing/", "/w/acme//members/", "/static/"] {
            owner.client.get(nothing).await.assert_status(404);
        }
        let form = owner.client.post_form("/me/profile/", &[("name", "Typed Name")]);
        app.unchanged_by(form).await.assert_status(404);
        let raw = app.raw(b"GET //evil.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(raw.starts_with("HTTP/1.1 404"), "{raw}");
    }

    async fn an_id_is_read_in_any_case(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let id = viewer.member_id.to_string();
        let upper = id.to_uppercase();
        assert_ne!(upper, id);
        owner.client.visit(&format!("/w/acme/members/{upper}")).await.assert_says("Viewer One");
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let one = key.get(&format!("/api/sso/v1/members/{id}")).await.with_status(200);
        let other = key.get(&format!("/api/sso/v1/members/{upper}")).await.with_status(200);
        assert_eq!(one.body, other.body);
        let path = format!("/w/acme/members/{upper}/suspension");
        owner.client.post_form(&path, &[]).await.assert_status(303);
        viewer.client.get("/w/acme").await.assert_status(403);
        for wrong in [id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")] {
            owner.client.get(&format!("/w/acme/members/{wrong}")).await.assert_status(404);
        }
    }

    async fn null_for_an_optional_member_is_absence(app: TestApp) {
        new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        let role = json!({"name": "Null Role", "slug": null, "description": null, "scopes": null});
        let made = key.post("/api/sso/v1/roles", &role).await.with_status(201);
        assert_eq!(made.body["scopes"], json!([]));
        let body = json!({"scopes": ["read:posts"], "confirm": null}).to_string();
        key.send(Method::PUT, "/api/sso/v1/roles/null-role/scopes", Some(body), &[]).await.with_status(200);
        let new_key = json!({"name": "Null Key", "roles": null, "expires_at": null, "is_account_admin": null});
        key.post("/api/sso/v1/apikeys", &new_key).await.with_status(201);
        // What is required is not there then.
        key.post("/api/sso/v1/roles", &json!({"name": null})).await.with_status(422);
        let question = json!({
            "subject": {"type": "user", "id": "somebody@example.com", "properties": null},
            "action": {"name": "read", "properties": null},
            "resource": {"type": "posts", "id": "1", "properties": null},
            "context": null,
            "options": null,
            "evaluations": null,
        });
        let ask = async |path: &str, question: &Value| key.post(path, question).await;
        let one = ask("/access/v1/evaluation", &question).await.with_status(200);
        assert_eq!(one.body["decision"], json!(false));
        ask("/access/v1/evaluations", &question).await.with_status(200);
        let batch = json!({
            "subject": question["subject"], "action": null, "resource": question["resource"],
            "evaluations": [{"action": question["action"], "subject": null, "context": null}],
        });
        let answers = ask("/access/v1/evaluations", &batch).await.with_status(200);
        assert_eq!(answers.body["evaluations"][0]["decision"], json!(false), "{}", answers.text);
        let mut nobody = question.clone();
        nobody["subject"] = Value::Null;
        ask("/access/v1/evaluation", &nobody).await.with_status(400);
    }

    async fn a_cached_file_is_compared_as_the_standard_has_it(app: TestApp) {
        let client = app.client();
        let page = client.visit("/sign-in").await;
        let style = page.attributes("link[rel=stylesheet]", "href").remove(0);
        let tag = client.get(&style).await.with_status(200).header("etag").unwrap().to_owned();
        let strong = tag.trim_start_matches("W/").to_owned();
        for known in [tag, format!("\"other\", {strong}"), strong, "*".to_owned()] {
            client.with_header("if-none-match", &known).get(&style).await.assert_status(304);
        }
        client.with_header("if-none-match", "\"other\"").get(&style).await.assert_status(200);
    }
}
