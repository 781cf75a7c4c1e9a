//! Audit events of purchases. That the credits came in is an event of the ledger.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Target, TargetKind},
            money::money,
            words::day,
        },
        nouns::purchases::{OVER_LIMIT, Purchase},
    },
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<CreditsPurchased>(),
    EventKind::of::<PurchaseRequested>(),
    EventKind::of::<PurchaseDeclined>(),
    EventKind::of::<PurchaseWithdrawn>(),
    EventKind::of::<PurchaseRulesChanged>(),
])
.with_reasons(&[OVER_LIMIT]);

const PURCHASE: TargetKind = TargetKind::new("purchase");

/// A purchase, by the name of its pack; or all of them.
pub(super) fn target(purchase: Option<&Purchase>) -> Target {
    match purchase {
        Some(purchase) => Target::new(PURCHASE, purchase.id, purchase.name.clone()),
        None => Target::named(PURCHASE, "Purchases"),
    }
}

/// Credits were bought: at once, or by approving a request.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct CreditsPurchased {
    pub credits: i64,
    pub price: i64,
    pub currency: String,
    /// Somebody else had asked for them.
    pub was_requested: bool,
}

impl AuditEvent for CreditsPurchased {
    const NAME: &'static str = "credits_purchased";
    const KIND: &'static str = "credit.purchased";
    const LABEL: &'static str = "Credits bought";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let verb = if self.was_requested { "approved the purchase of" } else { "bought" };
        EventSentence::new(verb, row.target).detail(format!("for {}", money(self.price, &self.currency)))
    }
}

/// Somebody asked for approval.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PurchaseRequested {
    pub credits: i64,
    pub price: i64,
    pub currency: String,
    pub expires_at: Timestamp,
}

impl AuditEvent for PurchaseRequested {
    const NAME: &'static str = "purchase_requested";
    const KIND: &'static str = "credit.purchase-requested";
    const LABEL: &'static str = "Purchase requested";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let price = money(self.price, &self.currency);
        EventSentence::new("asked for approval to buy", row.target)
            .detail(format!("for {price}, until {}", day(self.expires_at)))
    }
}

/// A request was declined.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PurchaseDeclined {
    pub price: i64,
    pub currency: String,
}

impl AuditEvent for PurchaseDeclined {
    const NAME: &'static str = "purchase_declined";
    const KIND: &'static str = "credit.purchase-declined";
    const LABEL: &'static str = "Purchase declined";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let price = money(self.price, &self.currency);
        EventSentence::new("declined the purchase of", row.target).detail(format!("for {price}"))
    }
}

/// Who had asked took it back.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PurchaseWithdrawn {
    pub price: i64,
    pub currency: String,
}

impl AuditEvent for PurchaseWithdrawn {
    const NAME: &'static str = "purchase_withdrawn";
    const KIND: &'static str = "credit.purchase-withdrawn";
    const LABEL: &'static str = "Purchase request withdrawn";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("withdrew the request to buy", row.target)
    }
}

/// What the workspace allows was changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PurchaseRulesChanged {
    /// Such as `Approval above 50.00 EUR` and `Billing: 100.00 EUR a month`.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl AuditEvent for PurchaseRulesChanged {
    const NAME: &'static str = "purchase_rules_changed";
    const KIND: &'static str = "billing.purchase-rules-changed";
    const LABEL: &'static str = "Limits of purchases changed";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let shown = |rules: &[String]| match rules {
            [] => vec!["No limits".to_owned()],
            some => some.to_vec(),
        };
        EventSentence::new("changed the limits of purchases", "")
            .before(shown(&self.before))
            .after(shown(&self.after))
    }
}
