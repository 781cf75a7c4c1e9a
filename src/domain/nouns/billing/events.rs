//! Audit events of billing. Addresses, tax numbers and references of payments are in none of them.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents, Target, TargetKind},
            money::money,
            reason::AuditReason,
            words::{day, nonempty, pluralize},
        },
        nouns::billing::{cost::Month, invoice_name},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<PlanChanged>(),
    EventKind::of::<SeatsAdded>(),
    EventKind::of::<SeatGrowthChanged>(),
    EventKind::of::<BillingDetailsChanged>(),
    EventKind::of::<InvoiceIssued>(),
    EventKind::of::<InvoicePaid>(),
    EventKind::of::<PaymentMethodsOpened>(),
])
.with_reasons(&[NO_SEAT]);

pub(super) const NO_SEAT: AuditReason = AuditReason::new("no-seat", "no free seat");

const BILLING: TargetKind = TargetKind::new("billing");
const INVOICE: TargetKind = TargetKind::new("invoice");

/// The billing of the workspace.
pub(super) fn target() -> Target {
    Target::named(BILLING, "Billing")
}

/// An invoice of its.
pub(super) fn invoice(id: Uuid, number: i64) -> Target {
    Target::new(INVOICE, id, invoice_name(number))
}

fn plan(name: &str, seats: Option<i64>) -> String {
    match seats {
        Some(seats) => format!("{name}, {}", pluralize(seats, "seat", "seats")),
        None => name.to_owned(),
    }
}

/// Another plan, or another number of seats, was chosen.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PlanChanged {
    pub plan_before: String,
    pub plan_after: String,
    /// `None` for a plan without a price.
    pub seats_before: Option<i64>,
    pub seats_after: Option<i64>,
    /// What a month costs, in the smallest unit of the currency.
    pub monthly_before: i64,
    pub monthly_after: i64,
    pub currency: String,
    pub starts_at: Timestamp,
    /// A change that was to come later was taken back by this one.
    pub takes_back: bool,
}

impl AuditEvent for PlanChanged {
    const NAME: &'static str = "plan_changed";
    const KIND: &'static str = "billing.plan-changed";
    const LABEL: &'static str = "Plan or seats changed";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let before = plan(&self.plan_before, self.seats_before);
        let after = plan(&self.plan_after, self.seats_after);
        let sentence = match before == after {
            true => EventSentence::new("took back a change of the plan", ""),
            false => EventSentence::new("changed the plan", "").before([before]).after([after]),
        };
        let monthly = format!("{} a month", money(self.monthly_after, &self.currency));
        match self.starts_at > row.at {
            true => sentence.detail(format!("{monthly} from {}", day(self.starts_at))),
            false => sentence.detail(monthly),
        }
    }
}

/// An invitation needed more seats, and billing had allowed that.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SeatsAdded {
    pub plan: String,
    pub before: i64,
    pub after: i64,
}

impl AuditEvent for SeatsAdded {
    const NAME: &'static str = "seats_added";
    const KIND: &'static str = "billing.seats-added";
    const LABEL: &'static str = "Seats added";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let added = pluralize(self.after - self.before, "seat", "seats");
        EventSentence::new("added", added)
            .rest("by inviting or adding people")
            .before([self.before.to_string()])
            .after([self.after.to_string()])
    }
}

/// How many seats can be added by inviting people was changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct SeatGrowthChanged {
    /// `None`: none can.
    pub before: Option<i64>,
    pub after: Option<i64>,
}

impl AuditEvent for SeatGrowthChanged {
    const NAME: &'static str = "seat_growth_changed";
    const KIND: &'static str = "billing.growth-changed";
    const LABEL: &'static str = "Growth by invitations changed";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let shown = |to: Option<i64>| match to {
            Some(seats) => format!("Up to {}", pluralize(seats, "seat", "seats")),
            None => "Not at all".to_owned(),
        };
        EventSentence::new("changed how many seats invitations can add", "")
            .before([shown(self.before)])
            .after([shown(self.after)])
    }
}

/// What stands on invoices was changed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct BillingDetailsChanged {
    /// What of it: `contact`, `address`, `tax_number`.
    pub fields: Vec<String>,
}

impl AuditEvent for BillingDetailsChanged {
    const NAME: &'static str = "billing_details_changed";
    const KIND: &'static str = "billing.details-changed";
    const LABEL: &'static str = "Billing details changed";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let label = |field: &String| match field.as_str() {
            "contact" => "contact",
            "address" => "address",
            _ => "tax number",
        };
        let fields: Vec<&str> = self.fields.iter().map(label).collect();
        EventSentence::new("changed the billing details", "").detail(fields.join(", "))
    }
}

/// The invoice of a month was issued.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvoiceIssued {
    pub number: i64,
    /// The first moment of the month.
    pub month: Timestamp,
    pub total: i64,
    pub currency: String,
    pub due_at: Timestamp,
}

impl AuditEvent for InvoiceIssued {
    const NAME: &'static str = "invoice_issued";
    const KIND: &'static str = "billing.invoice-issued";
    const LABEL: &'static str = "Invoice issued";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("issued the invoice", row.target);
        let month = Month::of(self.month).label();
        sentence.rest(format!("for {month}")).detail(money(self.total, &self.currency))
    }
}

/// An invoice was marked as paid.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct InvoicePaid {
    pub number: i64,
    pub amount: i64,
    pub currency: String,
    /// Who collected the money.
    pub provider: String,
}

impl AuditEvent for InvoicePaid {
    const NAME: &'static str = "invoice_paid";
    const KIND: &'static str = "billing.invoice-paid";
    const LABEL: &'static str = "Invoice paid";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("marked as paid the invoice", row.target)
            .after(nonempty([&money(self.amount, &self.currency)]))
    }
}

/// Somebody opened the page on which the provider has people change how they pay.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct PaymentMethodsOpened {
    pub provider: String,
}

impl AuditEvent for PaymentMethodsOpened {
    const NAME: &'static str = "payment_methods_opened";
    const KIND: &'static str = "billing.payment-methods-opened";
    const LABEL: &'static str = "Payment methods opened";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        EventSentence::new("opened the page for payment methods", "")
    }
}
