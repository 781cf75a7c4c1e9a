//! The sign-in page: drawn by its own route, and in place of a page that requires it.

use crate::web::{
    chrome::{Chrome, View},
    errors::Errors,
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;

#[derive(Template)]
#[template(path = "auth/sign_in.html")]
struct Page<'a> {
    chrome: Chrome,
    /// The page is shown in place of another one, which requires signing in.
    was_refused: bool,
    next: &'a str,
    email: &'a str,
    errors: Errors,
    sign_up_open: bool,
}

/// The sign-in page, as the response to a request that requires it.
pub(in crate::web) fn page(view: &View, status: StatusCode, next: &str) -> HttpResponse {
    draw(view, status, next, "", Errors::default())
}

pub(in crate::web) fn draw(
    view: &View,
    status: StatusCode,
    next: &str,
    email: &str,
    errors: Errors,
) -> HttpResponse {
    let page = Page {
        chrome: view.chrome(),
        was_refused: status == StatusCode::UNAUTHORIZED,
        next,
        email,
        errors,
        sign_up_open: view.app.settings.sign_up == crate::config::SignUp::Open,
    };
    view.html_as(status, &page)
}
