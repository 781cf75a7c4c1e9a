//! Signing in and out.

use crate::{
    domain::{
        Email, Invalid, Refused, Token,
        nouns::{identity, notices},
    },
    web::{
        chrome::{Flash, View, onward, safe_next},
        draft::Draft,
        errors::Errors,
        form::{Form, PublicForm},
        guard::{HandlerResult, Public, SignedIn},
        known_browser,
        list::{Query, address},
        problem::{
            self,
            sign_in::{SignInForm, draw},
        },
        rejection::reopen,
        routes::{
            invitations::recipient::{INVITATION, link_of},
            joining::recipient::JOIN,
        },
        session,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NextQuery {
    next: String,
}

pub async fn show(cx: Public<Query<NextQuery>>) -> HandlerResult {
    if cx.person().await?.is_some() {
        return Ok(cx.view.redirect(onward(&cx.input.0.next)));
    }
    Ok(draw(&cx.view, StatusCode::OK, form_for(&cx.input.0.next)))
}

/// The form of somebody who goes on to this address.
fn form_for(next: &str) -> SignInForm<'_> {
    let sign_up = link_of(next).map(|link| address("/sign-up", &[("link", link)], &[]));
    SignInForm { next, sign_up, ..SignInForm::default() }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    email: String,
    password: String,
    next: String,
    /// What they typed into another form before they had to sign in.
    draft: String,
}

pub async fn submit(cx: Public<PublicForm<Credentials>>) -> HandlerResult {
    let (stale, form) = cx.input.parts();
    let draft = Draft::carried(&cx.view.req, &form.draft);
    let again = |status, errors| {
        let page = SignInForm { email: &form.email, errors, draft: draft.as_ref(), ..form_for(&form.next) };
        Ok(draw(&cx.view, status, page))
    };
    if let Some(status) = stale {
        return match cx.person().await? {
            // They signed in in another tab.
            Some(person) if is_same(&person.email, &form.email) => {
                Ok(go_on(&cx.view, &form.next, draft.as_ref()))
            }
            Some(person) => {
                let next = format!(
                    "You're signed in as {} in this browser. Enter the password to switch.",
                    person.email
                );
                again(status, Errors::out_of_date(&next))
            }
            None => again(status, Errors::out_of_date("Enter your password again.")),
        };
    }
    let previous = session::token(&cx.view.req);
    let done = async {
        let browser = known_browser::known(&cx.view, &form.email).await?;
        let signing_in = identity::SignIn {
            email: &form.email,
            password: &form.password,
            previous: previous.as_ref(),
            browser: browser.as_deref(),
        };
        let token = identity::sign_in(&cx.view.app.db, &signing_in, &cx.origin()).await?;
        session::replace(&cx.view.req, &token);
        let mut response = match &draft {
            Some(draft) => restore(&cx.view, &token, draft).await?,
            None => cx.view.redirect(onward(&form.next)),
        };
        known_browser::remember(&cx.view, &mut response, &form.email).await;
        Ok(response)
    };
    reopen(done.await, async |rejected| again(rejected.status, rejected.errors)).await
}

fn is_same(email: &str, typed: &str) -> bool {
    Email::parse(typed).is_ok_and(|typed| typed.as_str() == email)
}

/// Where somebody who is signed in already goes on. The form was not theirs by its token, so a draft is stored only
/// once they say so.
fn go_on(view: &View, next: &str, draft: Option<&Draft>) -> HttpResponse {
    match draft {
        Some(draft) => problem::restorable(&view.req, draft.clone()),
        None => view.redirect(onward(next)),
    }
}

/// Stores what was typed, and redirects to its form, filled in.
///
/// # Errors
/// [`Refused::Unauthenticated`].
async fn restore(view: &View, session: &Token, draft: &Draft) -> HandlerResult {
    let page = Draft { page: safe_next(&draft.page).to_owned(), ..draft.clone() };
    let id = notices::store_draft(&view.app.db, session, &page.text()).await?;
    Ok(view.redirect(page.address(id.ok_or(Refused::Unauthenticated)?)))
}

/// The form that brings another form back, with what was typed into it.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DraftForm {
    draft: String,
}

pub async fn restore_draft(cx: SignedIn<Form<DraftForm>>) -> HandlerResult {
    let session = session::token(&cx.view.req).ok_or(Refused::Unauthenticated)?;
    let draft = Draft::carried(&cx.view.req, &cx.input.0.draft);
    let draft = draft.ok_or_else(|| Invalid::field("draft", "This is no form that could come back."))?;
    restore(&cx.view, &session, &draft).await
}

/// The form that signs somebody out.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SignOut {
    /// Where they continue once they have signed in as somebody else.
    next: String,
}

pub async fn sign_out(cx: SignedIn<Form<SignOut>>) -> HandlerResult {
    identity::sign_out(&cx.view.app.db, cx.person(), &cx.origin()).await?;
    session::forget(&cx.view.req);
    // Someone who signs out to accept an invitation as another person is led back to it.
    let next = match (cx.input.0.next.as_str(), INVITATION.last(&cx.view)) {
        ("", Some(invitation)) => INVITATION.page_of(&invitation.id),
        ("", None) => JOIN.last(&cx.view).map(|link| JOIN.page_of(&link.id)).unwrap_or_default(),
        (next, _) => next.to_owned(),
    };
    let to = address("/sign-in", &[("next", &next)], &[]);
    Ok(cx.view.redirect_with_flash(to, Flash::good("You're signed out.")))
}
