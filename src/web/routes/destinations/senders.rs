//! Who may send requests to a destination.

use crate::{
    domain::{
        CHANGED, Invalid,
        enforce::read::ReadScope,
        nouns::destinations::{
            Destination,
            senders::{self, SenderKey, SenderRole, Senders, SendersChange, counted},
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::{on, reopen_on},
        routes::destinations::detail::{is_ticked, page_of},
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "destinations/senders.html")]
struct Page {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    /// The host as people read it.
    displayed: String,
    /// The address of Cancel.
    back: String,
    destination: Destination,
    is_restricted: bool,
    /// Each with whether it is ticked.
    roles: Vec<(SenderRole, bool)>,
    keys: Vec<(SenderKey, bool)>,
    /// Keys that are chosen and that the viewer may not see: they stay.
    hidden_keys: Vec<Uuid>,
    /// Such as "2 API keys"; empty for none.
    hidden_in_words: String,
    version: String,
    errors: Errors,
    problem: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SendersForm {
    /// `yes` for those that are ticked alone, `no` for everyone.
    is_restricted: String,
    /// Slugs.
    role: Vec<String>,
    /// Ids.
    key: Vec<Uuid>,
    version: String,
}

impl Validate for SendersForm {
    type Valid = SendersChange;

    fn validate(&self, invalid: &mut Invalid) -> Option<SendersChange> {
        let is_restricted = invalid.check_all(is_ticked("is_restricted", &self.is_restricted))?;
        Some(SendersChange { is_restricted, roles: self.role.clone(), keys: self.key.clone() })
    }
}

pub async fn show(cx: Authorized<perm::ManageDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, id, None, (Errors::default(), String::new())).await
}

async fn draw(
    view: &View,
    scope: &ReadScope<perm::ManageDestinations>,
    status: StatusCode,
    id: Uuid,
    sent: Option<SendersForm>,
    (errors, problem): (Errors, String),
) -> HandlerResult {
    let (destination, stored) = senders::get(scope, id).await?;
    let choices = senders::choices(scope).await?;
    let version = stored.version();
    let ticked = sent.unwrap_or_else(|| as_form(&stored));
    let mut keys = choices.keys;
    if !keys.is_empty() {
        // Those that are chosen, where there are more keys than the list has.
        let missing: Vec<_> = stored.keys.iter().filter(|key| !keys.contains(key)).cloned().collect();
        keys.splice(..0, missing);
    }
    let is_shown = |id: &Uuid| keys.iter().any(|key| key.id == *id);
    let hidden: Vec<Uuid> = ticked.key.iter().copied().filter(|id| !is_shown(id)).collect();
    let page = Page {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        back: page_of(view, id),
        is_restricted: ticked.is_restricted == "yes",
        hidden_in_words: counted(hidden.len(), "API key", "API keys"),
        hidden_keys: hidden,
        roles: choices
            .roles
            .into_iter()
            .map(|role| {
                let is_ticked = ticked.role.contains(&role.slug);
                (role, is_ticked)
            })
            .collect(),
        keys: keys
            .into_iter()
            .map(|key| {
                let is_ticked = ticked.key.contains(&key.id);
                (key, is_ticked)
            })
            .collect(),
        destination,
        version,
        errors,
        problem,
    };
    Ok(view.html_as(status, &page))
}

/// The form as it is stored.
fn as_form(stored: &Senders) -> SendersForm {
    SendersForm {
        is_restricted: if stored.is_restricted { "yes" } else { "no" }.to_owned(),
        role: stored.roles.iter().map(|role| role.slug.clone()).collect(),
        key: stored.keys.iter().map(|key| key.id).collect(),
        version: stored.version(),
    }
}

pub async fn set(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<SendersForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let (change, version) = (form.valid?, form.sent.version.as_str());
        let changed = scope.write(async |s| senders::set(s, id, &change, Some(version)).await).await?;
        let displayed = changed.destination.displayed();
        let text = match (changed.is_change, changed.senders.is_restricted) {
            (false, _) => "No changes to save.".to_owned(),
            (true, true) => format!("Only the roles and keys that you chose may send to {displayed}."),
            (true, false) => format!("Everyone who may send requests may send to {displayed}."),
        };
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen_on(saved.await, on(CHANGED), async |rejected| {
        // After a change by somebody else the form holds what is there now.
        let sent = (!rejected.is(CHANGED)).then_some(form.sent);
        let why = (rejected.errors, rejected.problem);
        draw(&view, &before, rejected.status, id, sent, why).await
    })
    .await
}
