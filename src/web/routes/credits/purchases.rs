//! The pages on which credits are bought: packs, what waits for approval, and what was bought.

use crate::{
    config::plans::Pack,
    domain::{
        Invalid,
        base::money::money,
        enforce::read::ReadScope,
        nouns::purchases::{
            Purchase,
            buy::{self, Offer, Order},
            decide, list,
        },
    },
    policy::perm,
    web::{
        chart::grouped,
        chrome::{Chrome, Flash},
        errors::Errors,
        form::{EmptyForm, Form},
        guard::{Authorized, HandlerResult},
        list::{List, ListState, Neighbours, Query, Unfiltered},
        path::Target,
        when::When,
    },
};
use actix_web::http::StatusCode;
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "credits/purchases.html")]
struct Index {
    chrome: Chrome,
    /// `/w/{slug}/credits`
    credits: String,
    /// `/w/{slug}/credits/purchases`
    base: String,
    packs: Vec<PackRow>,
    waiting: Vec<Row>,
    rows: Vec<Row>,
    list: ListState<Unfiltered>,
    neighbours: Neighbours,
}

struct PackRow {
    pack: Pack,
    price: String,
}

impl PackRow {
    fn new(pack: Pack, currency: &str) -> Self {
        Self { price: money(pack.price, currency), pack }
    }
}

struct Row {
    costs: String,
    credits: String,
    asked: When,
    expires: Option<When>,
    tone: &'static str,
    label: &'static str,
    /// The viewer asked for it, so somebody else decides.
    is_own: bool,
    /// Who decided it, if that is somebody else than who asked; empty otherwise.
    decider: String,
    purchase: Purchase,
}

impl Row {
    fn new(purchase: Purchase, scope: &ReadScope<perm::PurchaseCredits>) -> Self {
        let now = scope.now();
        let (tone, label) = match purchase.status.as_str() {
            "pending" => ("warn", "Waiting for approval"),
            "bought" => ("good", "Bought"),
            "declined" => ("bad", "Declined"),
            "withdrawn" => ("off", "Withdrawn"),
            _ => ("off", "Expired"),
        };
        Self {
            costs: purchase.costs(),
            credits: grouped(purchase.credits),
            asked: When::new(purchase.requested_at, now),
            expires: purchase.expires_at.filter(|_| purchase.is_pending()).map(|at| When::new(at, now)),
            tone,
            label,
            decider: purchase
                .decider
                .clone()
                .filter(|_| purchase.decider != purchase.requester)
                .unwrap_or_default(),
            is_own: purchase.requester_id == Some(scope.actor().principal.accountable_user()),
            purchase,
        }
    }
}

pub async fn index(cx: Authorized<perm::PurchaseCredits, List<Unfiltered>>) -> HandlerResult {
    let (scope, view, list) = cx.into_parts();
    let (found, list) = list.load(async |(), at| list::list(&scope, at).await).await?;
    let waiting = list::waiting(&scope).await?;
    let base = view.at("/credits/purchases");
    let currency = buy::currency_of(&scope);
    let row = |purchase: Purchase| Row::new(purchase, &scope);
    let page = Index {
        chrome: view.chrome(),
        credits: view.at("/credits"),
        packs: buy::packs(&scope).into_iter().map(|pack| PackRow::new(pack, &currency)).collect(),
        waiting: waiting.into_iter().map(row).collect(),
        neighbours: list.neighbours(&found, &base),
        rows: found.rows.into_iter().map(row).collect(),
        base,
        list,
    };
    Ok(view.html_as(page.list.status(), &page))
}

#[derive(Template)]
#[template(path = "credits/purchase.html")]
struct Confirm {
    chrome: Chrome,
    base: String,
    /// `None` for a pack that is not offered.
    offer: Option<Shown>,
    errors: Errors,
}

/// What buying a pack would be.
struct Shown {
    pack: PackRow,
    credits: String,
    needs_approval: bool,
    /// What is left of the ceiling, and of which role; empty without one.
    left: String,
    role: String,
    /// The id of this purchase, so that the form sent twice buys once.
    id: String,
}

