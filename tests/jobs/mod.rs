//! The ten jobs of whoever runs a workspace, in a real browser, each with the number of its clicks and of the
//! pages that it opens. One click or one page more is to be seen here.
//!
//! A job begins on the overview of acme. To type is no click, and a menu that opens or a row that is saved is no
//! page. Jobs share an application and a browser, because each browser takes a while to start.

mod access;
mod people;
mod services;

use crate::support::*;
use std::cell::Cell;

/// Adds one for each document that the tab shows, before anything of it runs. Nowhere to write is nothing of ours.
const COUNT_PAGES: &str =
    "try { sessionStorage.pages = 1 + Number(sessionStorage.pages ?? 0); } catch { /* no site yet */ }";

/// Somebody in front of a browser, whose clicks and pages are counted.
struct Visitor<'a> {
    browser: Browser,
    app: &'a TestApp,
    script: Script,
    clicks: Cell<usize>,
}

impl<'a> Visitor<'a> {
    async fn new(app: &'a TestApp, script: Script) -> Self {
        let browser = Browser::open(script).await;
        if script == Script::On {
            browser.prepare(COUNT_PAGES).await;
        }
        Self { browser, app, script, clicks: Cell::new(0) }
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.app.url())).await;
    }

    /// Makes this person the one in front of the browser, and begins.
    async fn sign_in(&self, email: &str) {
        // Cookies can be taken away only where they are.
        self.go("/sign-in").await;
        self.browser.driver.delete_all_cookies().await.unwrap();
        self.go("/sign-in").await;
        self.browser.fill("#email", email).await;
        self.browser.fill("#password", PASSWORD).await;
        self.browser.click("main form button").await;
        self.browser.until_says("Your roles:").await;
        self.begin().await;
    }

    /// Opens the overview, and counts from there on.
    async fn begin(&self) {
        self.go("/w/acme").await;
        self.clicks.set(0);
        if self.script == Script::On {
            self.browser.run("sessionStorage.pages = 0;").await;
        }
    }

    async fn click(&self, css: &str) {
        self.clicks.set(self.clicks.get() + 1);
        self.browser.click(css).await;
    }

    /// Follows an entry of the sidebar, by the end of its address.
    async fn open(&self, section: &str) {
        self.click(&format!(".sidebar a[href='/w/acme/{section}']")).await;
    }

    async fn until_says(&self, words: &str) {
        self.browser.until_says(words).await;
    }

    /// Asserts how many clicks there were since the beginning, and how many pages were opened. Without the script
    /// nothing in a page counts, and they are the same ones.
    async fn took(&self, clicks: usize, pages: usize) {
        let opened = match self.script {
            Script::On => self.browser.run("return Number(sessionStorage.pages);").await.as_u64(),
            Script::Off => u64::try_from(pages).ok(),
        };
        let opened = opened.and_then(|opened| usize::try_from(opened).ok());
        assert_eq!((self.clicks.get(), opened), (clicks, Some(pages)), "clicks and pages");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let here = Visitor::new(&app, Script::On).await;
    here.sign_in(&owner.email).await;
    people::onboard_thirty(&here).await;
    people::admit_a_contractor_until_friday(&here).await;
    people::offboard_today(&here, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_explained_given_and_handed_over() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let admin = member(&app, &owner, "admin").await;
    let viewer = member(&app, &owner, "viewer").await;
    let service = workspace_key(&app, "acme", &["admin"]).await;
    let here = Visitor::new(&app, Script::On).await;
    here.sign_in(&owner.email).await;
    access::see_who_can_export(&here).await;
    access::create_a_support_role(&here, &viewer, &service).await;
    access::ask_for_what_is_missing(&here, &owner, &viewer).await;
    access::transfer_the_ownership_and_leave(&here, &owner, &admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_keys_and_auditors_get_records() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let here = Visitor::new(&app, Script::On).await;
    // First, as it takes some days.
    services::save_last_week_for_an_auditor(&here, &owner).await;
    services::create_a_key_for_ci(&here).await;
    services::end_a_leaked_key(&here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_wait_is_done_without_the_script_too() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let here = Visitor::new(&app, Script::Off).await;
    here.sign_in(&owner.email).await;
    people::onboard_thirty(&here).await;
    people::offboard_today(&here, &owner).await;
    services::end_a_leaked_key(&here).await;
}
