//! The credential of a destination.

use super::{
    add_destination,
    behaviour::{CALLS, add, submit},
};
use crate::{
    gateway,
    support::*,
    world::{rows_of, workspace_id},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

pub(super) const SECRET: &str = "Bearer canary-of-the-credential";

pub(super) fn id_of(path: &str) -> Uuid {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// A workspace, its owner, hosts that answer, and a key that may send to them.
struct Scene {
    app: TestApp,
    upstream: Upstream,
    owner: Person,
    key: Api,
}

impl Scene {
    async fn on(backend: Backend) -> Self {
        let upstream = Upstream::open(&["api.example.com", "evil.example.com", "moved.example.com"]).await;
        let settings = upstream.settings();
        let app = TestApp::on(backend).with(move |config| settings(config)).spawn().await;
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["owner"]).await;
        Self { app, upstream, owner, key }
    }

    /// What a request to the host carries in `Authorization`; an error if nothing is sent.
    async fn sent(&self, host: &str) -> Result<Option<String>, u16> {
        let path = format!("/w/acme/out/{host}/");
        let answer = gateway::send(&self.key, Method::GET, &path, None, &[]).await;
        match (answer.status, &self.upstream.take_requests()[..]) {
            (200, [received]) => Ok(received.header("authorization").map(str::to_owned)),
            (status, []) => Err(status),
            (status, received) => panic!("{status}, and {} requests", received.len()),
        }
    }
}

pub(super) async fn store(by: &Person, path: &str, header: &str, value: &str, keep: &str) -> Page {
    let page = by.client.visit(&format!("{path}/credential")).await;
    let mut fields = vec![("header_name", header), ("credential", value)];
    if !keep.is_empty() {
        fields.push(("keep_previous", keep));
    }
    let answer = by.client.submit(&page, "/credential", &fields).await.with_status(303);
    by.client.follow(answer).await.with_status(200)
}

pub(super) async fn put(key: &Api, path: &str, body: &Value) -> Answer {
    key.send(Method::PUT, path, Some(body.to_string()), &[]).await
}

both! {
    // Breaks without sealing, and where an answer or an event has the value.
    async fn a_credential_is_stored_and_shown_to_nobody(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, owner, key, .. } = &scene;
        let path = add(owner, "api.example.com", "").await;
        let id = id_of(&path);
        let page = store(owner, &path, "Authorization", SECRET, "").await;
        page.assert_says("Credential for api.example.com stored.").assert_says("authorization");
        assert_eq!(scene.sent("api.example.com").await, Ok(Some(SECRET.into())));
        let call = format!("{CALLS}/{id}/credential");
        let body = json!({"header_name": "X-Api-Key", "value": "canary-by-api", "keep_previous_seconds": 60});
        put(key, &call, &body).await.with_status(204);
        let shown = key.get(&call).await.with_status(200);
        assert_eq!(shown.body["credential"]["header_name"], "x-api-key");
        assert_eq!(shown.body["credential"]["previous"]["header_name"], "authorization");
        let mut texts = vec![shown.text, key.get(&format!("{CALLS}/{id}")).await.text, key.get(CALLS).await.text];
        for page in ["", "/credential", "/credential/removal", "/deletion", "/senders"] {
            texts.push(owner.client.visit(&format!("{path}{page}")).await.html);
        }
        texts.push(owner.client.visit("/w/acme/activity").await.html);
        texts.push(owner.client.visit("/w/acme/destinations").await.html);
        texts.push(key.get("/api/sso/v1/audit").await.text);
        texts.extend(rows_of(app, workspace_id(app, "acme").await).await);
        assert!(texts.iter().any(|text| text.contains("sealed:1:")), "the rows are among them");
        assert_eq!(texts.iter().filter(|text| text.contains("canary")).count(), 0);
    }

    // Breaks without `bound_to` (domain/nouns/destinations/credential.rs).
    async fn a_credential_opens_for_its_own_host_alone(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, owner, .. } = &scene;
        let path = add(owner, "api.example.com", "").await;
        let other = add_destination(app, "acme", "evil.example.com", false).await;
        store(owner, &path, "Authorization", SECRET, "").await;
        let id = id_of(&path);
        assert_eq!(scene.sent("api.example.com").await, Ok(Some(SECRET.into())));
        assert_eq!(scene.sent("evil.example.com").await, Ok(None));
        // Moved to another destination by somebody who writes to the database, it is worth nothing.
        app.execute(&format!("UPDATE destination_credentials SET destination_id = {}", app.id(other))).await;
        assert_eq!(scene.sent("evil.example.com").await, Err(500));
        app.execute(&format!("UPDATE destination_credentials SET destination_id = {}", app.id(id))).await;
        app.execute("UPDATE destinations SET host = 'moved.example.com' WHERE host = 'api.example.com'").await;
        assert_eq!(scene.sent("moved.example.com").await, Err(500));
        app.execute("UPDATE destinations SET host = 'api.example.com' WHERE host = 'moved.example.com'").await;
        app.execute("UPDATE destination_credentials SET sealed = 'Bearer planted'").await;
        assert_eq!(scene.sent("api.example.com").await, Err(500));
    }

    async fn a_credential_is_replaced_brought_back_and_removed(backend: Backend) {
        let scene = Scene::on(backend).await;
        let Scene { app, owner, .. } = &scene;
        let path = add(owner, "api.example.com", "").await;
        let value = async || scene.sent("api.example.com").await.unwrap();
        let rows = async || app.scalar_i64("SELECT count(*) FROM destination_credentials").await;
        store(owner, &path, "Authorization", "one", "").await;
        store(owner, &path, "Authorization", "two", "24").await.assert_says("The previous credential");
        assert_eq!((value().await.as_deref(), rows().await), (Some("two"), 2));
        // Of those before, one is kept.
        store(owner, &path, "Authorization", "three", "1").await;
        assert_eq!((value().await.as_deref(), rows().await), (Some("three"), 2));
        let page = submit(owner, &path, "/credential/restoration", &[]).await;
        page.assert_says("The previous credential for api.example.com is used again.");
        assert_eq!((value().await.as_deref(), rows().await), (Some("two"), 1));
        let again = format!("{path}/credential/restoration");
        let form = owner.client.post_form(&again, &[]);
        app.unchanged_by(form).await.with_status(409).assert_says("There is no previous credential any more");
        store(owner, &path, "Authorization", "four", "0").await;
        assert_eq!((value().await.as_deref(), rows().await), (Some("four"), 1));
        store(owner, &path, "Authorization", "five", "1").await;
        submit(owner, &path, "/credential/previous-deletion", &[]).await.assert_says("Previous credential deleted.");
        assert_eq!((value().await.as_deref(), rows().await), (Some("five"), 1));
        // An hour later it is over, also before anything has deleted it.
        store(owner, &path, "Authorization", "six", "1").await;
        app.clock.advance(Duration::from_secs(3_601));
        let page = owner.client.visit(&path).await;
        assert!(!page.has_form("/credential/restoration"));
        let again = format!("{path}/credential/restoration");
        let form = owner.client.post_form(&again, &[]);
        app.unchanged_by(form).await.assert_status(409);

        let page = owner.client.visit(&page.link("/credential/removal")).await;
        page.assert_says("Revoke the credential there, too.");
        let answer = owner.client.submit(&page, "/credential/removal", &[]).await;
        owner.client.follow(answer).await.assert_says("Credential for api.example.com removed.");
        assert_eq!((value().await, rows().await), (None, 0));
        let kinds = "SELECT count(*) FROM audit_events WHERE kind LIKE 'destination.%credential%'";
        assert_eq!(app.scalar_i64(kinds).await, 9);
        let page = owner.client.visit("/w/acme/activity").await;
        for sentence in [
            "stored a credential for the destination api.example.com",
            "and kept the one before for 24 hours",
            "brought back the previous credential of the destination",
            "and deleted the one before",
            "deleted the previous credential of the destination",
            "removed the credential of the destination",
        ] {
            page.assert_says(sentence);
        }
    }

    async fn what_no_credential_can_be_is_refused_and_its_value_does_not_come_back(app: TestApp) {
        let owner = new_owner(&app).await;
        let path = add(&owner, "api.example.com", "").await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let call = format!("{CALLS}/{}/credential", id_of(&path));
        let page = owner.client.visit(&format!("{path}/credential")).await;
        for (header, value, field) in [
            ("Host", SECRET, "header_name"),
            ("Transfer-Encoding", SECRET, "header_name"),
            ("Connection", SECRET, "header_name"),
            ("X-Bailiwick-Key", SECRET, "header_name"),
            ("Cookie", SECRET, "header_name"),
            ("x y", SECRET, "header_name"),
            ("x-key\r\nhost", SECRET, "header_name"),
            ("", SECRET, "header_name"),
            ("Authorization", "canary\r\nHost: evil.example.com", "credential"),
            ("Authorization", "canary\u{7f}", "credential"),
            ("Authorization", "", "credential"),
        ] {
            let fields = [("header_name", header), ("credential", value)];
            let answer = app.unchanged_by(owner.client.submit(&page, "/credential", &fields)).await;
            let answer = answer.with_status(422);
            assert!(answer.field_error(field).is_some(), "{header:?} {value:?}");
            assert!(!answer.html.contains("canary"), "{header:?}");
            let answer = app.unchanged_by(put(&key, &call, &json!({"header_name": header, "value": value}))).await;
            assert!(!answer.with_status(422).text.contains("canary"), "{header:?}");
        }
        let body = json!({"header_name": "x-key", "value": "a", "keep_previous_seconds": 604_801});
        app.unchanged_by(put(&key, &call, &body)).await.with_status(422);
    }
}
