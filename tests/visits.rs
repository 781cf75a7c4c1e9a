//! What it is to come to a page in a real browser: how much comes over the wire, and that nothing
//! moves once it was seen.

use crate::support::product::{Config, Db, seed};
use crate::support::*;
use serde_json::json;
use std::time::Duration;

const PAGES: [&str; 6] =
    ["members", "invitations", "security", "activity", "roles/editor", "roles/new?template=manager"];

/// A browser signed in as the Owner of a workspace whose lists go over more than a page.
async fn owner_of_many(app: &TestApp) -> Browser {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_tests(app.database.url.clone(), dir.path());
    let db = Db::open(&config, app.url(), app.clock.clone()).await.unwrap();
    let size = seed::Size { workspaces: 1, members: 60, events: 60, invitations: 0, keys: 0 };
    seed::seed(&db, &size).await.unwrap();
    db.close().await;
    let browser = Browser::open(Script::On).await;
    browser.go(&format!("{}/sign-in", app.url())).await;
    browser.fill("#email", "member-1@seed-1.example.com").await;
    browser.fill("#password", "load test data only").await;
    browser.click("main form button").await;
    browser.until_says("Your roles:").await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_to_members_is_small() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let browser = owner_of_many(&app).await;
    let wire = Wire::to(&app).await;
    browser.devtools("Network.clearBrowserCache", json!({})).await;
    let mut came = Vec::new();
    // The icon of the tab is requested after the page has loaded, and then kept.
    for (most, last) in [(30 * 1024, "/static/favicon."), (8 * 1024, "/w/seed-1/members")] {
        browser.go(&wire.url("/w/seed-1/members")).await;
        wire.answered(last).await;
        // Time for whatever else the page may request late: nothing shows that no more comes.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let answers = wire.take();
        assert!(browser.text().await.contains("60 members"));
        assert!(
            String::from_utf8_lossy(&answers).contains("content-encoding: br"),
            "compressed as asked for"
        );
        came.push((answers.len(), most));
    }
    println!("first and second visit, in bytes: {came:?}");
    assert!(came.iter().all(|(size, most)| size <= most), "bytes that came, and may: {came:?}");
    assert!(came[1].0 > 1_000, "the page came through the wire: {came:?}");
}

const WATCH: &str = "window.shifts = [];
    const told = ({ node }) => node?.outerHTML?.slice(0, 100) ?? node?.nodeName;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) shifts.push(`${entry.value}: ${entry.sources.map(told).join(' and ')}`);
    }).observe({ type: 'layout-shift', buffered: true });";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_once_it_was_seen() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let browser = owner_of_many(&app).await;
    browser.prepare(WATCH).await;
    // Slow enough that a page is drawn while the rest of it is still being read.
    browser.devtools("Emulation.setCPUThrottlingRate", json!({ "rate": 6 })).await;
    let mut moved = Vec::new();
    for (width, height) in [(1280, 900), (390, 844)] {
        browser.screen(width, height, 1).await;
        for page in PAGES {
            browser.devtools("Network.clearBrowserCache", json!({})).await;
            for visit in ["first", "second"] {
                browser.go(&format!("{}/w/seed-1/{page}", app.url())).await;
                // Time for whatever moves late: nothing shows that no more comes.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let shifts = browser.run("return shifts;").await;
                if shifts != json!([]) {
                    moved.push(format!("{page}, {width} wide, {visit} visit: {shifts}"));
                }
            }
        }
    }
    assert!(moved.is_empty(), "{}", moved.join("\n"));
    // The watch would have told.
    let pushed = "document.querySelector('main').style.marginTop = '200px';
        while (shifts.length === 0) await new Promise((done) => setTimeout(done, 50));
        return shifts.length;";
    assert_eq!(browser.run(pushed).await, json!(1));
}

both! {
    async fn assets_are_kept_for_ever_and_pages_not_at_all(app: TestApp) {
        let client = app.client();
        let page = client.visit("/sign-in").await;
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("etag"), None);
        let styles = page.attributes("link[rel=stylesheet]", "href");
        assert!(!styles.is_empty());
        for path in styles {
            let style = client.get(&path).await.with_status(200);
            assert!(style.header("cache-control").unwrap().contains("immutable"), "{path}");
            let etag = style.header("etag").unwrap().to_owned();
            let again = client.with_header("if-none-match", &etag).get(&path).await.with_status(304);
            assert_eq!(again.html, "");
            client.with_header("if-none-match", "W/\"another\"").get(&path).await.assert_status(200);
        }
    }
}

/// A module in which a name is declared twice is not run at all.
#[test]
fn the_script_declares_no_name_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for line in include_str!("../static/app.js").lines() {
        let words = ["async function ", "function ", "const ", "let "];
        let declared = words.into_iter().find_map(|word| line.strip_prefix(word));
        let name = declared.unwrap_or_default().split(|c: char| !c.is_alphanumeric()).next().unwrap();
        assert!(name.is_empty() || seen.insert(name), "{name} is declared twice: {line}");
    }
    assert!(seen.len() > 30, "it is read: {seen:?}");
}
