//! Adding a key of the account to the workspace.

use crate::{
    domain::{
        Invalid,
        enforce::read::ReadScope,
        nouns::{
            api_keys::{self, AddableKey},
            roles,
        },
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        rejection::reopen,
        role_choices::{Choices, any_assignable, choices, has_default, viewer},
        routes::api_keys::new::page_of,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "api_keys/addition.html")]
struct Addition {
    chrome: Chrome,
    base: String,
    keys: Vec<AddableKey>,
    chosen: String,
    choices: Choices,
    any_assignable: bool,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AddKeyForm {
    key: String,
    role: Vec<String>,
}

async fn draw_addition(
    view: &View,
    scope: &ReadScope<perm::ManageApiKeys>,
    status: StatusCode,
    form: AddKeyForm,
    errors: Errors,
) -> HandlerResult {
    let choices = choices(roles::assignable(scope), &form.role);
    let page = Addition {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        keys: api_keys::addable(scope).await?,
        chosen: form.key,
        any_assignable: any_assignable(&choices),
        choices,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn addition(cx: Authorized<perm::ManageApiKeys>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    draw_addition(&view, &scope, StatusCode::OK, AddKeyForm::default(), Errors::default()).await
}

pub async fn add(cx: Authorized<perm::ManageApiKeys, Form<AddKeyForm>>) -> HandlerResult {
    let (scope, view, Form(mut form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    if form.role.is_empty() && has_default(&choices(roles::assignable(&scope), &[])) {
        form.role = viewer();
    }
    let done = async {
        let id = Uuid::try_parse(&form.key);
        let id = id.map_err(|_| Invalid::field("key", "Choose one of the account's keys."))?;
        let name = api_keys::add(scope, id, &form.role).await?.name;
        let flash = Flash::good(format!("{name} is now a member of this workspace."));
        Ok(view.redirect_with_flash(page_of(&view, &duplicate, id), flash))
    };
    reopen(done.await, async |rejected| {
        draw_addition(&view, &duplicate, rejected.status, form, rejected.errors).await
    })
    .await
}
