//! A new person.

use crate::{
    config,
    domain::{
        Email, Invalid, Name, Refused,
        nouns::{
            identity::{self, Password, SignedUp},
            invitations,
        },
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, View},
        errors::Errors,
        form::PublicForm,
        guard::{HandlerResult, Public},
        known_browser,
        link::{LinkQuery, OpenLink},
        list::{Query, address},
        rejection::reopen,
        routes::invitations::recipient::{INVITATION, on_the_way},
        session,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "auth/sign_up.html")]
struct Page<'a> {
    chrome: Chrome,
    form: &'a SignUp,
    errors: Errors,
    /// The invitation that led here: workspace and inviter. It determines the address.
    offer: Option<Invited>,
}

struct Invited {
    workspace: String,
    inviter: String,
    inviter_email: String,
    inviter_now: Option<String>,
    /// The id of its link.
    link: String,
    sign_in: String,
}

#[derive(Template)]
#[template(path = "auth/check_mail.html")]
struct CheckMail {
    chrome: Chrome,
    email: String,
    mail_hint: Option<String>,
    sign_in: String,
    /// After signing in, the person continues with the invitation.
    has_invitation: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct SignUp {
    name: String,
    email: String,
    password: String,
    workspace: String,
    /// The id of the link of the invitation that led here.
    link: String,
}

impl Validate for SignUp {
    type Valid = (Name, Email, Password, Option<Name>);

    fn validate(&self, invalid: &mut Invalid) -> Option<Self::Valid> {
        let name = invalid.check("name", Name::parse(&self.name));
        let email = invalid.check("email", Email::parse(&self.email));
        let password = Password::parse(&self.password, &[&self.name, &self.email, &self.workspace]);
        let password = invalid.check("password", password);
        let workspace = match self.workspace.trim() {
            "" => Ok(None),
            text => Name::parse(text).map(Some),
        };
        let workspace = invalid.check("workspace", workspace);
        Some((name?, email?, password?, workspace?))
    }
}

pub async fn show(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let link = match cx.input.0.link.as_str() {
        "" => INVITATION.last(&cx.view),
        // One that is not open any more leads nowhere, and is left out.
        id => INVITATION.find(&cx.view, id).ok(),
    };
    let offer = offer(&cx.view, link.as_ref()).await;
    if offer.is_none() && !is_open(&cx.view) {
        return Err(Refused::NotAllowed(
            "New people join by invitation. Ask someone who is already a member to invite you.",
        ));
    }
    let form = SignUp {
        email: offer.as_ref().map(|(offer, _)| offer.email.clone()).unwrap_or_default(),
        ..SignUp::default()
    };
    Ok(draw(&cx.view, StatusCode::OK, &form, Errors::default(), offer))
}

fn is_open(view: &View) -> bool {
    view.app.settings.sign_up == config::SignUp::Open
}

/// The invitation of an open link. A dead one says so on its own page; here it is left out.
async fn offer<'a>(view: &View, link: Option<&'a OpenLink>) -> Option<(invitations::Offer, &'a OpenLink)> {
    let link = link?;
    Some((invitations::get(&view.app.db, &link.token).await.ok()?, link))
}

fn draw(
    view: &View,
    status: StatusCode,
    form: &SignUp,
    errors: Errors,
    offer: Option<(invitations::Offer, &OpenLink)>,
) -> HttpResponse {
    let offer = offer.map(|(offer, link)| Invited {
        workspace: offer.workspace,
        inviter: offer.inviter,
        inviter_email: offer.inviter_email,
        inviter_now: offer.inviter_now,
        link: link.id.clone(),
        sign_in: on_the_way("/sign-in", link),
    });
    view.html_as(status, &Page { chrome: view.chrome(), form, errors, offer })
}

pub async fn submit(cx: Public<PublicForm<Checked<SignUp>>>) -> HandlerResult {
    let origin = cx.origin();
    let (stale, Checked { sent: form, valid }) = match cx.input {
        PublicForm::Current(form) => (None, form),
        PublicForm::Stale(form) => (Some(StatusCode::FORBIDDEN), form),
    };
    let view = &cx.view;
    let link = INVITATION.find(view, &form.link).ok().filter(|_| !form.link.is_empty());
    let again =
        async |status, errors| Ok(draw(view, status, &form, errors, offer(view, link.as_ref()).await));
    if let Some(status) = stale {
        return again(status, Errors::out_of_date("Enter your password, then send it again.")).await;
    }
    if link.is_none() && !form.link.is_empty() {
        let what =
            "The invitation is no longer open in this browser. Open its link again, or sign up without it.";
        return again(StatusCode::CONFLICT, Invalid::field("form", what).into()).await;
    }
    let done = async {
        let (name, email, password, workspace) = valid?;
        let browser = known_browser::token_or_new(view);
        let invitation = link.as_ref().map(|link| link.token.clone());
        let policy = view.app.settings.sign_up;
        let wish = identity::SignUp {
            name,
            email,
            password,
            workspace,
            invitation,
            browser: browser.clone(),
            policy,
        };
        Ok(match identity::sign_up(&view.app.db, wish, &origin).await? {
            SignedUp::SignedIn(session) => {
                session::replace(&view.req, &session);
                let mut response = view.redirect(INVITATION.page_of(&form.link));
                known_browser::remember(view, &mut response, &form.email).await;
                response
            }
            SignedUp::CheckMail => {
                let fields = [("email", form.email.trim()), ("link", &form.link)];
                let mut response = view.redirect(address("/check-mail", &fields, &[]));
                known_browser::keep(view, &mut response, &browser);
                response
            }
        })
    };
    match done.await {
        // The invitation ended in the meantime. What was typed stays.
        Err(Refused::Gone(gone)) if is_open(view) => {
            again(StatusCode::GONE, Invalid::field("form", gone.sentence).into()).await
        }
        done => reopen(done, async |rejected| again(rejected.status, rejected.errors).await).await,
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Sent {
    email: String,
    link: String,
}

pub async fn check_mail(cx: Public<Query<Sent>>) -> HandlerResult {
    // Only an address is repeated, not any text that a link might put here.
    let email = Email::parse(&cx.input.0.email).map(|email| email.to_string()).unwrap_or_default();
    let link = INVITATION.find(&cx.view, &cx.input.0.link).ok();
    let page = CheckMail {
        chrome: cx.view.chrome(),
        email,
        mail_hint: cx.view.app.settings.mail_hint.clone(),
        has_invitation: link.is_some(),
        sign_in: link.map_or_else(|| "/sign-in".to_owned(), |link| on_the_way("/sign-in", &link)),
    };
    Ok(cx.view.html(&page))
}
