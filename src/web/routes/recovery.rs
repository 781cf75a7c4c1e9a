//! The pages that links in mail lead to: choosing a new password, confirming an address.
//!
//! Following a link uses nothing up. Its secret moves from the address into a cookie, so that it
//! is in no history and no referrer; a form then does what the link was sent for.

use crate::{
    domain::{
        Email, Invalid, Purpose, Refused,
        nouns::identity::{self, Browser, CONFIRMATION_GONE, Confirmation, Confirmed, Password, RESET_GONE},
    },
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::PublicForm,
        guard::{HandlerResult, Public},
        known_browser,
        link::{LinkKind, LinkQuery, OpenLink},
        list::Query,
        problem,
        rejection::reopen,
        routes::{
            invitations::recipient::{INVITATION, on_the_way},
            joining::recipient::{self as joining_pages, JOIN},
        },
        session,
        when::When,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

const RESET: LinkKind =
    LinkKind { name: "reset", purpose: Purpose::ResetPassword, page: "/reset-password", gone: RESET_GONE };

const VERIFICATION: LinkKind = LinkKind {
    name: "verification",
    purpose: Purpose::VerifyEmail,
    page: "/email-verification",
    gone: CONFIRMATION_GONE,
};

#[derive(Template)]
#[template(path = "auth/forgot_password.html")]
struct ForgotPage<'a> {
    chrome: Chrome,
    email: &'a str,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "auth/reset_sent.html")]
struct ResetSent {
    chrome: Chrome,
    email: String,
    mail_hint: Option<String>,
}

pub async fn forgot(cx: Public) -> HandlerResult {
    Ok(cx.view.html(&ForgotPage { chrome: cx.view.chrome(), email: "", errors: Errors::default() }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Forgot {
    email: String,
}

pub async fn send_reset(cx: Public<PublicForm<Forgot>>) -> HandlerResult {
    let draw = |status, email: &str, errors| {
        let page = ForgotPage { chrome: cx.view.chrome(), email, errors };
        Ok(cx.view.html_as(status, &page))
    };
    let (stale, Forgot { email: typed }) = cx.input.parts();
    if let Some(status) = stale {
        return draw(status, typed, Errors::out_of_date("Send it again."));
    }
    let sent = async {
        let email = Email::parse(typed).map_err(|complaint| Invalid::field("email", complaint))?;
        let browser = known_browser::known(&cx.view, email.as_str()).await?;
        identity::forgot_password(&cx.view.app.db, &email, browser.as_deref(), &cx.origin()).await?;
        let mail_hint = cx.view.app.settings.mail_hint.clone();
        Ok(cx.view.html(&ResetSent { chrome: cx.view.chrome(), email: email.to_string(), mail_hint }))
    };
    reopen(sent.await, async |rejected| draw(rejected.status, typed, rejected.errors)).await
}

pub async fn follow_reset(cx: Public) -> HandlerResult {
    Ok(RESET.follow(&cx.view))
}

#[derive(Template)]
#[template(path = "auth/reset_password.html")]
struct ResetPage {
    chrome: Chrome,
    /// The id of the link that the page is about.
    link: String,
    email: String,
    errors: Errors,
}

pub async fn reset(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let link = RESET.find(&cx.view, &cx.input.0.link)?;
    reset_page(&cx.view, &link, StatusCode::OK, Errors::default()).await
}

async fn reset_page(view: &View, link: &OpenLink, status: StatusCode, errors: Errors) -> HandlerResult {
    let email = identity::reset_address(&view.app.db, &link.token).await?;
    let page = ResetPage { chrome: view.chrome(), link: link.id.clone(), email, errors };
    Ok(view.html_as(status, &page))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ChosenPassword {
    /// The id of the link.
    link: String,
    password: String,
}

/// What to do where the form was drawn for another session.
const PASSWORD_AGAIN: &str = "Enter the password again.";

pub async fn choose_password(cx: Public<PublicForm<ChosenPassword>>) -> HandlerResult {
    let (stale, form) = cx.input.parts();
    let link = match RESET.sent(&cx.view, &form.link) {
        Ok(link) => link,
        Err(_) if stale.is_some() => return Ok(problem::out_of_date(&cx.view.req)),
        Err(response) => return Ok(*response),
    };
    if let Some(status) = stale {
        return reset_page(&cx.view, &link, status, Errors::out_of_date(PASSWORD_AGAIN)).await;
    }
    let done = async {
        let password = Password::parse(&form.password, &[]);
        let password = password.map_err(|complaint| Invalid::field("password", complaint))?;
        let (db, origin, browser) = (&cx.view.app.db, cx.origin(), known_browser::name(&cx.view));
        let reset = identity::reset_password(db, &link.token, &password, browser.as_deref(), &origin);
        let email = reset.await?;
        session::forget(&cx.view.req);
        let flash = Flash::good("Password changed. Sign in with your new password.");
        let mut response = cx.view.redirect_with_flash("/sign-in", flash);
        RESET.close(&cx.view, &mut response, &link);
        // Whoever uses it reads the mailbox, so nobody else's guesses count for them.
        known_browser::remember(&cx.view, &mut response, &email).await;
        Ok(response)
    };
    reopen(done.await, async |rejected| reset_page(&cx.view, &link, rejected.status, rejected.errors).await)
        .await
}

pub async fn follow_verification(cx: Public) -> HandlerResult {
    Ok(VERIFICATION.follow(&cx.view))
}

#[derive(Template)]
#[template(path = "auth/email_verification.html")]
struct VerificationPage {
    chrome: Chrome,
    /// The id of the link that the page is about.
    link: String,
    about: Confirmation,
    requested: When,
    /// The address of somebody else who is signed in here; empty if there is none.
    other: String,
    errors: Errors,
}

pub async fn verification(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let link = VERIFICATION.find(&cx.view, &cx.input.0.link)?;
    verification_page(&cx, &link, StatusCode::OK, Errors::default()).await
}

async fn verification_page<I>(
    cx: &Public<I>,
    link: &OpenLink,
    status: StatusCode,
    errors: Errors,
) -> HandlerResult {
    let view = &cx.view;
    let browser = browser(cx).await?;
    let about = identity::confirmation(&view.app.db, &link.token, &browser).await?;
    let other = browser.person.filter(|person| person.user_id != about.user_id);
    let page = VerificationPage {
        chrome: view.chrome(),
        link: link.id.clone(),
        requested: When::new(about.requested_at, view.now()),
        other: other.map(|person| person.email).unwrap_or_default(),
        about,
        errors,
    };
    Ok(view.html_as(status, &page))
}

/// What shows whether this is the browser that entered the address.
async fn browser<I>(cx: &Public<I>) -> Result<Browser, Refused> {
    Ok(Browser { person: cx.person().await?, token: known_browser::token(&cx.view) })
}

pub async fn verify(cx: Public<PublicForm<ChosenPassword>>) -> HandlerResult {
    let (stale, form) = cx.input.parts();
    let link = match VERIFICATION.sent(&cx.view, &form.link) {
        Ok(link) => link,
        Err(_) if stale.is_some() => return Ok(problem::out_of_date(&cx.view.req)),
        Err(response) => return Ok(*response),
    };
    if let Some(status) = stale {
        return verification_page(&cx, &link, status, Errors::out_of_date("Confirm it again.")).await;
    }
    let browser = browser(&cx).await?;
    let db = &cx.view.app.db;
    let done = identity::confirm_email(db, &link.token, &browser, &form.password, &cx.origin()).await;
    let done = match done {
        Ok(confirmed) => Ok(confirmed_response(&cx.view, &link, &browser, confirmed).await),
        Err(refused) => Err(refused),
    };
    reopen(done, async |rejected| verification_page(&cx, &link, rejected.status, rejected.errors).await).await
}

async fn confirmed_response(
    view: &View,
    link: &OpenLink,
    browser: &Browser,
    done: Confirmed,
) -> HttpResponse {
    let mut text = format!("{} confirmed.", done.email);
    if let Some(session) = &done.session {
        session::replace(&view.req, session);
    } else if let Some(person) = browser.person.as_ref().filter(|person| person.user_id != done.user_id) {
        text.push_str(&format!(" You're still signed in as {}.", person.email));
    }
    let is_signed_in = done.session.is_some() || browser.person.is_some();
    let to = match (INVITATION.last(view), is_signed_in) {
        (Some(invitation), true) => INVITATION.page_of(&invitation.id),
        (Some(invitation), false) => on_the_way("/sign-in", &invitation),
        (None, is_signed_in) => match (JOIN.last(view), is_signed_in) {
            (Some(link), true) => JOIN.page_of(&link.id),
            (Some(link), false) => joining_pages::on_the_way("/sign-in", &link),
            (None, true) => "/".to_owned(),
            (None, false) => "/sign-in".to_owned(),
        },
    };
    let mut response = view.redirect_with_flash(to, Flash::good(text));
    VERIFICATION.close(view, &mut response, link);
    // Who was signed in with an address that was not confirmed, or with another one, is known from now on.
    let is_own = browser.person.as_ref().is_some_and(|person| person.user_id == done.user_id);
    if done.session.is_some() || is_own {
        known_browser::remember(view, &mut response, &done.email).await;
    }
    response
}