impl Shown {
    fn new(offer: Offer) -> Self {
        let Offer { pack, currency, needs_approval, room, own } = offer;
        let left = room.as_ref().and_then(|room| room.left);
        Self {
            credits: grouped(pack.credits),
            pack: PackRow::new(pack, &currency),
            needs_approval,
            left: left.map(|left| money(left, &currency)).unwrap_or_default(),
            role: room.map(|room| room.name).unwrap_or_default(),
            id: (own + 1).to_string(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PackQuery {
    /// The slug of a pack.
    pack: String,
}

pub async fn confirm(cx: Authorized<perm::PurchaseCredits, Query<PackQuery>>) -> HandlerResult {
    let (scope, view, Query(query)) = cx.into_parts();
    let base = view.at("/credits/purchases");
    let (status, offer, errors) = match buy::offer(&scope, &query.pack).await {
        Ok(offer) => (StatusCode::OK, Some(Shown::new(offer)), Errors::default()),
        Err(crate::domain::Refused::Invalid(invalid)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, None, invalid.into())
        }
        Err(other) => return Err(other),
    };
    Ok(view.html_as(status, &Confirm { chrome: view.chrome(), base, offer, errors }))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct PurchaseForm {
    /// The slug of a pack.
    pack: String,
    /// Of this purchase, among those of whoever sends it.
    id: String,
    /// The price that was shown, in the smallest unit of the currency.
    price: String,
}

impl PurchaseForm {
    fn read(&self, by: Uuid) -> Result<Order, Invalid> {
        let mut invalid = Invalid::default();
        let client_id = invalid.check("id", buy::page_id(by, &self.id));
        let seen_price = match self.price.as_str() {
            "" => Ok(None),
            price => price.parse().map(Some).map_err(|_| "This is not a price."),
        };
        let seen_price = invalid.check("price", seen_price);
        match (client_id, seen_price) {
            (Some(client_id), Some(seen_price)) => {
                Ok(Order { client_id, pack: self.pack.clone(), seen_price })
            }
            _ => Err(invalid),
        }
    }
}

pub async fn purchase(cx: Authorized<perm::PurchaseCredits, Form<PurchaseForm>>) -> HandlerResult {
    let (scope, view, Form(form)) = cx.into_parts();
    let order = form.read(scope.actor().principal.accountable_user())?;
    let done = scope.write(async |s| buy::buy(s, &order).await).await?;
    let text = match done.status.as_str() {
        "bought" => format!("Bought {} for {}. The credits can be used now.", done.name, done.costs()),
        "pending" => {
            "Asked for approval. Someone else who can purchase credits has to approve it.".to_owned()
        }
        _ => "This request was answered already.".to_owned(),
    };
    Ok(view.redirect_with_flash(view.at("/credits/purchases"), Flash::good(text)))
}

pub async fn approve(cx: Authorized<perm::PurchaseCredits, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    let done = scope.write(async |s| decide::approve(s, id).await).await?;
    let text = format!("Bought {} for {}. The credits can be used now.", done.name, done.costs());
    Ok(view.redirect_with_flash(view.at("/credits/purchases"), Flash::good(text)))
}

pub async fn decline(cx: Authorized<perm::PurchaseCredits, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| decide::decline(s, id).await).await?;
    let flash = Flash::good("Declined. Nothing was bought.");
    Ok(view.redirect_with_flash(view.at("/credits/purchases"), flash))
}

pub async fn withdraw(cx: Authorized<perm::PurchaseCredits, (Target, Form<EmptyForm>)>) -> HandlerResult {
    let (scope, view, (Target(id), _)) = cx.into_parts();
    scope.write(async |s| decide::withdraw(s, id).await).await?;
    let flash = Flash::good("Withdrawn. Nothing was bought.");
    Ok(view.redirect_with_flash(view.at("/credits/purchases"), flash))
}
