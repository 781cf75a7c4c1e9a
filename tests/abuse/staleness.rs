//! Abuse cases: staleness. What was true when a page was drawn counts for nothing.

use super::*;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A POST whose head has been sent, admitted by the guard, and whose body is still to come.
pub(super) struct Straddling {
    stream: TcpStream,
    body: String,
}

impl Straddling {
    pub(super) async fn begin(app: &TestApp, client: &Client, path: &str, fields: &str) -> Self {
        let body = format!("csrf={}&{fields}", client.csrf().await);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nSec-Fetch-Site: same-origin\r\nConnection: close\r\n\r\n",
            client.cookies().join("; "),
            body.len()
        );
        let before = app.statements();
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The guard's own statement is the sign that the request was looked at.
        until("the guard waits for the body", async || app.statements() > before).await;
        // A statement is counted before it is answered, and nothing shows that the guard has let the request in.
        // On a busy machine this may be too short; the request is refused then too, by the guard.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Self { stream, body }
    }

    /// Sends the body, and gives the status of the answer.
    pub(super) async fn end(mut self) -> u16 {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {text:?}"))
    }
}

both! {
    async fn demoted_the_very_next_request_obeys(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = admin.client.visit(&at(&viewer, "removal")).await;
        admin.client.visit("/w/acme/activity").await;
        assign_roles(&owner, &admin, &["viewer"]).await.assert_status(303);
        refused(&app, "acme", 403, admin.client.get("/w/acme/activity")).await;
        // The form that was drawn before is worth nothing.
        refused(&app, "acme", 403, admin.client.submit(&page, "/removal", &[])).await;
    }

    async fn removed_the_very_next_request_obeys(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let page = admin.client.visit(&at(&viewer, "removal")).await;
        owner.client.post_form(&at(&admin, "removal"), &[]).await.assert_status(303);
        ignored(&app, 404, admin.client.get("/w/acme")).await;
        ignored(&app, 404, admin.client.submit(&page, "/removal", &[])).await;
        admin.client.visit("/workspaces").await.assert_says("No workspaces yet");
    }

    async fn a_permission_toggled_off_the_very_next_request_obeys(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        admin.client.visit("/w/acme/activity").await;
        toggle(&owner, "read:audit", "admin", false).await.assert_status(303);
        let page = refused(&app, "acme", 403, admin.client.get("/w/acme/activity")).await;
        page.assert_says("View activity").assert_says("Owner One");
        toggle(&owner, "read:audit", "admin", true).await.assert_status(303);
        admin.client.visit("/w/acme/activity").await;
    }

    async fn a_change_that_straddles_the_demotion_is_judged_by_what_holds_when_it_is_made(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let viewer = member(&app, &owner, "viewer").await;
        let change = Straddling::begin(&app, &admin.client, &roles_of(&viewer), "role=billing").await;
        assign_roles(&owner, &admin, &["viewer"]).await.assert_status(303);
        assert_eq!(app.unchanged_by(change.end()).await, 403);
    }

    async fn a_suspended_user_with_a_live_session_401(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        admin.client.csrf().await;
        app.execute(&format!("UPDATE users SET suspended_at = 1 WHERE id = {}", app.id(admin.user_id))).await;
        for path in ["/me", "/workspaces", "/w/acme", "/w/acme/members", "/w/elsewhere"] {
            let page = ignored(&app, 401, admin.client.get(path)).await;
            page.assert_silent_about("Owner One");
        }
        for path in ["/me/profile", "/me/sessions/revocation", "/w/acme/departure", "/sign-out"] {
            ignored(&app, 401, admin.client.post_form(path, &[])).await;
        }
        // To sign in again says no more than a wrong password does.
        let right = ignored(
            &app,
            422,
            admin.client.post_form("/sign-in", &[("email", &admin.email), ("password", PASSWORD)]),
        )
        .await;
        right.assert_says("The e-mail address or password is wrong");
        app.execute("UPDATE users SET suspended_at = NULL").await;
        sign_in(&app, &admin.email, PASSWORD).await.visit("/w/acme").await;
    }

    async fn a_suspended_workspace_or_account_403_and_nothing_protected_is_read(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        invite(&owner.client, "acme", "guest-one@example.com", &["viewer"]).await;
        let link = app.mail.wait_for_link("guest-one@example.com", "/invitations/").await;
        for table in ["workspaces", "accounts"] {
            app.execute(&format!("UPDATE {table} SET suspended_at = 1")).await;
            for path in ["", "/members", "/activity", "/organization", "/organization/deletion"] {
                let page = refused(&app, "acme", 403, owner.client.get(&format!("/w/acme{path}"))).await;
                page.assert_says("suspended").assert_silent_about("viewer-one@example.com");
            }
            refused(&app, "acme", 403, assign_roles(&owner, &viewer, &["admin"])).await;
            refused(
                &app,
                "acme",
                403,
                owner.client.post_form("/w/acme/organization/deletion", &[("confirm", "acme")]),
            )
            .await;
            refused(&app, "acme", 403, viewer.client.post_form("/w/acme/departure", &[])).await;
            let client = app.client();
            client.follow(client.get(&link).await).await.assert_status(403);
            let page = client.visit("/sign-up").await;
            page.assert_silent_about("acme");
            app.execute(&format!("UPDATE {table} SET suspended_at = NULL")).await;
        }
        owner.client.visit("/w/acme").await;
        // In an account that is shut, nobody founds a workspace.
        app.execute("UPDATE accounts SET suspended_at = 1").await;
        let account = app.scalar_uuid("SELECT id FROM accounts").await.to_string();
        let fields = [("name", "More"), ("account", account.as_str())];
        app.unchanged_by(owner.client.post_form("/workspaces", &fields)).await.assert_status(403);
    }

    async fn another_node_that_has_read_the_roles_obeys_a_toggle_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let admin = member(&app, &owner, "admin").await;
        let node = app.another_node().await;
        let elsewhere = admin.client.moved_to(&node);
        elsewhere.visit("/w/acme/activity").await;
        toggle(&owner, "read:audit", "admin", false).await.assert_status(303);
        refused(&app, "acme", 403, elsewhere.get("/w/acme/activity")).await;
        toggle(&owner, "read:audit", "admin", true).await.assert_status(303);
        elsewhere.visit("/w/acme/activity").await;
    }

    async fn another_node_obeys_at_once(app: TestApp) {
        let owner = new_owner(&app).await;
        let viewer = member(&app, &owner, "viewer").await;
        let node = app.another_node().await;
        let elsewhere = viewer.client.moved_to(&node);
        elsewhere.visit("/w/acme/members").await;
        owner.client.post_form(&at(&viewer, "suspension"), &[]).await.assert_status(303);
        elsewhere.get("/w/acme/members").await.assert_status(403);
        let signed_out = viewer.client.post_form("/sign-out", &[]).await;
        signed_out.assert_status(303);
        elsewhere.get("/me").await.assert_status(401);
    }
}
