//! Answering a request for a purchase. What the answer depends on is read again in its transaction: whether the request still
//! waits, whether whoever asked may still buy, and every limit.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            ends::{held_roles, lasts},
            event::Recorded,
            outbox::Mail,
            refused::Refused,
            role::{Role, holdings},
            words::inert,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::purchases::{
            NOT_WAITING, Purchase,
            buy::complete,
            events::{PurchaseDeclined, PurchaseWithdrawn, target},
            load,
            mail::PurchaseDecidedMail,
            month,
            rules::{self, over_ceiling},
            within_credit_line,
        },
    },
    policy::{Permission, perm},
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

const OWN_REQUEST: &str = "You asked for this purchase yourself, so someone else has to approve it.";

const NOT_YOURS: &str = "Someone else asked for this purchase. You can approve or decline it.";

const REQUESTER_GONE: Conflict = Conflict::new(
    "requester-gone",
    "Whoever asked for this purchase can no longer buy credits here. Decline it, or buy the credits yourself.",
)
.link("/credits/purchases", "Purchases");

const PACK_CHANGED: Conflict = Conflict::new(
    "pack-changed",
    "This pack is no longer offered at this price. Decline the request, or buy another pack.",
)
.link("/credits/purchases", "Purchases");

#[derive(FromQueryResult)]
struct Requester {
    role_set: String,
    email: String,
    is_verified: bool,
}

/// The request, if it waits.
async fn waiting(s: &WriteScope<perm::PurchaseCredits>, id: Uuid) -> Result<Purchase, Refused> {
    let purchase = load(s, id, s.now()).await?;
    match purchase.is_pending() {
        true => Ok(purchase),
        false => Err(NOT_WAITING.into()),
    }
}

/// Whether the actor asked for it, or somebody behind a key did.
fn is_own(s: &WriteScope<perm::PurchaseCredits>, purchase: &Purchase) -> bool {
    let actor = s.actor();
    purchase.requester_id.is_some_and(|by| by == actor.principal.accountable_user() || by == actor.voucher)
}

/// Whoever asked, as an active person of the workspace.
async fn requester(
    s: &WriteScope<perm::PurchaseCredits>,
    purchase: &Purchase,
) -> Result<Option<Requester>, Refused> {
    let Some(user) = purchase.requester_id else { return Ok(None) };
    let sql = concat!(
        "SELECT ",
        held_roles!("m", "$3"),
        " AS role_set, u.email, u.email_verified_at IS NOT NULL AS is_verified
        FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1 AND m.user_id = $2 AND m.status = 'active' AND u.suspended_at IS NULL AND ",
        lasts!("m", "$3")
    );
    Ok(s.first(sql, vec![user.into(), s.now().into()]).await?)
}

/// Approves a request: the credits come in.
///
/// # Errors
/// [`Refused::NotFound`]; [`NOT_WAITING`]; [`Refused::NotAllowed`] for one's own; [`REQUESTER_GONE`], [`PACK_CHANGED`]; conflicts
/// with the limits of the workspace and of the installation.
pub async fn approve(
    s: &mut WriteScope<perm::PurchaseCredits>,
    id: Uuid,
) -> Result<Recorded<Purchase>, Refused> {
    let purchase = waiting(s, id).await?;
    if is_own(s, &purchase) {
        return Err(Refused::NotAllowed(OWN_REQUEST));
    }
    let requester = requester(s, &purchase).await?.ok_or(REQUESTER_GONE)?;
    let all = s.actor().all_roles.clone();
    let roles: Vec<&Role> = all.parse_slugs(&requester.role_set);
    if !holdings(&roles).has(Permission::PurchaseCredits) {
        return Err(REQUESTER_GONE.into());
    }
    let db = s.open().db.clone();
    let plans = db.plans();
    let offered = plans.pack(&purchase.pack).is_some_and(|pack| {
        (pack.credits, pack.days, pack.price) == (purchase.credits, purchase.days, purchase.price)
            && plans.currency == purchase.currency
    });
    if !offered {
        return Err(PACK_CHANGED.into());
    }
    let rules = rules::load(s).await?;
    let room = rules::room(s, &rules, &roles, month(s).await?).await?.ok_or(REQUESTER_GONE)?;
    if room.left.is_some_and(|left| purchase.price > left) {
        return Err(over_ceiling(&room, purchase.price, plans));
    }
    within_credit_line(s, purchase.price).await?;
    let sql =
        "UPDATE credit_purchases SET role = $3 WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    s.run(sql, vec![id.into(), room.role.as_str().into()]).await?;
    let bought = complete(s, id, true).await?;
    notify(s, &requester, &purchase, true).await?;
    Ok(bought)
}

/// Declines a request: nothing is bought.
///
/// # Errors
/// [`Refused::NotFound`]; [`NOT_WAITING`]; [`Refused::NotAllowed`] for one's own, which is withdrawn instead.
pub async fn decline(
    s: &mut WriteScope<perm::PurchaseCredits>,
    id: Uuid,
) -> Result<Recorded<Purchase>, Refused> {
    let purchase = waiting(s, id).await?;
    if is_own(s, &purchase) {
        return Err(Refused::NotAllowed(OWN_REQUEST));
    }
    let declined = close(s, id, "declined").await?;
    if let Some(requester) = requester(s, &purchase).await? {
        notify(s, &requester, &purchase, false).await?;
    }
    let event = PurchaseDeclined { price: purchase.price, currency: purchase.currency.clone() };
    Ok(Recorded::new(declined, event, target(Some(&purchase))))
}

/// Takes back a request of one's own.
///
/// # Errors
/// [`Refused::NotFound`]; [`NOT_WAITING`]; [`Refused::NotAllowed`] for that of somebody else.
pub async fn withdraw(
    s: &mut WriteScope<perm::PurchaseCredits>,
    id: Uuid,
) -> Result<Recorded<Purchase>, Refused> {
    let purchase = waiting(s, id).await?;
    if !is_own(s, &purchase) {
        return Err(Refused::NotAllowed(NOT_YOURS));
    }
    let withdrawn = close(s, id, "withdrawn").await?;
    let event = PurchaseWithdrawn { price: purchase.price, currency: purchase.currency.clone() };
    Ok(Recorded::new(withdrawn, event, target(Some(&purchase))))
}

async fn close(s: &WriteScope<perm::PurchaseCredits>, id: Uuid, status: &str) -> Result<Purchase, Refused> {
    let sql = "UPDATE credit_purchases SET status = $3, decided_by = $4, decided_at = $5
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let by = s.actor().principal.accountable_user();
    match s.run(sql, vec![id.into(), status.into(), by.into(), s.now().into()]).await? {
        1 => load(s, id, s.now()).await,
        _ => Err(NOT_WAITING.into()),
    }
}

async fn notify(
    s: &WriteScope<perm::PurchaseCredits>,
    requester: &Requester,
    purchase: &Purchase,
    is_approved: bool,
) -> Result<(), Refused> {
    if !requester.is_verified {
        return Ok(());
    }
    let workspace = &s.actor().workspace;
    let mail = PurchaseDecidedMail {
        signature: &s.actor().principal.signature(),
        workspace: &inert(&workspace.name),
        pack: &inert(&purchase.name),
        price: &purchase.costs(),
        is_approved,
        page: &format!("{}/w/{}/credits/purchases", s.open().db.public_url(), workspace.slug),
    };
    Mail::new(&requester.email, &mail).queue(&s.open().db, s.connection(), s.now()).await?;
    Ok(())
}
