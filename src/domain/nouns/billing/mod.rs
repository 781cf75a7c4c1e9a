//! Billing: the plan of a workspace and its seats, invoices, payments.
//!
//! [`cost`] is what a month costs, without a database. [`terms`] is what was agreed, from when on; [`mod@change`] proposes
//! and makes a change of it; [`seats`] refuses people for whom there is no seat, or adds one. [`issue`] makes the
//! invoices, one a month, [`pay`] notes that one was paid, [`provider`] is the boundary to whoever collects the money,
//! [`collect`], [`customers`], [`details`] and [`hints`] are what Stripe is asked and says, [`profile`] is what stands on invoices, [`bought`] the credits that were bought, [`mod@list`] reads, [`reconcile`] finds what does not fit together.

pub(in crate::domain) mod bought;
pub mod change;
pub mod collect;
pub mod cost;
pub mod customers;
pub(in crate::domain) mod details;
pub mod events;
pub mod hints;
pub mod issue;
pub mod line;
pub mod list;
mod mail;
pub mod pay;
pub mod profile;
pub mod provider;
pub mod reconcile;
pub mod seats;
pub mod terms;

/// The number of an invoice as people read it: `INV-000042`.
pub fn invoice_name(number: i64) -> String {
    format!("INV-{number:06}")
}

/// The number in what somebody typed: `INV-000042`, or `42`.
pub fn parse_invoice_name(text: &str) -> Option<i64> {
    let digits = text.trim().trim_start_matches("INV-");
    digits.parse().ok().filter(|number| *number > 0)
}
