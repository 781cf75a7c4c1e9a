//! Payments: an invoice that was paid is marked as such, once.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Conflict, db::Db, event::Recorded, refused::Refused, sql::Sql, values::Description,
        },
        enforce::{rows::Unadmitted, transaction::Transaction, workspace::change_deleted_by_program},
        nouns::{
            billing::{
                bought, collect,
                events::{self, InvoicePaid},
                invoice_name,
                line::Line,
                provider::PaymentProvider,
            },
            credits::book::InTransaction,
        },
    },
    random,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

pub const ALREADY_PAID: Conflict = Conflict::new(
    "already-paid",
    "This invoice is marked as paid already, with another reference. Nothing was changed.",
);

/// A payment, as a provider reports it.
#[derive(Clone, Debug)]
pub struct Payment {
    pub provider: PaymentProvider,
    /// What identifies it there, such as a line of a bank statement; may be empty.
    pub reference: Description,
}

/// An invoice, for whoever runs the installation.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OpenInvoice {
    pub number: i64,
    /// The slug of the workspace; empty for one that is permanently deleted.
    pub workspace: String,
    pub currency: String,
    pub total: i64,
    pub issued_at: Timestamp,
    pub due_at: Timestamp,
}

impl OpenInvoice {
    pub fn name(&self) -> String {
        invoice_name(self.number)
    }
}

/// The most invoices that are listed.
const MAX_LISTED: usize = 1_000;

/// The invoices of all workspaces that are not paid, by when they are due.
///
/// # Errors
/// The database's own.
pub async fn open_invoices(db: &Db) -> Result<Vec<OpenInvoice>, Refused> {
    let sql = format!(
        "SELECT i.number, COALESCE(w.slug, '') AS workspace, i.currency, i.total, i.issued_at, i.due_at FROM invoices i
        LEFT JOIN workspaces w ON w.id = i.workspace_id WHERE i.paid_at IS NULL
        ORDER BY i.due_at, i.id LIMIT {MAX_LISTED}"
    );
    Ok(db.read().all(&sql, Vec::new()).await?)
}

/// An invoice as it was issued, for whoever runs the installation.
#[derive(Clone, Debug)]
pub struct WholeInvoice {
    pub number: i64,
    pub currency: String,
    pub total: i64,
    /// Line by line.
    pub customer: String,
    pub seller: String,
    pub payment: String,
    pub issued_at: Timestamp,
    pub due_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    pub lines: Vec<Line>,
}

/// The invoice with this number, also of a workspace that is permanently deleted.
///
/// # Errors
/// [`Refused::NotFound`] without such an invoice.
pub async fn whole(db: &Db, number: i64) -> Result<WholeInvoice, Refused> {
    #[derive(FromQueryResult)]
    struct Invoice {
        id: Uuid,
        workspace_id: Uuid,
        currency: String,
        total: i64,
        customer: String,
        seller: String,
        payment: String,
        issued_at: Timestamp,
        due_at: Timestamp,
        paid_at: Option<Timestamp>,
    }
    let sql = "SELECT i.id, i.workspace_id, i.currency, i.total, i.customer, i.seller, i.payment, i.issued_at, i.due_at,
            i.paid_at
        FROM invoices i WHERE i.number = $1";
    let found: Option<Invoice> = db.read().first(sql, vec![number.into()]).await?;
    let invoice = found.ok_or(Refused::NotFound)?;
    let sql = "SELECT l.kind, l.name, l.quantity, l.unit_price, l.from_at, l.until_at, l.amount FROM invoice_lines l
        WHERE l.workspace_id = $1 AND l.invoice_id = $2 ORDER BY l.position";
    let lines = db.read().all(sql, vec![invoice.workspace_id.into(), invoice.id.into()]).await?;
    Ok(WholeInvoice {
        number,
        currency: invoice.currency,
        total: invoice.total,
        customer: invoice.customer,
        seller: invoice.seller,
        payment: invoice.payment,
        issued_at: invoice.issued_at,
        due_at: invoice.due_at,
        paid_at: invoice.paid_at,
        lines,
    })
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
    workspace_id: Uuid,
}

