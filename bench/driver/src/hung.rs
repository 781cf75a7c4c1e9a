//! The members page, while many requests through the gateway wait for hosts that never answer.

use crate::{
    Bench,
    client::Client,
    cpu,
    data::{Backend, Data, Seeded},
    destinations::path,
    load::{Job, Lane, percentile},
    report,
    server::Server,
    upstream::{self, Upstream},
};
use anyhow::{Result, ensure};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// Requests at once.
const MANY: usize = 1_000;

/// From as many networks.
const NETWORKS: usize = 250;

const READERS: usize = 4;

/// A little longer than a node may use what it leased.
const LEASES_END: Duration = Duration::from_secs(11);

pub async fn run(
    bench: &Bench,
    data: &Data,
    upstream: &Upstream,
    senders: &Seeded,
    settings: &[(&'static str, String)],
) -> Result<()> {
    let many = if bench.cli.quick { MANY / 10 } else { MANY };
    report::heading(&format!(
        "{}: members page beside {many} requests to a host that never answers",
        data.backend
    ));
    report::head(&[
        "",
        "p95 ms before",
        "p95 ms beside",
        "ratio (goal 1.2)",
        "MiB before",
        "MiB at most (goal 128)",
        "hanging",
        "answered meanwhile",
    ]);
    // Four times as many as there are keys may send at once, so that nobody waits.
    let room = [("BAILIWICK_GATEWAY_AT_ONCE", "1024".to_owned())];
    let (raised, default) = room.split_at(1);
    for (name, more) in [("room for 1,024 on the node", raised), ("limits as they are by default", default)] {
        eprintln!("{}: hosts that hang, {name}", data.backend);
        let settings: Vec<_> = settings.iter().chain(more).cloned().collect();
        // On PostgreSQL the server before, which was killed, keeps its share of the limits until its leases end.
        if data.backend == Backend::Postgres {
            sleep(LEASES_END).await;
        }
        let ours = Server::ours_with(bench, &data.ours, &settings).await?;
        let seeded = &data.seeded[0];
        let mut client = Client::connect(ours.address).await?;
        client.sign_in(&seeded.workspaces[0].owner, &seeded.password).await?;
        let page = format!("/w/{}/members", seeded.workspaces[0].slug);
        let job = Arc::new(Job::Page { path: page, mark: "<tr", times: 51 });
        let pages = Lane { name: "pages".into(), server: &ours, client, job, connections: READERS };
        pages.run(bench, data.backend, bench.plan.round).await?;
        let resident = cpu::memory(ours.pid)?.0;
        let expected = if more.is_empty() { 256.min(many) } else { many };
        let (mut before, mut beside) = (Vec::new(), Vec::new());
        let (mut most, mut hanging): (f64, u64) = (0.0, 0);
        let mut answers = BTreeMap::new();
        for _ in 0..bench.plan.rounds.min(3) {
            before.extend(pages.run(bench, data.backend, bench.plan.round * 2).await?.latencies);
            let hung = Hung::begin(&ours, senders, many);
            wait_for(upstream, expected as u64).await?;
            let sample = pages.run(bench, data.backend, bench.plan.round * 2).await?;
            beside.extend(sample.latencies);
            most = most.max(cpu::memory(ours.pid)?.0);
            hanging = hanging.max(upstream.hanging());
            // Those who wait for their turn wait for five seconds.
            if more.is_empty() {
                sleep(Duration::from_secs(4)).await;
            }
            for (status, count) in hung.end().await {
                *answers.entry(status).or_insert(0) += count;
            }
            wait_for_none(upstream).await?;
        }
        most = most.max(cpu::memory(ours.pid)?.1);
        let told: Vec<String> =
            answers.iter().map(|(status, count)| format!("{count} times {status}")).collect();
        let (before, beside) = (percentile(&mut before, 0.95), percentile(&mut beside, 0.95));
        report::row(&[
            name.into(),
            format!("{before:.2}"),
            format!("{beside:.2}"),
            format!("**{:.2}**", beside / before),
            format!("{resident:.0}"),
            format!("**{most:.0}**"),
            hanging.to_string(),
            if told.is_empty() { "none".into() } else { told.join(", ") },
        ]);
    }
    Ok(())
}

/// Requests that wait.
struct Hung {
    running: JoinSet<()>,
    answers: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Hung {
    /// Each workspace and each of its keys sends as many as the others.
    fn begin(server: &Server, senders: &Seeded, many: usize) -> Self {
        let answers = Arc::new(Mutex::new(BTreeMap::new()));
        let mut running = JoinSet::new();
        let address = server.address;
        for number in 0..many {
            let workspace = &senders.workspaces[number % senders.workspaces.len()];
            let turn = number / senders.workspaces.len();
            let key = workspace.api_keys[turn % workspace.api_keys.len()].clone();
            let path = path(workspace, &upstream::hanging_host("api"), "/v1/things");
            let answers = answers.clone();
            running.spawn(async move {
                let network = u8::try_from(number % NETWORKS + 1).unwrap_or(1);
                let answer = match Client::connect_from(network, address).await {
                    Ok(mut client) => client.forward(&path, Some(&key), &Bytes::new()).await,
                    Err(error) => Err(error),
                };
                let told = match answer {
                    Ok(answer) if answer.retry_after => {
                        format!("{} with Retry-After", answer.status.as_u16())
                    }
                    Ok(answer) => answer.status.as_u16().to_string(),
                    Err(error) => error.to_string(),
                };
                *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(told).or_insert(0) += 1;
            });
        }
        Self { running, answers }
    }

    /// Gives up those that wait. Returns what the others were answered.
    async fn end(mut self) -> BTreeMap<String, usize> {
        self.running.shutdown().await;
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn wait_for(upstream: &Upstream, expected: u64) -> Result<()> {
    let began = Instant::now();
    while upstream.hanging() < expected {
        ensure!(
            began.elapsed() < Duration::from_secs(20),
            "{} instead of {expected} hang",
            upstream.hanging()
        );
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn wait_for_none(upstream: &Upstream) -> Result<()> {
    let began = Instant::now();
    while upstream.hanging() > 0 {
        ensure!(began.elapsed() < Duration::from_secs(30), "{} still hang", upstream.hanging());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
