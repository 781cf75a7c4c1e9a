//! What only a real browser shows: the main job from sign-up to a colleague whose next request
//! obeys, with the script on and off.

use crate::support::*;

const SECURITY_ROW: &str = "#d-read-audit";

struct Visitor<'a> {
    browser: Browser,
    app: &'a TestApp,
    script: Script,
}

impl<'a> Visitor<'a> {
    async fn new(app: &'a TestApp, script: Script) -> Self {
        Self { browser: Browser::open(script).await, app, script }
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.app.url())).await;
    }

    async fn sign_up(&self, name: &str, email: &str) {
        self.go("/sign-up").await;
        self.browser.fill("#name", name).await;
        self.browser.fill("#email", email).await;
        self.browser.fill("#password", PASSWORD).await;
        self.browser.fill("#workspace", "Acme").await;
        self.browser.click("main form button").await;
        self.browser.until_says("Check your e-mail").await;
    }

    async fn sign_in(&self, email: &str) {
        self.go("/sign-in").await;
        self.finish_sign_in(email).await;
        self.browser.until_says("Your roles:").await;
    }

    /// Where the form to sign in stands already.
    async fn finish_sign_in(&self, email: &str) {
        self.browser.fill("#email", email).await;
        self.browser.fill("#password", PASSWORD).await;
        self.browser.click("main form button").await;
    }

    /// Opens the dropdown of "View activity" and ticks or unticks a role.
    async fn toggle(&self, role: &str) {
        self.go("/w/acme/security").await;
        self.browser.click(&format!("{SECURITY_ROW} summary")).await;
        // On its words, not on the box: breaks without `relatedTarget.contains(menu)` in app.js.
        self.browser.click(&format!("{SECURITY_ROW} label:has(input[value={role}])")).await;
        if self.script == Script::Off {
            self.browser.click(&format!("{SECURITY_ROW} form button")).await;
        }
    }
}

async fn main_job(app: TestApp, script: Script) {
    let owner = Visitor::new(&app, script).await;
    owner.sign_up("Owner One", "owner@example.com").await;
    owner.sign_in("owner@example.com").await;
    owner.browser.go(&app.mail.wait_for_link("owner@example.com", "/email-verification/").await).await;
    owner.browser.click("main form button").await;
    owner.browser.until_says("owner@example.com confirmed").await;

    owner.go("/w/acme/invitations").await;
    owner.browser.fill("#emails", "viewer@example.com, nonsense").await;
    owner.browser.click("form[action='/w/acme/invitations'] button.primary").await;
    owner.browser.until_says("Not an e-mail address").await;

    let viewer = Visitor::new(&app, script).await;
    viewer.browser.go(&app.mail.wait_for_link("viewer@example.com", "/invitations/").await).await;
    let at = viewer.browser.at().await;
    assert!(
        at.contains("/invitation?link=") && !at.contains("blw_"),
        "the page's own address has no token: {at}"
    );
    viewer.browser.click("main a[href^='/sign-up']").await;
    viewer.browser.fill("#name", "Viewer One").await;
    viewer.browser.fill("#password", PASSWORD).await;
    viewer.browser.click("main form button").await;
    viewer.browser.click("form[action='/invitation/acceptance'] button").await;
    viewer.browser.until_says("Welcome to Acme").await;

    viewer.go("/w/acme/activity").await;
    viewer.browser.until_says("You don't have permission for this").await;
    owner.toggle("viewer").await;
    owner.browser.until_says("Saved. 1 member can now view activity.").await;
    viewer.go("/w/acme/activity").await;
    viewer.browser.until_says("changed who has the permission View activity").await;

    owner.browser.click(".toast form button").await;
    owner.browser.until_says("Saved. 1 member can no longer view activity.").await;
    viewer.go("/w/acme/activity").await;
    viewer.browser.until_says("You don't have permission for this").await;

    owner.go("/w/acme/members?q=viewer").await;
    owner.browser.click("#results tbody .name a").await;
    owner.browser.click("input[name=role][value=editor]").await;
    owner.browser.click("form[action$='/roles'] button").await;
    owner.browser.until_says("Roles of Viewer One changed from Viewer to Editor, Viewer.").await;
    owner.browser.click("a[href$='/removal']").await;
    owner.browser.until_says("What will happen").await;
    owner.browser.click("main form button").await;
    owner.browser.until_says("Viewer One removed from the workspace.").await;
    viewer.go("/w/acme").await;
    viewer.browser.until_says("Not found").await;
}

