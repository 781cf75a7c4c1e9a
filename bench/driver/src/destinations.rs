//! Destinations of the workspaces that send, and the way to them.

use crate::{client::Client, data::Workspace, server::Server};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The address at which a workspace sends something to a host.
pub fn path(workspace: &Workspace, host: &str, path: &str) -> String {
    format!("/w/{}/out/{host}{path}", workspace.slug)
}

/// A client with the first key of a workspace.
pub async fn service(server: &Server, workspace: &Workspace) -> Result<Client> {
    let mut service = Client::connect(server.address).await?;
    service.secret = Some(workspace.api_keys.first().context("no key was seeded")?.clone());
    Ok(service)
}

/// Adds a destination. Returns its id.
pub async fn add(server: &Server, workspace: &Workspace, host: &str) -> Result<String> {
    let mut service = service(server, workspace).await?;
    let body = json!({"host": host}).to_string();
    let answer = service.post("/api/sso/v1/destinations", body).await?;
    ensure!(answer.status == 201, "{host} is refused: {} {}", answer.status, answer.text());
    let added: Value = serde_json::from_slice(&answer.body)?;
    Ok(added["id"].as_str().context("an id")?.to_owned())
}
