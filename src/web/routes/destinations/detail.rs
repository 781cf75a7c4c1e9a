//! The page of one destination, and the changes that are made there.

use crate::{
    domain::{
        Description, Invalid,
        nouns::destinations::{self, Change, Destination},
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::reopen,
        when::When,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "destinations/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    /// The host as people read it.
    displayed: String,
    created: When,
    paused: Option<When>,
    destination: Destination,
    /// The value of the field: as it is stored, or as it was sent.
    description: String,
    errors: Errors,
}

/// The address to redirect to after a change: the destination's page, or the overview for someone who may not
/// see destinations.
pub(super) fn page_of(view: &View, id: Uuid) -> String {
    seen_at(view, &format!("/destinations/{id}"))
}

/// The address of a page about destinations, or of the overview for someone who may not see them.
pub(super) fn seen_at(view: &View, page: &str) -> String {
    view.at(if view.chrome().can.read_destinations { page } else { "" })
}

fn draw(
    view: &View,
    status: StatusCode,
    destination: Destination,
    sent: Option<String>,
    errors: Errors,
) -> HttpResponse {
    let when = |at| When::new(at, view.now());
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        created: when(destination.created_at),
        paused: destination.paused_at.map(when),
        description: sent.unwrap_or_else(|| destination.description.clone()),
        destination,
        errors,
    };
    view.html_as(status, &page)
}

pub async fn show(cx: Authorized<perm::ReadDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let destination = destinations::get(&scope, id).await?;
    Ok(draw(&view, StatusCode::OK, destination, None, Errors::default()))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    description: String,
}

impl Validate for Details {
    type Valid = Description;

    fn validate(&self, invalid: &mut Invalid) -> Option<Description> {
        invalid.check("description", Description::parse(&self.description))
    }
}

pub async fn update(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<Details>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let change = Change { description: Some(form.valid?), ..Change::default() };
        let changed = scope.write(async |s| destinations::update(s, id, &change).await).await?;
        let text = if changed.is_change { "Description saved." } else { "No changes to save." };
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        // Someone who may not see destinations gets the refusal itself.
        let Some(scope) = before.narrow::<perm::ReadDestinations>() else { return Err(rejected.refused) };
        let destination = destinations::get(&scope, id).await?;
        Ok(draw(&view, rejected.status, destination, Some(form.sent.description), rejected.errors))
    })
    .await
}

pub async fn pause(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    set_paused(cx, true).await
}

pub async fn resume(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    set_paused(cx, false).await
}

async fn set_paused(
    cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>,
    is_paused: bool,
) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let change = Change { is_paused: Some(is_paused), ..Change::default() };
    let changed = scope.write(async |s| destinations::update(s, id, &change).await).await?;
    let state = match (changed.is_change, is_paused) {
        (true, true) => "is paused",
        (true, false) => "is active again",
        (false, true) => "is already paused",
        (false, false) => "is already active",
    };
    let flash = Flash::good(format!("{} {state}.", changed.destination.displayed()));
    Ok(view.redirect_with_flash(page_of(&view, id), flash))
}
