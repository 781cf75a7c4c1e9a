//! Buying a pack of credits, or asking for approval.

use crate::{
    config::plans::Pack,
    domain::{
        base::{
            conflict::{CHANGED, Conflict},
            event::Recorded,
            invalid::Invalid,
            outbox::Mail,
            principal::Actor,
            refused::Refused,
            role::Role,
            text_rule::{Complaint, TextRule},
            words::{day, inert},
        },
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::{
            billing::{cost::Month, list::currency},
            credits::ClientId,
            purchases::{
                LIFETIME, MAX_PENDING, Purchase, SELECT, deliver,
                events::{CreditsPurchased, PurchaseRequested, target},
                load,
                mail::PurchaseRequestedMail,
                month,
                rules::{self, Room, over_ceiling},
                within_credit_line,
            },
        },
        records::{self, holders},
    },
    policy::{Permission, perm},
    random,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

const NEEDS_PERSON: Conflict = Conflict::new(
    "needs-approval",
    "Purchases of this price need approval here, and only a person can ask for it, on the page Purchases.",
);

const TOO_MANY: Conflict = Conflict::new(
    "many-purchases",
    "Many purchases wait for approval already. Have some of them answered or withdrawn first.",
)
.link("/credits/purchases", "Purchases");

/// What ids of purchases on pages begin with. Programs use others.
const PAGE: &str = "page:";

/// The id of a purchase by this person on a page: nobody uses up the ids of others.
///
/// # Errors
/// As [`ClientId::parse`].
pub fn page_id(by: Uuid, id: &str) -> Result<ClientId, Complaint> {
    let id = ClientId::parse(id)?;
    ClientId::parse(&format!("{PAGE}{by}:{}", id.as_str()))
}

/// The id of a purchase by a program.
///
/// # Errors
/// As [`TextRule::parse_exact`], and for one that is for pages.
pub fn program_id(id: &str) -> Result<ClientId, String> {
    match id.starts_with(PAGE) {
        true => Err(format!("Choose an ID that doesn't begin with {PAGE}")),
        false => ClientId::parse_exact(id),
    }
}

/// What to buy.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of the same id, one is bought.
    pub client_id: ClientId,
    /// The slug of a pack.
    pub pack: String,
    /// The price that was shown; `None` for whatever it is.
    pub seen_price: Option<i64>,
}

/// What buying a pack would be.
#[derive(Clone, Debug)]
pub struct Offer {
    pub pack: Pack,
    pub currency: String,
    /// It is bought once somebody else approves it.
    pub needs_approval: bool,
    /// The role whose ceiling it counts against, and what is left of that.
    pub room: Option<Room>,
    /// How many purchases this person has made or asked for: makes the id of the next one.
    pub own: i64,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

/// The packs that can be bought.
pub fn packs(scope: &ReadScope<perm::PurchaseCredits>) -> Vec<Pack> {
    scope.db().plans().packs.clone()
}

/// The currency of their prices.
pub fn currency_of(scope: &ReadScope<perm::PurchaseCredits>) -> String {
    currency(scope)
}

/// What buying this pack would be.
///
/// # Errors
/// [`Refused::Invalid`] on `pack`.
pub async fn offer(scope: &ReadScope<perm::PurchaseCredits>, pack: &str) -> Result<Offer, Refused> {
    let pack = scope.db().plans().pack(pack).cloned().ok_or_else(no_such_pack)?;
    let rules = rules::get(scope).await?;
    let roles = roles_of(scope.actor());
    let room = rules::room(scope, &rules, &roles, Month::of(scope.now())).await?;
    let sql =
        "SELECT COUNT(*) AS count FROM credit_purchases p WHERE p.workspace_id = $1 AND p.requested_by = $2";
    let own: Option<Count> =
        scope.first(sql, vec![scope.actor().principal.accountable_user().into()]).await?;
    Ok(Offer {
        needs_approval: rules.approve_above.is_some_and(|limit| pack.price > limit),
        pack,
        currency: currency(scope),
        room,
        own: own.map_or(0, |own| own.count),
    })
}

fn no_such_pack() -> Invalid {
    Invalid::field("pack", "Choose one of the packs.")
}

/// The roles of the actor, for as long as their key is not limited to less.
fn roles_of(actor: &Actor) -> Vec<&Role> {
    actor.roles.iter().filter_map(|slug| actor.all_roles.by_slug(slug)).collect()
}

/// Buys a pack, or asks for approval where the price is above the limit of the workspace.
///
/// # Errors
/// [`Refused::Invalid`] on `pack`, and on `id` for one that stands for another purchase; [`CHANGED`] for a pack whose price
/// is another than was shown; [`Refused::Prerequisite`] without a confirmed address; conflicts with the limits of the
/// workspace and of the installation, and [`NEEDS_PERSON`].
pub async fn buy(
    s: &mut WriteScope<perm::PurchaseCredits>,
    order: &Order,
) -> Result<Recorded<Purchase>, Refused> {
    if let Some(before) = same_id(s, order).await? {
        return Ok(Recorded::unchanged(before));
    }
    records::mail::may_owe(s.actor())?;
    let db = s.open().db.clone();
    let plans = db.plans();
    let pack = plans.pack(&order.pack).ok_or_else(no_such_pack)?;
    if order.seen_price.is_some_and(|seen| seen != pack.price) {
        return Err(CHANGED.into());
    }
    let rules = rules::load(s).await?;
    let room = rules::room(s, &rules, &roles_of(s.actor()), month(s).await?).await?;
    let room = room.ok_or(Refused::NotFound)?;
    if room.left.is_some_and(|left| pack.price > left) {
        return Err(over_ceiling(&room, pack.price, plans));
    }
    within_credit_line(s, pack.price).await?;
    match rules.approve_above.is_some_and(|limit| pack.price > limit) {
        true => ask(s, order, pack, &room, &plans.currency).await,
        false => buy_now(s, order, pack, &room, &plans.currency).await,
    }
}

/// What was bought or asked for under the same id.
async fn same_id(s: &WriteScope<perm::PurchaseCredits>, order: &Order) -> Result<Option<Purchase>, Refused> {
    let sql = format!("{SELECT} AND p.client_id = $3");
    let values = vec![s.now().into(), order.client_id.as_str().into()];
    let before: Option<Purchase> = s.first(&sql, values).await?;
    let principal = &s.actor().principal;
    let by = (Some(principal.accountable_user()), principal.key_id());
    match before {
        Some(before) if before.pack != order.pack || (before.requester_id, before.key_id) != by => {
            let sentence = "This ID was already used for a different purchase. Use a new one for each.";
            Err(Invalid::field("id", sentence).into())
        }
        before => Ok(before),
    }
}

/// The columns that a purchase begins with, whether it is bought at once or not.
async fn insert(
    s: &WriteScope<perm::PurchaseCredits>,
    order: &Order,
    pack: &Pack,
    room: &Room,
    currency: &str,
) -> Result<Uuid, Refused> {
    let id = random::id(s.now());
    let principal = &s.actor().principal;
    let sql = "INSERT INTO credit_purchases (id, workspace_id, client_id, pack, name, credits, days, price, currency, status,
            role, requested_by, api_key_id, requested_at, expires_at)
        VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $11, $12, $13, $14)";
    let values = vec![
        id.into(),
        order.client_id.as_str().into(),
        pack.slug.as_str().into(),
        pack.name.as_str().into(),
        pack.credits.into(),
        pack.days.into(),
        pack.price.into(),
        currency.into(),
        room.role.as_str().into(),
        principal.accountable_user().into(),
        principal.key_id().into(),
        s.now().into(),
        (s.now() + LIFETIME).into(),
    ];
    s.run(sql, values).await?;
    Ok(id)
}

