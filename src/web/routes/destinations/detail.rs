//! The page of one destination, and the changes that are made there.

use crate::{
    domain::{
        Description, Invalid,
        enforce::read::ReadScope,
        nouns::{
            credits::MAX_AMOUNT,
            destinations::{self, Change, DestinationDetail, MAX_RATE, credential::Previous},
        },
    },
    policy::{Access, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::{FormRejection, reopen},
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
    last_used: Option<When>,
    last_error: Option<When>,
    /// When the credential was stored.
    stored: Option<When>,
    /// The credential that was replaced, and when it is deleted.
    previous: Option<(Previous, When)>,
    detail: DestinationDetail,
    description: String,
    requests: Requests,
    errors: Errors,
}

/// The forms as they were sent, if the page answers one that was rejected.
#[derive(Default)]
struct Sent {
    description: Option<String>,
    requests: Option<Requests>,
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

fn draw(view: &View, status: StatusCode, mut detail: DestinationDetail, sent: Sent) -> HttpResponse {
    let when = |at| When::new(at, view.now());
    let previous = detail.credential.as_mut().and_then(|credential| credential.previous.take());
    let destination = &detail.destination;
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        created: when(destination.created_at),
        paused: destination.paused_at.map(when),
        last_used: destination.last_used_at.map(when),
        last_error: destination.last_error_at.map(when),
        stored: detail.credential.as_ref().map(|credential| when(credential.created_at)),
        previous: previous.map(|previous| {
            let ends = when(previous.ends_at);
            (previous, ends)
        }),
        description: sent.description.unwrap_or_else(|| destination.description.clone()),
        requests: sent.requests.unwrap_or_else(|| Requests {
            allows_requests: if destination.allows_requests { YES } else { "" }.to_owned(),
            requests_per_minute: destination
                .requests_per_minute
                .map(|rate| rate.to_string())
                .unwrap_or_default(),
            price_credits: Some(destination.price_credits.to_string()),
        }),
        detail,
        errors: sent.errors,
    };
    view.html_as(status, &page)
}

/// Draws the page in response to a rejected form. Someone who may not see destinations gets the refusal itself.
async fn redraw<P: Access>(
    view: &View,
    scope: ReadScope<P>,
    id: Uuid,
    rejected: FormRejection,
    sent: Sent,
) -> HandlerResult {
    let Some(scope) = scope.narrow::<perm::ReadDestinations>() else { return Err(rejected.refused) };
    let detail = destinations::detail(&scope, id).await?;
    Ok(draw(view, rejected.status, detail, Sent { errors: rejected.errors, ..sent }))
}

pub async fn show(cx: Authorized<perm::ReadDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let detail = destinations::detail(&scope, id).await?;
    Ok(draw(&view, StatusCode::OK, detail, Sent::default()))
}

/// The value of a box that is ticked.
const YES: &str = "yes";

/// Whether a box of a form is ticked.
///
/// # Errors
/// A complaint at the field, for any other value than [`YES`].
pub(super) fn is_ticked(field: &str, value: &str) -> Result<bool, Invalid> {
    match value {
        "" | "no" => Ok(false),
        YES => Ok(true),
        _ => Err(Invalid::field(field, "Tick the box or clear it.")),
    }
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
        let sent = Sent { description: Some(form.sent.description), ..Sent::default() };
        redraw(&view, before, id, rejected, sent).await
    })
    .await
}

/// The switch, the rate and the price of requests.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Requests {
    /// `yes`, or empty.
    allows_requests: String,
    /// A number; empty for the default of the installation.
    requests_per_minute: String,
    /// A number; empty for nothing. Left out, it stays the same.
    price_credits: Option<String>,
}

impl Requests {
    fn price(&self) -> &str {
        self.price_credits.as_deref().unwrap_or_default()
    }
}

impl Validate for Requests {
    type Valid = Change;

    fn validate(&self, invalid: &mut Invalid) -> Option<Change> {
        let allows_requests = invalid.check_all(is_ticked("allows_requests", &self.allows_requests));
        let rate = match self.requests_per_minute.trim() {
            "" => Ok(None),
            // One that no number can be is out of bounds as well.
            rate => rate.parse().map(Some).map_err(|_| format!("Enter a number from 1 to {MAX_RATE}.")),
        };
        let rate = invalid.check("requests_per_minute", rate)?;
        let price = self.price_credits.as_deref().map(str::trim).map(|price| match price {
            "" => Ok(0),
            price => price.parse().map_err(|_| format!("Enter a whole number from 0 to {MAX_AMOUNT}.")),
        });
        let price = invalid.check("price_credits", price.transpose())?;
        let allows_requests = Some(allows_requests?);
        Some(Change { allows_requests, rate: Some(rate), price, ..Change::default() })
    }
}

pub async fn update_requests(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<Requests>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let change = form.valid?;
        let changed = scope.write(async |s| destinations::update(s, id, &change).await).await?;
        let displayed = changed.destination.displayed();
        let text = match (changed.is_change, changed.destination.allows_requests) {
            (false, _) => "No changes to save.".to_owned(),
            (true, true) => format!("Requests to {displayed} are on."),
            (true, false) => format!("Requests to {displayed} are off."),
        };
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        let sent = Sent { requests: Some(form.sent), ..Sent::default() };
        redraw(&view, before, id, rejected, sent).await
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
