//! The credential of a destination: stored, replaced, brought back and removed, and never shown.

use crate::{
    clock::HOUR,
    domain::{
        Invalid, TextRule,
        enforce::read::ReadScope,
        nouns::destinations::{
            Destination,
            credential::{self, Credential, NO_PREVIOUS, NewCredential},
            credential_text::{CredentialHeader, CredentialValue},
        },
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        path::Target,
        rejection::{on, reopen, reopen_on},
        routes::destinations::detail::page_of,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

/// For how long the value before can be kept: hours, and in words.
const KEPT: [(&str, &str); 4] = [
    ("0", "Delete it now"),
    ("1", "Keep it for 1 hour"),
    ("24", "Keep it for 24 hours"),
    ("168", "Keep it for 7 days"),
];

/// What is chosen at first: long enough to notice that the new value does not work.
const DEFAULT_KEPT: &str = "24";

#[derive(Template)]
#[template(path = "destinations/credential.html")]
struct Page {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    /// The host as people read it.
    displayed: String,
    /// The address of Cancel.
    back: String,
    destination: Destination,
    credential: Option<Credential>,
    header_name: String,
    keep_previous: String,
    kept: [(&'static str, &'static str); 4],
    errors: Errors,
    problem: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialForm {
    header_name: String,
    /// The value of the header. A form that comes back never has it.
    credential: String,
    /// Hours; empty where there is nothing to keep.
    keep_previous: String,
}

impl Validate for CredentialForm {
    type Valid = NewCredential;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewCredential> {
        let header = invalid.check("header_name", CredentialHeader::parse(&self.header_name));
        let value = invalid.check("credential", CredentialValue::parse(&self.credential));
        let hours = match self.keep_previous.as_str() {
            "" => Ok(0),
            hours if KEPT.iter().any(|(known, _)| *known == hours) => {
                hours.parse().map_err(|_| "Choose one of these.")
            }
            _ => Err("Choose one of these."),
        };
        let hours: i64 = invalid.check("keep_previous", hours)?;
        Some(NewCredential { header: header?, value: value?, keep_previous: hours * HOUR })
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
    sent: Option<CredentialForm>,
    (errors, problem): (Errors, String),
) -> HandlerResult {
    let (destination, credential) = credential::get(scope, id).await?;
    let sent = sent.unwrap_or_else(|| CredentialForm {
        header_name: destination.credential_header.clone().unwrap_or_else(|| "authorization".to_owned()),
        keep_previous: DEFAULT_KEPT.to_owned(),
        ..CredentialForm::default()
    });
    let page = Page {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        back: page_of(view, id),
        header_name: sent.header_name,
        keep_previous: sent.keep_previous,
        kept: KEPT,
        destination,
        credential,
        errors,
        problem,
    };
    Ok(view.html_as(status, &page))
}

pub async fn set(
    cx: Authorized<perm::ManageDestinations, (Target, Form<Checked<CredentialForm>>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), Form(form))) = cx.into_parts();
    let before = scope.duplicate();
    let saved = async {
        let new = form.valid?;
        let destination = scope.write(async |s| credential::set(s, id, &new).await).await?;
        let text = format!(
            "Credential for {} stored. It is used from the next request on.",
            destination.displayed()
        );
        Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
    };
    reopen(saved.await, async |rejected| {
        let why = (rejected.errors, rejected.problem);
        draw(&view, &before, rejected.status, id, Some(form.sent), why).await
    })
    .await
}

pub async fn restore(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let before = scope.duplicate();
    let done = scope.write(async |s| credential::restore(s, id).await).await;
    let done = done.map(|destination| {
        let text = format!("The previous credential for {} is used again.", destination.displayed());
        view.redirect_with_flash(page_of(&view, id), Flash::good(text))
    });
    reopen_on(done, on(NO_PREVIOUS), async |rejected| {
        draw(&view, &before, rejected.status, id, None, (rejected.errors, rejected.problem)).await
    })
    .await
}

pub async fn delete_previous(
    cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>,
) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let (_, is_change) = scope.write(async |s| credential::delete_previous(s, id).await).await?;
    let text =
        if is_change { "Previous credential deleted." } else { "There is no previous credential any more." };
    Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
}

#[derive(Template)]
#[template(path = "destinations/credential_removal.html")]
struct Removal {
    chrome: Chrome,
    base: String,
    displayed: String,
    back: String,
    destination: Destination,
    credential: Option<Credential>,
}

pub async fn removal(cx: Authorized<perm::ManageDestinations, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let (destination, credential) = credential::get(&scope, id).await?;
    let page = Removal {
        chrome: view.chrome(),
        base: view.at("/destinations"),
        displayed: destination.displayed(),
        back: page_of(&view, id),
        destination,
        credential,
    };
    Ok(view.html(&page))
}

pub async fn remove(cx: Authorized<perm::ManageDestinations, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let (destination, is_change) = scope.write(async |s| credential::remove(s, id).await).await?;
    let text = match is_change {
        true => format!("Credential for {} removed.", destination.displayed()),
        false => format!("{} has no credential.", destination.displayed()),
    };
    Ok(view.redirect_with_flash(page_of(&view, id), Flash::good(text)))
}
