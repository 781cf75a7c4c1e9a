//! Requests through the gateway, beside a forwarder of the same stack that knows no keys; then what hosts that never
//! answer do to others.

use crate::{
    Bench,
    client::Client,
    data::{Data, Group, Seeded},
    deliveries,
    destinations::{add, path},
    hung,
    load::{Job, Lane, in_turns, median, percentile},
    report,
    server::Server,
    upstream::{self, Upstream},
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use std::sync::Arc;

/// Workspaces of accounts of their own, and their keys: with the limits as they are by default these may have 1,024
/// requests at once.
const WORKSPACES: u32 = 32;
const KEYS: u32 = 4;

/// The body of a request that has one.
const SENT: usize = 64 * 1_024;

/// Requests a second.
const RATE: u32 = 300;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let upstream = Upstream::open(bench)?;
    let group = Group { workspaces: WORKSPACES, members: 2, invitations: 0, events: 200 };
    let senders = data.more(bench, &group, KEYS).await?;
    let hosts = [upstream::host("api"), upstream::hanging_host("api")];
    let mut settings = upstream.settings(&hosts);
    // Counted, and never too many.
    for name in ["BAILIWICK_GATEWAY_REQUESTS_PER_KEY", "BAILIWICK_GATEWAY_REQUESTS_PER_DESTINATION"] {
        settings.push((name, "100000000".into()));
    }
    let ours = Server::ours_with(bench, &data.ours, &settings).await?;
    for workspace in &senders.workspaces {
        for host in &hosts {
            add(&ours, workspace, host).await?;
        }
    }
    against_forwarder(bench, data, &upstream, &senders, &ours).await?;
    drop(ours);
    hung::run(bench, data, &upstream, &senders, &settings).await?;
    deliveries::run(bench, data, &upstream, &senders).await
}

async fn against_forwarder(
    bench: &Bench,
    data: &Data,
    upstream: &Upstream,
    senders: &Seeded,
    ours: &Server,
) -> Result<()> {
    let forwarder = Server::forwarder(bench, upstream).await?;
    let workspace = &senders.workspaces[0];
    let client = async |server: &Server| Client::connect(server.address).await;
    let mut lanes = Vec::new();
    for (name, at, sent, length) in [
        ("1 KiB", "/v1/things?page=2", 0, upstream::ANSWER),
        ("64 KiB sent", "/v1/things", SENT, upstream::ANSWER),
        ("1 MiB streamed", upstream::STREAM, 0, upstream::STREAMED),
    ] {
        let body = Bytes::from(vec![b'x'; sent]);
        let bare: Vec<(String, Option<String>)> = vec![(at.to_owned(), None)];
        let through = path(workspace, &upstream::host("api"), at);
        let with_keys = workspace.api_keys.iter().map(|key| (through.clone(), Some(key.clone()))).collect();
        for (whose, server, sends) in [("forwarder", &forwarder, bare), ("ours", ours, with_keys)] {
            lanes.push(Lane {
                name: format!("{name}, {whose}"),
                server,
                client: client(server).await?,
                job: Arc::new(Job::Forwarded { sends, body: body.clone(), length }),
                connections: bench.plan.connections,
            });
        }
    }
    let before = upstream.answered();
    let all = in_turns(bench, data.backend, &lanes).await?;
    let answered = upstream.answered() - before;
    let counted: u64 = all.iter().map(|lane| lane.requests()).sum();
    ensure!(answered >= counted, "{counted} requests were answered, and {answered} arrived");
    report::heading(&format!("{}: through the gateway, beside a forwarder", data.backend));
    report::lanes(&all, |number| {
        (number % 2 == 1).then(|| (number - 1, if number == 1 { " (goal 2.5)" } else { "" }))
    });
    at_a_rate(bench, data, &lanes[..2]).await
}

/// The two in turns.
async fn at_a_rate(bench: &Bench, data: &Data, lanes: &[Lane<'_>]) -> Result<()> {
    eprintln!("{}: {RATE} requests a second", data.backend);
    let mut all = [Vec::new(), Vec::new()];
    let mut added = Vec::new();
    for round in 0..bench.plan.rounds {
        let mut p99 = [0.0; 2];
        for turn in 0..2 {
            let lane = (round + turn) % 2;
            let mut latencies = lanes[lane].at_rate(RATE, bench.plan.round * 3).await?;
            p99[lane] = percentile(&mut latencies, 0.99);
            all[lane].append(&mut latencies);
        }
        added.push(p99[1] - p99[0]);
    }
    report::heading(&format!("{}: {RATE} requests a second through the gateway", data.backend));
    report::head(&["", "p50 ms", "p95 ms", "p99 ms", "longest ms", "requests"]);
    for (name, latencies) in ["forwarder", "ours"].into_iter().zip(&mut all) {
        let cells = [0.5, 0.95, 0.99, 1.0].map(|part| format!("{:.2}", percentile(latencies, part)));
        let cells = [name.to_owned()].into_iter().chain(cells).chain([latencies.len().to_string()]);
        report::row(&cells.collect::<Vec<_>>());
    }
    println!(
        "\nAdded to the p99: **{:.2} ms** (goal 5) over all, **{:.2} ms** in the middle one of {} rounds.",
        percentile(&mut all[1], 0.99) - percentile(&mut all[0], 0.99),
        median(added),
        bench.plan.rounds
    );
    Ok(())
}
