//! Prometheus itself scrapes the program and evaluates the alerts.

use super::scrape::monitored;
use crate::support::{product::Clock, *};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

/// `prometheus`, killed when dropped.
struct Prometheus {
    process: Child,
    client: Client,
}

impl Prometheus {
    fn start(dir: &Path, target: &str) -> Self {
        let alerts = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{alerts}\"]\n\
             scrape_configs: [{{job_name: bailiwick, static_configs: [{{targets: [\"{target}\"]}}]}}]\n"
        );
        let path = dir.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        let port = free_port();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--log.level=warn"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus: {error}; run bin/test, which installs it"));
        Self { process, client: Client::of(&format!("http://127.0.0.1:{port}"), Clock::system()) }
    }

    /// What it answers; null where it does not listen yet.
    async fn get(&self, path: &str) -> Value {
        match self.client.try_request(reqwest::Method::GET, path, None).await {
            Ok(page) => serde_json::from_str(&page.html).unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn prometheus_scrapes_it_and_evaluates_the_alerts() {
    run(async {
        let (app, dir) = (monitored(Backend::Sqlite).await, tempfile::tempdir().unwrap());
        let prometheus = Prometheus::start(dir.path(), &app.metrics_address().to_string());
        for (metric, value) in [("up", "1"), ("bailiwick_database_up", "1"), ("bailiwick_build_info", "1")] {
            eventually(async || {
                let answer = prometheus.get(&format!("/api/v1/query?query={metric}")).await;
                match answer["data"]["result"][0]["value"][1].as_str() {
                    Some(of) if of == value => Ok(()),
                    _ => Err(format!("{metric}: {answer}")),
                }
            })
            .await;
        }
        let rules = eventually(async || {
            let answer = prometheus.get("/api/v1/rules").await;
            let rules = answer["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
            let is_evaluated = !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok");
            if is_evaluated { Ok(rules) } else { Err(answer.to_string()) }
        })
        .await;
        assert!(
            rules.iter().all(|rule| rule["state"] != "firing"),
            "an idle program raises alerts: {rules:?}"
        );
    });
}