async fn buy_now(
    s: &WriteScope<perm::PurchaseCredits>,
    order: &Order,
    pack: &Pack,
    room: &Room,
    currency: &str,
) -> Result<Recorded<Purchase>, Refused> {
    let id = insert(s, order, pack, room, currency).await?;
    complete(s, id, false).await
}

/// Brings in the credits of a purchase that waits, and marks it as bought by the actor. Their ids are in one transaction, so
/// that there is neither without the other.
pub(super) async fn complete(
    s: &WriteScope<perm::PurchaseCredits>,
    id: Uuid,
    was_requested: bool,
) -> Result<Recorded<Purchase>, Refused> {
    let waiting = load(s, id, s.now()).await?;
    let delivery = deliver(s, &waiting.name, waiting.credits, waiting.days).await?;
    let sql = "UPDATE credit_purchases SET status = 'bought', decided_by = $3, decided_at = $4, transfer_id = $5, month = $6
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let values = vec![
        id.into(),
        s.actor().principal.accountable_user().into(),
        s.now().into(),
        delivery.transfer.into(),
        delivery.month.start().into(),
    ];
    if s.run(sql, values).await? != 1 {
        return Err(super::NOT_WAITING.into());
    }
    let bought = load(s, id, s.now()).await?;
    let event = CreditsPurchased {
        credits: bought.credits,
        price: bought.price,
        currency: bought.currency.clone(),
        was_requested,
    };
    let target = target(Some(&bought));
    Ok(Recorded::new(bought, event, target).and(delivery.events))
}

async fn ask(
    s: &WriteScope<perm::PurchaseCredits>,
    order: &Order,
    pack: &Pack,
    room: &Room,
    currency: &str,
) -> Result<Recorded<Purchase>, Refused> {
    let Some(person) = s.actor().principal.person() else { return Err(NEEDS_PERSON.into()) };
    records::mail::may_send(s.actor())?;
    let sql = "SELECT COUNT(*) AS count FROM credit_purchases p
        WHERE p.workspace_id = $1 AND p.status = 'pending' AND p.expires_at > $2";
    let waiting: Option<Count> = s.first(sql, vec![s.now().into()]).await?;
    if waiting.is_some_and(|waiting| waiting.count >= MAX_PENDING) {
        return Err(TOO_MANY.into());
    }
    let id = insert(s, order, pack, room, currency).await?;
    let purchase = load(s, id, s.now()).await?;
    let expires_at = s.now() + LIFETIME;
    let workspace = &s.actor().workspace;
    let page = format!("{}/w/{}/credits/purchases", s.open().db.public_url(), workspace.slug);
    let mail = PurchaseRequestedMail {
        signature: &s.actor().principal.signature(),
        workspace: &inert(&workspace.name),
        pack: &inert(&purchase.name),
        price: &purchase.costs(),
        until: &day(expires_at),
        page: &page,
    };
    for address in holders::addresses(s, &s.actor().all_roles, Permission::PurchaseCredits).await? {
        if address != person.email {
            records::mail::queue(s, Mail::new(&address, &mail)).await?;
        }
    }
    let event = PurchaseRequested {
        credits: purchase.credits,
        price: purchase.price,
        currency: purchase.currency.clone(),
        expires_at,
    };
    let target = target(Some(&purchase));
    Ok(Recorded::new(purchase, event, target))
}
