//! Requests of keys to destinations, through the gateway: who may send, what passes, and what goes on when somebody is
//! slow or gone.

mod credits;
mod limits;
mod passing;
mod sockets;
mod stages;
mod wire;

use crate::support::*;
use reqwest::Method;
use serde_json::json;

/// The destination of these tests.
pub const HOST: &str = "api.example.com";

/// A workspace with a destination, a host that answers, and a key that may send.
pub struct Sending {
    pub app: TestApp,
    pub upstream: Upstream,
    pub owner: Person,
    pub key: Api,
    /// The id of the destination.
    pub destination: String,
}

impl Sending {
    pub async fn on(backend: Backend) -> Self {
        Self::with(backend, |_| {}).await
    }

    pub async fn with(
        backend: Backend,
        configure: impl Fn(&mut product::Config) + Send + Sync + 'static,
    ) -> Self {
        let upstream = Upstream::open(&[HOST]).await;
        let settings = upstream.settings();
        let builder = TestApp::on(backend).with(move |config| {
            settings(config);
            configure(config);
        });
        let app = builder.spawn().await;
        let owner = new_owner(&app).await;
        let key = workspace_key(&app, "acme", &["developer"]).await;
        let destination = add_destination(&key, &json!({ "host": HOST })).await;
        Self { app, upstream, owner, key, destination }
    }

    /// Sends a request as the key.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_with(method, path, None, headers).await
    }

    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        send(&self.key, method, &format!("/w/acme/out/{HOST}{path}"), body, headers).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// The secret of the key.
    pub fn secret(&self) -> &str {
        self.key.secret.as_deref().unwrap()
    }
}

/// Sends a request to the gateway with the key where it belongs, and nothing in `Authorization`.
pub async fn send(
    key: &Api,
    method: Method,
    path: &str,
    body: Option<&str>,
    headers: &[(&str, &str)],
) -> Answer {
    let secret = key.secret.clone().unwrap_or_default();
    let mut all = headers.to_vec();
    if !secret.is_empty() {
        all.push(("x-bailiwick-key", &secret));
    }
    key.with(None).send(method, path, body.map(str::to_owned), &all).await
}

pub async fn add_destination(key: &Api, body: &serde_json::Value) -> String {
    let added = key.post("/api/sso/v1/destinations", body).await.with_status(201);
    added.body["id"].as_str().unwrap().to_owned()
}

/// The answer is a problem of ours that this stage caused.
#[track_caller]
pub fn assert_stage(answer: &Answer, status: u16, stage: &str) {
    assert_eq!((answer.status, answer.body["stage"].as_str()), (status, Some(stage)), "{}", answer.text);
    assert_eq!(answer.header("x-bailiwick-stage"), Some(stage));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{}", answer.text);
}
