//! The quick start, as it stands in `docs/quick-start` and on its page: run as a newcomer would.

use crate::support::product::BuiltIn;
use crate::{support::*, world::*};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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

fn configure(command: &mut Command, app: &TestApp, secret: &str) {
    command
        .env("BAILIWICK_URL", app.url().trim_end_matches('/'))
        .env("BAILIWICK_KEY", secret)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
}

impl Service {
    fn start(mut command: Command, app: &TestApp, secret: &str) -> Self {
        let port = free_port();
        configure(&mut command, app, secret);
        Self { process: command.env("PORT", port.to_string()).spawn().unwrap(), port }
    }

    /// What somebody is answered, once it listens.
    async fn answers(&self, http: &reqwest::Client, user: &str) -> u16 {
        eventually(async || {
            let request = http.get(format!("http://127.0.0.1:{}/", self.port)).header("x-user", user);
            let answer = request.send().await.map_err(|error| format!("it does not listen: {error}"))?;
            Ok(answer.status().as_u16())
        })
        .await
    }
}

/// The words of a page's element, as they stand in it.
fn verbatim(page: &Page, css: &str) -> String {
    let html = scraper::Html::parse_document(&page.html);
    let element = html.select(&scraper::Selector::parse(css).unwrap()).next().unwrap();
    element.text().collect()
}

both! {
    async fn the_page_shows_the_files_and_what_it_says_works(app: TestApp) {
        let guest = app.client();
        let page = guest.visit("/docs/quick-start").await;
        let rust = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quick_start.rs");
        for (id, path) in [
            ("curl", file("check.sh")), ("python", file("service.py")), ("javascript", file("service.mjs")), ("rust", rust),
        ] {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(verbatim(&page, &format!("#file-{id}")), text, "every line, and no other");
            assert!(text.lines().count() <= 30 && text.lines().all(|line| line.len() <= 130), "{id} is short");
        }
        // Done as it says: the two commands, and the file, in one shell.
        new_owner(&app).await;
        let (_, _, secret) = add_key(&app, "acme", "Quick start", &["developer"]).await;
        let settings = page.attributes("#settings", "value").remove(0);
        assert!(settings.contains(app.url().trim_end_matches('/')), "{settings}");
        let told = settings.replace("SECRET", &secret);
        let enter = page.attributes("#enter", "value").remove(0);
        let check = page.attributes("#start-curl", "value").remove(0).replace("USER_ID", "$user");
        let script = format!(
            "{told}; user=$({enter} | sed 's/.*\"user_id\":\"\\([^\"]*\\).*/\\1/'); {check}"
        );
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&script).current_dir(file("")).env("NO_PROXY", "127.0.0.1").stdin(Stdio::null());
        let said = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "yes\n", "{script}: {said:?}");
    }

    async fn the_way_to_it_is_where_keys_and_the_api_are(app: TestApp) {
        let owner = new_owner(&app).await.client;
        for path in ["/w/acme/api-keys", "/docs/api"] {
            assert!(owner.visit(path).await.has("main a[href='/docs/quick-start']"), "{path}");
        }
        assert!(owner.visit("/w/acme/api-keys").await.has("main .empty a[href='/docs/quick-start']"));
        assert!(owner.visit("/w/acme/api-keys").await.has("main a[href='/docs/api']"));
        let form = owner.visit("/w/acme/api-keys/new").await;
        let made = owner.submit(&form, "/w/acme/api-keys", &[("name", "One")]).await.with_status(200);
        // The secret is on that page alone: it stays open.
        assert!(made.has("main a[href='/docs/quick-start'][target=_blank]"));
        let page = app.client().visit("/docs/api").await;
        page.assert_says("/.well-known/authzen-configuration");
        for id in page.attributes("main nav a", "href").iter().chain(["#about-decisions", "#about-resources"].map(str::to_owned).iter()) {
            assert!(page.has(id), "{id}");
        }
    }

    async fn each_of_them_lets_in_who_may_and_nobody_else(app: TestApp) {
        let world = World::build(&app).await;
        let (_, _, secret) = add_key(&app, "acme", "Quick start", &["developer"]).await;
        let viewer = world.person(BuiltIn::Viewer).user_id.to_string();
        let billing = world.person(BuiltIn::Billing).user_id.to_string();
        let outsider = world.outsider.user_id.to_string();
        let everybody = [(viewer.as_str(), true), (&billing, false), (&outsider, false), ("nobody", false)];

        for (user, expected) in everybody {
            let mut shell = Command::new("sh");
            configure(shell.arg(file("check.sh")).arg(user), &app, &secret);
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
