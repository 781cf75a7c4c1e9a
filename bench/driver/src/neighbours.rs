//! The members page of one tenant, alone and beside the fattest tenant that there can be, which is under load.

use crate::{
    Bench,
    client::Client,
    data::Data,
    load::{Job, Lane, percentile},
    report,
    server::Server,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::sync::Arc;

/// As many custom roles as a workspace can have, and as many scopes as a role can have.
const ROLES: usize = 64;
const SCOPES: usize = 200;

/// People who have almost all of these roles, each another set.
const FAT_MEMBERS: usize = 50;

/// The most questions in a batch.
const QUESTIONS: usize = 1_000;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ours = Server::ours(bench, &data.ours).await?;
    let (fat, victim) = (&data.seeded[0].workspaces[0], &data.seeded[2].workspaces[0]);
    let mut service = Client::connect(ours.address).await?;
    service.secret = Some(fat.api_keys.first().context("no key was seeded")?.clone());
    eprintln!("{}: the fattest tenant", data.backend);
    fatten(&service, bench).await?;
    let page = async |workspace: &crate::data::Workspace, rows: usize, connections: usize| {
        let mut client = Client::connect(ours.address).await?;
        client.sign_in(&workspace.owner, &data.seeded[0].password).await?;
        let path = format!("/w/{}/members", workspace.slug);
        let job = Arc::new(Job::Page { path, mark: "<tr", times: rows + 1 });
        anyhow::Ok(Lane { name: "pages".into(), server: &ours, client, job, connections })
    };
    let own = page(victim, 20, 1).await?;
    let pages = page(fat, 50, bench.plan.connections).await?;
    let batches = Lane {
        name: "batches".into(),
        server: &ours,
        client: service,
        job: Arc::new(Job::Question {
            path: "/access/v1/evaluations".into(),
            body: batch().to_string(),
            mark: "\"decision\":",
            times: QUESTIONS,
        }),
        connections: bench.plan.connections,
    };
    let round = bench.plan.round * 2;
    own.run(bench, data.backend, bench.plan.round).await?;
    let mut idle = own.run(bench, data.backend, round).await?;
    report::heading(&format!(
        "{}: members page of another tenant, beside one with {ROLES} roles of {SCOPES} scopes at {} connections",
        data.backend, bench.plan.connections
    ));
    report::head(&["", "p50 ms", "p95 ms", "p95 against idle (goal 2)", "requests", "requests of the other"]);
    let line = |name: &str, latencies: &mut [u32], idle: f64, others: u64| {
        let p95 = percentile(latencies, 0.95);
        report::row(&[
            name.into(),
            format!("{:.2}", percentile(latencies, 0.5)),
            format!("{p95:.2}"),
            format!("**{:.2}**", p95 / idle),
            latencies.len().to_string(),
            others.to_string(),
        ]);
    };
    let idle_p95 = percentile(&mut idle.latencies, 0.95);
    line("idle", &mut idle.latencies, idle_p95, 0);
    for (name, lane) in [("beside its members page", &pages), ("beside batches of 1,000 questions", &batches)]
    {
        let (own, other) =
            tokio::join!(own.run(bench, data.backend, round), lane.run(bench, data.backend, round));
        let (mut own, other) = (own?, other?);
        line(name, &mut own.latencies, idle_p95, other.requests);
    }
    Ok(())
}

/// Makes the roles, and the people who have them.
async fn fatten(service: &Client, bench: &Bench) -> Result<()> {
    let mut service = service.twin().await?;
    let slug = |role: usize| format!("fat-{role}");
    for role in 0..ROLES {
        let scopes: Vec<String> = (0..SCOPES).map(|scope| format!("action-{role}:thing-{scope}")).collect();
        let body = json!({"name": slug(role), "slug": slug(role), "scopes": scopes});
        let answer = service.post("/api/sso/v1/roles", body.to_string()).await?;
        ensure!(matches!(answer.status.as_u16(), 200 | 201), "a role is refused: {}", answer.text());
    }
    for member in 0..FAT_MEMBERS {
        let roles: Vec<String> = (0..ROLES).filter(|role| role % FAT_MEMBERS != member).map(slug).collect();
        let email = format!("a-fat-member-{member}-{}@example.com", bench.plan.rounds);
        let body = json!({"email": email, "external_id": email.replace('@', "-"), "roles": roles});
        let answer = service.post("/api/sso/v1/users", body.to_string()).await?;
        ensure!(matches!(answer.status.as_u16(), 201 | 409), "a member is refused: {}", answer.text());
    }
    Ok(())
}

/// Questions that nobody's grant answers first, about as many people.
fn batch() -> Value {
    let evaluations: Vec<Value> = (0..QUESTIONS)
        .map(|n| {
            let email = format!("a-fat-member-{}-0@example.com", n % FAT_MEMBERS);
            json!({"subject": {"type": "user", "id": email},
                "resource": {"type": format!("thing-{}", n % SCOPES), "id": "1"}})
        })
        .collect();
    json!({"action": {"name": "action-63"}, "evaluations": evaluations})
}
