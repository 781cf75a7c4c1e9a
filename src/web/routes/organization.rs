//! The workspace's own name and address, and its deletion.

use crate::{
    domain::{
        Invalid, Name, Slug,
        base::{conflict::CHANGED, principal::Workspace},
        enforce::read::ReadScope,
        nouns::{
            administration,
            organization::{
                self, AccountAdmin, IdleHours, Organization, OrganizationChange,
                deletion::{self as deletions, RESTORABLE_FOR},
                origins,
            },
        },
    },
    policy::{Access, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        rejection::{on, reopen, reopen_on},
        routes::workspaces::pages::prefix,
        when::{When, day},
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "organization/show.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/organization`
    base: String,
    organization: Organization,
    /// For Owners.
    account_admins: Vec<AccountAdmin>,
    /// The viewer may ask to become one of them.
    may_ask: bool,
    /// They did, and wait for an answer.
    is_requested: bool,
    created: When,
    form: Details,
    websites: Websites,
    /// Value, label, and whether it is selected; empty unless the viewer is an Owner.
    idle_choices: Vec<(String, String, bool)>,
    errors: Errors,
    prefix: String,
    departure: String,
}

/// The websites whose pages may call the API.
struct Websites {
    /// One on each line.
    typed: String,
    named: Vec<String>,
    version: String,
}

/// What the page shows in its forms, if that is not what is stored, and why.
#[derive(Default)]
struct FormState {
    details: Option<Details>,
    websites: Option<String>,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    slug: String,
    /// Empty for the same limit as for everybody; left out on the page of somebody who is not an Owner.
    owner_idle_hours: Option<String>,
}

impl Details {
    fn of(workspace: Workspace) -> Self {
        let hours = workspace.owner_idle_hours.map(|hours| hours.to_string()).unwrap_or_default();
        Self { name: workspace.name, slug: workspace.slug, owner_idle_hours: Some(hours) }
    }
}

impl Validate for Details {
    type Valid = OrganizationChange;

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse(&self.name));
        let slug = invalid.check("slug", Slug::parse(&self.slug));
        let owner_idle = self.owner_idle_hours.as_deref().map(idle).transpose();
        let owner_idle = invalid.check("owner_idle_hours", owner_idle);
        Some(OrganizationChange { name: name?, slug: slug?, owner_idle: owner_idle? })
    }
}

fn idle(text: &str) -> Result<Option<IdleHours>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    IdleHours::parse(text.parse().unwrap_or_default()).map(Some)
}

/// The limits that the form offers, in hours, and the one that is stored.
fn idle_choices(form: &Details) -> Vec<(String, String, bool)> {
    let chosen = form.owner_idle_hours.as_deref().unwrap_or_default();
    let mut all = vec!["", "1", "8", "24", "72", "168"];
    if !all.contains(&chosen) {
        all.push(chosen);
    }
    let label = |hours: &str| match hours {
        "" => "The same time as everybody".to_owned(),
        "1" => "1 hour".to_owned(),
        "24" => "1 day".to_owned(),
        "72" => "3 days".to_owned(),
        "168" => "7 days".to_owned(),
        hours => format!("{hours} hours"),
    };
    all.into_iter().map(|hours| (hours.to_owned(), label(hours), hours == chosen)).collect()
}

pub async fn show(cx: Authorized<perm::Membership>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, FormState::default()).await
}

async fn draw<P>(view: &View, scope: &ReadScope<P>, status: StatusCode, state: FormState) -> HandlerResult
where
    P: Access,
{
    let organization = organization::get(scope).await?;
    let allowed = origins::get(scope).await?;
    let form = state.details.unwrap_or_else(|| Details::of(scope.actor().workspace.clone()));
    let account_admins = organization::account_admins(scope).await?;
    let is_requested = account_admins.iter().any(|admin| admin.is_requested);
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/organization"),
        created: When::new(organization.created_at, scope.now()),
        organization,
        may_ask: !account_admins.is_empty()
            && !is_requested
            && !account_admins.iter().any(|admin| admin.is_you),
        is_requested,
        account_admins,
        idle_choices: if scope.actor().holdings.is_owner() { idle_choices(&form) } else { Vec::new() },
        form,
        websites: Websites {
            version: allowed.version(),
            typed: state.websites.unwrap_or_else(|| allowed.origins.join("\n")),
            named: allowed.origins,
        },
        errors: state.errors,
        prefix: prefix(view),
        departure: view.at("/departure"),
    };
    Ok(view.html_as(status, &page))
}

