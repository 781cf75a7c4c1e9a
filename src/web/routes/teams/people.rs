//! The people of a team: adding, removing, appointing leads.

use crate::{
    domain::{
        Invalid, Selection,
        enforce::read::ReadScope,
        nouns::teams::{self, Candidate, Team, TeamMemberChange},
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash, View, hue, initials},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        list::{Query, Search},
        path::{NestedTarget, Target},
        rejection::reopen,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "teams/candidates.html")]
struct Candidates<'a> {
    chrome: Chrome,
    /// `/w/{slug}/teams`
    base: String,
    team: Team,
    rows: Vec<Row>,
    /// At least one person on this page can be added.
    may_add: bool,
    q: &'a str,
    /// There are more than are shown.
    is_cut: bool,
    errors: Errors,
}

struct Row {
    candidate: Candidate,
    initials: String,
    hue: u8,
}

/// Why a person can't be ticked; empty if they can.
fn why_not(row: &Row) -> String {
    row.candidate.refused.as_ref().map(ToString::to_string).unwrap_or_default()
}

pub async fn candidates(cx: Authorized<perm::ReadMembers, (Target, Query<Search>)>) -> HandlerResult {
    let (scope, view, (Target(id), Query(search))) = cx.into_parts();
    let (text, status, errors) = search.or_everything();
    draw(&view, &scope, id, status, Searched { text: &text, q: &search.q }, errors).await
}

/// The text that is searched for, and how it was typed.
struct Searched<'a> {
    text: &'a str,
    q: &'a str,
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ReadMembers>,
    id: Uuid,
    status: StatusCode,
    searched: Searched<'_>,
    errors: Errors,
) -> HandlerResult {
    let (team, candidates, is_cut) = teams::candidates(scope, id, searched.text).await?;
    let row = |candidate: Candidate| Row {
        initials: initials(&candidate.name),
        hue: hue(candidate.user_id.unwrap_or(candidate.id)),
        candidate,
    };
    let page = Candidates {
        chrome: view.chrome(),
        base: view.at("/teams"),
        team,
        may_add: candidates.iter().any(|candidate| candidate.refused.is_none()),
        rows: candidates.into_iter().map(row).collect(),
        q: searched.q,
        is_cut,
        errors,
    };
    Ok(view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Members {
    member: Vec<Uuid>,
}

pub async fn add(cx: Authorized<perm::Membership, (Target, Form<Members>)>) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        let selection = Selection::of("member", &form.member)?;
        let changes = scope.write(async |s| teams::add(s, id, &selection).await).await?;
        Ok(team_page(&view, id, Flash::good(added(&changes))))
    };
    reopen(done.await, async |rejected| {
        let Some(scope) = before.narrow::<perm::ReadMembers>() else { return Err(rejected.refused) };
        let everybody = Searched { text: "", q: "" };
        draw(&view, &scope, id, rejected.status, everybody, rejected.errors).await
    })
    .await
}

/// Who is in the team now, in a sentence.
fn added(changes: &[TeamMemberChange]) -> String {
    const SHOWN: usize = 3;
    let new: Vec<&str> =
        changes.iter().filter(|changes| changes.is_change).map(|changes| changes.name.as_str()).collect();
    let team = changes.first().map_or("", |changes| changes.team.as_str());
    match new.len() {
        0 => format!("Nobody was added. They are already in {team}."),
        1 => format!("{} added to {team}.", new[0]),
        count if count <= SHOWN => format!("{} added to {team}.", new.join(", ")),
        count => format!("{} and {} more added to {team}.", new[..SHOWN].join(", "), count - SHOWN),
    }
}

pub async fn remove(cx: Authorized<perm::Membership, (NestedTarget, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (NestedTarget(id, member), _)) = cx.into_parts();
    let changes = scope.write(async |s| teams::remove(s, id, member).await).await?;
    let back = view.at(&format!("/teams/{id}/members"));
    let flash = Flash::good(format!("{} removed from {}.", changes.name, changes.team));
    Ok(team_page(&view, id, flash.with_undo(back, vec![("member".to_owned(), member.to_string())])))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Lead {
    /// `yes` or `no`.
    lead: String,
}

pub async fn appoint(cx: Authorized<perm::UpdateTeams, (NestedTarget, Form<Lead>)>) -> HandlerResult {
    let (scope, view, (NestedTarget(id, member), Form(form))) = cx.into_parts();
    let is_lead = match form.lead.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Invalid::field("lead", "Choose yes or no.").into()),
    };
    let changes = scope.write(async |s| teams::appoint(s, id, member, is_lead).await).await?;
    let text = match is_lead {
        true => format!(
            "{} is now a lead of {}. They can edit it, and add or remove people.",
            changes.name, changes.team
        ),
        false => format!("{} is no longer a lead of {}, but stays in it.", changes.name, changes.team),
    };
    Ok(team_page(&view, id, Flash::good(text)))
}

fn team_page(view: &View, id: Uuid, flash: Flash) -> HttpResponse {
    view.redirect_with_flash(view.at(&format!("/teams/{id}")), flash)
}
