//! The demo: months of one workspace, made by the functions that requests call.

use crate::support::product::{Clock, Config, DAY, Db, demo, verify};
use crate::support::*;

/// Runs the demo by the program itself until it has said everything. Answers what it said.
async fn welcome(settings: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (port, log) = (free_port(), folder.path().join("said"));
    let mut demo = program::command(folder.path())
        .arg("demo")
        .env("BAILIWICK_BIND", format!("127.0.0.1:{port}"))
        .envs(settings.iter().copied())
        .stdout(std::fs::File::create(&log).unwrap())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let said = eventually(async || {
        assert!(demo.try_wait().unwrap().is_none(), "the demo ended at once");
        let said = std::fs::read_to_string(&log).unwrap();
        // The end of the last command.
        if said.contains(r#"{"roles": ["developer", "viewer"]}'"#) { Ok(said) } else { Err(said) }
    })
    .await;
    demo.kill().unwrap();
    demo.wait().unwrap();
    said.replace(&format!("http://127.0.0.1:{port}"), "http://here")
}

#[test]
fn every_command_that_the_demo_prints_says_where_to() {
    run(async {
        for (settings, at) in [
            (&[][..], "http://here/"),
            (&[("BAILIWICK_PUBLIC_URL", "https://access.example.com")], "https://access.example.com/"),
        ] {
            let said = welcome(settings).await;
            let commands: Vec<&str> = said.lines().filter(|line| line.starts_with("curl")).collect();
            assert_eq!(commands.len(), 3, "{said}");
            let address =
                |command: &str| command.split(' ').find(|word| word.contains("/api/")).map(str::to_owned);
            for command in commands {
                assert!(address(command).is_some_and(|address| address.starts_with(at)), "{command}");
            }
            assert!(said.contains("for trying only"), "{said}");
        }
    });
}

both! {
    async fn the_demo_shows_something_on_every_page_and_its_chain_holds(app: TestApp) {
        let past = Clock::manual(app.clock.now() - demo::PAST);
        let folder = tempfile::tempdir().unwrap();
        let config = Config::for_tests(app.database.url.clone(), folder.path());
        let db = Db::open(&config, String::new(), past.clone()).await.unwrap();
        let said = demo::demo(&db).await.unwrap();
        assert!(past.now() < app.clock.now(), "nothing happens in the future");
        let report = verify::verify(&db, &[], &[]).await.unwrap();
        let events: i64 = report.chains.iter().map(|(_, events)| events).sum();
        assert!(report.findings.is_empty() && events >= 60, "{report:?}");
        assert_eq!(demo::demo(&db).await.unwrap(), said, "a second time it is left as it is");
        db.close().await;

        let now = app.clock.now().as_millis();
        let count = async |sql: &str| app.scalar_i64(&format!("SELECT count(*) FROM {sql}")).await;
        for status in ["pending", "accepted", "declined", "cancelled"] {
            assert!(count(&format!("invitations WHERE status = '{status}'")).await > 0, "{status}");
        }
        let pending = "invitations WHERE status = 'pending' AND expires_at";
        assert!(count(&format!("{pending} < {now}")).await > 0, "an expired one");
        assert!(count(&format!("{pending} BETWEEN {now} AND {}", now + 2 * DAY)).await > 0, "one that soon is");
        assert_eq!(count("members WHERE status = 'suspended'").await, 1);
        assert_eq!(count(&format!("members WHERE last_active_at < {}", now - 90 * DAY)).await, 1);
        assert!(count(&format!("members WHERE last_active_at > {}", now - DAY)).await > 3);
        assert_eq!(count("outbox").await, 0, "mail goes to nobody");
        for (status, least) in [("delivered", 5), ("held", 3), ("failed", 1)] {
            assert!(count(&format!("event_deliveries WHERE status = '{status}'")).await >= least, "{status}");
        }
        assert_eq!(count("event_deliveries WHERE status = 'waiting'").await, 0, "nothing is sent to anybody");

        let owner = app.client();
        let form = [("email", "owner@example.com"), ("password", "look around the demo")];
        owner.post_form("/sign-in", &form).await.assert_status(303);
        owner.visit("/w/demo").await.assert_says("1 member hasn't been active for 90 days");
        let hooks = app.scalar_uuid("SELECT id FROM destinations WHERE host = 'hooks.example.net'").await;
        let events = owner.visit(&format!("/w/demo/destinations/{hooks}/events")).await;
        events.assert_says("Events have stopped").assert_says("410 Gone").assert_says("Delivered");
        owner.visit("/w/demo/activity?outcome=refused").await.assert_says("was refused View activity");
    }
}