pub async fn update(cx: Authorized<perm::UpdateOrganization, Form<Checked<Details>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let change = form.valid?;
        let after = scope.write(async |s| organization::update(s, &change).await).await?;
        let page = format!("/w/{}/organization", after.slug);
        Ok(view.redirect_with_flash(page, Flash::good("Organization saved.")))
    };
    reopen(saved.await, async |rejected| {
        let state = FormState { details: Some(form.sent), errors: rejected.errors, ..FormState::default() };
        draw(&view, &duplicate, rejected.status, state).await
    })
    .await
}

/// The websites whose pages may call the API, as they were typed.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NamedWebsites {
    origins: String,
    version: String,
}

pub async fn set_origins(cx: Authorized<perm::UpdateOrganization, Form<NamedWebsites>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let named = origins::parse_typed(&form.origins)?;
        let after = scope.write(async |s| origins::set(s, &named, &form.version).await).await?;
        let text = match after.origins.as_slice() {
            [] => "Saved. No other website can call the API for this workspace.".to_owned(),
            some => format!("Saved. Pages of these websites can call the API: {}.", some.join(", ")),
        };
        Ok(view.redirect_with_flash(view.at("/organization"), Flash::good(text)))
    };
    reopen_on(saved.await, on(CHANGED), async |rejected| {
        // After a change by somebody else the form holds what is there now.
        let websites = (!rejected.is(CHANGED)).then_some(form.origins);
        let state = FormState { websites, errors: rejected.errors_at("origins"), ..FormState::default() };
        draw(&view, &duplicate, rejected.status, state).await
    })
    .await
}

/// Asks the admins of the account to make the viewer one of them.
pub async fn request_administration(cx: Authorized<perm::Membership, Form<EmptyForm>>) -> HandlerResult {
    let (scope, view, _) = cx.into_parts();
    administration::ask(scope).await?;
    let flash =
        Flash::good("The account's admins see your request. You become one once one of them accepts it.");
    Ok(view.redirect_with_flash(view.at("/organization"), flash))
}

#[derive(Template)]
#[template(path = "organization/deletion.html")]
struct DeletionPage {
    chrome: Chrome,
    base: String,
    organization: Organization,
    /// The day until which it could be restored.
    until: String,
    typed: String,
    errors: Errors,
}

pub async fn deletion(cx: Authorized<perm::DeleteOrganization>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    ask(&view, &scope, StatusCode::OK, String::new(), Errors::default()).await
}

async fn ask<P>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    typed: String,
    errors: Errors,
) -> HandlerResult
where
    P: Access,
{
    let organization = organization::get(scope).await?;
    let base = view.at("/organization");
    let until = day(scope.now() + RESTORABLE_FOR);
    let page = DeletionPage { chrome: view.chrome(), base, organization, until, typed, errors };
    Ok(view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    confirm: String,
}

pub async fn delete(cx: Authorized<perm::DeleteOrganization, Form<Deletion>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = scope.write(async |s| deletions::delete(s, &form.confirm).await).await;
    let done = done.map(|deleted| {
        let text =
            format!("{} deleted. Until {}, an Owner can restore it.", deleted.name, day(deleted.until));
        view.redirect_with_flash("/workspaces", Flash::good(text))
    });
    reopen(done, async |rejected| {
        ask(&view, &duplicate, rejected.status, form.confirm, rejected.errors).await
    })
    .await
}
