//! Asking for support.

use crate::{
    domain::{
        Description, Invalid, TextRule,
        enforce::read::ReadScope,
        nouns::support::{
            Category, NewRequest, SupportText,
            requests::{self, LeakedKey},
        },
    },
    policy::{Access, perm},
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::Form,
        guard::{Authorized, HandlerResult},
        rejection::reopen,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewForm {
    category: String,
    expected: String,
    happened: String,
    when: String,
    request_id: String,
}

impl NewForm {
    fn texts(&self) -> [&str; 4] {
        [&self.expected, &self.happened, &self.when, &self.request_id]
    }
}

impl Validate for NewForm {
    type Valid = NewRequest;

    fn validate(&self, invalid: &mut Invalid) -> Option<NewRequest> {
        let category = Category::of_word(&self.category).ok_or("Choose what it is about.");
        let category = invalid.check("category", category);
        let expected = invalid.check("expected", SupportText::parse(&self.expected));
        let happened = invalid.check("happened", SupportText::parse(&self.happened));
        let when = invalid.check("when", Description::parse(&self.when));
        let about_request = invalid.check("request_id", Description::parse(&self.request_id));
        let new = NewRequest {
            category: category?,
            expected: expected?,
            happened: happened?,
            when: when?,
            about_request: about_request?,
        };
        invalid.check_all(new.without_secrets())
    }
}

#[derive(Template)]
#[template(path = "support/new.html")]
struct New<'a> {
    chrome: Chrome,
    /// `/w/{slug}/support`
    base: String,
    form: &'a NewForm,
    /// API keys of this workspace whose secrets are in the text.
    leaked: Vec<LeakedKey>,
    /// The address of the pages about API keys.
    keys: String,
    /// Requests reach those who run the installation by mail.
    is_mailed: bool,
    errors: Errors,
}

pub async fn new(cx: Authorized<perm::CreateSupportRequests>) -> HandlerResult {
    let (scope, view, ()) = cx.into_parts();
    draw(&view, &scope, StatusCode::OK, &NewForm::default(), Errors::default()).await
}

async fn draw<P: Access>(
    view: &View,
    scope: &ReadScope<P>,
    status: StatusCode,
    form: &NewForm,
    errors: Errors,
) -> HandlerResult {
    let page = New {
        chrome: view.chrome(),
        base: view.at("/support"),
        form,
        leaked: requests::leaked_keys(scope, &form.texts()).await?,
        keys: view.at("/api-keys"),
        is_mailed: requests::are_mailed(&view.app.db),
        errors,
    };
    Ok(view.html_as(status, &page))
}

pub async fn create(cx: Authorized<perm::CreateSupportRequests, Form<Checked<NewForm>>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let duplicate = scope.duplicate();
    let asked = async {
        let new = form.valid?;
        let asked = scope.write(async |s| requests::create(s, new).await).await?;
        let text = match requests::are_mailed(&view.app.db) {
            true => "Sent to the people who run this installation. You get their answer by e-mail and here.",
            false => "Your request is kept here. Tell the people who run this installation about it.",
        };
        Ok(view.redirect_with_flash(view.at(&format!("/support/{}", asked.id)), Flash::good(text)))
    };
    reopen(asked.await, async |rejected| {
        draw(&view, &duplicate, rejected.status, &form.sent, rejected.errors).await
    })
    .await
}