/// Two people have the same row open: the second is told, and nothing is overwritten.
async fn two_editors(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let (first, second) = (Visitor::new(&app, script).await, Visitor::new(&app, script).await);
    for visitor in [&first, &second] {
        visitor.sign_in(&owner.email).await;
        visitor.go("/w/acme/security").await;
        visitor.browser.click(&format!("{SECURITY_ROW} summary")).await;
    }
    for (visitor, role) in [(&first, "viewer"), (&second, "editor")] {
        visitor.browser.click(&format!("{SECURITY_ROW} input[value={role}]")).await;
        if script == Script::Off {
            visitor.browser.click(&format!("{SECURITY_ROW} form button")).await;
        }
        let words = if role == "viewer" {
            "Saved. Nobody's access changed."
        } else {
            "Someone changed this after you opened the page"
        };
        visitor.browser.until_says(words).await;
    }
    let sql = "SELECT COUNT(*) FROM grants g JOIN roles r ON r.id = g.role_id
        WHERE g.scope = 'read:audit' AND r.slug IN ('viewer', 'editor')";
    assert_eq!(app.scalar_i64(sql).await, 1, "the second change was not made");
}

/// A session is ended from elsewhere while its form is half filled in: nothing of it is saved, and
/// signing in again leads back to the workspace.
async fn signed_out_meanwhile(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let here = Visitor::new(&app, script).await;
    here.sign_in(&owner.email).await;
    here.go("/w/acme/organization").await;
    here.browser.fill("#name", "Another Name").await;
    owner.client.post_form("/me/sessions/revocation", &[]).await.assert_status(303);

    app.unchanged_by(async {
        here.browser.click("form[action='/w/acme/organization'] button").await;
        here.browser.until_says("Nothing was sent.").await;
    })
    .await;
    assert!(here.browser.at().await.ends_with("/w/acme/organization"), "the form stands in place");
    here.finish_sign_in(&owner.email).await;
    here.browser.until_says("This is what you typed.").await;
    let typed = here.browser.find("#name").await.value().await.unwrap();
    assert_eq!(typed.as_deref(), Some("Another Name"));
    assert_eq!(app.scalar_i64("SELECT count(*) FROM workspaces WHERE name = 'Another Name'").await, 0);

    // Ended once more, with a page open that is saved when a box is ticked.
    here.go("/w/acme/security").await;
    here.browser.click(&format!("{SECURITY_ROW} summary")).await;
    owner.client.post_form("/me/sessions/revocation", &[]).await.assert_status(303);
    app.unchanged_by(async {
        here.browser.click(&format!("{SECURITY_ROW} input[value=viewer]")).await;
        if script == Script::Off {
            here.browser.click(&format!("{SECURITY_ROW} form button")).await;
        }
        here.browser.until_says("Nothing was sent.").await;
    })
    .await;
    here.finish_sign_in(&owner.email).await;
    here.browser.until_says("This is what you typed.").await;
    let held = "SELECT count(*) FROM grants g JOIN roles r ON r.id = g.role_id
        WHERE g.scope = 'read:audit' AND r.slug = 'viewer'";
    assert_eq!(app.scalar_i64(held).await, 0);
    here.browser.click(&format!("{SECURITY_ROW} form button")).await;
    here.browser.until_says("Saved.").await;
    assert_eq!(app.scalar_i64(held).await, 1);
}