/// Marks the invoice with this number as paid. Reported again, it stays as it is. Returns its total.
///
/// # Errors
/// [`Refused::NotFound`] without such an invoice; [`ALREADY_PAID`].
pub async fn pay(db: &Db, number: i64, payment: &Payment) -> Result<(i64, String), Refused> {
    let sql = "SELECT i.id, i.workspace_id FROM invoices i WHERE i.number = $1";
    let found: Option<Found> = db.read().first(sql, vec![number.into()]).await?;
    let Found { id, workspace_id } = found.ok_or(Refused::NotFound)?;
    // That of a workspace that is deleted and can be restored, too.
    let done = change_deleted_by_program(db, workspace_id, async |open: &Transaction| {
        record(open, id, payment).await
    })
    .await;
    match done {
        Err(Refused::NotFound) => pay_of_removed(db, workspace_id, id, payment).await,
        done => done,
    }
}

/// [`pay`] where the workspace is permanently deleted. Its record has ended, so the payment is in none.
async fn pay_of_removed(
    db: &Db,
    workspace: Uuid,
    id: Uuid,
    payment: &Payment,
) -> Result<(i64, String), Refused> {
    let tx = db.begin().await?;
    let done = mark(&Unadmitted(&tx, workspace), id, payment, db.now()).await;
    match done {
        Ok(recorded) => {
            tx.commit().await?;
            Ok(recorded.into_parts().0)
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(refused)
        }
    }
}

/// What marks an invoice as paid, whichever provider reports it.
///
/// # Errors
/// As [`pay`].
pub(in crate::domain) async fn record(
    open: &Transaction,
    id: Uuid,
    payment: &Payment,
) -> Result<Recorded<(i64, String)>, Refused> {
    mark(open, id, payment, open.now).await
}

async fn mark<S: InTransaction>(
    s: &S,
    id: Uuid,
    payment: &Payment,
    now: Timestamp,
) -> Result<Recorded<(i64, String)>, Refused> {
    #[derive(FromQueryResult)]
    struct Invoice {
        number: i64,
        month: Timestamp,
        currency: String,
        total: i64,
        provider: Option<String>,
        reference: Option<String>,
    }
    let sql = "SELECT i.number, i.month, i.currency, i.total, p.provider, p.reference FROM invoices i
        LEFT JOIN payments p ON p.workspace_id = i.workspace_id AND p.invoice_id = i.id
        WHERE i.workspace_id = $1 AND i.id = $2";
    let invoice: Option<Invoice> = s.first(sql, vec![id.into()]).await?;
    let Invoice { number, month, currency, total, provider, reference } = invoice.ok_or(Refused::NotFound)?;
    let (word, named) = (payment.provider.word(), payment.reference.as_str());
    if let (Some(provider), Some(reference)) = (provider, reference) {
        return match provider == word && reference == named {
            true => Ok(Recorded::unchanged((total, currency))),
            false => Err(ALREADY_PAID.into()),
        };
    }
    let sql = "UPDATE invoices SET paid_at = $3 WHERE workspace_id = $1 AND id = $2 AND paid_at IS NULL";
    if s.run(sql, vec![id.into(), now.into()]).await? != 1 {
        return Err(ALREADY_PAID.into());
    }
    let sql = "INSERT INTO payments (id, workspace_id, invoice_id, provider, reference, amount, received_at)
        VALUES ($2, $1, $3, $4, $5, $6, $7)";
    let values = vec![random::id(now).into(), id.into(), word.into(), named.into(), total.into(), now.into()];
    s.run(sql, values).await?;
    bought::mark_paid(s, month, now).await?;
    if payment.provider == PaymentProvider::Manual {
        collect::paid_elsewhere(s, id, now).await?;
    }
    let event = InvoicePaid { number, amount: total, currency: currency.clone(), provider: word.to_owned() };
    Ok(Recorded::new((total, currency), event, events::invoice(id, number)))
}
