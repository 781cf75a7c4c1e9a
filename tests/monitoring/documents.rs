//! What `docs/monitoring` says is what the program does: the table of metrics, the alerts, the dashboard.

use super::scrape::{Metric, Scrape, monitored, promtool, shown};
use crate::support::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const PAGE: &str = include_str!("../../docs/monitoring/README.md");
const ALERTS: &str = include_str!("../../docs/monitoring/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../docs/monitoring/alerts_test.yml");
const DASHBOARD: &str = include_str!("../../docs/monitoring/dashboard.json");

/// The rows of the table whose header has this first cell.
fn table(header: &str) -> Vec<Vec<String>> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with(&format!("| {header} |"))).skip(2);
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn documented() -> BTreeMap<String, Metric> {
    let metric = |row: Vec<String>| {
        let labels = row[2].split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        (row[0].clone(), Metric { kind: row[1].clone(), labels, meaning: row[3].clone() })
    };
    table("metric").into_iter().map(metric).collect()
}

fn as_table(metrics: &BTreeMap<String, Metric>) -> String {
    metrics.iter().fold(String::new(), |mut text, (name, Metric { kind, labels, meaning })| {
        let labels = labels.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(text, "| `{name}` | {kind} | {labels} | {meaning} |").unwrap();
        text
    })
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("bailiwick_") && *word != "bailiwick_");
    names.map(|name| name.trim_end_matches("_bucket").to_owned()).collect()
}

both! {
    // Breaks when a metric is added, renamed or described anew, and the table is not.
    async fn the_table_of_metrics_is_what_the_program_serves(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        owner.client.visit("/w/acme").await;
        let served = Scrape::of(&app).await.metrics();
        assert_eq!(served, documented(), "the table should be:\n{}", as_table(&served));
    }

    async fn promtool_has_nothing_to_say_about_the_metrics(backend: Backend) {
        let app = monitored(backend).await;
        let owner = new_owner(&app).await;
        owner.client.visit("/w/acme").await;
        let checked = promtool(&["check", "metrics"], &Scrape::of(&app).await.text);
        assert!(checked.status.success() && shown(&checked).is_empty(), "{}", shown(&checked));
    }
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    for arguments in [&["check", "rules", "alerts.yml"][..], &["test", "rules", "alerts_test.yml"]] {
        let checked = promtool(arguments, "");
        assert!(checked.status.success(), "{}", shown(&checked));
    }
    let alerts = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        let is_quiet = format!("alertname: {alert}}}");
        assert!(ALERT_TESTS.contains(&fires), "no test in which {alert} fires");
        assert!(ALERT_TESTS.contains(&is_quiet), "no test in which {alert} is quiet");
    }
}

/// Breaks when a metric is renamed, and an alert or the dashboard still asks for it.
#[test]
fn alerts_and_dashboard_use_metrics_that_there_are() {
    let known: BTreeSet<String> = documented().into_keys().collect();
    for (what, text) in
        [("alerts.yml", ALERTS), ("alerts_test.yml", ALERT_TESTS), ("dashboard.json", DASHBOARD)]
    {
        let named = named(text);
        assert!(!named.is_empty(), "{what} names no metric");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{what} names {unknown:?}");
    }
    let shown = named(DASHBOARD);
    let unwatched: Vec<_> = known.difference(&shown).map(String::as_str).collect();
    let expected = [
        "bailiwick_database_statements_total",
        "bailiwick_database_up",
        "bailiwick_password_hash_timeouts_total",
        "bailiwick_password_hashing_max",
        "bailiwick_start_time_seconds",
    ];
    assert!(
        unwatched.iter().all(|name| expected.contains(name) || *name == "bailiwick_connections_max"),
        "{unwatched:?}"
    );
    assert!(serde_json::from_str::<serde_json::Value>(DASHBOARD).unwrap()["title"] == "Bailiwick (untested)");
}

both! {
    /// Breaks when a stage is added, and the page does not explain it.
    async fn every_stage_is_explained_and_there_from_the_start(backend: Backend) {
        let app = monitored(backend).await;
        let scrape = Scrape::of(&app).await;
        let served: BTreeSet<String> = scrape
            .series()
            .iter()
            .filter_map(|series| series.strip_prefix("bailiwick_refusals_total{stage=\"")?.strip_suffix("\"}"))
            .map(str::to_owned)
            .collect();
        let explained: BTreeSet<String> = table("stage").into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(served, explained);
    }
}
