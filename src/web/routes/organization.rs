//! The workspace's own name and address, and its deletion.

use crate::{
    domain::{
        Invalid, Name, Slug,
        enforce::read::ReadScope,
        nouns::organization::{self, AccountAdmin, Organization},
    },
    policy::{Access, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        rejection::reopen,
        routes::workspaces::pages::prefix,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "organization/show.html")]
struct Show<'a> {
    chrome: Chrome,
    /// `/w/{slug}/organization`
    base: String,
    organization: Organization,
    /// For Owners.
    account_admins: Vec<AccountAdmin>,
    created: When,
    form: &'a Details,
    errors: Errors,
    prefix: String,
    departure: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    name: String,
    slug: String,
}

impl Validate for Details {
    type Valid = (Name, Slug);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse(&self.name));
        let slug = invalid.check("slug", Slug::parse(&self.slug));
        Some((name?, slug?))
    }
}

pub async fn show(cx: Authorized<perm::Membership>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    let workspace = scope.actor().workspace.clone();
    let form = Details { name: workspace.name, slug: workspace.slug };
    draw(&view, &scope, StatusCode::OK, &form, Errors::default()).await
}

async fn draw<P>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    form: &Details,
    errors: Errors,
) -> HandlerResult
where
    P: Access,
{
    let organization = organization::get(scope).await?;
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/organization"),
        created: When::new(organization.created_at, scope.now()),
        organization,
        account_admins: organization::account_admins(scope).await?,
        form,
        errors,
        prefix: prefix(view),
        departure: view.at("/departure"),
    };
    Ok(view.html_as(status, &page))
}

pub async fn update(cx: Authorized<perm::UpdateOrganization, Form<Checked<Details>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let saved = async {
        let (name, slug) = form.valid?;
        let slug = scope.write(async |s| organization::update(s, &name, &slug).await).await?;
        Ok(view.redirect_with_flash(format!("/w/{slug}/organization"), Flash::good("Organization saved.")))
    };
    reopen(saved.await, async |rejected| {
        draw(&view, &duplicate, rejected.status, &form.sent, rejected.errors).await
    })
    .await
}

#[derive(Template)]
#[template(path = "organization/deletion.html")]
struct DeletionPage {
    chrome: Chrome,
    base: String,
    organization: Organization,
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
    Ok(view.html_as(status, &DeletionPage { chrome: view.chrome(), base, organization, typed, errors }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    confirm: String,
}

pub async fn delete(cx: Authorized<perm::DeleteOrganization, Form<Deletion>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let done = scope.write(async |s| organization::delete(s, &form.confirm).await).await;
    let done =
        done.map(|name| view.redirect_with_flash("/workspaces", Flash::good(format!("{name} deleted."))));
    reopen(done, async |rejected| {
        ask(&view, &duplicate, rejected.status, form.confirm, rejected.errors).await
    })
    .await
}
