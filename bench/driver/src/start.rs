//! From nothing to the first answer on a database that is there, and memory.

use crate::{
    Bench,
    client::Client,
    cpu,
    data::Data,
    load::{Job, Lane, median},
    report,
    server::Server,
};
use anyhow::Result;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const STARTS: usize = 7;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    eprintln!("{}: start and memory", data.backend);
    let seeded = &data.seeded[0];
    let workspace = &seeded.workspaces[0];
    let members = format!("/w/{}/members", workspace.slug);
    report::heading(&format!("{}: start and memory", data.backend));
    let wide = format!("at most under {} connections, MiB", bench.plan.wide);
    report::head(&["", "first answer ms (median)", "slowest", "after start MiB", &wide]);
    for is_ours in [false, true] {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let (_server, took) = if is_ours {
                Server::time_to_answer(Server::ours(bench, &data.ours), "/readyz").await?
            } else {
                Server::time_to_answer(Server::ceiling(bench, &data.ceiling), &members).await?
            };
            times.push(took.as_secs_f64() * 1e3);
        }
        let server = if is_ours {
            Server::ours(bench, &data.ours).await?
        } else {
            Server::ceiling(bench, &data.ceiling).await?
        };
        Client::connect(server.address).await?.get("/readyz").await?;
        sleep(Duration::from_secs(1)).await;
        let (fresh, _) = cpu::memory(server.pid)?;
        // A row that stands already: the hash of a password takes 19 MiB, which is not what this is about.
        let loaded = loaded(bench, data, &server, is_ours, &members).await?;
        let slowest = times.iter().copied().fold(0.0, f64::max);
        report::row(&[
            if is_ours { "ours (goals 100, 30, 80)".into() } else { "ceiling".into() },
            format!("**{:.0}**", median(times)),
            format!("{slowest:.0}"),
            format!("**{fresh:.1}**"),
            format!("**{loaded:.1}**"),
        ]);
    }
    Ok(())
}

/// The most that it held while it was loaded, looked at every 50 ms.
async fn loaded(bench: &Bench, data: &Data, server: &Server, is_ours: bool, members: &str) -> Result<f64> {
    let mut client = Client::connect(server.address).await?;
    if is_ours {
        let seeded = &data.seeded[0];
        client.sign_in(&seeded.workspaces[0].owner, &seeded.password).await?;
    }
    let job = Arc::new(Job::Page { path: members.into(), mark: "<tr", times: 51 });
    let lane = Lane { name: String::new(), server, client, job, connections: bench.plan.wide };
    let load = lane.run(bench, data.backend, bench.plan.round * 2);
    tokio::pin!(load);
    let mut most: f64 = 0.0;
    loop {
        tokio::select! {
            sample = &mut load => return sample.map(|_| most),
            () = sleep(Duration::from_millis(50)) => most = most.max(cpu::memory(server.pid)?.0),
        }
    }
}
