//! Turning events on, changing them, rotating their secret, turning them off.

use crate::{
    domain::{
        CHANGED, Invalid, TextRule,
        base::event_groups::EventGroups,
        nouns::deliveries::{
            endpoint,
            path::EventPath,
            settings::{self, EVENTS_ARE_OFF, EventSettings, Saved},
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::{reopen, reopen_on},
        routes::deliveries::page::{FormState, own, page_of, redraw},
        when::When,
    },
};
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SettingsForm {
    path: String,
    /// Groups of events.
    kind: Vec<String>,
}

impl Validate for SettingsForm {
    type Valid = EventSettings;

    fn validate(&self, invalid: &mut Invalid) -> Option<EventSettings> {
        let path = invalid.check("path", EventPath::parse(&self.path));
        let groups = invalid.check_all(EventGroups::chosen(&self.kind));
        Some(EventSettings { path: path?, groups: groups? })
    }
}

#[derive(Template)]
#[template(path = "deliveries/secret.html")]
struct SecretPage {
    chrome: Chrome,
    /// The page of the events.
    base: String,
    displayed: String,
    secret: String,
    path: String,
    /// When the old secret stops signing; `None` if it already has, or there was none.
    overlap: Option<When>,
    is_rotation: bool,
    done: String,
}

/// The page that responds to the form. Nothing that carries the secret is stored.
fn reveal(view: &View, saved: &Saved, secret: &str, is_rotation: bool) -> HttpResponse {
    let id = saved.endpoint.destination_id;
    view.html(&SecretPage {
        chrome: view.chrome(),
        base: view.at(&own(id)),
        displayed: saved.endpoint.displayed(),
        secret: secret.to_owned(),
        path: saved.endpoint.path.clone(),
        overlap: saved.endpoint.old_secret_ends_at.map(|ends| When::new(ends, view.now())),
        is_rotation,
        done: page_of(view, id),
    })
}

pub async fn set(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<SettingsForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        let new = form.valid?;
        let saved = scope.write(async |s| settings::set(s, id, &new).await).await?;
        if let Some(secret) = &saved.secret {
            return Ok(reveal(&view, &saved, secret.expose(), false));
        }
        let text = if saved.is_change { "Saved. Events are sent." } else { "No changes to save." };
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(done.await, async |rejected| {
        let state =
            FormState { path: Some(form.sent.path), ticked: Some(form.sent.kind), ..FormState::default() };
        redraw(&view, before, id, rejected, state).await
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RotationForm {
    /// `day` or `none`.
    overlap: String,
    /// Which secret was the newest when the form was drawn.
    version: String,
}

impl Validate for RotationForm {
    /// Whether the old secret signs too for a day.
    type Valid = bool;

    fn validate(&self, invalid: &mut Invalid) -> Option<bool> {
        let keeps_old = match self.overlap.as_str() {
            "day" => Ok(true),
            "none" => Ok(false),
            _ => Err("Choose how long the old secret signs too."),
        };
        invalid.check("overlap", keeps_old)
    }
}

pub async fn rotate(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<RotationForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let done = async {
        let (keeps_old, version) = (form.valid?, form.sent.version.as_str());
        let saved = scope.write(async |s| settings::rotate(s, id, Some(version), keeps_old).await).await?;
        let secret = saved.secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        Ok(reveal(&view, &saved, &secret, true))
    };
    let explained = |refused: &_| {
        use crate::{domain::Refused, web::rejection::on};
        let refused: &Refused = refused;
        on(CHANGED)(refused) || on(EVENTS_ARE_OFF)(refused)
    };
    reopen_on(done.await, explained, async |rejected| {
        redraw(&view, before, id, rejected, FormState::default()).await
    })
    .await
}

#[derive(Template)]
#[template(path = "deliveries/deactivation.html")]
struct Deactivation {
    chrome: Chrome,
    destination: String,
    base: String,
    displayed: String,
    /// The address of Cancel.
    back: String,
    /// Messages that would be dropped.
    dropped: i64,
}

pub async fn deactivation(cx: Authorized<perm::ManageDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let endpoint = endpoint::to_turn_off(&scope, id).await?;
    if !endpoint.is_on {
        return Err(EVENTS_ARE_OFF.into());
    }
    let page = Deactivation {
        chrome: view.chrome(),
        destination: view.at(&format!("/destinations/{id}")),
        base: view.at(&own(id)),
        displayed: endpoint.displayed(),
        back: page_of(&view, id),
        dropped: endpoint.waiting + endpoint.held,
    };
    Ok(view.html(&page))
}

pub async fn turn_off(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let endpoint = scope.write(async |s| settings::turn_off(s, id).await).await?;
    let flash = Flash::good(format!("Events to {} turned off.", endpoint.displayed()));
    Ok(view.redirect_with_flash(page_of(&view, id), flash))
}
