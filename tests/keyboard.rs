//! The product without a mouse: every step is a key.

use crate::support::*;
use thirtyfour::Key;

/// Somebody at a keyboard.
struct Typist<'a> {
    browser: Browser,
    app: &'a TestApp,
}

impl<'a> Typist<'a> {
    async fn new(app: &'a TestApp, script: Script) -> Self {
        Self { browser: Browser::open(script).await, app }
    }

    /// Types an address where the browser takes it.
    async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.app.url())).await;
    }

    async fn press(&self, key: Key) {
        self.browser.press(key).await;
    }

    async fn is_at(&self, css: &str) -> bool {
        let wanted = self.browser.find(css).await.element_id();
        self.browser.driver.active_element().await.unwrap().element_id() == wanted
    }

    /// Presses Tab until the focus is there.
    async fn tab_to(&self, css: &str) {
        for _ in 0..150 {
            self.press(Key::Tab).await;
            if self.is_at(css).await {
                return;
            }
        }
        panic!("Tab does not lead to {css} on {}", self.browser.at().await);
    }

    async fn enter(&self, css: &str) {
        self.tab_to(css).await;
        self.press(Key::Enter).await;
    }

    async fn fill(&self, css: &str, text: &str) {
        self.tab_to(css).await;
        self.browser.press(text).await;
    }

    async fn sign_in(&self, email: &str) {
        self.go("/sign-in").await;
        self.fill("#email", email).await;
        self.fill("#password", PASSWORD).await;
        self.press(Key::Enter).await;
        self.browser.until_says("Your roles:").await;
    }

    async fn invite(&self, email: &str) {
        self.go("/w/acme/invitations").await;
        self.fill("#emails", email).await;
        self.enter("form[action='/w/acme/invitations'] button.primary").await;
        self.browser.until_says("1 invitation sent.").await;
    }

    /// From the list of members to the end of a membership.
    async fn remove(&self) {
        self.enter("#results tbody .name a").await;
        self.enter("a[href$='/removal']").await;
        self.browser.until_says("What will happen").await;
        self.enter("main form button").await;
        self.browser.until_says("removed from the workspace.").await;
    }

    async fn sign_out(&self) {
        self.enter("#user-menu-button").await;
        self.enter("form[action='/sign-out'] button").await;
        self.browser.until_says("You're signed out.").await;
    }
}

const OWNER: &str = "owner@example.com";
const ROW: &str = "#d-read-audit";

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_with_keys_alone() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let hands = Typist::new(&app, Script::On).await;
    hands.go("/sign-up").await;
    for (css, text) in
        [("#name", "Owner One"), ("#email", OWNER), ("#password", PASSWORD), ("#workspace", "Acme")]
    {
        hands.fill(css, text).await;
    }
    hands.press(Key::Enter).await;
    hands.browser.until_says("Check your e-mail").await;
    hands.browser.go(&app.mail.wait_for_link(OWNER, "/email-verification/").await).await;
    hands.enter("main form button").await;
    hands.browser.until_says("owner@example.com confirmed").await;

    // The first Tab of a page is the way past its frame.
    hands.go("/w/acme").await;
    hands.press(Key::Tab).await;
    assert!(hands.is_at(".skip").await);
    hands.press(Key::Enter).await;
    assert!(hands.is_at("main").await);

    hands.invite("editor-one@example.com").await;
    let owner = sign_in(&app, OWNER, PASSWORD).await;
    invite_and_join(&app, &owner, "acme", "viewer-one@example.com", &["viewer"]).await;
    permissions(&hands).await;
    members(&hands).await;
    hands.sign_out().await;
}

/// A row of the Security page: opened, changed, left with Escape, taken back.
async fn permissions(hands: &Typist<'_>) {
    let (summary, viewer) = (format!("{ROW} > summary"), format!("{ROW} input[value=viewer]"));
    hands.go("/w/acme/security").await;
    hands.enter(&summary).await;
    hands.tab_to(&viewer).await;
    hands.press(Key::Space).await;
    hands.browser.until_says("Saved. 1 member can now view activity.").await;
    assert!(hands.is_at(&viewer).await, "the focus stays on the box");
    hands.press(Key::Escape).await;
    assert!(hands.is_at(&summary).await, "Escape leads back to what was opened");
    assert_eq!(hands.browser.find(ROW).await.attr("open").await.unwrap(), None);
    hands.enter(".toast form button").await;
    hands.browser.until_says("Saved. 1 member can no longer view activity.").await;
}

/// Found with `/`, given another role, removed; and what the keys are, with `?`.
async fn members(hands: &Typist<'_>) {
    hands.go("/w/acme/members").await;
    hands.browser.press("/").await;
    assert!(hands.is_at("#q").await);
    hands.browser.press("viewer").await;
    hands.browser.until_says("1 member").await;
    hands.enter("#results tbody .name a").await;
    hands.tab_to("input[name=role][value=editor]").await;
    hands.press(Key::Space).await;
    hands.enter("form[action$='/roles'] button").await;
    hands.browser.until_says("Roles of Viewer One changed from Viewer to Editor, Viewer.").await;

    hands.go("/w/acme/members?q=viewer").await;
    hands.browser.press("?").await;
    hands.browser.until_says("Show keyboard shortcuts").await;
    hands.press(Key::Escape).await;
    assert_eq!(hands.browser.find("#keys").await.attr("open").await.unwrap(), None);
    hands.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_alone_do_without_the_script_too() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    member(&app, &owner, "viewer").await;
    let hands = Typist::new(&app, Script::Off).await;
    hands.sign_in(&owner.email).await;
    hands.invite("editor-one@example.com").await;

    hands.go("/w/acme/security").await;
    hands.enter(&format!("{ROW} > summary")).await;
    hands.tab_to(&format!("{ROW} input[value=viewer]")).await;
    hands.press(Key::Space).await;
    hands.enter(&format!("{ROW} form button")).await;
    hands.browser.until_says("Saved. 1 member can now view activity.").await;
    hands.go("/w/acme/members?q=viewer").await;
    hands.remove().await;
    hands.sign_out().await;
}
