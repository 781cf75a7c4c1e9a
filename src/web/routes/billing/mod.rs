//! Billing: the plan, what it costs, invoices.

pub(crate) mod api;
pub(crate) mod change;
pub(crate) mod invoice;
mod limits;
pub(crate) mod page;
mod parts;
pub(crate) mod payment;
