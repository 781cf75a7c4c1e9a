//! The members page, and a single-row read.

use crate::{
    Bench,
    client::Client,
    data::{Backend, Data},
    load::{Job, Lane, in_turns},
    report,
    server::Server,
};
use anyhow::Result;
use std::sync::Arc;

/// Fifty rows and a heading.
const ROWS: usize = 51;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ceiling = Server::ceiling(bench, &data.ceiling).await?;
    let ours = Server::ours(bench, &data.ours).await?;
    let mut lanes = Vec::new();
    for (seeded, group) in data.seeded.iter().zip(&bench.plan.groups).take(2) {
        let workspace = &seeded.workspaces[0];
        let path = format!("/w/{}/members", workspace.slug);
        let job = Arc::new(Job::Page { path, mark: "<tr", times: ROWS });
        let mut browser = Client::connect(ours.address).await?;
        browser.sign_in(&workspace.owner, &seeded.password).await?;
        let stranger = Client::connect(ceiling.address).await?;
        let name = |who: &str| format!("members page of {}, {who}", group.members);
        let lane = |who, server, client| Lane {
            name: name(who),
            server,
            client,
            job: job.clone(),
            connections: bench.plan.connections,
        };
        lanes.push(lane("ceiling", &ceiling, stranger));
        lanes.push(lane("ours", &ours, browser.twin().await?));
        if lanes.len() == 2 {
            browser.encodings = "gzip, deflate, br, zstd";
            lanes.push(lane("ours, compressed", &ours, browser));
        }
    }
    let workspace = &data.seeded[0].workspaces[0];
    let user = data.user(&workspace.member(2)).await?;
    let path = format!("/w/{}/decision?user={user}&scope=read:members", workspace.slug);
    lanes.push(Lane {
        name: "single-row decision, ceiling".into(),
        server: &ceiling,
        client: Client::connect(ceiling.address).await?,
        job: Arc::new(Job::Page { path, mark: "true", times: 1 }),
        connections: bench.plan.connections,
    });
    let all = in_turns(bench, data.backend, &lanes).await?;
    report::heading(&format!("{}: members page", data.backend));
    // Ours is compared with the ceiling at the same size, and the large one with the small one.
    report::lanes(&all, |lane| match lane {
        1 | 2 | 4 => Some((lane / 3 * 3, " (goal 3)")),
        _ => None,
    });
    let grown = all[4].cpu() / all[1].cpu();
    println!("\nOurs, {} members against 50: **{grown:.2}** (goal 1.15)", bench.plan.groups[1].members);
    if data.backend == Backend::Postgres {
        println!("\nCPU of the database: all of its processes, in user and system time.");
    }
    Ok(())
}
