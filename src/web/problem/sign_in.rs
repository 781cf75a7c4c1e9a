//! The sign-in page: drawn by its own route, and in place of a page that requires it.

use crate::web::{
    chrome::{Chrome, View},
    draft::Draft,
    errors::Errors,
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

/// The form of the page.
#[derive(Default)]
pub(in crate::web) struct SignInForm<'a> {
    /// Where they go on.
    pub next: &'a str,
    pub email: &'a str,
    pub errors: Errors,
    /// The page to sign up on, where an invitation leads to it.
    pub sign_up: Option<String>,
    /// What was typed into another form, which comes back filled in.
    pub draft: Option<&'a Draft>,
    /// A form was sent, and can't come back.
    pub is_lost: bool,
}

#[derive(Template)]
#[template(path = "auth/sign_in.html")]
struct Page<'a> {
    chrome: Chrome,
    /// The page is shown in place of another one, which requires signing in.
    was_refused: bool,
    form: SignInForm<'a>,
    sign_up_open: bool,
}

pub(in crate::web) fn draw(view: &View, status: StatusCode, form: SignInForm<'_>) -> HttpResponse {
    let page = Page {
        chrome: view.chrome(),
        was_refused: status == StatusCode::UNAUTHORIZED,
        form,
        sign_up_open: view.app.settings.sign_up == crate::config::SignUp::Open,
    };
    view.html_as(status, &page)
}
