//! The quick start in a real browser, with the script and without.

use crate::support::*;
use std::cell::Cell;

const SECURITY_ROW: &str = "#d-send-destinations";

/// Somebody in front of a browser, whose interactions are counted.
struct Visitor {
    browser: Browser,
    interactions: Cell<usize>,
}

impl Visitor {
    async fn signed_in(app: &TestApp, email: &str, script: Script) -> Self {
        let browser = Browser::open(script).await;
        browser.go(&format!("{}/sign-in", app.url())).await;
        browser.fill("#email", email).await;
        browser.fill("#password", PASSWORD).await;
        browser.click("main form button").await;
        browser.until_says("Your roles:").await;
        Self { browser, interactions: Cell::new(0) }
    }

    async fn click(&self, css: &str) {
        self.interactions.set(self.interactions.get() + 1);
        self.browser.click(css).await;
    }
}

/// From signed in to the first answer through the gateway in at most eight interactions; then the Owner takes the
/// permission from the role, and the next request is refused for that.
async fn first_request(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let developer = member(&app, &owner, "developer").await;

    let here = Visitor::signed_in(&app, &developer.email, script).await;
    here.click("main a[href='/w/acme']").await;
    here.click(".sidebar a[href='/w/acme/quick-start']").await;
    here.click("form[action$='/quick-start/key'] button").await;
    here.browser.until_says("shown on this page only").await;
    here.click("form[action$='/quick-start/echo'] button").await;
    here.browser.until_says("Destination echo added.").await;
    here.click("form[action$='/quick-start/request'] button").await;
    here.browser.until_says("\"path\": \"/hello\"").await;
    assert!(here.interactions.get() <= 8, "{} interactions", here.interactions.get());
    assert_eq!(app.scalar_i64("SELECT requests_left FROM api_keys WHERE only_scope IS NOT NULL").await, 59);

    let there = Visitor::signed_in(&app, &owner.email, script).await;
    there.browser.go(&format!("{}/w/acme/security", app.url())).await;
    there.browser.click(&format!("{SECURITY_ROW} summary")).await;
    there.browser.click(&format!("{SECURITY_ROW} input[value=developer]")).await;
    if script == Script::Off {
        there.browser.click(&format!("{SECURITY_ROW} form button")).await;
    }
    there.browser.until_says("Saved.").await;

    here.browser.click("form[action$='/quick-start/request'] button").await;
    here.browser.until_says("Refused: Permission").await;
    let command = here.browser.find("#curl").await.value().await.unwrap().unwrap_or_default();
    let secret = command.split("x-bailiwick-key: ").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let nobody = Api::new(&app, "").with(None);
    let headers = [("x-bailiwick-key", secret)];
    let answer = nobody.send(reqwest::Method::GET, "/w/acme/out/echo/hello", None, &headers).await;
    assert_eq!(answer.with_status(403).body["stage"], "permission");
    assert_eq!(app.scalar_i64("SELECT requests_left FROM api_keys WHERE only_scope IS NOT NULL").await, 59);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_with_the_script() {
    first_request(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_without_the_script() {
    first_request(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}
