//! Signing in and out.

use crate::{
    domain::nouns::identity,
    web::{
        chrome::{Flash, safe_next},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{HandlerResult, Public, SignedIn},
        list::Query,
        problem::sign_in::draw,
        rejection::reopen,
        routes::invitations::recipient,
        session,
    },
};
use actix_web::http::StatusCode;
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NextQuery {
    next: String,
}

pub async fn show(cx: Public<Query<NextQuery>>) -> HandlerResult {
    if cx.person().await?.is_some() {
        return Ok(cx.view.redirect(safe_next(&cx.input.0.next)));
    }
    Ok(draw(&cx.view, StatusCode::OK, &cx.input.0.next, "", Errors::default()))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    email: String,
    password: String,
    next: String,
}

pub async fn submit(cx: Public<Form<Credentials>>) -> HandlerResult {
    let Credentials { email, password, next } = &cx.input.0;
    let previous = session::token(&cx.view.req);
    let done = identity::sign_in(&cx.view.app.db, email, password, previous.as_ref(), &cx.origin()).await;
    let done = done.map(|token| {
        session::replace(&cx.view.req, &token);
        cx.view.redirect(safe_next(next))
    });
    reopen(done, async |rejected| Ok(draw(&cx.view, rejected.status, next, email, rejected.errors))).await
}

pub async fn sign_out(cx: SignedIn<Form<EmptyForm>>) -> HandlerResult {
    identity::sign_out(&cx.view.app.db, cx.person(), &cx.origin()).await?;
    session::forget(&cx.view.req);
    // Someone who signs out to accept an invitation as another person is led back to it.
    let to =
        if recipient::stored_token(&cx.view).is_some() { "/sign-in?next=/invitation" } else { "/sign-in" };
    Ok(cx.view.redirect_with_flash(to, Flash::good("You're signed out.")))
}
