//! The pages of whoever joins.

use crate::{
    domain::{
        Purpose,
        base::principal::Person,
        nouns::joining::{self, LinkOffer, UNKNOWN_LINK},
    },
    web::{
        chrome::{Chrome, Flash},
        form::{EmptyForm, Form},
        guard::{HandlerResult, Public, SignedIn},
        link::{LinkKind, LinkQuery, OpenLink},
        list::{Query, address},
        path::Target,
        routes::joining::domains::look_up,
        when::When,
    },
};
use askama::Template;
use serde::Deserialize;

/// Join links that this browser follows.
pub(in crate::web) const JOIN: LinkKind =
    LinkKind { name: "join", purpose: Purpose::JoinLink, page: "/join", gone: UNKNOWN_LINK };

const BACK: &str = "Back to the link";

/// The address of a page on which somebody continues with a join link, such as `/sign-in`.
pub(in crate::web) fn on_the_way(page: &str, link: &OpenLink) -> String {
    address(page, &[("next", &JOIN.page_of(&link.id))], &[])
}

#[derive(Template)]
#[template(path = "auth/join.html")]
struct Page {
    chrome: Chrome,
    offer: LinkOffer,
    expires: When,
    /// The id of the link that the page is about.
    link: String,
    /// Where they sign in and come back.
    sign_in: String,
    sign_up: String,
    /// The address of whoever is signed in; empty if nobody is.
    email: String,
}

pub async fn follow(cx: Public) -> HandlerResult {
    Ok(JOIN.follow(&cx.view))
}

pub async fn show(cx: Public<Query<LinkQuery>>) -> HandlerResult {
    let link = JOIN.find(&cx.view, &cx.input.0.link)?;
    let person: Option<Person> = cx.person().await?;
    let offer = joining::offer_of(&cx.view.app.db, &link.token).await?;
    let page = Page {
        chrome: cx.view.chrome(),
        expires: When::new(offer.expires_at, cx.view.now()),
        sign_in: on_the_way("/sign-in", &link),
        sign_up: address("/sign-up", &[("link", &link.id)], &[]),
        email: person.map(|person| person.email).unwrap_or_default(),
        link: link.id,
        offer,
    };
    Ok(cx.view.html(&page))
}

/// A form about a join link.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// The id of its link.
    link: String,
}

pub async fn accept(cx: SignedIn<Form<Answer>>) -> HandlerResult {
    let link = match JOIN.sent(&cx.view, &cx.input.0.link) {
        Ok(link) => link,
        Err(response) => return Ok(*response),
    };
    let done = joining::join_by_link(&cx.view.app.db, cx.person(), &link.token, &cx.origin()).await;
    let offer = done.map_err(|refused| JOIN.with_way_back(refused, &link, BACK))?;
    let flash =
        Flash::good(format!("Welcome to {}. Your roles: {}.", offer.workspace, offer.roles.join(", ")));
    let mut response = cx.view.redirect_with_flash(format!("/w/{}", offer.slug), flash);
    JOIN.close(&cx.view, &mut response, &link);
    Ok(response)
}

/// Joins a workspace by the domain of one's address.
pub async fn join_by_domain(cx: SignedIn<(Target, Form<EmptyForm>)>) -> HandlerResult {
    let id = cx.input.0.0;
    let app = &cx.view.app;
    let lookup = async |name: &str| look_up(&app.outbound, name).await;
    let joined = joining::join_by_domain(&app.db, cx.person(), id, &cx.origin(), lookup).await?;
    let flash = Flash::good(format!("Welcome to {}. Your role: {}.", joined.workspace, joined.role));
    Ok(cx.view.redirect_with_flash(format!("/w/{}", joined.slug), flash))
}