/// Somebody is suspended while their form is half filled in.
async fn suspended_meanwhile(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    let admin = member(&app, &owner, "admin").await;
    let here = Visitor::new(&app, script).await;
    here.sign_in(&admin.email).await;
    here.go("/w/acme/invitations").await;
    here.browser.fill("#emails", "viewer@example.com").await;
    let path = format!("/w/acme/members/{}/suspension", admin.member_id);
    owner.client.post_form(&path, &[]).await.assert_status(303);

    app.unchanged_by(async {
        here.browser.click("form[action='/w/acme/invitations'] button.primary").await;
        here.browser.until_says("You don't have access right now").await;
    })
    .await;
    here.browser.click("main a[href='/workspaces']").await;
    here.browser.until_says("Ask an Owner or Admin of the workspace.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_under_ones_hands_with_the_script() {
    signed_out_meanwhile(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_under_ones_hands_without_the_script() {
    signed_out_meanwhile(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_is_suspended_under_ones_hands_with_the_script() {
    suspended_meanwhile(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_is_suspended_under_ones_hands_without_the_script() {
    suspended_meanwhile(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_with_the_script() {
    main_job(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_without_the_script() {
    main_job(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

/// Browsers say less to a plain http address whose host is not localhost: no Sec-Fetch-Site, and `Origin: null`.
#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_on_a_local_network_with_the_script() {
    main_job(TestApp::on(Backend::Sqlite).named("box.test").spawn().await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_on_a_local_network_without_the_script() {
    main_job(TestApp::on(Backend::Sqlite).named("box.test").spawn().await, Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_by_https_with_the_script() {
    let tls = TlsFront::open("access.test").await;
    main_job(TestApp::on(Backend::Sqlite).behind_tls(&tls).spawn().await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_by_https_without_the_script() {
    let tls = TlsFront::open("access.test").await;
    main_job(TestApp::on(Backend::Sqlite).behind_tls(&tls).spawn().await, Script::Off).await;
}

/// A form that another page makes the browser send.
#[tokio::test(flavor = "multi_thread")]
async fn another_site_on_a_local_network_neither_sends_a_form_nor_fills_one_in() {
    let app = TestApp::on(Backend::Sqlite).named("box.test").spawn().await;
    let here = Visitor::new(&app, Script::On).await;
    here.sign_up("Owner One", "owner@example.com").await;
    here.sign_in("owner@example.com").await;
    let sessions = app.rows("SELECT id FROM sessions").await;
    let send = |action: &str, fields: &str| {
        let form = format!("<form method=post action='{}{action}'>{fields}</form>", app.url());
        let page = format!(
            "<meta name=referrer content=no-referrer>{form}<script>document.forms[0].submit()</script>"
        );
        format!(
            "data:text/html,{}",
            percent_encoding::utf8_percent_encode(&page, percent_encoding::NON_ALPHANUMERIC)
        )
    };
    // A page without an origin of its own, as a form of ours looks on such a network.
    here.browser.go(&send("/me/profile", "<input name=name value=Evil>")).await;
    here.browser.until_says("Nothing was sent").await;
    assert!(!here.browser.driver.source().await.unwrap().contains("Evil"));
    let draft = r#"{"action":"/me/profile","page":"/me","fields":[["name","Evil"]]}"#;
    let fields = format!("<input name=email value=evil@example.com><input name=draft value='{draft}'>");
    here.browser.go(&send("/sign-in", &fields)).await;
    here.browser.until_says("This form is out of date").await;
    assert!(!here.browser.driver.source().await.unwrap().contains("Evil"));
    assert_eq!(app.scalar_i64("SELECT count(*) FROM users WHERE name = 'Evil'").await, 0);
    assert_eq!(app.rows("SELECT id FROM sessions").await, sessions);
    assert_eq!(app.scalar_i64("SELECT count(*) FROM notices").await, 0);
    // Nor does it end the session, whose cookie the browser did not send along.
    here.go("/me").await;
    here.browser.until_says("Your profile").await;
}

/// The page says which address is the right one before anybody sends a form.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_at_another_address_than_the_public_one_says_which_is_right() {
    let app = TestApp::on(Backend::Sqlite).named("box.test").spawn().await;
    let browser = Browser::open(Script::On).await;
    let other = app.url().replace("box.test", "other.test");
    browser.go(&format!("{other}/sign-in")).await;
    browser.until_says("You opened another address").await;
    browser.click("[data-public-address] a").await;
    browser.until_says("Sign in").await;
    assert!(browser.at().await.starts_with(&app.url()), "{}", browser.at().await);
    assert!(!browser.text().await.contains("You opened another address"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_edit_one_permission_with_the_script() {
    two_editors(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_edit_one_permission_without_the_script() {
    two_editors(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

/// The roles of a row are two clicks away, and so is the way back; what stands against a change is said in place.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_two_clicks_away() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let viewer = member(&app, &owner, "viewer").await;
    let visitor = Visitor::new(&app, Script::On).await;
    visitor.sign_in(&owner.email).await;
    visitor.go("/w/acme/members?q=viewer").await;
    let row = format!("#d-{}", viewer.member_id);
    visitor.browser.click(&format!("{row} > summary")).await;
    // On its words, not on the box: breaks without `relatedTarget.contains(menu)` in app.js.
    visitor.browser.click(&format!("{row} label:has(input[value=editor])")).await;
    visitor.browser.until_says("Roles of Viewer One changed from Viewer to Editor, Viewer.").await;
    assert!(visitor.browser.at().await.ends_with("/w/acme/members?q=viewer"), "the list stays as it was");
    assert!(
        visitor.browser.find(&row).await.attr("open").await.unwrap().is_some(),
        "the dropdown stays open"
    );
    visitor.browser.click(&format!("{row} .undo button")).await;
    visitor.browser.until_says("changed from Editor, Viewer to Viewer.").await;
    assert!(visitor.browser.at().await.ends_with("/w/acme/members?q=viewer"));

    // Somebody else was here meanwhile: nothing is overwritten, and the place on the page stays.
    let path = format!("/w/acme/members/{}/roles", viewer.member_id);
    owner.client.post_form(&path, &[("role", "viewer"), ("role", "support")]).await.assert_status(303);
    visitor.browser.click(&format!("{row} > summary")).await;
    visitor.browser.click(&format!("{row} input[value=editor]")).await;
    visitor.browser.until_says("Nothing was changed.").await;
    let ticked = format!("return document.querySelector('{row} input[value=support]').checked;");
    assert_eq!(visitor.browser.run(&ticked).await, true, "the row shows what is so by now");
    let held = format!("SELECT COUNT(*) FROM member_roles WHERE member_id = {}", app.id(viewer.member_id));
    assert_eq!(app.scalar_i64(&held).await, 2);
    visitor.browser.until_says("Nothing was changed.").await;

    // The arrow keys go through a menu.
    let first = format!("document.querySelector('{row} input:not([type=hidden])')");
    visitor.browser.run(&format!("document.querySelector('{row} > summary').focus();")).await;
    visitor.browser.press(thirtyfour::Key::Down).await;
    let is_first = format!("return document.activeElement === {first};");
    assert_eq!(visitor.browser.run(&is_first).await, true);
}

/// The name in the head is a link to all workspaces; with the script, a menu in which one is found by typing.
#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_is_found_by_typing() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let fields = [("name", "Second Place"), ("slug", "second")];
    owner.client.post_form("/workspaces", &fields).await.assert_status(303);
    let visitor = Visitor::new(&app, Script::On).await;
    visitor.go("/sign-in").await;
    visitor.finish_sign_in(&owner.email).await;
    visitor.browser.until_says("Your workspaces").await;
    visitor.go("/w/acme/members").await;
    visitor.browser.click("#switch-menu-button").await;
    visitor.browser.until_says("Second Place").await;
    visitor.browser.press("place").await;
    visitor.browser.press(thirtyfour::Key::Enter).await;
    visitor.browser.until_says("Your roles: Owner.").await;
    assert!(visitor.browser.at().await.ends_with("/w/second"));

    let visitor = Visitor::new(&app, Script::Off).await;
    visitor.go("/sign-in").await;
    visitor.finish_sign_in(&owner.email).await;
    visitor.browser.until_says("Your workspaces").await;
    visitor.go("/w/acme").await;
    visitor.browser.click("a.switch").await;
    visitor.browser.until_says("Second Place").await;
}

/// Without the script the row leads to the page of the member, which has the form.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_leads_to_the_member_without_the_script() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let viewer = member(&app, &owner, "viewer").await;
    let visitor = Visitor::new(&app, Script::Off).await;
    visitor.sign_in(&owner.email).await;
    visitor.go("/w/acme/members?q=viewer").await;
    visitor.browser.click("#results tbody a.roles").await;
    assert!(visitor.browser.at().await.ends_with(&format!("/w/acme/members/{}#roles", viewer.member_id)));
    visitor.browser.click("input[name=role][value=editor]").await;
    visitor.browser.click("form[action$='/roles'] button").await;
    visitor.browser.until_says("Roles of Viewer One changed from Viewer to Editor, Viewer.").await;
}

/// Two rows are ticked, the page names both, and the list tells what became of each.
async fn bulk_change(app: TestApp, script: Script) {
    let owner = new_owner(&app).await;
    member(&app, &owner, "editor").await;
    member(&app, &owner, "viewer").await;
    let visitor = Visitor::new(&app, script).await;
    visitor.sign_in(&owner.email).await;
    visitor.go("/w/acme/members").await;
    let bar = visitor.browser.find(".bulk").await;
    assert!(!bar.is_displayed().await.unwrap(), "there is nothing to do as long as nobody is ticked");
    for name in ["Editor One", "Viewer One"] {
        visitor.browser.click(&format!("input[aria-label='Select {name}']")).await;
    }
    if script == Script::On {
        visitor.browser.until_says("2 selected").await;
    }
    visitor.browser.click(".bulk button[formaction$='/roles']").await;
    visitor.browser.until_says("Change the roles of 2 members").await;
    visitor.browser.click("input[name=role][value=support]").await;
    visitor.browser.click("main form button[value=replace]").await;
    visitor.browser.until_says("Roles changed from Editor to Support").await;
    visitor.browser.until_says("Roles changed from Viewer to Support").await;
    let sql =
        "SELECT COUNT(*) FROM member_roles mr JOIN roles r ON r.id = mr.role_id WHERE r.slug = 'support'";
    assert_eq!(app.scalar_i64(sql).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_changed_at_once_with_the_script() {
    bulk_change(TestApp::spawn(Backend::Sqlite).await, Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_changed_at_once_without_the_script() {
    bulk_change(TestApp::spawn(Backend::Sqlite).await, Script::Off).await;
}

/// Scopes that are in use are offered by the word that is typed, and stand in its place once chosen.
#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_completed() {
    let app = TestApp::spawn(Backend::Sqlite).await;
    let owner = new_owner(&app).await;
    let visitor = Visitor::new(&app, Script::On).await;
    visitor.sign_in(&owner.email).await;
    visitor.go("/w/acme/roles/new").await;
    visitor.browser.fill("#name", "Helper").await;
    visitor.browser.fill("#scopes", "read:posts dep").await;
    let offered = "return [...document.querySelectorAll('#scopes-known button')]
        .filter((el) => el.checkVisibility()).map((el) => el.value).join(' ');";
    assert_eq!(visitor.browser.run(offered).await, "deploy:staging");
    visitor.browser.click("#scopes-known button[value='deploy:staging']").await;
    let typed = "return document.querySelector('#scopes').value;";
    assert_eq!(visitor.browser.run(typed).await, "read:posts deploy:staging\n");
    assert_eq!(visitor.browser.run("return document.activeElement.id;").await, "scopes");
    assert!(!visitor.browser.run(offered).await.as_str().unwrap().contains("deploy"), "it is there already");
    visitor.browser.click("main form.roomy button.primary").await;
    visitor.browser.until_says("Role “Helper” created.").await;
    let sql = "SELECT COUNT(*) FROM grants g JOIN roles r ON r.id = g.role_id WHERE r.slug = 'helper'";
    assert_eq!(app.scalar_i64(sql).await, 2);
}
