//! The Activity page and each of its filters, where little happened and where much did.

use crate::{
    Bench,
    client::Client,
    data::{Data, Seeded},
    load::{Job, Lane, count, in_turns},
    report,
    server::Server,
};
use anyhow::{Result, ensure};
use std::sync::Arc;

/// Once in every event.
pub const MARK: &str = "class=\"meta\"";

/// Queries of the page in one workspace, with what they are called.
pub async fn filters(data: &Data, seeded: &Seeded) -> Result<Vec<(&'static str, String)>> {
    let workspace = &seeded.workspaces[0];
    let owner = data.user(&workspace.owner).await?;
    let stranger = data.user(&workspace.member(3)).await?;
    let target = data.members_with(&workspace.slug, "support").await?[0];
    Ok(vec![
        ("first page", String::new()),
        ("last page", "before=end".into()),
        ("kind, frequent", "kind=member.roles-changed".into()),
        ("kind, one event", "kind=workspace.created".into()),
        ("kind, none", "kind=organization.deleted".into()),
        ("kind, frequent, last page", "kind=member.roles-changed&before=end".into()),
        ("outcome done", "outcome=done".into()),
        ("outcome refused", "outcome=refused".into()),
        ("kind and outcome", "kind=member.suspended&outcome=done".into()),
        ("kind and outcome, none", "kind=member.suspended&outcome=refused".into()),
        ("actor, who did most", format!("actor={owner}")),
        ("actor, who did nothing", format!("actor={stranger}")),
        ("target", format!("target={target}")),
        ("name, frequent", "q=member+1".into()),
        ("name, of nobody", "q=nobody+of+that+name".into()),
        ("from a day on", "from=2000-01-02".into()),
        ("until a day", "until=2037-01-01".into()),
        ("until the first day", "until=2000-01-02".into()),
    ])
}

pub async fn run(bench: &Bench, data: &Data) -> Result<()> {
    let ours = Server::ours(bench, &data.ours).await?;
    let mut sizes = Vec::new();
    for seeded in data.seeded.iter().take(2) {
        let workspace = &seeded.workspaces[0];
        let mut browser = Client::connect(ours.address).await?;
        browser.sign_in(&workspace.owner, &seeded.password).await?;
        sizes.push((browser, format!("/w/{}/activity", workspace.slug), filters(data, seeded).await?));
    }
    report::heading(&format!("{}: Activity, CPU µs a request", data.backend));
    let [few, many] = [0, 1].map(|group| bench.plan.groups[group].events.to_string());
    report::head(&[
        "",
        &format!("{few} events"),
        &format!("{many} events"),
        "ratio (goal 1.3)",
        "p99 ms",
        "p99 ms",
        "rows",
    ]);
    for filter in 0..sizes[0].2.len() {
        let mut lanes = Vec::new();
        let mut rows = Vec::new();
        for (browser, page, filters) in &sizes {
            let (name, query) = &filters[filter];
            let path = format!("{page}?{query}");
            let mut client = browser.twin().await?;
            let answer = client.get(&path).await?;
            ensure!(answer.status == 200, "{path} answers {}", answer.status);
            let times = count(&answer, MARK);
            rows.push(times.to_string());
            let job = Arc::new(Job::Page { path, mark: MARK, times });
            let name = format!("Activity, {name}");
            lanes.push(Lane { name, server: &ours, client, job, connections: bench.plan.connections });
        }
        let all = in_turns(bench, data.backend, &lanes).await?;
        report::row(&[
            sizes[0].2[filter].0.into(),
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
