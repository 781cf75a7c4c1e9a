//! A new person.

use crate::{
    config,
    domain::{
        Email, Invalid, Name, Purpose, Refused,
        nouns::{
            identity::{
                self, Password, SignedUp,
                first::{FIRST_GONE, FIRST_TAKEN},
            },
            invitations,
            joining::{self, LinkOffer},
        },
    },
    web::{
        checks::{Checked, Validate},
        chrome::{Chrome, View},
        errors::Errors,
        form::PublicForm,
        guard::{HandlerResult, Public},
        known_browser,
        link::{LinkKind, LinkQuery, OpenLink},
        list::{Query, address},
        rejection::reopen,
        routes::{
            invitations::recipient::{INVITATION, on_the_way},
            joining::recipient::{self as joining_pages, JOIN},
        },
        session,
    },
};
use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde::Deserialize;

/// The link for the first person, which is printed where the server is started.
const FIRST: LinkKind =
    LinkKind { name: "first-sign-up", purpose: Purpose::FirstSignUp, page: "/sign-up", gone: FIRST_GONE };

pub async fn follow_first(cx: Public) -> HandlerResult {
    Ok(FIRST.follow(&cx.view))
}

/// The link for the first person, if it is the right one; and whether nobody is here yet.
async fn first_link(view: &View, id: &str) -> Result<Option<(OpenLink, bool)>, Refused> {
    let open = FIRST.find(view, id).ok().filter(|_| !id.is_empty());
    let expected = view.app.settings.first_sign_up.hash();
    Ok(match open.filter(|link| link.token.hash() == expected) {
        Some(link) => Some((link, identity::first::is_empty(&view.app.db).await?)),
        None => None,
    })
}

/// The join link with this id, if it works; a dead one says so on its own page.
async fn join_link(view: &View, id: &str) -> Option<(OpenLink, LinkOffer)> {
    let link = JOIN.find(view, id).ok().filter(|_| !id.is_empty())?;
    let offer = joining::offer_of(&view.app.db, &link.token).await.ok()?;
    Some((link, offer))
}

#[derive(Template)]
#[template(path = "auth/sign_up.html")]
struct Page<'a> {
    chrome: Chrome,
    form: &'a SignUp,
    errors: Errors,
    /// The invitation that led here: workspace and inviter. It determines the address.
    offer: Option<Invited>,
    /// The join link that led here.
    joins: Option<Joins>,
    /// The id of the link for the first person; empty for others.
    first: String,
}

/// A link by which several people can join a workspace.
struct Joins {
    workspace: String,
    inviter: String,
    inviter_email: String,
    /// The id of the link.
    link: String,
    sign_in: String,
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

/// What led to the page: nothing, an invitation, or the link for the first person.
#[derive(Default)]
struct WayIn {
    invitation: Option<OpenLink>,
    /// The invitation, unless it is dead: that one says so on its own page.
    offer: Option<invitations::Offer>,
    /// A join link that works.
    joins: Option<(OpenLink, LinkOffer)>,
    /// The link for the first person.
    first: Option<OpenLink>,
    /// It is the link for the first person, and somebody else was first.
    is_late: bool,
}

impl WayIn {
    /// The way in by the link with this id, as far as it is open in this browser.
    async fn of(view: &View, id: &str) -> Result<Self, Refused> {
        let invitation = match id {
            "" => INVITATION.last(view),
            id => INVITATION.find(view, id).ok(),
        };
        Ok(match invitation {
            Some(link) => {
                let offer = invitations::get(&view.app.db, &link.token).await.ok();
                Self { offer, invitation: Some(link), ..Self::default() }
            }
            None => match first_link(view, id).await? {
                Some((link, true)) => Self { first: Some(link), ..Self::default() },
                Some((_, false)) => Self { is_late: true, ..Self::default() },
                None => Self { joins: join_link(view, id).await, ..Self::default() },
            },
        })
    }

    /// Who may sign up by it without an invitation.
    fn policy(&self, view: &View) -> config::SignUp {
        if self.first.is_some() { config::SignUp::Open } else { view.app.settings.sign_up }
    }

