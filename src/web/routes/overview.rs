//! The first page of a workspace.

use crate::{
    domain::{
        Invalid, Slug,
        nouns::{choices, ownership::Offer},
        overview::{self, FirstStep, Overview},
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash},
        form::Form,
        guard::{Authorized, HandlerResult, SignedIn},
        routes::{activity::list, attention::AttentionRow},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "overview/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}`
    home: String,
    overview: Overview,
    /// Each role with its slug, people, and share of all in percent.
    bars: Vec<(String, String, i64, i64)>,
    needs_attention: Vec<AttentionRow>,
    /// How much of that was put off.
    put_off: usize,
    first_steps: Vec<StepRow>,
    events: Vec<list::Row>,
    /// A pending ownership offer to the viewer.
    offered: Option<(Offer, When)>,
    your_roles: String,
    /// The viewer as a member.
    you: Uuid,
}

/// A first step: what, what for, whether it is done, and the link with its label.
struct StepRow {
    what: &'static str,
    why: &'static str,
    is_done: bool,
    to: String,
    link: &'static str,
}

impl StepRow {
    fn new((step, is_done): (FirstStep, bool), home: &str) -> Self {
        let (what, why, at, link) = match step {
            FirstStep::Invite => (
                "Invite people",
                "They get a link by e-mail and join with the roles you choose.",
                "/invitations#invite",
                "Invite people",
            ),
            FirstStep::Roles => (
                "Give others a role",
                "A role says what its people can do. See what each role can do on the Security page.",
                "/members",
                "View members",
            ),
            FirstStep::Key => (
                "Create an API key",
                "Services authenticate with API keys, which are members with roles as people are.",
                "/api-keys/new",
                "Create API key",
            ),
            FirstStep::Destination => (
                "Approve a destination",
                "A host that requests made with your keys, and your events, may be sent to.",
                "/destinations/new",
                "Add destination",
            ),
        };
        Self { what, why, is_done, to: format!("{home}{at}"), link }
    }
}

/// The form that hides the first steps of a workspace, or shows them again.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct FirstStepsForm {
    /// The slug of the workspace.
    workspace: String,
    /// `yes` to show them again.
    show: String,
}

pub async fn hide_first_steps(cx: SignedIn<Form<FirstStepsForm>>) -> HandlerResult {
    let (db, form) = (&cx.view.app.db, &cx.input.0);
    let is_hidden = form.show != "yes";
    let slug = Slug::parse(&form.workspace).map_err(|complaint| Invalid::field("workspace", complaint))?;
    if !choices::hide_first_steps(db, cx.person(), &slug, is_hidden).await? {
        return Ok(cx.view.redirect("/workspaces"));
    }
    let home = format!("/w/{slug}");
    if !is_hidden {
        return Ok(cx.view.redirect(home));
    }
    let again = vec![("workspace".to_owned(), slug.to_string()), ("show".to_owned(), "yes".to_owned())];
    let flash = Flash::good("First steps are no longer shown to you here.");
    Ok(cx.view.redirect_with_flash(home, flash.with_undo("/me/choices/first-steps".to_owned(), again)))
}

pub async fn show(cx: Authorized<perm::Membership>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let mut overview = overview::get(&scope).await?;
    let home = view.at("");
    let actor = scope.actor();
    let people = overview.people.max(1);
    let bars = overview.by_role.take().unwrap_or_default();
    let offered = overview.offer.take().filter(|offer| offer.to_member_id == actor.member_id);
    let now = scope.now();
    let page = Show {
        chrome: view.chrome(),
        bars: bars.into_iter().map(|(name, slug, n)| (name, slug, n, n * 100 / people)).collect(),
        first_steps: overview.first_steps.iter().map(|step| StepRow::new(*step, &home)).collect(),
        needs_attention: overview.attention.items.iter().map(|item| AttentionRow::new(item, &home)).collect(),
        put_off: overview.attention.put_off,
        events: overview
            .latest
            .take()
            .unwrap_or_default()
            .into_iter()
            .map(|e| list::Row::new(e, now, &view.app.routes.labels))
            .collect(),
        offered: offered
            .map(|offer| (When::new(offer.expires_at, now), offer))
            .map(|(when, offer)| (offer, when)),
        your_roles: overview.your_roles.join(", "),
        you: actor.member_id,
        overview,
        home,
    };
    Ok(view.html(&page))
}
