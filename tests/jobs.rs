//! Jobs of whoever runs a workspace, in a real browser: how many clicks each takes. A click more is to be seen here.

use crate::{nouns::teams::add_team, support::*};
use std::cell::Cell;

/// Somebody in front of a browser, whose clicks are counted from the overview of acme on.
struct Visitor {
    browser: Browser,
    clicks: Cell<usize>,
}

impl Visitor {
    async fn at_home(app: &TestApp, who: &Person, script: Script) -> Self {
        let browser = Browser::open(script).await;
        browser.go(&format!("{}/sign-in", app.url())).await;
        browser.fill("#email", &who.email).await;
        browser.fill("#password", PASSWORD).await;
        browser.click("main form button").await;
        browser.until_says("Your roles:").await;
        browser.go(&format!("{}/w/acme", app.url())).await;
        Self { browser, clicks: Cell::new(0) }
    }

    async fn click(&self, css: &str) {
        self.clicks.set(self.clicks.get() + 1);
        self.browser.click(css).await;
    }

    async fn until_says(&self, words: &str) {
        self.browser.until_says(words).await;
    }
}

/// Thirty people from a table, with roles and a team: seen before anything is sent, then sent.
async fn onboard_thirty(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    add_team(&app, "acme", "Crew", &[], &[]).await;
    let here = Visitor::at_home(&app, &owner, script).await;
    here.click(".sidebar a[href='/w/acme/invitations']").await;
    let people = (0..27).map(|n| format!("p{n}@example.com,{},crew", ["Editor", "Viewer"][n % 2]));
    let others = ["nonsense,,", "owner-one@example.com,,", "p0@example.com,,"].map(str::to_owned);
    let lines: Vec<String> =
        ["E-mail,Role,Team".to_owned()].into_iter().chain(people).chain(others).collect();
    here.browser.fill("#emails", &lines.join("\n")).await;
    here.click("button[formaction$='/invitations/preview']").await;
    here.until_says("27 will be invited, 3 not").await;
    assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM invitations").await, 0);
    here.click("form[action='/w/acme/invitations'] button.primary").await;
    here.until_says("27 invited, 3 not.").await;
    assert_eq!(here.clicks.get(), 3);
    assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM invitation_teams").await, 27);
}

/// Somebody leaves today: all that they have ends, and what it was can be printed.
async fn offboard_today(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let admin = member(&app, &owner, "admin").await;
    invite(&admin.client, "acme", "guest-one@example.com", &["viewer"]).await;
    let here = Visitor::at_home(&app, &owner, script).await;
    here.click(".sidebar a[href='/w/acme/members']").await;
    here.click(&format!("#results a[href='/w/acme/members/{}']", admin.member_id)).await;
    here.click("a[href$='/offboarding']").await;
    here.until_says("What will happen").await;
    here.click("form[action$='/offboarding'] button").await;
    here.until_says("was offboarded").await;
    assert_eq!(here.clicks.get(), 4);
    admin.client.get("/w/acme").await.assert_status(404);
    assert_eq!(app.scalar_i64("SELECT COUNT(*) FROM invitations WHERE status = 'pending'").await, 0);
}

/// A secret was found in a log: which key it is, and its end.
async fn end_a_leaked_key(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let (_, _, secret) = add_key(&app, "acme", "Leaked", &["viewer"]).await;
    add_key(&app, "acme", "Other", &["viewer"]).await;
    let robot = Api::new(&app, &secret);
    robot.get("/api/sso/v1/members").await.with_status(200);
    let here = Visitor::at_home(&app, &owner, script).await;
    here.click(".sidebar a[href='/w/acme/api-keys']").await;
    here.browser.fill("#secret", &secret).await;
    here.click("form[action$='/api-keys/search'] button").await;
    here.until_says("This secret works.").await;
    let at = here.browser.at().await;
    assert!(at.ends_with("/api-keys/search"), "the secret stands in no address: {at}");
    here.click("main a[href$='/revocation']").await;
    here.until_says("What will happen").await;
    here.click("form[action$='/revocation'] button").await;
    here.until_says("Leaked revoked.").await;
    assert_eq!(here.clicks.get(), 4);
    robot.get("/api/sso/v1/members").await.with_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_people_are_onboarded_with_the_script() {
    onboard_thirty(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_people_are_onboarded_without_the_script() {
    onboard_thirty(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_offboarded_with_the_script() {
    offboard_today(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_offboarded_without_the_script() {
    offboard_today(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_key_is_ended_with_the_script() {
    end_a_leaked_key(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaked_key_is_ended_without_the_script() {
    end_a_leaked_key(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}
