//! Events that wait for many destinations, of which some never answer: how long the others take to get theirs, with
//! these and without.

use crate::{
    Bench,
    data::{Backend, Data, Seeded, Workspace, connect},
    destinations::{add, service},
    load::median,
    report,
    server::Server,
    upstream::{Upstream, hanging_host, host},
};
use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::sleep;
use uuid::Uuid;

/// Workspaces, and destinations of each: twenty are the most that receive events.
const WORKSPACES: usize = 5;
const RECEIVERS: usize = 20;

/// Of each workspace.
const HANGING: usize = 2;

/// Events that wait for each destination.
const EVENTS: usize = 100;

/// A destination that receives events.
struct Receiver {
    id: Uuid,
    workspace: usize,
    hangs: bool,
}

/// A message as it is queued.
struct Queued {
    workspace: Uuid,
    destination: Uuid,
    event: Uuid,
    kind: String,
}

pub async fn run(bench: &Bench, data: &Data, upstream: &Upstream, senders: &Seeded) -> Result<()> {
    let workspaces = &senders.workspaces[..WORKSPACES];
    let events = if bench.cli.quick { EVENTS / 10 } else { EVENTS };
    let name = |workspace: usize, number: usize| match number < HANGING {
        true => hanging_host(&format!("{workspace}-{number}")),
        false => host(&format!("events-{workspace}-{number}")),
    };
    let hosts: Vec<String> = (0..WORKSPACES)
        .flat_map(|workspace| (0..RECEIVERS).map(move |number| name(workspace, number)))
        .collect();
    let settings = upstream.settings(&hosts);
    let ours = Server::ours_with(bench, &data.ours, &settings).await?;
    let mut receivers = Vec::new();
    for (number, host) in hosts.iter().enumerate() {
        let (workspace, of_workspace) = (number / RECEIVERS, number % RECEIVERS);
        let id = receive(&ours, &workspaces[workspace], host).await?;
        receivers.push(Receiver { id, workspace, hangs: of_workspace < HANGING });
    }
    drop(ours);
    let queued = queued(&data.ours, workspaces, &receivers, events).await?;
    let hangs = |id: Uuid| receivers.iter().any(|receiver| receiver.id == id && receiver.hangs);
    let mut taken = [Vec::new(), Vec::new()];
    for round in 0..bench.plan.rounds.min(3) {
        for turn in 0..2 {
            let with_hanging = (round + turn) % 2 == 1;
            let what = if with_hanging { "with" } else { "without" };
            eprintln!("{}: events, {what} destinations that hang", data.backend);
            let queued = queued.iter().filter(|message| with_hanging || !hangs(message.destination));
            let queued: Vec<&Queued> = queued.collect();
            fill(&data.ours, &queued).await?;
            let expected = queued.iter().filter(|message| !hangs(message.destination)).count();
            let took = deliver(bench, data, upstream, &settings, expected).await?;
            taken[usize::from(with_hanging)].push(took.as_secs_f64());
        }
    }
    let (all, hanging) = (receivers.len(), receivers.iter().filter(|receiver| receiver.hangs).count());
    let others = (all - hanging) * events;
    report::heading(&format!("{}: {others} events to {} destinations", data.backend, all - hanging));
    report::head(&[
        "",
        "all delivered after s (median)",
        "shortest s",
        "longest s",
        "events/s",
        "ratio (goal 1.2)",
    ]);
    let medians = [median(taken[0].clone()), median(taken[1].clone())];
    let beside = format!("beside {} events to {hanging} destinations that hang", hanging * events);
    for (number, name) in ["alone", beside.as_str()].into_iter().enumerate() {
        let shortest = taken[number].iter().copied().fold(f64::INFINITY, f64::min);
        let longest = taken[number].iter().copied().fold(0.0, f64::max);
        report::row(&[
            name.into(),
            format!("{:.2}", medians[number]),
            format!("{shortest:.2}"),
            format!("{longest:.2}"),
            format!("{:.0}", others as f64 / medians[number]),
            format!("**{:.2}**", medians[number] / medians[0]),
        ]);
    }
    println!("\nEach of them arrived, and stands as delivered in the database.");
    Ok(())
}

/// Adds a destination that receives events. Returns its id.
async fn receive(server: &Server, workspace: &Workspace, host: &str) -> Result<Uuid> {
    let id = add(server, workspace, host).await?;
    let mut service = service(server, workspace).await?;
    let body = json!({"path": "/hook", "kinds": ["member"]}).to_string();
    let answer = service.send(Method::PUT, &format!("/api/sso/v1/destinations/{id}/events"), body).await?;
    ensure!(answer.status == 200, "events to {host} are refused: {} {}", answer.status, answer.text());
    Ok(id.parse()?)
}

/// The same number of events of its workspace for each destination, the destinations in turns.
async fn queued(
    url: &str,
    workspaces: &[Workspace],
    receivers: &[Receiver],
    events: usize,
) -> Result<Vec<Queued>> {
    let mut known = Vec::new();
    for workspace in workspaces {
        let found = events_of(url, &workspace.slug, events).await?;
        ensure!(found.len() == events, "{} has {} events instead of {events}", workspace.slug, found.len());
        known.push(found);
    }
    let message = &|number: usize, receiver: &Receiver| {
        let (workspace, event, kind) = known[receiver.workspace][number].clone();
        Queued { workspace, destination: receiver.id, event, kind }
    };
    let turn = |number| receivers.iter().map(move |receiver| message(number, receiver));
    Ok((0..events).flat_map(turn).collect())
}

