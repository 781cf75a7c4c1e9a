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
        form::Form,
        guard::{HandlerResult, Public},
        list::{Query, address},
        rejection::reopen,
        routes::invitations::recipient,
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
}

#[derive(Template)]
#[template(path = "auth/check_mail.html")]
struct CheckMail {
    chrome: Chrome,
    email: String,
    mail_hint: Option<String>,
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

pub async fn show(cx: Public) -> HandlerResult {
    let offer = match recipient::stored_token(&cx.view) {
        // A dead invitation says so on its own page; here it leads nowhere, and is left out.
        Some(token) => invitations::get(&cx.view.app.db, &token).await.ok(),
        None => None,
    };
    if offer.is_none() && cx.view.app.settings.sign_up == config::SignUp::Invited {
        return Err(Refused::NotAllowed(
            "New people join by invitation. Ask someone who is already a member to invite you.",
        ));
    }
    let form = SignUp {
        email: offer.as_ref().map(|offer| offer.email.clone()).unwrap_or_default(),
        ..SignUp::default()
    };
    Ok(draw(&cx.view, StatusCode::OK, &form, Errors::default(), offer))
}

fn draw(
    view: &View,
    status: StatusCode,
    form: &SignUp,
    errors: Errors,
    offer: Option<invitations::Offer>,
) -> HttpResponse {
    let offer = offer.map(|offer| Invited { workspace: offer.workspace, inviter: offer.inviter });
    view.html_as(status, &Page { chrome: view.chrome(), form, errors, offer })
}

pub async fn submit(cx: Public<Form<Checked<SignUp>>>) -> HandlerResult {
    let origin = cx.origin();
    let Checked { sent: form, valid } = cx.input.0;
    let db = &cx.view.app.db;
    let token = match recipient::stored_token(&cx.view) {
        // Where anybody may sign up, a dead invitation is left out here as it was when the form was
        // drawn: a form with a workspace is one that was drawn without an invitation.
        Some(token)
            if cx.view.app.settings.sign_up == config::SignUp::Open && !form.workspace.trim().is_empty() =>
        {
            match invitations::get(db, &token).await {
                Err(Refused::Gone(_) | Refused::Suspended(_)) => None,
                _ => Some(token),
            }
        }
        carried => carried,
    };
    let done = async {
        let (name, email, password, workspace) = valid?;
        let policy = cx.view.app.settings.sign_up;
        let wish = identity::SignUp { name, email, password, workspace, invitation: token.clone(), policy };
        Ok(match identity::sign_up(db, wish, &origin).await? {
            SignedUp::SignedIn(session) => {
                session::replace(&cx.view.req, &session);
                cx.view.redirect("/invitation")
            }
            SignedUp::CheckMail => {
                cx.view.redirect(address("/check-mail", &[("email", form.email.trim())], &[]))
            }
        })
    };
    reopen(done.await, async |rejected| {
        let offer = match &token {
            Some(token) => invitations::get(db, token).await.ok(),
            None => None,
        };
        Ok(draw(&cx.view, rejected.status, &form, rejected.errors, offer))
    })
    .await
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Sent {
    email: String,
}

pub async fn check_mail(cx: Public<Query<Sent>>) -> HandlerResult {
    // Only an address is repeated, not any text that a link might put here.
    let email = Email::parse(&cx.input.0.email).map(|email| email.to_string()).unwrap_or_default();
    let page = CheckMail {
        chrome: cx.view.chrome(),
        email,
        mail_hint: cx.view.app.settings.mail_hint.clone(),
        has_invitation: recipient::stored_token(&cx.view).is_some(),
    };
    Ok(cx.view.html(&page))
}
