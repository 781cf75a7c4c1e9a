//! People who come, for good or for a while, and one who goes.

use super::Visitor;
use crate::{
    nouns::teams::add_team,
    support::{product::DAY, *},
};
use serde_json::json;
use time::{OffsetDateTime, Weekday};

/// Thirty people from a table, with roles and a team: seen before anything is sent, then sent.
pub(super) async fn onboard_thirty(here: &Visitor<'_>) {
    add_team(here.app, "acme", "Crew", &[], &[]).await;
    let people = (0..27).map(|n| format!("p{n}@example.com,{},crew", ["Editor", "Viewer"][n % 2]));
    let others = ["nonsense,,", "owner-one@example.com,,", "p0@example.com,,"].map(str::to_owned);
    let lines: Vec<String> =
        ["E-mail,Role,Team".to_owned()].into_iter().chain(people).chain(others).collect();

    here.begin().await;
    here.open("invitations").await;
    here.browser.fill("#emails", &lines.join("\n")).await;
    here.click("button[formaction$='/invitations/preview']").await;
    here.until_says("27 will be invited, 3 not").await;
    assert_eq!(here.app.scalar_i64("SELECT COUNT(*) FROM invitations").await, 0);
    here.click("form[action='/w/acme/invitations'] button.primary").await;
    here.until_says("27 invited, 3 not.").await;
    here.took(3, 3).await;

    assert_eq!(here.app.scalar_i64("SELECT COUNT(*) FROM invitation_teams").await, 27);
}

/// A contractor is invited whose access ends with Friday, as it ends where the reader is.
pub(super) async fn admit_a_contractor_until_friday(here: &Visitor<'_>) {
    const EMAIL: &str = "contractor-one@example.com";
    /// By so much Friday ends sooner there than it does in UTC, in milliseconds.
    const AHEAD: i64 = 330 * 60_000;
    let contractor = new_owner_of(here.app, "Contractor One", EMAIL, "studio").await;
    here.browser.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": "Asia/Kolkata" })).await;
    let today = here.app.clock.now().as_millis() / DAY;
    let day = |midnight: i64| OffsetDateTime::from_unix_timestamp(midnight / 1_000).unwrap().date();
    let mut midnights = (2..9).map(|days| (today + days) * DAY);
    let friday = midnights.find(|midnight| day(*midnight).weekday() == Weekday::Friday).unwrap();

    here.begin().await;
    here.open("invitations").await;
    here.browser.fill("#emails", EMAIL).await;
    // What is typed into a field of this kind depends on the language of the browser.
    here.browser.run(&format!("document.querySelector('#until').value = '{}';", day(friday))).await;
    here.click("#invite input[name=role][value=editor]").await;
    here.click("form[action='/w/acme/invitations'] button.primary").await;
    here.until_says("1 invitation sent.").await;
    here.took(3, 2).await;

    let until = friday + DAY - AHEAD;
    accept_invitation(here.app, &contractor.client, EMAIL).await.assert_status(303);
    let id = member_id(here.app, EMAIL, "acme").await;
    let ends = format!("SELECT access_until FROM members WHERE id = {}", here.app.id(id));
    assert_eq!(here.app.scalar_i64(&ends).await, until);
    let access = contractor.client.visit(&format!("/w/acme/members/{id}/access")).await;
    access.assert_says("Your access ends on");
}

/// Somebody leaves today: all that they have ends, and what it was can be printed.
pub(super) async fn offboard_today(here: &Visitor<'_>, owner: &Person) {
    let admin = member(here.app, owner, "admin").await;
    invite(&admin.client, "acme", "guest-one@example.com", &["viewer"]).await;

    here.begin().await;
    here.open("members").await;
    here.click(&format!("#results a[href='/w/acme/members/{}']", admin.member_id)).await;
    here.click("a[href$='/offboarding']").await;
    here.until_says("What will happen").await;
    here.click("form[action$='/offboarding'] button").await;
    here.until_says("was offboarded").await;
    here.took(4, 4).await;

    admin.client.get("/w/acme").await.assert_status(404);
    let theirs =
        "SELECT COUNT(*) FROM invitations WHERE email = 'guest-one@example.com' AND status = 'pending'";
    assert_eq!(here.app.scalar_i64(theirs).await, 0);
}
