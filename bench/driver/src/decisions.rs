//! Decisions over HTTP with a key: one question, a batch of a hundred, and a search page by page.

use crate::{
    Bench,
    client::Client,
    data::{Backend, Data},
    load::{Job, Lane, in_turns},
    report,
    server::Server,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::sync::Arc;

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SEARCH: &str = "/access/v1/search/subject";

/// Five roles with twelve grants each; what is asked about is in the last of them.
const ROLES: usize = 5;
const GRANTS: usize = 12;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ceiling = Server::ceiling(bench, &data.ceiling).await?;
    let ours = Server::ours(bench, &data.ours).await?;
    let service = service(&ours, data, 0).await?;
    let subject = enter(&service, bench).await?;
    let workspace = &data.seeded[0].workspaces[0];
    let known = data.user(&workspace.member(2)).await?;
    let question = |subject: &str| {
        json!({"subject": {"type": "user", "id": subject}, "action": {"name": "read"},
            "resource": {"type": format!("thing-{ROLES}-{GRANTS}"), "id": "1"}})
    };
    let batch: Vec<Value> = (0..100)
        .map(|n| {
            let who = data.seeded[0].workspaces[0].member(n % 40 + 2);
            json!({"subject": {"type": "user", "id": if n == 0 { subject.clone() } else { who }}})
        })
        .collect();
    let mut whole = question(&subject);
    whole["evaluations"] = Value::Array(batch);
    let lane = |name: &str, server, client, job| Lane {
        name: name.into(),
        server,
        client,
        job: Arc::new(job),
        connections: bench.plan.connections,
    };
    let path = format!("/w/{}/decision?user={known}&scope=read:members", workspace.slug);
    let job = |path: &str, body: &Value, mark, times| Job::Question {
        path: path.into(),
        body: body.to_string(),
        mark,
        times,
    };
    let large = self::service(&ours, data, 1).await?;
    let (first, last) = pages(&large, bench).await?;
    let lanes = [
        lane(
            "one question, ceiling",
            &ceiling,
            Client::connect(ceiling.address).await?,
            Job::Page { path, mark: "true", times: 1 },
        ),
        lane(
            "one question, ours",
            &ours,
            service.twin().await?,
            job(EVALUATION, &question(&subject), "\"decision\":true", 1),
        ),
        lane("a hundred questions, ours", &ours, service, job(EVALUATIONS, &whole, "\"decision\":", 100)),
        lane(
            "who may, first page, ours",
            &ours,
            large.twin().await?,
            job(SEARCH, &first, "\"type\":\"user\"", 100),
        ),
        lane("who may, a late page, ours", &ours, large, job(SEARCH, &last, "\"type\":\"user\"", 100)),
    ];
    let all = in_turns(bench, data.backend, &lanes).await?;
    report::heading(&format!("{}: decisions", data.backend));
    let goal = if data.backend == Backend::Sqlite { " (goal 4)" } else { " (goal 2.5)" };
    report::lanes(&all, |lane| (lane == 1).then_some((0, goal)));
    let moved = all[4].cpu() / all[3].cpu();
    println!(
        "\nA page of 100 who may, late against first, of {} members: **{moved:.2}** (goal: independent of the offset)",
        bench.plan.groups[1].members
    );
    Ok(())
}

/// A service with the key of a workspace.
async fn service(ours: &Server, data: &Data, group: usize) -> Result<Client> {
    let mut client = Client::connect(ours.address).await?;
    let secret = data.seeded[group].workspaces[0].api_keys.first().context("no key was seeded")?;
    client.secret = Some(secret.clone());
    Ok(client)
}

/// Enters the principal that is asked about, with 5 roles and 60 grants. Gives its external id.
async fn enter(service: &Client, bench: &Bench) -> Result<String> {
    let mut service = service.twin().await?;
    let mut slugs = Vec::new();
    for role in 1..=ROLES {
        let slug = format!("bench-{role}");
        let scopes: Vec<String> = (1..=GRANTS).map(|grant| format!("read:thing-{role}-{grant}")).collect();
        let role = json!({"name": slug, "slug": slug, "scopes": scopes});
        let answer = service.post("/api/sso/v1/roles", role.to_string()).await?;
        ensure!(matches!(answer.status.as_u16(), 200 | 201), "a role is refused: {}", answer.text());
        slugs.push(slug);
    }
    let id = format!("bench-subject-{}", bench.plan.rounds);
    let user = json!({"email": "bench-subject@example.com", "external_id": id, "roles": slugs});
    let answer = service.post("/api/sso/v1/users", user.to_string()).await?;
    ensure!(matches!(answer.status.as_u16(), 201 | 409), "the subject is refused: {}", answer.text());
    Ok(id)
}

/// The requests for the first page of those who may read things, and for the last full one.
async fn pages(service: &Client, bench: &Bench) -> Result<(Value, Value)> {
    let mut service = service.twin().await?;
    let first = json!({"subject": {"type": "user"}, "action": {"name": "read"},
        "resource": {"type": "things", "id": "1"}, "page": {"limit": 100}});
    let (mut last, mut request) = (first.clone(), first.clone());
    for _ in 0..bench.plan.groups[1].members {
        let answer = service.post(SEARCH, request.to_string()).await?;
        ensure!(answer.status == 200, "{SEARCH} answers {}: {}", answer.status, answer.text());
        let body: Value = serde_json::from_slice(&answer.body)?;
        if body["page"]["count"] == 100 {
            last = request.clone();
        }
        let token = body["page"]["next_token"].as_str().unwrap_or_default();
        if token.is_empty() {
            break;
        }
        request["page"]["token"] = token.into();
    }
    Ok((first, last))
}