/// The workspace, the id and the kind of some events.
async fn events_of(url: &str, slug: &str, count: usize) -> Result<Vec<(Uuid, Uuid, String)>> {
    let sql = format!(
        "SELECT e.workspace_id, e.id, e.kind FROM audit_events e JOIN workspaces w ON w.id = e.workspace_id
        WHERE w.slug = $1 AND e.kind LIKE 'member.%' ORDER BY e.seq LIMIT {count}"
    );
    if let Some(path) = url.strip_prefix("sqlite://") {
        let connection = rusqlite::Connection::open(path)?;
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map([slug], |row| {
            let [workspace, id]: [[u8; 16]; 2] = [row.get(0)?, row.get(1)?];
            Ok((Uuid::from_bytes(workspace), Uuid::from_bytes(id), row.get(2)?))
        })?;
        return Ok(rows.collect::<Result<_, _>>()?);
    }
    let rows = connect(url).await?.query(&sql, &[&slug]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Nothing is due, nothing failed.
const FRESH: &str = "UPDATE event_endpoints SET stopped_at = NULL, stop_reason = NULL, failing_since = NULL,
    not_before = 0, next_probe_at = NULL, leased_until = 0, next_due_at = 9223372036854775807";

const INSERT: &str = "INSERT INTO event_deliveries
    (id, workspace_id, destination_id, event_id, kind, status, queued_at, due_at, attempts, tries_left, expires_at)
    VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $6, 0, 8, $7)";

const DUE: &str = "UPDATE event_endpoints SET next_due_at = $1
    WHERE EXISTS (SELECT 1 FROM event_deliveries d WHERE d.destination_id = event_endpoints.destination_id)";

/// Queues these messages, and nothing else. No server runs meanwhile.
async fn fill(url: &str, queued: &[&Queued]) -> Result<()> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let expires = now + 24 * 3_600_000;
    if let Some(path) = url.strip_prefix("sqlite://") {
        let mut connection = rusqlite::Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let tx = connection.transaction()?;
        tx.execute("DELETE FROM event_deliveries", [])?;
        tx.execute(FRESH, [])?;
        {
            let mut insert = tx.prepare(INSERT)?;
            for message in queued {
                let id = Uuid::now_v7();
                insert.execute(rusqlite::params![
                    id.as_bytes(),
                    message.workspace.as_bytes(),
                    message.destination.as_bytes(),
                    message.event.as_bytes(),
                    message.kind,
                    now,
                    expires
                ])?;
            }
        }
        tx.execute(DUE, [now])?;
        return Ok(tx.commit()?);
    }
    let mut client = connect(url).await?;
    let tx = client.transaction().await?;
    tx.execute("DELETE FROM event_deliveries", &[]).await?;
    tx.execute(FRESH, &[]).await?;
    let insert = tx.prepare(INSERT).await?;
    for message in queued {
        let id = Uuid::now_v7();
        let Queued { workspace, destination, event, kind } = message;
        tx.execute(&insert, &[&id, workspace, destination, event, kind, &now, &expires]).await?;
    }
    tx.execute(DUE, &[&now]).await?;
    tx.commit().await?;
    // As autovacuum would, sooner or later.
    Ok(client.batch_execute("VACUUM (ANALYZE) event_deliveries").await?)
}

/// How long it takes until so many have arrived.
async fn deliver(
    bench: &Bench,
    data: &Data,
    upstream: &Upstream,
    settings: &[(&'static str, String)],
    expected: usize,
) -> Result<Duration> {
    upstream.forget_messages();
    let began = Instant::now();
    let ours = Server::ours_with(bench, &data.ours, settings).await?;
    while upstream.messages() < expected {
        ensure!(
            began.elapsed() < Duration::from_secs(300),
            "{} of {expected} events arrived",
            upstream.messages()
        );
        sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    // The last ones are recorded once they are answered.
    let mut recorded = 0;
    for _ in 0..50 {
        recorded = delivered(&data.ours, data.backend).await?;
        if recorded == expected {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    ensure!(recorded == expected, "{expected} events arrived, and {recorded} stand as delivered");
    drop(ours);
    // Whatever was being sent to those that hang ends with the server.
    while upstream.hanging() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    Ok(took)
}

async fn delivered(url: &str, backend: Backend) -> Result<usize> {
    let sql = "SELECT COUNT(*) FROM event_deliveries WHERE status = 'delivered'";
    let count: i64 = match backend {
        Backend::Sqlite => {
            let path = url.strip_prefix("sqlite://").context("a file")?;
            rusqlite::Connection::open(path)?.query_row(sql, [], |row| row.get(0))?
        }
        Backend::Postgres => connect(url).await?.query_one(sql, &[]).await?.get(0),
    };
    Ok(usize::try_from(count)?)
}
