//! Invoices that Stripe collects: a row for each, which one node at a time looks at. What is asked there, and what follows
//! from the answer, is `payments.rs`; here is what is stored of it.
//!
//! A row is leased by moving its `due_at`. Whoever ends a look moves it again, unless it was moved meanwhile: then
//! something has happened since, and it is looked at once more.

use crate::{
    clock::{DAY, HOUR, MINUTE, SECOND, Timestamp},
    domain::{
        base::{conflict::Conflict, db::Db, refused::Refused, sql::Sql},
        enforce::{read::ReadScope, rows::Scoped},
        nouns::credits::book::InTransaction,
    },
    policy::perm,
    random,
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

pub const NO_PROVIDER: Conflict = Conflict::new(
    "no-payment-provider",
    "This installation collects no payments by itself: pay invoices as they say. Nothing was changed.",
);

/// It is not there yet.
pub const WAITING: &str = "waiting";
/// It waits for its payment there.
pub const OPEN: &str = "open";
/// It was paid there.
pub const PAID: &str = "paid";
/// It was paid in another way, and nothing is collected there.
pub const SETTLED: &str = "settled";
/// It was closed there without a payment. One that was only given up can still be paid there.
pub const CLOSED: &str = "closed";
/// It has another amount there, and is not collected.
pub const DIFFERS: &str = "differs";
/// It was paid there, and in another way too.
pub const TWICE: &str = "twice";
/// It can't come there, because of its currency or because its workspace was permanently deleted before: whoever runs the
/// installation settles it.
pub const BY_HAND: &str = "by_hand";

/// How long a row is leased, in milliseconds: longer than its calls may take.
pub(super) const LEASE: i64 = 15 * MINUTE;

/// How long until one that is open is looked at again, if nothing is heard of it.
const LOOK_AGAIN: i64 = DAY;

/// The first pause after a failure, in milliseconds; each further one is twice as long.
const FIRST_PAUSE: i64 = 30 * SECOND;

/// The longest pause after a failure.
const MAX_PAUSE: i64 = 6 * HOUR;

/// The most invoices that are handed over in one transaction.
const BATCH: usize = 500;

/// Has an invoice collected. It is looked at as soon as the transaction is committed.
pub(super) async fn hand_over<S: InTransaction>(s: &S, invoice: Uuid, now: Timestamp) -> Result<(), DbErr> {
    let sql = "INSERT INTO provider_invoices (workspace_id, invoice_id, provider, status, due_at)
        VALUES ($1, $2, 'stripe', 'waiting', $3)";
    s.run(sql, vec![invoice.into(), now.into()]).await.map(drop)
}

/// An invoice was paid in another way: Stripe is to be told before it collects anything.
pub(super) async fn paid_elsewhere<S: InTransaction>(
    s: &S,
    invoice: Uuid,
    now: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE provider_invoices SET due_at = $3
        WHERE workspace_id = $1 AND invoice_id = $2 AND status IN ('waiting', 'open')";
    s.run(sql, vec![invoice.into(), now.into()]).await.map(drop)
}

/// Has the open invoices collected that are older than the settings of Stripe. Returns how many there were. Those of a
/// workspace that is permanently deleted are settled by hand.
///
/// # Errors
/// The database's own.
pub async fn adopt(db: &Db) -> Result<u64, DbErr> {
    let sql = format!(
        "INSERT INTO provider_invoices (workspace_id, invoice_id, provider, status, due_at)
        SELECT i.workspace_id, i.id, 'stripe', 'waiting', $1 FROM invoices i
        WHERE i.paid_at IS NULL AND NOT EXISTS (SELECT 1 FROM provider_invoices c
                WHERE c.workspace_id = i.workspace_id AND c.invoice_id = i.id)
            AND EXISTS (SELECT 1 FROM workspaces w WHERE w.id = i.workspace_id AND w.purge_began_at IS NULL)
        ORDER BY i.due_at, i.id LIMIT {BATCH}
        ON CONFLICT (workspace_id, invoice_id) DO NOTHING"
    );
    let mut count = 0;
    loop {
        let tx = db.begin().await?;
        let adopted = tx.run(&sql, vec![db.now().into()]).await?;
        tx.commit().await?;
        count += adopted;
        if adopted < BATCH as u64 {
            return Ok(count);
        }
    }
}

/// An invoice that this node looks at.
#[derive(Debug, FromQueryResult)]
pub struct InvoiceJob {
    pub workspace_id: Uuid,
    pub invoice_id: Uuid,
    /// Until when it is leased.
    due_at: Timestamp,
    pub status: String,
    /// Its id at Stripe.
    pub provider_id: Option<String>,
    pub number: i64,
    /// The first moment of its month.
    pub month: Timestamp,
    pub currency: String,
    pub total: i64,
    /// The word of the provider by which it is paid.
    pub paid_by: Option<String>,
    refusals: i64,
    failures: i64,
}

impl InvoiceJob {
    /// The key of a request. It is another one once Stripe has refused it, which it would repeat.
    pub fn key(&self, what: &str) -> String {
        format!("bailiwick-{what}-{}-{}", self.invoice_id, self.refusals)
    }

    /// Which attempt it is, for the key of what is about the workspace.
    pub fn attempt(&self) -> String {
        self.refusals.to_string()
    }

    /// The last look at it failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Nothing is to be done about it any more, whatever is heard of it.
    pub fn is_over(&self) -> bool {
        ![WAITING, OPEN, CLOSED].contains(&self.status.as_str())
    }
}

/// What came of a look at an invoice.
#[derive(Debug)]
pub enum Seen {
    /// It can be paid there, on this page.
    Open(Option<String>),
    /// It is over, in one of the states of this file.
    Over(&'static str),
    /// It is looked at again, after a pause.
    Failed {
        /// What people are told, as a sentence.
        problem: String,
        /// Stripe would answer the same to the same key.
        needs_new_key: bool,
    },
}

#[derive(FromQueryResult)]
struct Due {
    workspace_id: Uuid,
    invoice_id: Uuid,
    due_at: Timestamp,
}

const JOB: &str =
    "SELECT c.workspace_id, c.invoice_id, c.due_at, c.status, c.provider_id, i.number, i.month, i.currency,
        i.total, p.provider AS paid_by, c.refusals, c.failures
    FROM provider_invoices c
    JOIN invoices i ON i.workspace_id = c.workspace_id AND i.id = c.invoice_id
    LEFT JOIN payments p ON p.workspace_id = c.workspace_id AND p.invoice_id = c.invoice_id
    WHERE c.workspace_id = $1 AND c.invoice_id = $2";

/// Leases the invoice that is due for longest, with or without those that failed. `None` if there is none, or another node
/// was faster.
///
/// # Errors
/// The database's own.
pub async fn lease_invoice(db: &Db, with_failing: bool) -> Result<Option<InvoiceJob>, DbErr> {
    let now = db.now();
    let sql = "SELECT workspace_id, invoice_id, due_at FROM provider_invoices
        WHERE due_at <= $1 AND (failures = 0 OR $2) ORDER BY due_at, invoice_id LIMIT 1";
    let due: Option<Due> = db.read().first(sql, vec![now.into(), with_failing.into()]).await?;
    let Some(Due { workspace_id, invoice_id, due_at }) = due else { return Ok(None) };
    let tx = db.begin().await?;
    let sql = "UPDATE provider_invoices SET due_at = $4
        WHERE workspace_id = $1 AND invoice_id = $2 AND due_at = $3";
    let values = vec![workspace_id.into(), invoice_id.into(), due_at.into(), (now + LEASE).into()];
    let job = match tx.run(sql, values).await? {
        1 => tx.first(JOB, vec![workspace_id.into(), invoice_id.into()]).await?,
        _ => None,
    };
    tx.commit().await?;
    Ok(job)
}

/// Notes the id under which Stripe has it. The first one counts.
///
/// # Errors
/// The database's own.
pub async fn note_id(db: &Db, job: &InvoiceJob, id: &str) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "UPDATE provider_invoices SET provider_id = $3
        WHERE workspace_id = $1 AND invoice_id = $2 AND provider_id IS NULL";
    tx.run(sql, vec![job.workspace_id.into(), job.invoice_id.into(), id.into()]).await?;
    tx.commit().await
}

/// Whether Stripe was to be told that it was paid in another way.
///
/// # Errors
/// The database's own.
pub async fn is_settling(db: &Db, job: &InvoiceJob) -> Result<bool, DbErr> {
    #[derive(FromQueryResult)]
    struct Settling {
        is_settling: bool,
    }
    let sql = "SELECT c.settling_at IS NOT NULL AS is_settling FROM provider_invoices c
        WHERE c.workspace_id = $1 AND c.invoice_id = $2";
    let values = vec![job.workspace_id.into(), job.invoice_id.into()];
    let found: Option<Settling> = db.read().first(sql, values).await?;
    Ok(found.is_some_and(|found| found.is_settling))
}

/// Notes that Stripe is being told that it was paid in another way.
///
/// # Errors
/// The database's own.
pub async fn note_settling(db: &Db, job: &InvoiceJob) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "UPDATE provider_invoices SET settling_at = $3 WHERE workspace_id = $1 AND invoice_id = $2";
    tx.run(sql, vec![job.workspace_id.into(), job.invoice_id.into(), db.now().into()]).await?;
    tx.commit().await
}

