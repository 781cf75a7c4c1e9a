//! An invitation as the invited person sees it.

use crate::{
    domain::{
        Purpose,
        base::principal::Person,
        nouns::invitations::{self, Offer, UNKNOWN_LINK},
    },
    web::{
        chrome::{Chrome, Flash},
        form::Form,
        guard::{HandlerResult, Public, SignedIn},
        link::{LinkKind, LinkQuery, OpenLink},
        list::{Query, address},
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

/// Invitations that this browser follows.
pub(in crate::web) const INVITATION: LinkKind =
    LinkKind { name: "invitation", purpose: Purpose::Invitation, page: "/invitation", gone: UNKNOWN_LINK };

const BACK: &str = "Back to the invitation";

/// The address of a page on which somebody continues with an invitation, such as `/sign-in`.
pub(in crate::web) fn on_the_way(page: &str, link: &OpenLink) -> String {
    address(page, &[("next", &INVITATION.page_of(&link.id))], &[])
}

/// The id of the invitation that an address leads to, if it is that of an invitation.
pub(in crate::web) fn link_of(next: &str) -> Option<&str> {
    next.strip_prefix("/invitation?link=")
}

#[derive(Template)]
#[template(path = "auth/invitation.html")]
struct Page {
    chrome: Chrome,
    offer: Offer,
    expires: When,
    /// The id of the link that the page is about.
    link: String,
    /// Where they sign in and come back.
    sign_in: String,
    sign_up: String,
    /// They are signed in as the invited address, and may accept.
    can_accept: bool,
    /// The link proves that they read the mailbox, so they may decline without signing in.
    can_decline: bool,
}

pub async fn follow(cx: Public) -> HandlerResult {
    Ok(INVITATION.follow(&cx.view))
}

pub async fn show(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let link = INVITATION.find(&cx.view, &cx.input.0.link)?;
    let db = &cx.view.app.db;
    let person: Option<Person> = cx.person().await?;
    let offer = match &person {
        Some(person) => invitations::get_as(db, person, &link.token, &cx.origin()).await,
        None => invitations::get(db, &link.token).await,
    };
    let offer = offer.map_err(|refused| INVITATION.with_way_back(refused, &link, BACK))?;
    let page = Page {
        chrome: cx.view.chrome(),
        expires: When::new(offer.expires_at, cx.view.now()),
        can_accept: person.is_some(),
        can_decline: person.is_some() || offer.proves_address,
        sign_in: on_the_way("/sign-in", &link),
        sign_up: address("/sign-up", &[("link", &link.id)], &[]),
        link: link.id,
        offer,
    };
    Ok(cx.view.html(&page))
}

/// A form about an invitation.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// The id of its link.
    link: String,
}

pub async fn accept(cx: SignedIn<Form<Answer>>) -> HandlerResult {
    let link = match INVITATION.sent(&cx.view, &cx.input.0.link) {
        Ok(link) => link,
        Err(response) => return Ok(*response),
    };
    let done = invitations::accept(&cx.view.app.db, cx.person(), &link.token, &cx.origin()).await;
    let offer = done.map_err(|refused| INVITATION.with_way_back(refused, &link, BACK))?;
    let flash =
        Flash::good(format!("Welcome to {}. Your roles: {}.", offer.workspace, offer.roles.join(", ")));
    let mut response = cx.view.redirect_with_flash(format!("/w/{}", offer.slug), flash);
    INVITATION.close(&cx.view, &mut response, &link);
    Ok(response)
}

pub async fn decline(cx: Public<Form<Answer>>) -> HandlerResult {
    let person = cx.person().await?;
    let link = match INVITATION.sent(&cx.view, &cx.input.0.link) {
        Ok(link) => link,
        Err(response) => return Ok(*response),
    };
    let done = invitations::decline(&cx.view.app.db, person.as_ref(), &link.token, &cx.origin()).await;
    let offer = done.map_err(|refused| INVITATION.with_way_back(refused, &link, BACK))?;
    let to = if person.is_some() { "/workspaces" } else { "/sign-in" };
    let flash = Flash::good(format!("You declined the invitation to {}.", offer.workspace));
    let mut response = cx.view.redirect_with_flash(to, flash);
    INVITATION.close(&cx.view, &mut response, &link);
    Ok(response)
}
