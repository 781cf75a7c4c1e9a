//! Adding a key of the account to the workspace.

use crate::{
    domain::{
        Invalid, Refused,
        api_keys::{self, Waiting},
        base::role::Assignable,
        enforce::read::ReadScope,
    },
    policy::perm,
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Answer, Authorized},
        routes::api_keys::new::{choices, home_of, viewer},
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
    keys: Vec<Waiting>,
    chosen: String,
    choices: Vec<(Assignable, bool)>,
    may_give: bool,
    errors: Errors,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Added {
    key: String,
    role: Vec<String>,
}

async fn draw_addition(
    view: &View,
    scope: &ReadScope<perm::ManageApiKeys>,
    status: StatusCode,
    form: Added,
    errors: Errors,
) -> Answer {
    let (choices, may_give) = choices(scope, &form.role);
    let page = Addition {
        chrome: view.chrome(),
        base: view.at("/api-keys"),
        keys: api_keys::waiting(scope).await?,
        chosen: form.key,
        choices,
        may_give,
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn addition(cx: Authorized<perm::ManageApiKeys>) -> Answer {
    let (scope, view, ()) = cx.into_parts();
    draw_addition(
        &view,
        &scope,
        StatusCode::OK,
        Added { role: viewer(), ..Added::default() },
        Errors::default(),
    )
    .await
}

pub async fn add(cx: Authorized<perm::ManageApiKeys, Form<Added>>) -> Answer {
    let (scope, view, Form(form)) = cx.into_parts();
    let again = scope.again();
    let done = match Uuid::try_parse(&form.key) {
        Ok(id) => scope.write(async |s| api_keys::add(s, id, &form.role).await).await.map(|name| (id, name)),
        Err(_) => Err(Invalid::field("key", "Choose one of the account's keys.").into()),
    };
    match done {
        Ok((id, name)) => {
            let flash = Flash::good(format!("{name} is a member of this workspace now."));
            Ok(view.done(home_of(&view, &again, id), flash))
        }
        Err(Refused::Invalid(invalid)) => {
            draw_addition(&view, &again, StatusCode::UNPROCESSABLE_ENTITY, form, invalid.into()).await
        }
        Err(other) => Err(other),
    }
}
