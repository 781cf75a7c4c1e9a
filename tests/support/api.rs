//! A service that calls the API with a key of its own.

use super::product::{Purpose, Token};
use super::{TestApp, quoted};
use futures_util::FutureExt;
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::{Builder, Uuid};

/// Calls with one key. Clones share their connections.
#[derive(Clone)]
pub struct Api {
    pub http: reqwest::Client,
    pub base: String,
    /// What is sent as Bearer; `None` sends nothing.
    pub secret: Option<String>,
}

/// The response to a call.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null if it is not JSON.
    pub body: Value,
    asked: String,
}

impl Answer {
    /// # Panics
    /// If the status is another one.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Api {
    pub fn new(app: &TestApp, secret: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: app.url(), secret: Some(secret.to_owned()) }
    }

    /// The same connections with another secret, or none.
    pub fn with(&self, secret: Option<&str>) -> Self {
        Self { secret: secret.map(str::to_owned), ..self.clone() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.send(method, path, body.map(Value::to_string), &[]).await
    }

    /// With a body as it is, and more headers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let asked = format!("{method} {path}");
        let url = format!("{}{path}", self.base.trim_end_matches('/'));
        let mut request = self.http.request(method, url);
        if let Some(secret) = &self.secret {
            request = request.bearer_auth(secret);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answered = async {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            (status, headers, response.text().await.unwrap())
        };
        let (status, headers, text) = answered.boxed().await;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, body, asked }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }
}

/// An id as the application makes them: its clock, and nothing that two have in common.
fn fresh(now_ms: i64) -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let bytes = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let random = [0, 0, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]];
    Builder::from_unix_timestamp_millis(now_ms.unsigned_abs(), &random).into_uuid()
}

/// Puts a key with these roles into the workspace, which is its home: created by the user who created
/// it. Returns the ids of the key and of its membership, and its secret.
pub async fn add_key(app: &TestApp, workspace: &str, name: &str, roles: &[&str]) -> (Uuid, Uuid, String) {
    let now = app.clock.now().as_millis();
    let (key, member) = (fresh(now), fresh(now));
    let secret = Token::new(Purpose::ApiKey);
    let (key_id, member_id) = (app.id(key), app.id(member));
    let of = format!("FROM workspaces w WHERE w.slug = {} AND w.deleted_at IS NULL", quoted(workspace));
    let (no, hash) = match app.backend {
        super::Backend::Sqlite => ("0", format!("X'{}'", hex::encode(secret.hash()))),
        super::Backend::Postgres => ("FALSE", format!("'\\x{}'::bytea", hex::encode(secret.hash()))),
    };
    app.execute(&format!(
        "INSERT INTO api_keys (id, account_id, name, is_admin, home_id, made_by, created_at)
        SELECT {key_id}, w.account_id, {}, {no}, w.id, (SELECT m.user_id FROM members m
            WHERE m.workspace_id = w.id AND m.origin = 'founder'), {now} {of}",
        quoted(name)
    ))
    .await;
    app.execute(&format!(
        "INSERT INTO api_key_secrets (token_hash, api_key_id, hint, created_at, shown_to)
        SELECT {hash}, {key_id}, 'test', {now}, k.made_by FROM api_keys k WHERE k.id = {key_id}"
    ))
    .await;
    app.execute(&format!(
        "INSERT INTO members (id, workspace_id, kind, api_key_id, status, origin, joined_at, listed_as,
            vouched_by)
        SELECT {member_id}, w.id, 'api_key', {key_id}, 'active', 'account', {now}, {},
            (SELECT k.made_by FROM api_keys k WHERE k.id = {key_id}) {of}",
        quoted(&format!("{}\n", name.to_lowercase()))
    ))
    .await;
    for role in roles {
        app.execute(&format!(
            "INSERT INTO member_roles (workspace_id, member_id, role_id)
            SELECT w.id, {member_id}, r.id FROM workspaces w JOIN roles r ON r.workspace_id = w.id
            WHERE w.slug = {} AND w.deleted_at IS NULL AND r.slug = {}",
            quoted(workspace),
            quoted(role)
        ))
        .await;
    }
    (key, member, secret.expose().to_owned())
}

/// A service with a key of its own in the workspace.
pub async fn workspace_key(app: &TestApp, workspace: &str, roles: &[&str]) -> Api {
    let (_, _, secret) = add_key(app, workspace, &format!("Key {}", roles.join(" ")), roles).await;
    Api::new(app, &secret)
}
