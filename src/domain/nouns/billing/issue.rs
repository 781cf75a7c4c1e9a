//! The invoices: one for each month and workspace, once the month is over.
//!
//! Under the lock of the workspace the month that is due is read again, and the row of the invoice is unique for workspace
//! and month. So of two nodes that see the same month one makes its invoice.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::{Recorded, RecordedEvent},
            money::money,
            outage::Outage,
            outbox::Mail,
            refused::Refused,
            sql::Sql,
            words::{day, inert},
        },
        enforce::{
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_by_program, roles},
        },
        nouns::billing::{
            bought,
            change::include,
            collect,
            cost::{self, Month, Terms},
            events::{self, InvoiceIssued},
            invoice_name,
            line::Line,
            mail::InvoiceIssuedMail,
            profile::{self, Profile},
            provider::PaymentProvider,
            terms,
        },
        records::holders,
    },
    policy::Permission,
    random,
};
use sea_orm::{DbErr, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a month's invoice has, in the order of its lines: seats, then credits.
pub(super) fn lines(terms: &[Terms], month: Month, bought: Vec<Line>) -> Vec<Line> {
    let line = |charge: cost::Charge| Line {
        kind: "seats".to_owned(),
        name: charge.name,
        quantity: charge.seats,
        unit_price: charge.seat_price,
        from_at: charge.from,
        until_at: charge.until,
        amount: charge.amount,
    };
    cost::charges(terms, month).into_iter().map(line).chain(bought).collect()
}

/// Workspaces looked at at a time.
const WORKSPACES: usize = 100;

#[derive(FromQueryResult)]
struct Due {
    workspace_id: Uuid,
    invoiced_until: Timestamp,
}

/// Issues the invoices of all months that are over, and grants the credits that come with the present one. What goes wrong
/// in one workspace is logged, and tried again the next time.
///
/// # Errors
/// The database's own.
pub async fn issue_due(db: &Db) -> Result<(), DbErr> {
    let mut after = (Timestamp::from_millis(i64::MIN), Uuid::nil());
    loop {
        let sql = format!(
            "SELECT p.workspace_id, p.invoiced_until FROM billing_profiles p
            WHERE p.invoiced_until < $1 AND (p.invoiced_until, p.workspace_id) > ($2, $3)
                AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = p.workspace_id AND w.deleted_at IS NULL)
            ORDER BY p.invoiced_until, p.workspace_id LIMIT {WORKSPACES}"
        );
        let values = vec![Month::of(db.now()).start().into(), after.0.into(), after.1.into()];
        let due: Vec<Due> = db.read().all(&sql, values).await?;
        for Due { workspace_id, .. } in &due {
            // Those of earlier months too, one after the other.
            loop {
                match change_by_program(db, *workspace_id, async |open: &Transaction| issue(open).await).await
                {
                    Ok(true) => {}
                    // Deleted meanwhile.
                    Ok(false) | Err(Refused::NotFound) => break,
                    // Nothing works for now. Anything else concerns this workspace alone, and holds up no other one.
                    Err(Refused::Failed(error)) if Outage::of(&error).is_some() => return Err(error),
                    Err(error) => {
                        tracing::warn!(workspace = %workspace_id, %error, "could not issue an invoice");
                        break;
                    }
                }
            }
        }
        match due.last() {
            Some(last) if due.len() == WORKSPACES => after = (last.invoiced_until, last.workspace_id),
            _ => return Ok(()),
        }
    }
}

#[derive(FromQueryResult)]
struct Until {
    invoiced_until: Timestamp,
}

#[derive(FromQueryResult)]
struct Last {
    last: i64,
}

#[derive(FromQueryResult)]
struct Workspace {
    name: String,
    slug: String,
}

/// The first month that is not invoiced; none where the workspace never had to do with billing.
async fn first_open(open: &Transaction) -> Result<Option<Month>, DbErr> {
    let sql = "SELECT p.invoiced_until FROM billing_profiles p WHERE p.workspace_id = $1";
    let until: Option<Until> = open.first(sql, Vec::new()).await?;
    Ok(until.map(|until| Month::of(until.invoiced_until)))
}

