//! Many sign-ins at once, while others load pages.

use crate::{
    Bench,
    client::Client,
    data::Data,
    load::{Job, Lane, percentile},
    report,
    server::Server,
};
use anyhow::{Result, ensure};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Who loads pages meanwhile.
const READERS: usize = 4;

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ours = Server::ours(bench, &data.ours).await?;
    let (small, large) = (&data.seeded[0], &data.seeded[1]);
    let workspace = &small.workspaces[0];
    let mut client = Client::connect(ours.address).await?;
    client.sign_in(&workspace.owner, &small.password).await?;
    let path = format!("/w/{}/members", workspace.slug);
    let job = Arc::new(Job::Page { path, mark: "<tr", times: 51 });
    let lane = Lane { name: "pages".into(), server: &ours, client, job, connections: READERS };
    eprintln!("{}: storm of sign-ins", data.backend);
    let mut calm = lane.run(bench, data.backend, bench.plan.round).await?;

    let mut storm = JoinSet::new();
    let (go, _) = tokio::sync::broadcast::channel::<()>(1);
    for number in 0..bench.plan.storm {
        let mut browser = Client::connect(ours.address).await?;
        let form = browser.sign_in_form(&large.workspaces[0].member(number + 1), &large.password).await?;
        let mut started = go.subscribe();
        storm.spawn(async move {
            started.recv().await?;
            browser.post("/sign-in", form).await
        });
    }
    go.send(())?;
    let began = Instant::now();
    let counted = async {
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        while let Some(answer) = storm.join_next().await {
            let answer = answer??;
            let retry = if answer.retry_after { " with Retry-After" } else { "" };
            *outcomes.entry(format!("{}{retry}", answer.status.as_u16())).or_default() += 1;
        }
        anyhow::Ok((outcomes, began.elapsed()))
    };
    tokio::pin!(counted);
    let mut stormy = Vec::new();
    // Pages in short stretches, until the last sign-in has its answer.
    let (outcomes, took) = loop {
        let stretch = lane.run(bench, data.backend, Duration::from_millis(200));
        tokio::pin!(stretch);
        let mut done = None;
        let sample = loop {
            tokio::select! {
                counted = &mut counted, if done.is_none() => done = Some(counted?),
                sample = &mut stretch => break sample?,
            }
        };
        stormy.extend(sample.latencies);
        if let Some(done) = done {
            break done;
        }
    };
    let known = ["303", "503 with Retry-After"];
    ensure!(outcomes.keys().all(|outcome| known.contains(&outcome.as_str())), "sign-ins got {outcomes:?}");
    report::heading(&format!("{}: {} sign-ins at once", data.backend, bench.plan.storm));
    report::head(&["members page", "p50 ms", "p95 ms", "longest ms", "requests"]);
    for (name, latencies) in [("before", &mut calm.latencies), ("meanwhile", &mut stormy)] {
        let cells = [0.5, 0.95, 1.0].map(|part| format!("{:.1}", percentile(latencies, part)));
        report::row(&[
            name.into(),
            cells[0].clone(),
            cells[1].clone(),
            cells[2].clone(),
            latencies.len().to_string(),
        ]);
    }
    let told: Vec<String> =
        outcomes.iter().map(|(outcome, count)| format!("{count} times {outcome}")).collect();
    println!(
        "\nThe sign-ins were answered within {:.1} s: {}. Goal: a p95 under 300 ms meanwhile.",
        took.as_secs_f64(),
        told.join(", ")
    );
    Ok(())
}
