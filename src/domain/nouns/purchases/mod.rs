//! Purchases of credits: packs, and what a workspace allows of it.
//!
//! [`rules`] is what needs approval, and what everybody with a role can buy in a month; [`buy`] buys, or asks for approval;
//! [`decide`] approves, declines and withdraws; [`mod@list`] reads. Nothing is ever bought by itself.

pub mod buy;
pub mod decide;
pub mod events;
pub mod list;
mod mail;
pub mod rules;

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::{Conflict, DetailedConflict},
            event::{Recorded, RecordedEvent},
            money::money,
            reason::AuditReason,
            refused::Refused,
            values::Description,
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::{
            billing::{bought, cost::Month, profile},
            credits::{
                Amount, Source,
                grants::{self, NewGrant},
            },
        },
    },
    policy::perm,
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// How long a request waits for approval, in milliseconds.
pub const LIFETIME: i64 = 7 * DAY;

/// The most requests of a workspace that wait.
pub const MAX_PENDING: i64 = 20;

pub(in crate::domain) const OVER_LIMIT: AuditReason =
    AuditReason::new("over-limit", "exceeds a limit of purchases");

pub(in crate::domain) const NOT_WAITING: Conflict = Conflict::new(
    "purchase-over",
    "This request doesn't wait anymore: someone answered it, or it expired. Check the current state.",
)
.link("/credits/purchases", "Purchases");

/// A purchase, or a request for one.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Deserialize)]
pub struct Purchase {
    pub id: Uuid,
    /// The id of the request, as whoever sent it chose it.
    pub client_ref: String,
    /// The slug of the pack, as it was called.
    pub pack: String,
    pub name: String,
    pub credits: i64,
    /// For how many days they can be used.
    pub days: i64,
    pub price: i64,
    pub currency: String,
    /// `pending`, `expired`, `bought`, `declined` or `withdrawn`.
    pub status: String,
    /// The slug of the role whose ceiling it counts against.
    pub role: String,
    pub requester_id: Option<Uuid>,
    pub key_id: Option<Uuid>,
    /// The name of the person or the key; `None` for one that is gone.
    pub requester: Option<String>,
    pub requested_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The name of whoever decided it.
    pub decider: Option<String>,
    pub decided_at: Option<Timestamp>,
    /// The transfer of the ledger by which the credits came in.
    pub transfer_id: Option<Uuid>,
}

impl Purchase {
    pub fn is_pending(&self) -> bool {
        self.status == "pending"
    }

    pub fn is_bought(&self) -> bool {
        self.status == "bought"
    }

    pub fn costs(&self) -> String {
        money(self.price, &self.currency)
    }
}

/// The columns of a [`Purchase`], in the order of its fields.
const FIELDS: [&str; 18] = [
    "id",
    "client_ref",
    "pack",
    "name",
    "credits",
    "days",
    "price",
    "currency",
    "status",
    "role",
    "requester_id",
    "key_id",
    "requester",
    "requested_at",
    "expires_at",
    "decider",
    "decided_at",
    "transfer_id",
];

/// One that waited too long has expired, whether or not that has been written. `$2` is the time.
const SELECT: &str = "SELECT p.id, p.client_id AS client_ref, p.pack, p.name, p.credits, p.days, p.price, p.currency,
        CASE WHEN p.status = 'pending' AND p.expires_at <= $2 THEN 'expired' ELSE p.status END AS status, p.role,
        p.requested_by AS requester_id, p.api_key_id AS key_id, COALESCE(k.name, u.name) AS requester, p.requested_at,
        p.expires_at, d.name AS decider, p.decided_at, p.transfer_id
    FROM credit_purchases p
    LEFT JOIN users u ON u.id = p.requested_by LEFT JOIN users d ON d.id = p.decided_by
    LEFT JOIN api_keys k ON k.id = p.api_key_id
    WHERE p.workspace_id = $1";

async fn load(scope: &impl Scoped, id: Uuid, now: Timestamp) -> Result<Purchase, Refused> {
    let sql = format!("{SELECT} AND p.id = $3");
    scope.first(&sql, vec![now.into(), id.into()]).await?.ok_or(Refused::NotFound)
}

/// Refuses what would go beyond what the installation lets a workspace owe.
async fn within_credit_line(s: &WriteScope<perm::PurchaseCredits>, price: i64) -> Result<(), Refused> {
    let (plans, unpaid) = (s.open().db.plans(), bought::unpaid(s).await?);
    if unpaid.saturating_add(price) <= plans.unpaid_limit {
        return Ok(());
    }
    let (unpaid, most) = (money(unpaid, &plans.currency), money(plans.unpaid_limit, &plans.currency));
    let sentence = format!(
        "Credits for {unpaid} are not paid for yet, and at most {most} can be. Pay an open invoice, or ask the people who \
         run this installation."
    );
    Err(DetailedConflict {
        code: "unpaid-limit",
        sentence,
        notes: Vec::new(),
        links: vec![("/credits/purchases".to_owned(), "Purchases".to_owned())],
        reason: OVER_LIMIT,
    }
    .into())
}

/// The month whose invoice has what is bought now, and whose ceilings it counts against: not one that is invoiced already.
async fn month(s: &WriteScope<perm::PurchaseCredits>) -> Result<Month, Refused> {
    Ok(Month::of(profile::billed_at(s, s.now()).await?))
}

/// What the credits come in by: the transfer, the month whose invoice has them, and the events.
struct Delivery {
    transfer: Uuid,
    month: Month,
    events: Vec<RecordedEvent>,
}

/// Brings in the credits of a pack.
async fn deliver(
    s: &WriteScope<perm::PurchaseCredits>,
    name: &str,
    credits: i64,
    days: i64,
) -> Result<Delivery, Refused> {
    let month = month(s).await?;
    let new = NewGrant {
        amount: Amount::parse("pack", credits)?,
        source: Source::Bought,
        expires_at: s.now() + days * DAY,
        note: Description::parse(name).unwrap_or_default(),
    };
    let granted: Recorded<grants::Made> = grants::grant(s, s.now(), &new).await?;
    let (made, events) = granted.into_parts();
    Ok(Delivery { transfer: made.transfer, month, events })
}
