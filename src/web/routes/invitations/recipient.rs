//! An invitation as the invited person sees it.

use crate::{
    domain::{
        Purpose, Refused, Token,
        base::principal::Person,
        nouns::invitations::{self, Offer, UNKNOWN_LINK},
    },
    web::{
        chrome::{Chrome, Flash, View},
        form::{EmptyForm, Form},
        guard::{HandlerResult, Public, SignedIn},
        link,
        when::When,
    },
};
use askama::Template;

const COOKIE: &str = "invitation";

/// The secret of the invitation that this browser follows.
pub(in crate::web) fn stored_token(view: &View) -> Option<Token> {
    link::stored_token(view, COOKIE, Purpose::Invitation)
}

fn token(view: &View) -> Result<Token, Refused> {
    stored_token(view).ok_or(Refused::Gone(UNKNOWN_LINK))
}

#[derive(Template)]
#[template(path = "auth/invitation.html")]
struct Page {
    chrome: Chrome,
    offer: Offer,
    expires: When,
    /// They are signed in as the invited address, and may accept.
    can_accept: bool,
    /// The link proves that they read the mailbox, so they may decline without signing in.
    can_decline: bool,
}

pub async fn follow(cx: Public) -> HandlerResult {
    Ok(link::store_token(&cx.view, COOKIE, Purpose::Invitation, "/invitation"))
}

pub async fn show(cx: Public) -> HandlerResult {
    let (db, token) = (&cx.view.app.db, token(&cx.view)?);
    let person: Option<Person> = cx.person().await?;
    let offer = match &person {
        Some(person) => invitations::get_as(db, person, &token, &cx.origin()).await?,
        None => invitations::get(db, &token).await?,
    };
    let page = Page {
        chrome: cx.view.chrome(),
        expires: When::new(offer.expires_at, cx.view.now()),
        can_accept: person.is_some(),
        can_decline: person.is_some() || offer.proves_address,
        offer,
    };
    Ok(cx.view.html(&page))
}

pub async fn accept(cx: SignedIn<Form<EmptyForm>>) -> HandlerResult {
    let offer = invitations::accept(&cx.view.app.db, cx.person(), &token(&cx.view)?, &cx.origin()).await?;
    let flash =
        Flash::good(format!("Welcome to {}. Your roles: {}.", offer.workspace, offer.roles.join(", ")));
    let mut response = cx.view.redirect_with_flash(format!("/w/{}", offer.slug), flash);
    link::remove_token(&cx.view, &mut response, COOKIE);
    Ok(response)
}

pub async fn decline(cx: Public<Form<EmptyForm>>) -> HandlerResult {
    let person = cx.person().await?;
    let token = token(&cx.view)?;
    let offer = invitations::decline(&cx.view.app.db, person.as_ref(), &token, &cx.origin()).await?;
    let to = if person.is_some() { "/workspaces" } else { "/sign-in" };
    let flash = Flash::good(format!("You declined the invitation to {}.", offer.workspace));
    let mut response = cx.view.redirect_with_flash(to, flash);
    link::remove_token(&cx.view, &mut response, COOKIE);
    Ok(response)
}
