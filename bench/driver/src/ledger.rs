//! Transfers of credits a second, each durable; and the page of a ledger that has grown beside that of a small one.

use crate::{
    Bench,
    client::Client,
    data::{Backend, Data, Group, Workspace, connect},
    destinations::service,
    load::{Job, Lane, count, in_turns},
    report,
    server::Server,
};
use anyhow::{Result, ensure};
use std::sync::{Arc, atomic::AtomicU64};
use tokio::process::Command;

/// Transfers in the ledger of the small workspace and of the large one.
const SMALL: u64 = 1_000;
const LARGE: u64 = 1_000_000;
const LARGE_QUICK: u64 = 20_000;

/// Once in every row of the page.
const MARK: &str = "class=\"name whole\"";

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let group = Group { workspaces: 3, members: 2, invitations: 0, events: 0 };
    let seeded = data.more(bench, &group, 1).await?;
    for workspace in &seeded.workspaces {
        grant(bench, data, workspace).await?;
    }
    transfers(bench, data, &seeded.workspaces[0]).await?;
    let large = if bench.cli.quick { LARGE_QUICK } else { LARGE };
    let sizes = [SMALL, large];
    for (workspace, rows) in seeded.workspaces[1..].iter().zip(sizes) {
        eprintln!("{}: {rows} transfers", data.backend);
        fill(data, workspace, rows).await?;
    }
    pages(bench, data, &seeded.workspaces[1..], &seeded.password, sizes).await
}

async fn ours(bench: &Bench, data: &Data, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(&bench.cli.ours);
    command.args(arguments).env("BAILIWICK_DATABASE_URL", &data.ours);
    bench.settings(&mut command);
    let output = command.kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {said}", arguments[0]);
    Ok(())
}

async fn grant(bench: &Bench, data: &Data, workspace: &Workspace) -> Result<()> {
    let slug = workspace.slug.as_str();
    let amount = "100000000000";
    ours(bench, data, &["grant-credits", "--workspace", slug, "--amount", amount, "--expires", "2036-12-31"])
        .await
}

/// Uses of one credit each, by the API.
async fn transfers(bench: &Bench, data: &Data, workspace: &Workspace) -> Result<()> {
    let server = Server::ours(bench, &data.ours).await?;
    let client = service(&server, workspace).await?;
    let job = Arc::new(Job::Uses { run: "bench".into(), turn: AtomicU64::new(0) });
    let lane = |name: &str, client, connections| Lane {
        name: name.into(),
        server: &server,
        client,
        job: job.clone(),
        connections,
    };
    let lanes = [
        lane("one connection", client.twin().await?, 1),
        lane("several connections", client.twin().await?, bench.plan.connections),
        lane("many connections", client, bench.plan.wide),
    ];
    let all = in_turns(bench, data.backend, &lanes).await?;
    drop(lanes);
    drop(server);
    let Job::Uses { turn, .. } = &*job else { return Ok(()) };
    let made = turn.load(std::sync::atomic::Ordering::Relaxed);
    // The grant is one too.
    let stands = transfers_of(data, &workspace.slug).await?;
    ensure!(stands == i64::try_from(made)? + 1, "{made} credits were used, and {stands} transfers stand");
    ours(bench, data, &["verify-ledger"]).await?;
    let goal = if data.backend == Backend::Sqlite { " (goal of requests/s: 2000)" } else { "" };
    report::heading(&format!("{}: transfers of one ledger by the API{goal}", data.backend));
    report::lanes(&all, |_| None);
    println!("\nAll {made} stand in the ledger, and it is unaltered.");
    Ok(())
}

async fn transfers_of(data: &Data, slug: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM credit_transfers t JOIN workspaces w ON w.id = t.workspace_id WHERE w.slug = $1";
    if let Some(path) = data.ours.strip_prefix("sqlite://") {
        return Ok(rusqlite::Connection::open(path)?.query_row(sql, [slug], |row| row.get(0))?);
    }
    Ok(connect(&data.ours).await?.query_one(sql, &[&slug]).await?.get(0))
}

