//! Reading billing: what is agreed and what it costs, the invoices and their payments.

use crate::{
    clock::Timestamp,
    config::plans::Plan,
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::billing::{
            bought,
            cost::{self, Charge, Month, Terms},
            invoice_name,
            line::Line,
            profile::{self, Profile},
            seats::{self, Seats},
            terms::{self, Agreement},
        },
    },
    policy::perm,
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// What a workspace pays for.
#[derive(Clone, Debug)]
pub struct Billing {
    pub current: Terms,
    /// What begins later.
    pub next: Option<Terms>,
    pub seats: Seats,
    pub profile: Profile,
    pub month: Month,
    /// What the seats of the present month cost if nothing changes in it.
    pub charges: Vec<Charge>,
    /// What the credits cost that were bought in it.
    pub bought: i64,
}

impl Billing {
    /// What the present month costs if nothing changes in it.
    pub fn month_total(&self) -> i64 {
        self.bought + self.charges.iter().map(|charge| charge.amount).sum::<i64>()
    }
}

/// # Errors
/// The database's own.
pub async fn billing(scope: &ReadScope<perm::ReadBilling>) -> Result<Billing, Refused> {
    let (plans, now) = (scope.db().plans(), scope.now());
    let Agreement { current, next } = terms::load(scope, plans, now).await?;
    let (seats, _) = seats::load(scope, plans, now).await?;
    let month = Month::of(now);
    let charges = cost::charges(&terms::of_month(scope, month).await?, month);
    let bought = bought::total(scope, month).await?;
    Ok(Billing { current, next, seats, profile: profile::load(scope).await?, month, charges, bought })
}

/// The plans that can be chosen.
pub fn plans<P>(scope: &ReadScope<P>) -> Vec<Plan> {
    scope.db().plans().plans.clone()
}

/// The currency of all prices.
pub fn currency<P>(scope: &ReadScope<P>) -> String {
    scope.db().plans().currency.clone()
}

/// An invoice, in a list.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Deserialize)]
pub struct Invoice {
    pub id: Uuid,
    pub number: i64,
    /// The first moment of the month.
    pub month: Timestamp,
    pub currency: String,
    pub total: i64,
    pub issued_at: Timestamp,
    pub due_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    /// The word of the provider by which it was paid.
    pub provider: Option<String>,
    /// What identifies the payment there.
    pub reference: Option<String>,
}

impl Invoice {
    pub fn name(&self) -> String {
        invoice_name(self.number)
    }

    pub fn month_label(&self) -> String {
        Month::of(self.month).label()
    }
}

/// The columns of an [`Invoice`], in the order of its fields.
const FIELDS: [&str; 10] =
    ["id", "number", "month", "currency", "total", "issued_at", "due_at", "paid_at", "provider", "reference"];

const SELECT: &str =
    "SELECT i.id, i.number, i.month, i.currency, i.total, i.issued_at, i.due_at, i.paid_at, p.provider,
        p.reference
    FROM invoices i LEFT JOIN payments p ON p.workspace_id = i.workspace_id AND p.invoice_id = i.id
    WHERE i.workspace_id = $1";

/// Lists invoices, the latest first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn invoices(scope: &ReadScope<perm::ReadBilling>, at: &Position) -> Result<Page<Invoice>, Refused> {
    let (mut sql, mut values) = (SELECT.to_owned(), Vec::new());
    let order = Order { column: "i.month", is_text: false, id: "", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Invoice> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.month.as_millis()), row.id)))
}

/// An invoice as it was issued.
#[derive(Clone, Debug)]
pub struct IssuedInvoice {
    pub invoice: Invoice,
    /// Line by line.
    pub customer: String,
    pub seller: String,
    pub payment: String,
    pub lines: Vec<Line>,
}

/// One invoice.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such invoice.
pub async fn invoice(scope: &ReadScope<perm::ReadBilling>, id: Uuid) -> Result<IssuedInvoice, Refused> {
    #[derive(FromQueryResult)]
    struct Texts {
        customer: String,
        seller: String,
        payment: String,
    }
    let invoice: Option<Invoice> = scope.first(&format!("{SELECT} AND i.id = $2"), vec![id.into()]).await?;
    let invoice = invoice.ok_or(Refused::NotFound)?;
    let sql =
        "SELECT i.customer, i.seller, i.payment FROM invoices i WHERE i.workspace_id = $1 AND i.id = $2";
    let texts: Option<Texts> = scope.first(sql, vec![id.into()]).await?;
    let Texts { customer, seller, payment } = texts.ok_or(Refused::NotFound)?;
    let sql = "SELECT l.kind, l.name, l.quantity, l.unit_price, l.from_at, l.until_at, l.amount FROM invoice_lines l
        WHERE l.workspace_id = $1 AND l.invoice_id = $2 ORDER BY l.position";
    let lines = scope.all(sql, vec![id.into()]).await?;
    Ok(IssuedInvoice { invoice, customer, seller, payment, lines })
}
