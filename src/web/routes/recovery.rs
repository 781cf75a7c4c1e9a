//! The pages that links in mail lead to: choosing a new password, confirming an address.
//!
//! Following a link uses nothing up. Its secret moves from the address into a cookie, so that it
//! is in no history and no referrer; a form then does what the link was sent for.

use crate::{
    domain::{
        Email, Invalid, Purpose, Refused, Token,
        nouns::identity::{self, CONFIRMATION_GONE, Password, RESET_GONE},
    },
    web::{
        chrome::{Chrome, Flash, View},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{HandlerResult, Public},
        link::{remove_token, store_token, stored_token},
        rejection::reopen,
        session,
    },
};
use askama::Template;
use serde::Deserialize;

const RESET: &str = "reset";

const VERIFICATION: &str = "verification";

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

pub async fn send_reset(cx: Public<Form<Forgot>>) -> HandlerResult {
    let typed = &cx.input.0.email;
    let sent = async {
        let email = Email::parse(typed).map_err(|complaint| Invalid::field("email", complaint))?;
        identity::forgot_password(&cx.view.app.db, &email, &cx.origin()).await?;
        let mail_hint = cx.view.app.settings.mail_hint.clone();
        Ok(cx.view.html(&ResetSent { chrome: cx.view.chrome(), email: email.to_string(), mail_hint }))
    };
    reopen(sent.await, async |rejected| {
        let page = ForgotPage { chrome: cx.view.chrome(), email: typed, errors: rejected.errors };
        Ok(cx.view.html_as(rejected.status, &page))
    })
    .await
}

pub async fn follow_reset(cx: Public) -> HandlerResult {
    Ok(store_token(&cx.view, RESET, Purpose::ResetPassword, "/reset-password"))
}

#[derive(Template)]
#[template(path = "auth/reset_password.html")]
struct ResetPage {
    chrome: Chrome,
    errors: Errors,
}

pub async fn reset(cx: Public) -> HandlerResult {
    let token = reset_token(&cx.view)?;
    identity::reset_is_valid(&cx.view.app.db, &token).await?;
    Ok(cx.view.html(&ResetPage { chrome: cx.view.chrome(), errors: Errors::default() }))
}

fn reset_token(view: &View) -> Result<Token, Refused> {
    stored_token(view, RESET, Purpose::ResetPassword).ok_or(Refused::Gone(RESET_GONE))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct NewPassword {
    password: String,
}

pub async fn choose_password(cx: Public<Form<NewPassword>>) -> HandlerResult {
    let token = reset_token(&cx.view)?;
    let done = async {
        let password = Password::parse(&cx.input.0.password, &[]);
        let password = password.map_err(|complaint| Invalid::field("password", complaint))?;
        identity::reset_password(&cx.view.app.db, &token, &password, &cx.origin()).await?;
        session::forget(&cx.view.req);
        let flash = Flash::good("Password changed. Sign in with your new password.");
        let mut response = cx.view.redirect_with_flash("/sign-in", flash);
        remove_token(&cx.view, &mut response, RESET);
        Ok(response)
    };
    reopen(done.await, async |rejected| {
        let page = ResetPage { chrome: cx.view.chrome(), errors: rejected.errors };
        Ok(cx.view.html_as(rejected.status, &page))
    })
    .await
}

pub async fn follow_verification(cx: Public) -> HandlerResult {
    Ok(store_token(&cx.view, VERIFICATION, Purpose::VerifyEmail, "/email-verification"))
}

#[derive(Template)]
#[template(path = "auth/email_verification.html")]
struct VerificationPage {
    chrome: Chrome,
}

pub async fn verification(cx: Public) -> HandlerResult {
    verification_token(&cx.view)?;
    Ok(cx.view.html(&VerificationPage { chrome: cx.view.chrome() }))
}

fn verification_token(view: &View) -> Result<Token, Refused> {
    stored_token(view, VERIFICATION, Purpose::VerifyEmail).ok_or(Refused::Gone(CONFIRMATION_GONE))
}

pub async fn verify(cx: Public<Form<EmptyForm>>) -> HandlerResult {
    let token = verification_token(&cx.view)?;
    let email = identity::confirm_email(&cx.view.app.db, &token, &cx.origin()).await?;
    let to = match (crate::web::routes::invitations::recipient::stored_token(&cx.view), cx.person().await?) {
        (Some(_), Some(_)) => "/invitation",
        (None, Some(_)) => "/workspaces",
        (Some(_), None) => "/sign-in?next=/invitation",
        (None, None) => "/sign-in",
    };
    let mut response = cx.view.redirect_with_flash(to, Flash::good(format!("{email} confirmed.")));
    remove_token(&cx.view, &mut response, VERIFICATION);
    Ok(response)
}