/// So many transfers after the grant, a millisecond apart. They have no hashes: nothing verifies this ledger.
async fn fill(data: &Data, workspace: &Workspace, rows: u64) -> Result<()> {
    let slug = &workspace.slug;
    let (id, hash) = match data.backend {
        Backend::Sqlite => ("randomblob(16)", "X'00'"),
        Backend::Postgres => ("gen_random_uuid()", "'\\x00'::bytea"),
    };
    let insert = format!(
        "INSERT INTO credit_transfers (workspace_id, seq, id, at, kind, debit_id, credit_id, amount, client_id,
            key_name, note, hash)
        WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        SELECT w.id, n.i, {id}, l.at + n.i, 'usage', g.id, l.spent_id, 1, 'client-' || n.i, '', '', {hash}
        FROM n JOIN workspaces w ON w.slug = '{slug}' JOIN credit_ledgers l ON l.workspace_id = w.id
        JOIN credit_accounts g ON g.workspace_id = w.id AND g.kind = 'grant'"
    );
    let end = format!(
        "UPDATE credit_ledgers SET seq = {rows}, at = at + {rows}
        WHERE workspace_id = (SELECT id FROM workspaces WHERE slug = '{slug}')"
    );
    if let Some(path) = data.ours.strip_prefix("sqlite://") {
        rusqlite::Connection::open(path)?.execute_batch(&format!("BEGIN; {insert}; {end}; COMMIT"))?;
    } else {
        let client = connect(&data.ours).await?;
        client.batch_execute(&insert).await?;
        client.batch_execute(&end).await?;
        client.batch_execute("VACUUM (ANALYZE) credit_transfers").await?;
    }
    ensure!(
        transfers_of(data, slug).await? == i64::try_from(rows)?,
        "{slug} has another number of transfers"
    );
    Ok(())
}

/// The page and its filters, of the small ledger and of the large one.
async fn pages(
    bench: &Bench,
    data: &Data,
    workspaces: &[Workspace],
    password: &str,
    sizes: [u64; 2],
) -> Result<()> {
    let server = Server::ours(bench, &data.ours).await?;
    let mut browsers = Vec::new();
    for workspace in workspaces {
        let mut browser = Client::connect(server.address).await?;
        browser.sign_in(&workspace.owner, password).await?;
        browsers.push((browser, format!("/w/{}/credits", workspace.slug)));
    }
    report::heading(&format!("{}: the page of the ledger, CPU µs a request", data.backend));
    let [small, large] = sizes.map(|rows| format!("{rows} transfers"));
    report::head(&["", &small, &large, "ratio (goal 1.2)", "p99 ms", "p99 ms", "rows"]);
    for (name, query) in [
        ("first page", ""),
        ("last page", "before=end"),
        ("kind, frequent", "kind=usage"),
        ("kind, one transfer", "kind=grant"),
        ("kind, none", "kind=expiry"),
        ("one request", "client_id=client-500"),
        ("from a day on", "from=2000-01-02"),
    ] {
        let (mut lanes, mut rows) = (Vec::new(), Vec::new());
        for (browser, page) in &browsers {
            let path = format!("{page}?{query}");
            let mut client = browser.twin().await?;
            let answer = client.get(&path).await?;
            ensure!(answer.status == 200, "{path} answers {}: {}", answer.status, answer.text());
            let times = count(&answer, MARK);
            rows.push(times.to_string());
            let job = Arc::new(Job::Page { path, mark: MARK, times });
            let name = format!("ledger, {name}");
            lanes.push(Lane { name, server: &server, client, job, connections: bench.plan.connections });
        }
        ensure!(name.ends_with("none") || rows[1] != "0", "{name} shows nothing");
        let all = in_turns(bench, data.backend, &lanes).await?;
        report::row(&[
            name.into(),
            format!("{:.0}", all[0].cpu()),
            format!("{:.0}", all[1].cpu()),
            format!("**{:.2}**", all[1].cpu() / all[0].cpu()),
            format!("{:.1}", all[0].latency(0.99)),
            format!("{:.1}", all[1].latency(0.99)),
            rows.join(" and "),
        ]);
    }
    Ok(())
}
