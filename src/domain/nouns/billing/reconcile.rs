//! Whether the parts of billing fit together: people and seats, months and invoices, invoices and what was agreed, payments.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{db::Db, refused::Refused, sql::Sql, words::pluralize},
        enforce::{
            rows::{Scoped, Unadmitted},
            workspace::lock_even_deleted,
        },
        nouns::billing::{
            bought, collect, cost::Month, invoice_name, issue::lines, line::Line, seats, terms,
        },
    },
};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use std::fmt;
use uuid::Uuid;

/// One thing that does not fit, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    pub workspace: Uuid,
    pub what: String,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workspace {}  {}", self.workspace, self.what)
    }
}

/// Workspaces looked at at a time.
const BATCH: usize = 200;

/// The latest invoices of each that are compared.
const INVOICES: usize = 24;

#[derive(FromQueryResult)]
struct Row {
    workspace_id: Uuid,
}

/// Compares everything. Each workspace is locked while it is read, so that nothing changes meanwhile.
///
/// # Errors
/// The database's own.
pub async fn reconcile(db: &Db) -> Result<Vec<Drift>, Refused> {
    let (mut found, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let sql = format!(
            "SELECT p.workspace_id FROM billing_profiles p WHERE p.workspace_id > $1
            ORDER BY p.workspace_id LIMIT {BATCH}"
        );
        let rows: Vec<Row> = db.read().all(&sql, vec![after.into()]).await?;
        for Row { workspace_id } in &rows {
            let tx = db.begin().await?;
            let what = match lock_even_deleted(&tx, *workspace_id).await {
                Ok(_) => compare(db, &Unadmitted(&tx, *workspace_id)).await,
                // Deleted meanwhile.
                Err(Refused::NotFound) => Ok(Vec::new()),
                Err(error) => Err(error),
            };
            tx.rollback().await?;
            found.extend(what?.into_iter().map(|what| Drift { workspace: *workspace_id, what }));
        }
        match rows.last() {
            Some(last) if rows.len() == BATCH => after = last.workspace_id,
            _ => return Ok(found),
        }
    }
}

/// [`reconcile`], whose findings are logged.
///
/// # Errors
/// The database's own.
pub async fn report(db: &Db) -> Result<(), Refused> {
    let found = reconcile(db).await?;
    for drift in found.iter().take(100) {
        tracing::warn!(workspace = %drift.workspace, "billing does not fit together: {}", drift.what);
    }
    match found.len() {
        0 => tracing::info!("billing was compared, and fits together"),
        count => tracing::warn!(count, "billing does not fit together; see bailiwick reconcile-billing"),
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct State {
    invoiced_until: Timestamp,
    is_deleted: bool,
}

#[derive(FromQueryResult)]
struct InvoiceRow {
    id: Uuid,
    number: i64,
    month: Timestamp,
    total: i64,
    paid_at: Option<Timestamp>,
    paid: Option<i64>,
    /// How it stands at the provider that collects it.
    there: Option<String>,
}

type Locked<'a> = Unadmitted<'a, DatabaseTransaction>;

async fn compare(db: &Db, s: &Locked<'_>) -> Result<Vec<String>, Refused> {
    let (mut found, now) = (Vec::new(), db.now());
    let sql = "SELECT p.invoiced_until, w.deleted_at IS NOT NULL AS is_deleted FROM billing_profiles p
        JOIN workspaces w ON w.id = p.workspace_id WHERE p.workspace_id = $1";
    let Some(State { invoiced_until, is_deleted }) = s.first(sql, Vec::new()).await? else {
        return Ok(found);
    };
    let (seats, _) = seats::load(s, db.plans(), now).await?;
    if let Some(limit) = seats.limit.filter(|limit| seats.active > *limit) {
        let (people, limit) =
            (pluralize(seats.active, "person", "people"), pluralize(limit, "seat", "seats"));
        found.push(format!("{people} active with {limit} of the plan {}", seats.plan));
    }
    let due = Month::of(invoiced_until);
    if due.end() + DAY <= now && !is_deleted {
        found.push(format!("{} has no invoice, and is over for more than a day", due.label()));
    }
    let sql = format!(
        "SELECT i.id, i.number, i.month, i.total, i.paid_at, p.amount AS paid, c.status AS there FROM invoices i
        LEFT JOIN payments p ON p.workspace_id = i.workspace_id AND p.invoice_id = i.id
        LEFT JOIN provider_invoices c ON c.workspace_id = i.workspace_id AND c.invoice_id = i.id
        WHERE i.workspace_id = $1 ORDER BY i.month DESC LIMIT {INVOICES}"
    );
    let invoices: Vec<InvoiceRow> = s.all(&sql, Vec::new()).await?;
    for invoice in invoices {
        let what = compare_invoice(s, &invoice).await?;
        found.extend(what.into_iter().map(|what| format!("{}: {what}", invoice_name(invoice.number))));
    }
    Ok(found)
}

async fn compare_invoice(s: &Locked<'_>, invoice: &InvoiceRow) -> Result<Vec<String>, Refused> {
    let mut found = Vec::new();
    let sql = "SELECT l.kind, l.name, l.quantity, l.unit_price, l.from_at, l.until_at, l.amount FROM invoice_lines l
        WHERE l.workspace_id = $1 AND l.invoice_id = $2 ORDER BY l.position";
    let stored: Vec<Line> = s.all(sql, vec![invoice.id.into()]).await?;
    let sum: i64 = stored.iter().map(|line| line.amount).sum();
    if sum != invoice.total {
        found.push(format!("its items add up to {sum}, and its total is {}", invoice.total));
    }
    let month = Month::of(invoice.month);
    if stored != lines(&terms::of_month(s, month).await?, month, bought::lines(s, month).await?) {
        found.push("its items are others than what was agreed in the month".to_owned());
    }
    match (invoice.paid_at, invoice.paid) {
        (None, None) => {}
        (Some(_), Some(paid)) if paid == invoice.total => {}
        (Some(_), Some(paid)) => {
            found.push(format!("{paid} was paid, and its total is {}", invoice.total));
        }
        (Some(_), None) => found.push("it is paid, and there is no payment".to_owned()),
        (None, Some(_)) => found.push("there is a payment, and it is not paid".to_owned()),
    }
    match invoice.there.as_deref() {
        Some(collect::TWICE) => found.push("it was paid at Stripe, and in another way too".to_owned()),
        Some(collect::DIFFERS) => {
            found.push("Stripe has another amount for it, and collects nothing".to_owned())
        }
        Some(collect::CLOSED) if invoice.paid_at.is_none() => {
            found.push("it was closed at Stripe without a payment".to_owned())
        }
        _ => {}
    }
    Ok(found)
}
