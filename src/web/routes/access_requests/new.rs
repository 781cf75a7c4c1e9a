//! Asking for access.

use crate::{
    domain::{
        Description, Invalid, Refused,
        base::role::Role,
        enforce::read::ReadScope,
        nouns::access_requests::{
            NewAccessRequest, Wanted,
            ask::{ALREADY_ASKED, ALREADY_HELD, ask},
            list,
        },
    },
    policy::{Access, Permission, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        list::Query,
        rejection::reopen_on,
        until,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewForm {
    /// A scope, or the slug of a role.
    wanted: String,
    reason: String,
    /// A day; empty for no end.
    until: String,
    /// By how many minutes UTC is ahead of the reader; empty without the script.
    zone: String,
}

impl Validate for NewForm {
    type Valid = NewAccessRequest;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewAccessRequest> {
        let wanted = invalid.check("wanted", Wanted::parse(&self.wanted));
        let reason = invalid.check("reason", Description::parse(&self.reason));
        let until = invalid.check_all(until::parse(&self.until, &self.zone));
        Some(NewAccessRequest { wanted: wanted?, reason: reason?, until: until? })
    }
}

/// What can be asked for: how a form sends it, and its name.
struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "access_requests/new.html")]
struct New<'a> {
    chrome: Chrome,
    /// `/w/{slug}/access-requests`
    base: String,
    form: &'a NewForm,
    roles: Vec<Choice>,
    permissions: Vec<Choice>,
    /// A scope of an application that was asked for.
    scope: Option<Choice>,
    /// Who can give what was chosen; empty where nothing is chosen yet, or the viewer may not see members.
    givers: Vec<String>,
    more: i64,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewQuery {
    wanted: String,
}

pub async fn new(cx: Authorized<perm::Membership, Query<NewQuery>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    let form = NewForm { wanted: query.wanted, ..NewForm::default() };
    draw(&view, &scope, StatusCode::OK, &form, Errors::default()).await
}

async fn draw<P: Access>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    form: &NewForm,
    errors: Errors,
) -> HandlerResult {
    let actor = scope.actor();
    let chosen = Wanted::parse(&form.wanted).ok();
    let choice = |value: String, label: String| Choice {
        is_chosen: chosen.as_ref().is_some_and(|wanted| wanted.text() == value),
        value,
        label,
    };
    let is_lacking = |role: &&Role| {
        !role.is_owner && !Wanted::Role(role.slug.clone()).is_held(&actor.holdings, &actor.roles)
    };
    let lacking = actor.all_roles.iter().filter(is_lacking);
    let roles: Vec<Choice> = lacking.map(|role| choice(role.slug.clone(), role.name.clone())).collect();
    let lacking = Permission::ALL.iter().filter(|one| one.is_built() && !actor.holdings.has(**one));
    let permissions: Vec<Choice> =
        lacking.map(|one| choice(one.scope().to_owned(), one.label().to_owned())).collect();
    let is_listed = roles.iter().chain(&permissions).any(|choice| choice.is_chosen);
    let other = chosen.as_ref().filter(|wanted| !is_listed && matches!(wanted, Wanted::Scope(_)));
    let scope_choice = other
        .filter(|wanted| !wanted.is_held(&actor.holdings, &actor.roles))
        .map(|wanted| choice(wanted.text(), wanted.label(&actor.all_roles)));
    let granters = match chosen.filter(|_| actor.holdings.has(Permission::ReadMembers)) {
        Some(wanted) => list::givers(scope, &wanted).await?,
        None => Default::default(),
    };
    let page = New {
        chrome: view.chrome(),
        base: view.at("/access-requests"),
        form,
        roles,
        permissions,
        scope: scope_choice,
        givers: granters.names(),
        more: granters.more,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn create(cx: Authorized<perm::Membership, Form<Checked<NewForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let asked = async {
        let new = form.valid?;
        let asked = scope.write(async |s| ask(s, new).await).await?;
        let flash = Flash::good("Sent to those who can give it. You see their answer here.");
        Ok(view.redirect_with_flash(view.at(&format!("/access-requests/{}", asked.id)), flash))
    };
    let explained = |refused: &Refused| matches!(refused, Refused::Conflict(conflict) if [ALREADY_ASKED, ALREADY_HELD].contains(conflict));
    reopen_on(asked.await, explained, async |rejected| {
        draw(&view, &duplicate, rejected.status, &form.sent, rejected.errors_at("wanted")).await
    })
    .await
}
