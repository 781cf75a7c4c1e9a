//! A change of a role and of a permission: CSRF, admission, lock, rules, audit, durable commit.

use crate::{
    Bench,
    client::{Answer, Client},
    data::{self, Data, Seeded},
    load::{Change, Job, Lane, Measured, in_turns},
    report,
    server::Server,
};
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use tokio::process::Command;
use uuid::Uuid;

/// Whoever has the role that is looked for has none of these, so the first post changes something.
const HAD: &str = "developer";
const ROLES: [&str; 2] = ["viewer", "editor"];

/// Nobody's way in depends on these.
const PERMISSIONS: [&str; 8] = [
    "read:teams",
    "create:teams",
    "update:teams",
    "delete:teams",
    "create:oauth-clients",
    "manage:oauth-clients",
    "read:destinations",
    "manage:destinations",
];

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ceiling = Server::ceiling(bench, &data.ceiling).await?;
    let ours = Server::ours(bench, &data.ours).await?;
    let seeded = &data.seeded[0];
    let slug = &seeded.workspaces[0].slug;
    let mut members = data.members_with(slug, HAD).await?;
    members.truncate(bench.plan.connections);
    let (browser, csrf) = sign_in(&ours, seeded).await?;
    let on_ceiling = Arc::new(roles(slug, &members, ""));
    let on_ours = Arc::new(roles(slug, &members, &format!("&csrf={csrf}")));
    let permissions = Arc::new(permissions(&browser, slug, &csrf, bench.plan.connections).await?);
    let before = (data::events(&data.ceiling, slug).await?, data::events(&data.ours, slug).await?);
    let lane = |name: &str, server, client, job: &Arc<Job>| Lane {
        name: name.into(),
        server,
        client,
        job: job.clone(),
        connections: members.len().min(bench.plan.connections),
    };
    let lanes = [
        lane("role, ceiling", &ceiling, Client::connect(ceiling.address).await?, &on_ceiling),
        lane("role, ours", &ours, browser.twin().await?, &on_ours),
        lane("permission, ours", &ours, browser.twin().await?, &permissions),
    ];
    let all = in_turns(bench, data.backend, &lanes).await?;
    let after = (data::events(&data.ceiling, slug).await?, data::events(&data.ours, slug).await?);
    let written = |job: &Job| made(job).map(|made| made as i64);
    ensure!(after.0 - before.0 == written(&on_ceiling)?, "the ceiling lost changes or their events");
    ensure!(
        after.1 - before.1 == written(&on_ours)? + written(&permissions)?,
        "we lost changes or their events"
    );
    roles_stand(&data.ceiling, &members, &on_ceiling).await?;
    roles_stand(&data.ours, &members, &on_ours).await?;
    verify_audit(bench, data).await?;
    print(&all, data, after.1 - before.1);
    Ok(())
}

fn print(all: &[Measured], data: &Data, events: i64) {
    report::heading(&format!("{}: changes", data.backend));
    let goal = if data.backend == data::Backend::Sqlite { " (goal 10)" } else { " (goal 2.5)" };
    report::lanes(all, |lane| (lane > 0).then_some((0, goal)));
    println!(
        "\nAll {events} changes of ours stand in the database with an event each, and the chain is unaltered."
    );
}

async fn sign_in(ours: &Server, seeded: &Seeded) -> Result<(Client, String)> {
    let mut browser = Client::connect(ours.address).await?;
    browser.sign_in(&seeded.workspaces[0].owner, &seeded.password).await?;
    let csrf = browser.get("/me").await?.field("csrf")?;
    Ok((browser, csrf))
}

fn roles(slug: &str, members: &[Uuid], more: &str) -> Job {
    let change = |member: &Uuid| {
        Change::new(
            format!("/w/{slug}/members/{member}/roles"),
            ROLES.map(|role| format!("role={role}{more}")),
        )
    };
    Job::Changes(members.iter().map(change).collect())
}

/// Each connection toggles Billing in a dropdown of its own.
async fn permissions(browser: &Client, slug: &str, csrf: &str, connections: usize) -> Result<Job> {
    let mut browser = browser.twin().await?;
    let page = format!("/w/{slug}/security");
    let mut changes = Vec::new();
    for permission in PERMISSIONS.iter().take(connections) {
        let path = format!("{page}/{permission}");
        let (first, roles) = form(&browser.get(&page).await?, &path)?;
        let mut toggled = roles.clone();
        match toggled.iter().position(|role| role == "billing") {
            Some(place) => drop(toggled.remove(place)),
            None => toggled.push("billing".into()),
        }
        let body = |roles: &[String], version: &str| {
            let roles: String = roles.iter().map(|role| format!("role={role}&")).collect();
            format!("{roles}version={version}&csrf={csrf}")
        };
        // A version stands for a set of roles: with those of both sets every later body is known.
        let answer = browser.post(&path, body(&toggled, &first)).await?;
        ensure!(answer.status == 303, "{path} answers {}: {}", answer.status, answer.text());
        let (second, _) = form(&browser.get(&page).await?, &path)?;
        changes.push(Change::new(path, [body(&roles, &second), body(&toggled, &first)]));
    }
    Ok(Job::Changes(changes))
}

/// The version and the ticked roles of one dropdown.
fn form(page: &Answer, action: &str) -> Result<(String, Vec<String>)> {
    let text = page.text();
    let form =
        text.split_once(&format!("action=\"{action}\"")).with_context(|| format!("no form {action}"))?.1;
    let form = form.split("</form>").next().unwrap_or_default();
    let value = |input: &str| {
        input.split("value=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned)
    };
    let version = form.split("name=\"version\"").nth(1).and_then(value).context("no version")?;
    let inputs = form.split("name=\"role\"").skip(1).map(|input| input.split('>').next().unwrap_or_default());
    Ok((version, inputs.filter(|input| input.contains(" checked")).filter_map(value).collect()))
}

fn made(job: &Job) -> Result<u64> {
    match job {
        Job::Changes(changes) => Ok(changes.iter().map(Change::made).sum()),
        Job::Page { .. } | Job::Question { .. } | Job::Forwarded { .. } | Job::Uses { .. } => Ok(0),
    }
}

/// Each member has the role that was posted last.
async fn roles_stand(url: &str, members: &[Uuid], job: &Job) -> Result<()> {
    let Job::Changes(changes) = job else { return Ok(()) };
    for (member, change) in members.iter().zip(changes) {
        let last = ROLES[usize::from(change.made() % 2 == 0)];
        let stands = data::role_of(url, *member).await?;
        ensure!(
            change.made() == 0 || stands.as_deref() == Some(last),
            "{member} has {stands:?} instead of {last}"
        );
    }
    Ok(())
}

async fn verify_audit(bench: &Bench, data: &Data) -> Result<()> {
    let mut command = Command::new(&bench.cli.ours);
    command.arg("verify-audit").env("BAILIWICK_DATABASE_URL", &data.ours);
    bench.settings(&mut command);
    let output = command.kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "verify-audit: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
