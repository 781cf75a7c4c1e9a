//! Who can do what, and why not; what is given, and to whom everything goes.

use super::Visitor;
use crate::{
    nouns::teams::add_team,
    support::*,
    world::{add_member, add_user},
};
use serde_json::json;

/// Who can export data: everybody who can, people and keys, and by which role they can.
pub(super) async fn see_who_can_export(here: &Visitor<'_>) {
    let editor = add_user(here.app, "Editor One", "editor-one@example.com").await;
    let editor = add_member(here.app, "acme", editor, "active", &["editor"]).await;
    add_team(here.app, "acme", "Auditors", &["admin"], &[(editor, false)]).await;

    here.begin().await;
    here.open("security").await;
    let count = here.browser.find("#p-export-data a.reach").await.text().await.unwrap();
    assert_eq!(count, "3 people, 1 key");
    here.click("#p-export-data a.reach").await;
    here.until_says("4 members: 3 people, 1 API key").await;
    here.took(2, 2).await;

    let rows = here.browser.run(
        "return [...document.querySelectorAll('#results tbody tr')].map((row) =>
            ['.name a', 'p.small-print'].map((css) => row.querySelector(css).textContent.trim()));",
    );
    let expected = [
        ["Admin One", "Through Admin, by hand"],
        ["Editor One", "Through Admin, through a team"],
        ["Key admin", "Through Admin, by hand"],
        ["Owner One", "Through Owner, by hand"],
    ];
    assert_eq!(rows.await, json!(expected));
}

/// A role for those who help the customers of an application, from a template, with a scope of one's own, and given to
/// somebody: the application is told that they may from then on.
pub(super) async fn create_a_support_role(here: &Visitor<'_>, viewer: &Person, service: &Api) {
    let may = async |action: &str, kind: &str| {
        let question = json!({
            "subject": {"type": "user", "id": viewer.user_id},
            "action": {"name": action},
            "resource": {"type": kind, "id": "any"},
        });
        let answer = service.post("/access/v1/evaluation", &question).await.with_status(200);
        answer.body["decision"].as_bool().unwrap()
    };
    assert!(!may("impersonate", "users").await && !may("close", "tickets").await);

    here.begin().await;
    here.open("roles").await;
    here.click("main a[href='/w/acme/roles/new']").await;
    here.click("button[name=template][value=support]").await;
    here.browser.find("button[name=template][value=support][aria-current=true]").await;
    here.browser.fill("#name", "Helpdesk").await;
    here.browser.find("#scopes").await.send_keys("\nclose:tickets").await.unwrap();
    here.click("main form.roomy button.primary").await;
    here.until_says("Role “Helpdesk” created.").await;
    here.open("members").await;
    let row = format!("#d-{}", viewer.member_id);
    here.click(&format!("{row} > summary")).await;
    here.click(&format!("{row} label:has(input[value=helpdesk])")).await;
    here.until_says("Roles of Viewer One changed from Viewer to").await;
    here.took(7, 5).await;

    assert!(may("impersonate", "users").await && may("close", "tickets").await);
    assert!(!may("close", "accounts").await, "nothing else");
}

/// Why somebody can't invite, as the Owner sees it; then they see it themselves and ask for it, and get it.
pub(super) async fn ask_for_what_is_missing(here: &Visitor<'_>, owner: &Person, viewer: &Person) {
    here.begin().await;
    here.open("members").await;
    here.click(&format!("#results a[href='/w/acme/members/{}']", viewer.member_id)).await;
    here.click(".heading a[href$='/access']").await;
    here.until_says("What Viewer One can do").await;
    let why = here.browser.find("#p-invite-members").await.text().await.unwrap();
    for words in ["Would come from", "Owner", "Admin", "Developer"] {
        assert!(why.contains(words), "{why}");
    }
    here.took(3, 3).await;

    here.sign_in(&viewer.email).await;
    here.click(".heading a[href$='/access']").await;
    here.click("#p-invite-members a[href*='/access-requests/new']").await;
    here.until_says("People who can give it to you:").await;
    here.browser.fill("#reason", "Two colleagues start on Monday").await;
    here.click("form[action='/w/acme/access-requests'] button.primary").await;
    here.until_says("You ask for Invite members").await;
    here.took(3, 3).await;

    here.sign_in(&owner.email).await;
    here.click(".care a[href$='/access-requests?status=waiting']").await;
    here.click("#results .name a").await;
    here.until_says("Two colleagues start on Monday").await;
    here.click("input[name=role][value=developer]").await;
    here.click("form[action$='/acceptance'] button.primary").await;
    here.until_says("Accepted. Viewer One has the role now.").await;
    here.took(4, 3).await;

    viewer.client.visit("/w/acme/invitations").await.assert_says("Send invitations");
}

/// The ownership goes to somebody else, who accepts it, and the one who had it leaves.
pub(super) async fn transfer_the_ownership_and_leave(here: &Visitor<'_>, owner: &Person, admin: &Person) {
    here.begin().await;
    here.open("members").await;
    here.click(&format!("#results a[href='/w/acme/members/{}']", admin.member_id)).await;
    here.click("form[action$='/ownership-offer'] button").await;
    here.until_says("Ownership offered to Admin One.").await;
    here.took(3, 3).await;

    here.sign_in(&admin.email).await;
    here.click("form[action$='/acceptance'] button").await;
    here.until_says("You're now an Owner of this workspace.").await;
    here.took(1, 1).await;

    here.sign_in(&owner.email).await;
    here.open("organization").await;
    here.click("main a[href='/w/acme/departure']").await;
    here.until_says("You lose access immediately").await;
    here.click("form[action$='/departure'] button").await;
    here.until_says("You left acme.").await;
    here.took(3, 3).await;

    owner.client.get("/w/acme").await.assert_status(404);
    admin.client.visit("/w/acme").await.assert_says("Your roles: Owner");
    let admins = "SELECT COUNT(*) FROM account_people p JOIN users u ON u.id = p.user_id
        WHERE p.is_admin AND u.email = 'owner-one@example.com'";
    assert_eq!(here.app.scalar_i64(admins).await, 0, "the account went with it, as was chosen already");
}
