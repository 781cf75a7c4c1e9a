//! Offboarding a person: what would happen, and the report of what did.

use crate::{
    domain::{
        Invalid,
        nouns::{
            members::{AccountStanding, JoinCounts, TeamMembership},
            offboarding::{self, ElsewhereMembership, Offboarding, Plan, Report},
        },
    },
    policy::perm,
    web::{
        chrome::Chrome,
        form::Form,
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::members::{
            leave::{read_keys, read_offers},
            remaining_keys::RemainingKeys,
            row::Row,
        },
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "members/offboarding.html")]
struct Show {
    chrome: Chrome,
    base: String,
    row: Row,
    teams: Vec<TeamMembership>,
    team_count: usize,
    invitations: i64,
    entries: i64,
    joining: JoinCounts,
    keys: RemainingKeys,
    elsewhere: Vec<ElsewhereMembership>,
    /// Of the account's workspaces, how many they are in, besides this one and those above; `None` where the viewer is no
    /// account admin.
    unlisted: Option<i64>,
    account: AccountStanding,
}

pub async fn show(cx: Authorized<perm::RemoveMembers, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let Plan { detail, elsewhere, workspaces_in_account } = offboarding::plan(&scope, id).await?;
    if detail.member.is_you {
        return Ok(view.redirect(view.at("/departure")));
    }
    let listed = i64::try_from(elsewhere.len()).unwrap_or(0) + 1;
    let row = Row::new(&scope, detail.member);
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/members"),
        keys: RemainingKeys::of(&scope, &row.member).await?,
        row,
        teams: detail.teams,
        team_count: detail.team_count,
        invitations: detail.invitations,
        entries: detail.entries,
        joining: detail.joining,
        elsewhere,
        unlisted: workspaces_in_account.map(|all| (all - listed).max(0)),
        account: detail.account,
    };
    Ok(view.html(&page))
}

/// What was chosen for each thing that somebody has.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct OffboardingForm {
    /// As on the page of the removal.
    keys: String,
    offers: String,
    /// Other workspaces to remove them from.
    leaving: Vec<Uuid>,
    /// `yes` to remove them from the account too.
    account: String,
}

#[derive(Template)]
#[template(path = "members/offboarded.html")]
struct Done {
    chrome: Chrome,
    base: String,
    report: Report,
    /// When it was done, and by whom.
    at: When,
    by: String,
}

/// The report is on the page that responds; what was done stays in Activity.
pub async fn offboard(cx: Authorized<perm::RemoveMembers, (Target, Form<OffboardingForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let by = scope.actor().principal.name().to_owned();
    let account = match form.account.as_str() {
        "" => false,
        "yes" => true,
        _ => {
            let sentence = "Choose yes, or leave it out.";
            return Err(Invalid::field("account", sentence).into());
        }
    };
    let options = Offboarding {
        keys: read_keys(&form.keys)?,
        offers: read_offers(&form.offers)?,
        elsewhere: form.leaving,
        account,
    };
    let report = offboarding::offboard(scope, id, &options).await?;
    let at = When::new(view.now(), view.now());
    Ok(view.html(&Done { chrome: view.chrome(), base: view.at("/members"), report, at, by }))
}
