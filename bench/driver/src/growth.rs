//! Every page with each of its filters and sorts, first and last page, in a database that has grown.

use crate::{
    Bench, activity,
    client::Client,
    cpu,
    data::{Backend, Data},
    load::percentile,
    report,
    server::Server,
};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// How often each page is asked for: so often, or until it has taken so long.
const TIMES: usize = 20;
const LONG_ENOUGH: Duration = Duration::from_secs(5);

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ours = Server::ours(bench, &data.ours).await?;
    let seeded = &data.seeded[0];
    let mut browser = Client::connect(ours.address).await?;
    browser.sign_in(&seeded.workspaces[0].owner, &seeded.password).await?;
    report::heading(&format!("{}: every page", data.backend));
    report::head(&["page", "p50 ms", "longest ms", "CPU ms", "KiB"]);
    for path in pages(data).await? {
        eprintln!("{}: {path}", data.backend);
        // A connection of its own: one that was idle for long may have been closed.
        let mut client = browser.twin().await?;
        let size = client.get(&path).await?.body.len();
        let cpu_before = cpu(bench, data, &ours)?;
        let (began, mut latencies) = (Instant::now(), Vec::new());
        while latencies.len() < TIMES && began.elapsed() < LONG_ENOUGH {
            let sent = Instant::now();
            let answer = client.get(&path).await?;
            ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.text());
            latencies.push(u32::try_from(sent.elapsed().as_micros())?);
        }
        let used = cpu(bench, data, &ours)?.saturating_sub(cpu_before);
        report::row(&[
            format!("`{path}`"),
            format!("{:.1}", percentile(&mut latencies, 0.5)),
            format!("{:.1}", percentile(&mut latencies, 1.0)),
            format!("{:.1}", used.as_secs_f64() * 1e3 / latencies.len() as f64),
            format!("{:.0}", size as f64 / 1024.0),
        ]);
    }
    Ok(())
}

fn cpu(bench: &Bench, data: &Data, ours: &Server) -> Result<Duration> {
    let database = match (data.backend, bench.cli.postmaster) {
        (Backend::Postgres, Some(postmaster)) => cpu::of_postgres(postmaster)?,
        _ => Duration::ZERO,
    };
    Ok(cpu::of_process(ours.pid)? + database)
}

/// Addresses of all pages that somebody who is signed in can open.
async fn pages(data: &Data) -> Result<Vec<String>> {
    let seeded = &data.seeded[0];
    let base = format!("/w/{}", seeded.workspaces[0].slug);
    let member = data.members_with(&seeded.workspaces[0].slug, "developer").await?[0];
    let mut pages = vec!["/workspaces".to_owned(), "/me".into(), base.clone()];
    for rest in ["departure", "roles", "security", "organization", "organization/deletion"] {
        pages.push(format!("{base}/{rest}"));
    }
    for rest in ["", "/suspension", "/removal"] {
        pages.push(format!("{base}/members/{member}{rest}"));
    }
    let mut list = |page: &str, query: &str| {
        let ends = ["", "before=end"].map(|end| [query, end].map(str::to_owned).join("&"));
        pages.extend(ends.map(|query| format!("{base}/{page}?{}", query.trim_matches('&'))));
    };
    for sort in ["name", "-name", "joined", "-joined", "active", "-active"] {
        list("members", &format!("sort={sort}"));
        list("members", &format!("sort={sort}&role=viewer"));
        list("members", &format!("sort={sort}&status=suspended"));
    }
    for filter in
        ["q=member+77", "q=nobody", "role=owner", "role=viewer&status=active", "kind=user", "kind=api_key"]
    {
        list("members", filter);
    }
    for filter in [
        "",
        "q=invited-9",
        "q=nobody",
        "status=pending",
        "status=accepted",
        "status=expired",
        "status=declined",
    ] {
        list("invitations", filter);
    }
    for (_, filter) in activity::filters(data, seeded).await? {
        if !filter.contains("before=end") {
            list("activity", &filter);
        }
    }
    Ok(pages)
}