    fn draw(&self, view: &View, status: StatusCode, form: &SignUp, errors: Errors) -> HttpResponse {
        let offer = self.offer.as_ref().zip(self.invitation.as_ref()).map(|(offer, link)| Invited {
            workspace: offer.workspace.clone(),
            inviter: offer.inviter.clone(),
            inviter_email: offer.inviter_email.clone(),
            inviter_now: offer.inviter_now.clone(),
            link: link.id.clone(),
            sign_in: on_the_way("/sign-in", link),
        });
        let joins = self.joins.as_ref().map(|(link, offer)| Joins {
            workspace: offer.workspace.clone(),
            inviter: offer.inviter.clone(),
            inviter_email: offer.inviter_email.clone(),
            link: link.id.clone(),
            sign_in: joining_pages::on_the_way("/sign-in", link),
        });
        let first = self.first.as_ref().map(|link| link.id.clone()).unwrap_or_default();
        view.html_as(status, &Page { chrome: view.chrome(), form, errors, offer, joins, first })
    }
}

pub async fn show(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let way = WayIn::of(&cx.view, &cx.input.0.link).await?;
    if way.is_late {
        return Err(FIRST_TAKEN.into());
    }
    if way.offer.is_none() && way.joins.is_none() && way.policy(&cx.view) == config::SignUp::Invited {
        return Err(Refused::NotAllowed(
            "New people join by invitation. Ask someone who is already a member to invite you.",
        ));
    }
    let email = way.offer.as_ref().map(|offer| offer.email.clone()).unwrap_or_default();
    Ok(way.draw(&cx.view, StatusCode::OK, &SignUp { email, ..SignUp::default() }, Errors::default()))
}

pub async fn submit(cx: Public<PublicForm<Checked<SignUp>>>) -> HandlerResult {
    let origin = cx.origin();
    let (stale, Checked { sent: form, valid }) = match cx.input {
        PublicForm::Current(form) => (None, form),
        PublicForm::Stale(form) => (Some(StatusCode::FORBIDDEN), form),
    };
    let view = &cx.view;
    // A form without a link is about none, whatever else is open.
    let way = if form.link.is_empty() { WayIn::default() } else { WayIn::of(view, &form.link).await? };
    let again = |status, errors| Ok(way.draw(view, status, &form, errors));
    if let Some(status) = stale {
        return again(status, Errors::out_of_date("Enter your password, then send it again."));
    }
    if way.is_late {
        return again(StatusCode::GONE, Invalid::field("form", FIRST_TAKEN.sentence).into());
    }
    let is_closed = way.invitation.is_none() && way.first.is_none() && way.joins.is_none();
    if is_closed && !form.link.is_empty() {
        let what =
            "The invitation is no longer open in this browser. Open its link again, or sign up without it.";
        return again(StatusCode::CONFLICT, Invalid::field("form", what).into());
    }
    let (policy, is_first) = (way.policy(view), way.first.is_some());
    let done = async {
        let (name, email, password, workspace) = valid?;
        let browser = known_browser::token_or_new(view);
        let invitation = way.invitation.as_ref().map(|link| link.token.clone());
        let join_link = way.joins.as_ref().map(|(link, _)| link.token.clone());
        let known = browser.clone();
        let wish = identity::SignUp {
            name,
            email,
            password,
            workspace,
            invitation,
            join_link,
            browser,
            policy,
            is_first,
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
                known_browser::keep(view, &mut response, &known);
                response
            }
        })
    };
    match done.await {
        // The invitation ended in the meantime, or somebody else was first. What was typed stays.
        Err(Refused::Gone(gone)) if policy == config::SignUp::Open => {
            again(StatusCode::GONE, Invalid::field("form", gone.sentence).into())
        }
        done => reopen(done, async |rejected| again(rejected.status, rejected.errors)).await,
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
    let joins = JOIN.find(&cx.view, &cx.input.0.link).ok();
    let sign_in = match (&link, &joins) {
        (Some(link), _) => on_the_way("/sign-in", link),
        (None, Some(link)) => joining_pages::on_the_way("/sign-in", link),
        (None, None) => "/sign-in".to_owned(),
    };
    let page = CheckMail {
        chrome: cx.view.chrome(),
        email,
        mail_hint: cx.view.app.settings.mail_hint.clone(),
        has_invitation: link.is_some(),
        sign_in,
    };
    Ok(cx.view.html(&page))
}
