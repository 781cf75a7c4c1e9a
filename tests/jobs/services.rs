//! Keys of services, and the record as a file.

use super::Visitor;
use crate::support::*;
use serde_json::json;
use std::{fs, time::Duration};

const MEMBERS: &str = "/api/sso/v1/members";

/// What happened in the last week, as a file for an auditor: nothing of it is missing, and nothing else is in it.
pub(super) async fn save_last_week_for_an_auditor(here: &Visitor<'_>, owner: &Person) {
    invite(&owner.client, "acme", "early-one@example.com", &["viewer"]).await;
    here.app.clock.advance(Duration::from_secs(10 * 86_400));
    invite(&owner.client, "acme", "late-one@example.com", &["viewer"]).await;
    let folder = tempfile::tempdir().unwrap();
    let allowed = json!({ "behavior": "allow", "downloadPath": folder.path() });
    here.browser.devtools("Browser.setDownloadBehavior", allowed).await;

    here.sign_in(&owner.email).await;
    here.open("activity").await;
    // "Last 7 days" is the first of them.
    here.click("form.filters a[href*='from=']").await;
    here.browser.find("form.filters a[aria-current=true]").await;
    let shown = here.browser.text().await;
    assert!(shown.contains("late-one@example.com") && !shown.contains("early-one@example.com"), "{shown}");
    here.click("form[action$='/export/activity'] button[value=csv]").await;
    let csv = eventually(async || {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        let mut saved = files.filter(|path| path.extension().is_some_and(|kind| kind == "csv"));
        let text = saved.next().map(|path| fs::read_to_string(path).unwrap_or_default());
        text.filter(|text| text.contains("late-one@example.com")).ok_or_else(|| "no file came".to_owned())
    })
    .await;
    here.took(3, 2).await;

    assert!(csv.starts_with("id,at,kind,"), "{csv}");
    assert!(csv.contains("invitation.sent"), "{csv}");
    assert!(!csv.contains("early-one@example.com") && !csv.contains("workspace.created"), "{csv}");
}

/// A key for CI that can do one thing: a role with this scope alone, and a key with this role alone, which expires.
pub(super) async fn create_a_key_for_ci(here: &Visitor<'_>) {
    here.begin().await;
    here.open("roles").await;
    here.click("main a[href='/w/acme/roles/new']").await;
    here.browser.fill("#name", "CI").await;
    here.browser.fill("#scopes", "deploy:staging").await;
    here.click("main form.roomy button.primary").await;
    here.until_says("Role “CI” created.").await;
    here.open("api-keys").await;
    here.click("main a[href='/w/acme/api-keys/new']").await;
    here.browser.fill("#name", "Nightly build").await;
    here.click("input[name=role][value=ci]").await;
    here.click("form[action='/w/acme/api-keys'] button.primary").await;
    here.until_says("Copy the secret now.").await;
    here.took(7, 6).await;

    let secret = here.browser.find("#secret").await.value().await.unwrap().unwrap();
    let robot = Api::new(here.app, &secret);
    robot.get("/api/sso/v1/apikeys/self").await.with_status(200);
    robot.get(MEMBERS).await.with_status(403);
    let held = "SELECT g.scope FROM api_keys k JOIN members m ON m.api_key_id = k.id
            JOIN member_roles r ON r.member_id = m.id JOIN grants g ON g.role_id = r.role_id
        WHERE k.name = 'Nightly build' AND k.expires_at IS NOT NULL";
    let held = here.app.rows(held).await;
    assert_eq!(held.iter().map(|row| &row["scope"]).collect::<Vec<_>>(), ["deploy:staging"]);
}

/// A secret was found in a log: which key it is, and its end.
pub(super) async fn end_a_leaked_key(here: &Visitor<'_>) {
    let (_, _, secret) = add_key(here.app, "acme", "Leaked", &["viewer"]).await;
    add_key(here.app, "acme", "Other", &["viewer"]).await;
    let robot = Api::new(here.app, &secret);
    robot.get(MEMBERS).await.with_status(200);

    here.begin().await;
    here.open("api-keys").await;
    here.browser.fill("#secret", &secret).await;
    here.click("form[action$='/api-keys/search'] button").await;
    here.until_says("This secret works.").await;
    let at = here.browser.at().await;
    assert!(at.ends_with("/api-keys/search"), "the secret stands in no address: {at}");
    here.click("main a[href$='/revocation']").await;
    here.until_says("What will happen").await;
    here.click("form[action$='/revocation'] button").await;
    here.until_says("Leaked revoked.").await;
    here.took(4, 4).await;

    robot.get(MEMBERS).await.with_status(401);
}
