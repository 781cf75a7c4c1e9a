//! The quick start, as it stands in `docs/quick-start` and on its page: run as a newcomer would.

use crate::{support::*, world::*};
use bailiwick::policy::BuiltIn;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A service of the quick start. Ended when dropped.
struct Service {
    process: Child,
    port: u16,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quick-start").join(name)
}

/// The example, which `cargo test` builds beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples/quick_start");
    assert!(path.exists(), "{} is not built: cargo build --example quick_start", path.display());
    path
}

fn told(command: &mut Command, app: &TestApp, secret: &str) {
    command
        .env("BAILIWICK_URL", app.url().trim_end_matches('/'))
        .env("BAILIWICK_KEY", secret)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
}

impl Service {
    fn start(mut command: Command, app: &TestApp, secret: &str) -> Self {
        let port = free_port();
        told(&mut command, app, secret);
        Self { process: command.env("PORT", port.to_string()).spawn().unwrap(), port }
    }

    /// What somebody is answered, once it listens.
    async fn answers(&self, http: &reqwest::Client, user: &str) -> u16 {
        let started = Instant::now();
        loop {
            let request = http.get(format!("http://127.0.0.1:{}/", self.port)).header("x-user", user);
            match request.send().await {
                Ok(answer) => return answer.status().as_u16(),
                Err(_) if started.elapsed() < Duration::from_secs(20) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => panic!("it does not listen: {error}"),
            }
        }
    }
}

both! {
    async fn each_of_them_lets_in_who_may_and_nobody_else(app: TestApp) {
        let world = World::build(&app).await;
        let (_, _, secret) = add_key(&app, "acme", "Quick start", &["developer"]).await;
        let viewer = world.person(BuiltIn::Viewer).user_id.to_string();
        let billing = world.person(BuiltIn::Billing).user_id.to_string();
        let outsider = world.outsider.user_id.to_string();
        let everybody = [(viewer.as_str(), true), (&billing, false), (&outsider, false), ("nobody", false)];

        for (user, expected) in everybody {
            let mut shell = Command::new("sh");
            told(shell.arg(file("check.sh")).arg(user), &app, &secret);
            let status = tokio::task::spawn_blocking(move || shell.status().unwrap()).await.unwrap();
            assert_eq!(status.success(), expected, "check.sh of {user}");
        }

        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut python = Command::new("python3");
        python.arg(file("service.py")).stderr(Stdio::null());
        let mut node = Command::new("node");
        node.arg(file("service.mjs"));
        for (name, command) in [("Python", python), ("JavaScript", node), ("Rust", Command::new(example()))] {
            let service = Service::start(command, &app, &secret);
            for (user, expected) in everybody {
                let status = service.answers(&http, user).await;
                assert_eq!(status, if expected { 200 } else { 403 }, "{name} of {user}");
            }
            // With its key revoked it lets nobody in.
            let revoked = app.execute("UPDATE api_keys SET revoked_at = 1 WHERE name = 'Quick start'").await;
            assert_eq!(revoked, 1);
            assert_ne!(service.answers(&http, &viewer).await, 200, "{name} with a dead key");
            app.execute("UPDATE api_keys SET revoked_at = NULL WHERE name = 'Quick start'").await;
        }
    }
}
