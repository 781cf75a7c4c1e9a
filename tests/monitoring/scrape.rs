//! The metrics of an app, as Prometheus gets them.

use crate::support::{product::Clock, *};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Output, Stdio},
};

/// An app that serves metrics.
pub async fn monitored(backend: Backend) -> TestApp {
    TestApp::on(backend)
        .with(|config| config.metrics_bind = Some("127.0.0.1:0".parse().unwrap()))
        .spawn()
        .await
}

pub struct Scrape {
    pub text: String,
}

/// A metric as the page about metrics has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metric {
    pub kind: String,
    pub labels: BTreeSet<String>,
    pub meaning: String,
}

impl Scrape {
    pub async fn of(app: &TestApp) -> Self {
        let url = format!("http://{}", app.metrics_address());
        let page = Client::of(&url, Clock::system()).get("/metrics").await.with_status(200);
        assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self { text: page.html }
    }

    fn samples(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.starts_with('#'))
    }

    /// The names and labels of every series.
    pub fn series(&self) -> BTreeSet<&str> {
        self.samples().map(|line| line.rsplit_once(' ').unwrap().0).collect()
    }

    /// The value of `bailiwick_refusals_total{stage="permission"}`; `None` if there is no such series.
    pub fn find(&self, series: &str) -> Option<f64> {
        let lines = self.samples().filter_map(|line| line.rsplit_once(' '));
        let mut of_this = lines.filter(|(name, _)| *name == series);
        of_this.next().map(|(_, value)| value.parse().unwrap())
    }

    #[track_caller]
    pub fn value(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("no {series} in:\n{}", self.text))
    }

    /// What is said of each metric, by its name.
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
        for line in self.text.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                metrics.entry(name.to_owned()).or_default().meaning = help.trim_end_matches('.').to_owned();
            } else if let Some((name, kind)) =
                line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
            {
                metrics.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else if let Some((name, labels)) = line.split_once('{') {
                let of_histogram =
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let metric = of_histogram.filter(|name| metrics.contains_key(*name)).unwrap_or(name);
                let metric = metrics.get_mut(metric).unwrap_or_else(|| panic!("{name} has no type"));
                // What follows the last name is the value.
                let mut names: Vec<&str> = labels.split("=\"").collect();
                names.pop();
                let names = names.iter().filter_map(|part| part.rsplit([',', '"']).next());
                let names = names.filter(|name| *name != "le");
                metric.labels.extend(names.map(str::to_owned));
            }
        }
        metrics
    }
}

/// Runs Prometheus' own tool in the folder of the alerts, with this input.
pub fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut running = Command::new("promtool")
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}; run bin/test, which installs it"));
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    running.wait_with_output().unwrap()
}

pub fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_scrape_is_read_as_it_is_written() {
    let text = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\na_seconds_sum{b=\"x\",c=\"/{d}\"} 0.5\n\
        a_seconds_bucket{le=\"1.0\",b=\"x\",c=\"/{d}\"} 1\n# HELP e_total Many.\n# TYPE e_total counter\ne_total 7\n";
    let scrape = Scrape { text: text.to_owned() };
    let metrics = scrape.metrics();
    let labels: Vec<&str> = metrics["a_seconds"].labels.iter().map(String::as_str).collect();
    assert_eq!((labels, metrics["a_seconds"].meaning.as_str()), (vec!["b", "c"], "How long"));
    assert_eq!(metrics["e_total"].kind, "counter");
    assert_eq!((scrape.value("e_total"), scrape.value("a_seconds_sum{b=\"x\",c=\"/{d}\"}")), (7.0, 0.5));
}