/// Ends a look at an invoice.
///
/// # Errors
/// The database's own. Then it is looked at again when the lease ends.
pub async fn end_invoice(db: &Db, job: &InvoiceJob, seen: &Seen) -> Result<(), DbErr> {
    let now = db.now();
    let (status, page, problem, due_at, failures, refusals) = match seen {
        Seen::Open(page) => (OPEN, page.as_deref(), "", Some(now + LOOK_AGAIN), 0, 0),
        Seen::Over(status) => (*status, Some(""), "", None, 0, 0),
        Seen::Failed { problem, needs_new_key } => {
            let due_at = Some(now + pause(job.failures));
            (job.status.as_str(), None, problem.as_str(), due_at, job.failures + 1, i64::from(*needs_new_key))
        }
    };
    let tx = db.begin().await?;
    // What is over stays so: a node whose lease has ended may come late. Only a payment changes what was closed.
    let sql = "UPDATE provider_invoices SET status = CASE WHEN status IN ('waiting', 'open')
                OR status = 'closed' AND $4 IN ('paid', 'settled', 'twice', 'differs') THEN $4 ELSE status END,
            page = COALESCE($5, page), problem = $6, refusals = refusals + $7, failures = $8, due_at = CASE WHEN due_at = $3 THEN $9 ELSE due_at END
        WHERE workspace_id = $1 AND invoice_id = $2";
    let values = vec![
        job.workspace_id.into(),
        job.invoice_id.into(),
        job.due_at.into(),
        status.into(),
        page.into(),
        problem.into(),
        refusals.into(),
        failures.into(),
        due_at.into(),
    ];
    tx.run(sql, values).await?;
    tx.commit().await
}

