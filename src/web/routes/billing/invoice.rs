//! An invoice, on a page that can be printed.

use crate::{
    domain::{
        base::money::money,
        nouns::billing::{
            collect,
            list::{self as billings, IssuedInvoice},
            provider::PaymentProvider,
        },
    },
    policy::perm,
    web::{
        chrome::Chrome,
        guard::{Authorized, HandlerResult},
        path::Target,
        routes::billing::parts::ChargeRow,
        when::day,
    },
};
use askama::Template;

#[derive(Template)]
#[template(path = "billing/invoice.html")]
struct Show {
    chrome: Chrome,
    /// `/w/{slug}/billing`
    base: String,
    name: String,
    month: String,
    issued: String,
    due: String,
    total: String,
    /// When it was paid, and how; empty while it is not.
    paid: String,
    customer: String,
    seller: String,
    payment: String,
    /// Where it can be paid at once; empty for nowhere, and for those who can't manage billing.
    pay_at: String,
    /// What stands in the way of its payment, in sentences; may be empty.
    problem: String,
    lines: Vec<ChargeRow>,
}

pub async fn show(cx: Authorized<perm::ReadBilling, Target>) -> HandlerResult {
    let (scope, view, Target(id)) = cx.into_parts();
    let IssuedInvoice { invoice, customer, seller, payment, lines } = billings::invoice(&scope, id).await?;
    let is_open = invoice.paid_at.is_none();
    let there = collect::of_invoice(&scope, id).await?.filter(|_| is_open);
    let pay_at = match scope.duplicate().narrow::<perm::ManageBilling>() {
        Some(scope) if is_open => collect::page(&scope, id).await?,
        _ => None,
    };
    let how = PaymentProvider::label(invoice.provider.as_deref().unwrap_or_default());
    let reference = invoice.reference.as_deref().filter(|reference| !reference.is_empty());
    let reference = reference.map(|reference| format!(" ({reference})")).unwrap_or_default();
    let page = Show {
        chrome: view.chrome(),
        base: view.at("/billing"),
        name: invoice.name(),
        month: invoice.month_label(),
        issued: day(invoice.issued_at),
        due: day(invoice.due_at),
        total: money(invoice.total, &invoice.currency),
        paid: invoice.paid_at.map(|at| format!("{how} on {}{reference}", day(at))).unwrap_or_default(),
        pay_at: pay_at.unwrap_or_default(),
        problem: there.map(|there| there.sentences()).unwrap_or_default(),
        lines: lines.iter().map(|line| ChargeRow::of_line(line, &invoice.currency)).collect(),
        customer,
        seller,
        payment,
    };
    Ok(view.html(&page))
}
