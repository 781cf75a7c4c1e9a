//! Every member of a large workspace as a file: how many rows a second, and in how much memory.

use crate::{
    Bench,
    client::Client,
    cpu,
    data::{Backend, Data, Group},
    destinations::service,
    load::median,
    report,
    server::Server,
};
use anyhow::{Result, ensure};
use memchr::memchr_iter;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PATH: &str = "/api/sso/v1/exports/members";

/// Members that are exported, beside the key that does it.
const MEMBERS: u32 = 100_000;
const QUICK: u32 = 2_000;

/// Memory above idle that an export may take, in MiB, and rows that one core should write in a second.
const MEMORY: f64 = 32.0;
const RATE: f64 = 100_000.0;

/// One download.
struct Download {
    bytes: usize,
    wall: Duration,
    cpu: Duration,
    /// The most that was resident meanwhile, in MiB.
    resident: f64,
}

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let members = if bench.cli.quick { QUICK } else { MEMBERS };
    eprintln!("{}: {members} members to export", data.backend);
    let group = Group { workspaces: 1, members, invitations: 0, events: 0 };
    let seeded = data.more(bench, &group, 1).await?;
    let ours = Server::ours(bench, &data.ours).await?;
    let mut client = service(&ours, &seeded.workspaces[0]).await?;
    // What the first request of all takes is not what an export takes.
    let page = client.get("/api/sso/v1/members").await?;
    ensure!(page.status == 200, "members are refused: {}", page.text());
    sleep(Duration::from_secs(1)).await;
    let (idle, _) = cpu::memory(ours.pid)?;
    report::heading(&format!("{}: {members} members as a file", data.backend));
    report::head(&[
        "",
        "MiB",
        "seconds",
        "rows/s",
        &format!("rows/s of one core (goal {RATE:.0})"),
        "idle, MiB",
        &format!("at most above idle, MiB (limit {MEMORY:.0})"),
    ]);
    // The key is a row too.
    let rows = members as usize + 1;
    for (name, format, lines) in [
        ("CSV", "csv", rows + 1),
        ("CSV for spreadsheets", "csv_bom", rows + 1),
        ("JSON Lines", "jsonl", rows),
    ] {
        eprintln!("{}: {name}", data.backend);
        let mut all = Vec::new();
        for _ in 0..bench.plan.rounds {
            all.push(download(bench, data, &ours, &client, format, lines).await?);
        }
        let middle = |value: fn(&Download) -> f64| median(all.iter().map(value).collect());
        let most = all.iter().map(|one| one.resident).fold(0.0, f64::max);
        let (wall, cpu) = (middle(|one| one.wall.as_secs_f64()), middle(|one| one.cpu.as_secs_f64()));
        report::row(&[
            name.into(),
            format!("{:.1}", middle(|one| one.bytes as f64) / 1024.0 / 1024.0),
            format!("{wall:.2}"),
            format!("{:.0}", rows as f64 / wall),
            format!("**{:.0}**", rows as f64 / cpu),
            format!("{idle:.1}"),
            format!("**{:.1}**", most - idle),
        ]);
    }
    println!("\nOf one core: by the CPU time of the server and, on PostgreSQL, of the database.");
    Ok(())
}

/// Downloads the file once, and looks at the memory of the server every 10 ms.
async fn download(
    bench: &Bench,
    data: &Data,
    ours: &Server,
    client: &Client,
    format: &str,
    lines: usize,
) -> Result<Download> {
    let mut client = client.twin().await?;
    let path = format!("{PATH}?format={format}");
    let cpu_before = used(bench, data, ours)?;
    let began = Instant::now();
    let getting = client.get(&path);
    tokio::pin!(getting);
    let mut resident: f64 = 0.0;
    let answer = loop {
        tokio::select! {
            answer = &mut getting => break answer?,
            () = sleep(Duration::from_millis(10)) => resident = resident.max(cpu::memory(ours.pid)?.0),
        }
    };
    let wall = began.elapsed();
    let cpu = used(bench, data, ours)?.saturating_sub(cpu_before);
    ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.text());
    let found = memchr_iter(b'\n', &answer.body).count();
    ensure!(found == lines, "{path} has {found} lines instead of {lines}");
    Ok(Download { bytes: answer.body.len(), wall, cpu, resident: resident.max(cpu::memory(ours.pid)?.0) })
}

fn used(bench: &Bench, data: &Data, ours: &Server) -> Result<Duration> {
    let database = match (data.backend, bench.cli.postmaster) {
        (Backend::Postgres, Some(postmaster)) => cpu::of_postgres(postmaster)?,
        _ => Duration::ZERO,
    };
    Ok(cpu::of_process(ours.pid)? + database)
}