/// The pause after so many failures and one more, give or take a fifth, in milliseconds: what failed together does not come
/// back together.
pub(super) fn pause(failures: i64) -> i64 {
    let doubled = FIRST_PAUSE << failures.clamp(0, 20);
    let pause = doubled.min(MAX_PAUSE);
    let random = i64::from(u16::from_le_bytes(random::bytes::<2>()));
    pause * 4 / 5 + pause * 2 / 5 * random / i64::from(u16::MAX)
}

/// How an invoice stands at Stripe, for its page.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Collection {
    pub status: String,
    /// What stands in the way, in a sentence; may be empty.
    pub problem: String,
}

impl Collection {
    /// What whoever pays is told beside how it is paid, in sentences; may be empty.
    pub fn sentences(&self) -> String {
        match self.status.as_str() {
            DIFFERS | CLOSED | BY_HAND => {
                "Stripe does not collect this invoice. Ask the people who run this installation how to pay it."
                    .to_owned()
            }
            _ if self.problem.is_empty() => String::new(),
            _ => format!("{} The invoice stays open, and it is tried again by itself.", self.problem),
        }
    }
}

/// How an invoice stands at Stripe; `None` where it collects nothing.
///
/// # Errors
/// The database's own.
pub async fn of_invoice(
    scope: &ReadScope<perm::ReadBilling>,
    id: Uuid,
) -> Result<Option<Collection>, Refused> {
    if !scope.db().uses_stripe() {
        return Ok(None);
    }
    let sql =
        "SELECT c.status, c.problem FROM provider_invoices c WHERE c.workspace_id = $1 AND c.invoice_id = $2";
    Ok(scope.first(sql, vec![id.into()]).await?)
}

/// The page of Stripe on which an open invoice can be paid, if there is one. Whoever has its address needs nothing else, so
/// it is for those who manage billing.
///
/// # Errors
/// The database's own.
pub async fn page(scope: &ReadScope<perm::ManageBilling>, id: Uuid) -> Result<Option<String>, Refused> {
    #[derive(FromQueryResult)]
    struct Row {
        page: String,
    }
    if !scope.db().uses_stripe() {
        return Ok(None);
    }
    let sql = "SELECT c.page FROM provider_invoices c
        JOIN invoices i ON i.workspace_id = c.workspace_id AND i.id = c.invoice_id AND i.paid_at IS NULL
        WHERE c.workspace_id = $1 AND c.invoice_id = $2 AND c.status = 'open' AND c.page <> ''";
    let found: Option<Row> = scope.first(sql, vec![id.into()]).await?;
    Ok(found.map(|found| found.page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_six_hours() {
        for (failures, expected) in
            [(0, 30 * SECOND), (1, MINUTE), (3, 4 * MINUTE), (20, 6 * HOUR), (999, 6 * HOUR)]
        {
            let pause = pause(failures);
            assert!((expected * 4 / 5..=expected * 6 / 5).contains(&pause), "{failures}: {pause}");
        }
    }
}
