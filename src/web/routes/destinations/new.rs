//! Adding a destination.

use crate::{
    domain::{
        Description, Invalid,
        nouns::destinations::{self, HostPattern},
    },
    policy::perm,
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        rejection::reopen,
        routes::destinations::detail::{is_ticked, page_of, seen_at},
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewForm {
    host: String,
    /// `yes` for every host one level below a domain.
    is_wildcard: String,
    description: String,
}

impl Validate for NewForm {
    type Valid = (HostPattern, Description);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let is_wildcard = invalid.check_all(is_ticked("is_wildcard", &self.is_wildcard))?;
        let host = invalid.check("host", HostPattern::parse_ticked(&self.host, is_wildcard));
        let description = invalid.check("description", Description::parse(&self.description));
        Some((host?, description?))
    }
}

#[derive(Template)]
#[template(path = "destinations/new.html")]
struct New<'a> {
    chrome: Chrome,
    /// `/w/{slug}/destinations`
    base: String,
    /// The address of Cancel.
    back: String,
    form: &'a NewForm,
    errors: Errors,
}

pub async fn new(cx: Authorized<perm::ManageDestinations>) -> HandlerResult {
    let (_, view, ()) = cx.into_parts();
    Ok(draw(&view, StatusCode::OK, &NewForm::default(), Errors::default()))
}

fn draw(view: &View, status: StatusCode, form: &NewForm, errors: Errors) -> HttpResponse {
    let (base, back) = (view.at("/destinations"), seen_at(view, "/destinations"));
    view.html_as(status, &New { chrome: view.chrome(), base, back, form, errors })
}

pub async fn create(cx: Authorized<perm::ManageDestinations, Form<Checked<NewForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let added = async {
        let (host, description) = form.valid?;
        let added = scope.write(async |s| destinations::add(s, &host, &description).await).await?;
        let flash = Flash::good(format!("Destination {} added.", added.displayed()));
        Ok(view.redirect_with_flash(page_of(&view, added.id), flash))
    };
    reopen(added.await, async |rejected| Ok(draw(&view, rejected.status, &form.sent, rejected.errors))).await
}
