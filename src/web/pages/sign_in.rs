//! Signing in and out.

use super::invitation;
use crate::{
    domain::identity,
    web::{
        chrome::{Chrome, Flash, View, safe_next},
        form::{Again, Errors, Form, Nothing, Query},
        guard::{Answer, Public, SignedIn},
        session,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "ways_in/sign_in.html")]
struct Page<'a> {
    chrome: Chrome,
    /// They were sent here on their way to something else.
    was_refused: bool,
    next: &'a str,
    email: &'a str,
    errors: Errors,
    sign_up_open: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Next {
    next: String,
}

pub async fn show(cx: Public<Query<Next>>) -> Answer {
    if cx.person().await?.is_some() {
        return Ok(cx.view.to(safe_next(&cx.input.0.next)));
    }
    Ok(draw(&cx.view, StatusCode::OK, &cx.input.0.next, "", Errors::default()))
}

/// The way in, as the answer to a request that needs one.
pub(in crate::web) fn page(view: &View, status: StatusCode, next: &str) -> HttpResponse {
    draw(view, status, next, "", Errors::default())
}

fn draw(view: &View, status: StatusCode, next: &str, email: &str, errors: Errors) -> HttpResponse {
    let page = Page {
        chrome: view.chrome(""),
        was_refused: status == StatusCode::UNAUTHORIZED,
        next,
        email,
        errors,
        sign_up_open: view.app.settings.sign_up == crate::config::SignUp::Open,
    };
    view.html_as(status, &page)
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    email: String,
    password: String,
    next: String,
}

pub async fn submit(cx: Public<Form<Credentials>>) -> Answer {
    let Credentials { email, password, next } = &cx.input.0;
    let previous = session::token(&cx.view.req);
    match identity::sign_in(&cx.view.app.db, email, password, previous.as_ref(), &cx.origin).await {
        Ok(token) => {
            session::replace(&cx.view.req, &token);
            Ok(cx.view.to(safe_next(next)))
        }
        Err(refused) => {
            Ok(Again::of(refused)?.page(|status, errors| draw(&cx.view, status, next, email, errors)))
        }
    }
}

pub async fn sign_out(cx: SignedIn<Form<Nothing>>) -> Answer {
    identity::sign_out(&cx.view.app.db, &cx.person, &cx.origin).await?;
    session::forget(&cx.view.req);
    // Whoever signs out to take up an invitation as somebody else finds the way back to it.
    let to = if invitation::carried(&cx.view).is_some() { "/sign-in?next=/invitation" } else { "/sign-in" };
    Ok(cx.view.done(to, Flash::good("You are signed out.")))
}