/// Issues the invoice of one month that is over, if there is one. Returns whether there was.
async fn issue(open: &Transaction) -> Result<Recorded<bool>, Refused> {
    let month = first_open(open).await?.ok_or(Refused::NotFound)?;
    if month.end() > open.now {
        return Ok(Recorded::unchanged(false));
    }
    let agreed = terms::of_month(open, month).await?;
    let mut events: Vec<RecordedEvent> = settle(open, month, &agreed, false).await?.into_iter().collect();
    // What comes with the month that begins now; of one that is over it would have expired.
    let next = month.next();
    if let Some(current) = agreed.last().filter(|_| next.end() > open.now) {
        match include(open, &current.plan_name, current.credits, open.now).await {
            Ok(granted) => events.extend(granted.into_parts().1),
            // More than a workspace can have. The month is invoiced all the same.
            Err(Refused::Invalid(invalid)) => {
                tracing::warn!(workspace = %open.boundary_id(), ?invalid, "could not grant the credits of a plan");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Recorded::many(true, events))
}

/// Issues the last invoices of a workspace that nobody can restore any more: up to that of the month in which it was
/// deleted, which is paid for as a whole.
pub(in crate::domain) async fn close(
    open: &Transaction,
    deleted_at: Timestamp,
) -> Result<Vec<RecordedEvent>, Refused> {
    let mut events = Vec::new();
    while let Some(month) = first_open(open).await?.filter(|month| month.start() <= deleted_at) {
        let agreed = terms::of_month(open, month).await?;
        events.extend(settle(open, month, &agreed, true).await?);
    }
    Ok(events)
}

/// Writes the invoice of a month, if it costs anything; in any case the month is done with.
async fn settle(
    open: &Transaction,
    month: Month,
    agreed: &[Terms],
    is_last: bool,
) -> Result<Option<RecordedEvent>, Refused> {
    let lines = lines(agreed, month, bought::lines(open, month).await?);
    let issued = match lines.iter().any(|line| line.amount > 0) {
        true => {
            // That of what has a price: a plan without one may be older than the currency of the file.
            let priced = agreed.iter().rfind(|terms| terms.seat_price > 0);
            let currency = priced.map(|terms| terms.currency.as_str());
            Some(write(open, month, currency, &lines, is_last).await?)
        }
        false => None,
    };
    let sql = "UPDATE billing_profiles SET invoiced_until = $2 WHERE workspace_id = $1";
    open.run(sql, vec![month.end().into()]).await?;
    Ok(issued)
}

/// Writes an invoice, and mails it.
async fn write(
    open: &Transaction,
    month: Month,
    currency: Option<&str>,
    lines: &[Line],
    is_last: bool,
) -> Result<RecordedEvent, Refused> {
    let plans = open.db.plans();
    let currency = currency.unwrap_or(&plans.currency).to_owned();
    let profile = profile::load(open).await?;
    let sql = "SELECT w.name, w.slug FROM workspaces w WHERE w.id = $1";
    let workspace: Workspace = open.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
    let sql = "INSERT INTO invoice_numbers (id, last) VALUES (1, 1)
        ON CONFLICT (id) DO UPDATE SET last = invoice_numbers.last + 1 RETURNING last";
    let Last { last: number } = open.tx.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
    let (id, name) = (random::id(open.now), invoice_name(number));
    let total: i64 = lines.iter().map(|line| line.amount).sum();
    let due_at = open.now + plans.due_days * DAY;
    // What is left of a workspace has nobody whom a provider could charge.
    let provider = if is_last { PaymentProvider::Manual } else { PaymentProvider::of(&open.db) };
    let payment = provider.how_to_pay(plans, &name).sentence;
    let sql = "INSERT INTO invoices (id, workspace_id, number, month, currency, total, customer, seller, payment, issued_at,
            due_at)
        VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = vec![
        id.into(),
        number.into(),
        month.start().into(),
        currency.as_str().into(),
        total.into(),
        customer(&workspace, &profile).into(),
        plans.seller.join("\n").into(),
        payment.as_str().into(),
        open.now.into(),
        due_at.into(),
    ];
    open.run(sql, values).await?;
    for (line, position) in lines.iter().zip(1_i64..) {
        let sql = "INSERT INTO invoice_lines (workspace_id, invoice_id, position, kind, name, quantity, unit_price, from_at,
                until_at, amount)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let values = vec![
            id.into(),
            position.into(),
            line.kind.as_str().into(),
            line.name.as_str().into(),
            line.quantity.into(),
            line.unit_price.into(),
            line.from_at.into(),
            line.until_at.into(),
            line.amount.into(),
        ];
        open.run(sql, values).await?;
    }
    if provider == PaymentProvider::Stripe {
        collect::hand_over(open, id, open.now).await?;
    }
    let page = match is_last {
        true => String::new(),
        false => format!("{}/w/{}/billing/invoices/{id}", open.db.public_url(), workspace.slug),
    };
    let mail = InvoiceIssuedMail {
        workspace: &inert(&workspace.name),
        invoice: &name,
        month: &month.label(),
        total: &money(total, &currency),
        due: &day(due_at),
        how_to_pay: &payment,
        items: &lines.iter().map(|line| line.in_words(&currency)).collect::<Vec<_>>(),
        page: &page,
    };
    for address in recipients(open, &profile).await? {
        Mail::new(&address, &mail).queue(&open.db, &open.tx, open.now).await?;
    }
    let event = InvoiceIssued { number, month: month.start(), total, currency, due_at };
    Ok(RecordedEvent::new(event, events::invoice(id, number)))
}

/// Who pays, as it stands on an invoice: the address that was entered, or else the name of the workspace.
fn customer(workspace: &Workspace, profile: &Profile) -> String {
    let name = match profile.address.as_str() {
        "" => workspace.name.as_str(),
        address => address,
    };
    match profile.tax_number.as_str() {
        "" => name.to_owned(),
        number => format!("{name}\nTax number: {number}"),
    }
}

async fn recipients(open: &Transaction, profile: &Profile) -> Result<BTreeSet<String>, DbErr> {
    if !profile.contact.is_empty() {
        return Ok(BTreeSet::from([profile.contact.clone()]));
    }
    let all = roles::load(open).await?;
    holders::addresses(open, &all, Permission::ManageBilling).await
}
