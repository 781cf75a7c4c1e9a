//! The workspace's own name and address, and its end.

use crate::{
    domain::{
        Name, Refused, Slug,
        enforce::read::ReadScope,
        organization::{self, Organization},
    },
    policy::{Access, perm},
    web::{
        checks,
        checks::check,
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Answer, Authorized},
        routes::workspaces::pages::prefix,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use validator::Validate;

#[derive(Template)]
#[template(path = "organization/show.html")]
struct Show<'a> {
    chrome: Chrome,
    /// `/w/{slug}/organization`
    base: String,
    organization: Organization,
    created: When,
    form: &'a Details,
    errors: Errors,
    prefix: String,
    departure: String,
}

#[derive(Deserialize, Validate, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Details {
    #[validate(custom(function = "checks::name"))]
    name: String,
    #[validate(custom(function = "checks::slug"))]
    slug: String,
}

pub async fn show(cx: Authorized<perm::Membership>) -> Answer {
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
) -> Answer
where
    P: Access,
{
    let organization = organization::look(scope).await?;
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/organization"),
        created: When::new(organization.created_at, scope.now_ms()),
        organization,
        form,
        errors,
        prefix: prefix(view),
        departure: view.at("/departure"),
    };
    Ok(view.html_as(status, &page))
}

pub async fn update(cx: Authorized<perm::UpdateOrganization, Form<Details>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    let done = match (check(&form), Name::parse(&form.name), Slug::parse(&form.slug)) {
        (Ok(()), Ok(name), Ok(slug)) => {
            scope.write(async |s| organization::update(s, &name, &slug).await).await
        }
        (Err(invalid), ..) => Err(invalid.into()),
        _ => Err(Refused::Hidden),
    };
    match done {
        Ok(slug) => {
            Ok(view.done(format!("/w/{slug}/organization"), Flash::good("The organization is updated.")))
        }
        Err(Refused::Invalid(invalid)) => {
            draw(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, &form, invalid.into()).await
        }
        Err(other) => Err(other),
    }
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

pub async fn deletion(cx: Authorized<perm::DeleteOrganization>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    ask(&view, &scope, StatusCode::OK, String::new(), Errors::default()).await
}

async fn ask<P>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    typed: String,
    errors: Errors,
) -> Answer
where
    P: Access,
{
    let organization = organization::look(scope).await?;
    let base = view.at("/organization");
    Ok(view.html_as(status, &DeletionPage { chrome: view.chrome(), base, organization, typed, errors }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Deletion {
    confirm: String,
}

pub async fn delete(cx: Authorized<perm::DeleteOrganization, Form<Deletion>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    match scope.write(async |s| organization::delete(s, &form.confirm).await).await {
        Ok(name) => {
            Ok(view.done("/workspaces", Flash::good(format!("{name} is deleted, with everything in it."))))
        }
        Err(Refused::Invalid(invalid)) => {
            ask(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, form.confirm, invalid.into()).await
        }
        Err(other) => Err(other),
    }
}
