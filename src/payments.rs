//! Collects what invoices amount to by Stripe.
//!
//! What is stored says what is due to be looked at. Each look reads the state at Stripe, does the next step of what is
//! missing there, and notes what came of it. Every step can be done again: its key is derived from the row, so that Stripe
//! does it once, and a payment is written under the lock of its workspace.
//!
//! Several rows are looked at at once, and few of those that failed before: one that takes long holds up no other.

use crate::{
    config::stripe::counts,
    domain::{
        Db, Description, Refused,
        base::conflict::Conflict,
        nouns::billing::{
            collect::{self, InvoiceJob, Seen},
            cost::Month,
            customers::{self, CustomerJob, Looked, Payer},
            invoice_name,
            pay::{self, ALREADY_PAID, Payment},
            provider::PaymentProvider,
        },
    },
    stripe::{
        api::{NewCustomer, NewInvoice},
        client::Stripe,
        error::StripeError,
        objects::{self, Invoice},
    },
};
use sea_orm::DbErr;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};

/// How long to wait before looking for what is due.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait while the database is away.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Rows that are looked at at once.
const MAX_LOOKS: usize = 8;

/// Those of them that failed the last time.
const MAX_FAILING: usize = 3;

/// How long looks may take to end when the server stops.
const LAST_LOOKS: Duration = Duration::from_secs(5);

/// Why a look did not come to its end.
#[derive(Debug, thiserror::Error)]
enum CollectError {
    #[error(transparent)]
    Stripe(#[from] StripeError),
    #[error("the workspace is permanently deleted")]
    NobodyPays,
    #[error(transparent)]
    Ours(#[from] Refused),
}

impl From<DbErr> for CollectError {
    fn from(error: DbErr) -> Self {
        Self::Ours(error.into())
    }
}

/// A row that this node looks at.
enum Job {
    Customer(CustomerJob),
    Invoice(InvoiceJob),
}

impl Job {
    fn is_failing(&self) -> bool {
        match self {
            Self::Customer(job) => job.is_failing(),
            Self::Invoice(job) => job.is_failing(),
        }
    }
}

/// Looks at what is due, until it is stopped. A look that is cut off is begun again, here or on another node.
pub(crate) async fn collect(db: Db, stripe: Stripe, stop: Arc<Notify>) {
    let (permits, failing) = (Arc::new(Semaphore::new(MAX_LOOKS)), Arc::new(Semaphore::new(MAX_FAILING)));
    let mut looks = JoinSet::new();
    let collecting = async {
        while let Err(error) = collect::adopt(&db).await {
            log(&db, &error.into());
            tokio::time::sleep(LONG_PAUSE).await;
        }
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            while looks.try_join_next().is_some() {}
            let of_failing = Arc::clone(&failing).try_acquire_owned().ok();
            match lease_next(&db, of_failing.is_some()).await {
                Ok(Some(job)) => {
                    let of_failing = of_failing.filter(|_| job.is_failing());
                    let (db, stripe) = (db.clone(), stripe.clone());
                    looks.spawn(async move {
                        look(&db, &stripe, job).await;
                        drop((permit, of_failing));
                    });
                }
                Ok(None) => {
                    drop((permit, of_failing));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    drop((permit, of_failing));
                    log(&db, &error.into());
                    tokio::time::sleep(LONG_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = collecting => {}
        () = stop.notified() => {}
    }
    let all = async { while looks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_LOOKS, all).await;
}

/// Leases what is due: customers first, because invoices are charged to what they saved.
async fn lease_next(db: &Db, with_failing: bool) -> Result<Option<Job>, DbErr> {
    if let Some(job) = customers::lease(db, with_failing).await? {
        return Ok(Some(Job::Customer(job)));
    }
    Ok(collect::lease_invoice(db, with_failing).await?.map(Job::Invoice))
}

/// Looks at a row, and notes what came of it. What goes wrong on our side is logged; the row is looked at again when its
/// lease ends.
async fn look(db: &Db, stripe: &Stripe, job: Job) {
    let ended = match job {
        Job::Customer(job) => end_customer(db, stripe, &job).await,
        Job::Invoice(job) => end_invoice(db, stripe, &job).await,
    };
    if let Err(error) = ended {
        log(db, &error);
    }
}

fn log(db: &Db, error: &Refused) {
    match error {
        Refused::Failed(error) if db.note_outage(error) => {}
        error => tracing::warn!(%error, "could not collect payments"),
    }
}

async fn end_customer(db: &Db, stripe: &Stripe, job: &CustomerJob) -> Result<(), Refused> {
    let looked = match look_at_customer(db, stripe, job).await {
        Ok(looked) => looked,
        // It went with its customer.
        Err(CollectError::NobodyPays) => return Ok(()),
        Err(CollectError::Ours(refused)) => return Err(refused),
        Err(CollectError::Stripe(error)) => {
            tracing::warn!(workspace = %job.workspace_id, %error, "could not look at a customer at Stripe");
            Looked::Failed { needs_new_key: !error.keeps_key() }
        }
    };
    Ok(customers::end(db, job, &looked).await?)
}

async fn end_invoice(db: &Db, stripe: &Stripe, job: &InvoiceJob) -> Result<(), Refused> {
    let seen = match look_at_invoice(db, stripe, job).await {
        Ok(seen) => seen,
        Err(CollectError::Stripe(error)) => {
            tracing::warn!(workspace = %job.workspace_id, invoice = job.number, %error, "could not collect an invoice");
            Seen::Failed { problem: sentence(&error).to_owned(), needs_new_key: !error.keeps_key() }
        }
        Err(CollectError::NobodyPays) => Seen::Over(collect::BY_HAND),
        Err(CollectError::Ours(refused)) => return Err(refused),
    };
    match &seen {
        Seen::Over(status @ (collect::TWICE | collect::DIFFERS | collect::CLOSED)) => {
            tracing::warn!(workspace = %job.workspace_id, invoice = job.number, status, "an invoice does not fit Stripe's");
        }
        Seen::Over(collect::BY_HAND) => {
            tracing::warn!(workspace = %job.workspace_id, invoice = job.number, "Stripe can't collect an invoice, because of its currency or because its workspace is permanently deleted: settle it by hand");
        }
        _ => {}
    }
    Ok(collect::end_invoice(db, job, &seen).await?)
}

/// What people are told. They can do nothing about the rest, which is in the log.
fn sentence(error: &StripeError) -> &'static str {
    match error {
        StripeError::Declined(_) => "Stripe could not collect the payment.",
        StripeError::NoAnswer(_) | StripeError::Busy(_) | StripeError::Failed(_) => {
            "Stripe can't be reached at the moment."
        }
        StripeError::Refused { .. } | StripeError::Unreadable => {
            "Stripe does not take this invoice at the moment."
        }
    }
}

/// What Stripe is to be told, the page that was opened, and then whether there is a payment method.
async fn look_at_customer(db: &Db, stripe: &Stripe, job: &CustomerJob) -> Result<Looked, CollectError> {
    tell_details(db, stripe, job).await?;
    let mut is_open = false;
    if let Some(session) = &job.session
        && let Some(session) = unless_refused(job, stripe.checkout(session).await)?
    {
        let is_theirs =
            session.customer.as_ref().is_some_and(|customer| customer.id() == job.customer.as_str());
        is_open = session.status.as_deref() == Some("open");
        if let Some(method) = session.saved_method().filter(|_| is_theirs) {
            let key = job.key("method", &session.id);
            unless_refused(job, stripe.use_method(&job.customer, method, &key).await)?;
        }
    }
    let customer = stripe.customer(&job.customer).await?;
    if customer.is_deleted() {
        return Ok(Looked::Deleted);
    }
    Ok(Looked::Done { has_method: customer.has_method(), is_open })
}

/// Tells Stripe the name and the contact, if they changed.
async fn tell_details(db: &Db, stripe: &Stripe, job: &CustomerJob) -> Result<(), CollectError> {
    let Some(key) = job.details_key() else { return Ok(()) };
    let payer = match customers::payer(db, job.workspace_id).await {
        Err(Refused::NotFound) => return Err(CollectError::NobodyPays),
        payer => payer?,
    };
    let called = (payer.name.as_str(), payer.email.as_str());
    unless_refused(job, stripe.rename_customer(&job.customer, called, &key).await)?;
    Ok(())
}

/// What Stripe answered; nothing where it refused, and would do so again. Invoices are collected all the same.
fn unless_refused<T>(job: &CustomerJob, answer: Result<T, StripeError>) -> Result<Option<T>, StripeError> {
    match answer {
        Err(error) if error.is_about_content() => {
            tracing::warn!(workspace = %job.workspace_id, %error, "Stripe does not take what belongs to a customer");
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn look_at_invoice(db: &Db, stripe: &Stripe, job: &InvoiceJob) -> Result<Seen, CollectError> {
    if job.is_over() {
        return Ok(Seen::Over(over(&job.status)));
    }
    let is_paid_elsewhere = match job.paid_by.as_deref() {
        None => false,
        // It was noted, and the end of that look was not.
        Some(word) if word == PaymentProvider::Stripe.word() => return Ok(Seen::Over(collect::PAID)),
        Some(_) => true,
    };
    let id = match &job.provider_id {
        Some(id) => id.clone(),
        None if is_paid_elsewhere => return Ok(Seen::Over(collect::SETTLED)),
        None if !counts(&job.currency) => return Ok(Seen::Over(collect::BY_HAND)),
        None => create(db, stripe, job).await?,
    };
    let mut there = stripe.invoice(&id).await?;
    if there.status.as_deref() == Some("draft") {
        if is_paid_elsewhere {
            // It stays a draft there, which is never collected.
            return Ok(Seen::Over(collect::SETTLED));
        }
        if there.total == 0 {
            there = add_item(db, stripe, job, &id).await?;
        }
        if !fits(&there, job) {
            return Ok(Seen::Over(collect::DIFFERS));
        }
        there = stripe.finalize(&id, &job.key("finalize")).await?;
    }
    match there.status.as_deref() {
        Some("open" | "paid") if is_paid_elsewhere => settle(db, stripe, job, &there).await,
        Some("open" | "paid") if !fits(&there, job) => Ok(Seen::Over(collect::DIFFERS)),
        Some("paid") => note_payment(db, job, &there).await,
        Some("open") => Ok(Seen::Open(objects::page(there.hosted_invoice_url.as_deref()))),
        Some("void" | "uncollectible") => Ok(Seen::Over(collect::CLOSED)),
        _ => Err(StripeError::Unreadable.into()),
    }
}

/// The state that a word stands for.
fn over(word: &str) -> &'static str {
    let all = [
        collect::PAID,
        collect::SETTLED,
        collect::CLOSED,
        collect::DIFFERS,
        collect::TWICE,
        collect::BY_HAND,
    ];
    all.into_iter().find(|status| *status == word).unwrap_or(collect::CLOSED)
}

/// Creates the invoice there, and the customer before it if there is none. Returns its id.
async fn create(db: &Db, stripe: &Stripe, job: &InvoiceJob) -> Result<String, CollectError> {
    let customer = customer(db, stripe, job).await?;
    let (number, invoice) = (invoice_name(job.number), job.invoice_id.to_string());
    let currency = job.currency.to_ascii_lowercase();
    let new = NewInvoice { customer: &customer, number: &number, invoice: &invoice, currency: &currency };
    let created = match stripe.create_invoice(&new, &job.key("invoice")).await {
        Err(error) if error.is_about_content() => {
            // Somebody may have deleted the customer there.
            customers::look_again(db, job.workspace_id).await?;
            // Stripe forgets a key after a day, and never a number: it may have been created before that.
            let latest = stripe.latest_invoices(&customer).await?;
            latest.data.into_iter().find(|latest| latest.is_of(&invoice)).ok_or(error)?
        }
        created => created?,
    };
    collect::note_id(db, job, &created.id).await?;
    Ok(created.id)
}

async fn customer(db: &Db, stripe: &Stripe, job: &InvoiceJob) -> Result<String, CollectError> {
    let key = customers::key(job.workspace_id, &job.attempt());
    let create = async |payer: Payer| -> Result<String, CollectError> {
        Ok(stripe.create_customer(&new_customer(payer), &key).await?.id)
    };
    match customers::ensure(db, job.workspace_id, create).await {
        Ok(saved) => Ok(saved.customer),
        // Invoices outlive their workspace, and customers don't.
        Err(CollectError::Ours(Refused::NotFound)) => Err(CollectError::NobodyPays),
        Err(error) => Err(error),
    }
}

fn new_customer(payer: Payer) -> NewCustomer {
    let Payer { workspace, name, email } = payer;
    NewCustomer { workspace: workspace.to_string(), name, email }
}

/// Puts the total on the draft, and reads it again.
async fn add_item(db: &Db, stripe: &Stripe, job: &InvoiceJob, id: &str) -> Result<Invoice, CollectError> {
    let customer = customer(db, stripe, job).await?;
    let currency = job.currency.to_ascii_lowercase();
    let description = format!("{}, {}", invoice_name(job.number), Month::of(job.month).label());
    let item = (customer.as_str(), job.total, currency.as_str());
    stripe.add_item(id, item, &description, &job.key("item")).await?;
    Ok(stripe.invoice(id).await?)
}

/// It is about the money that our invoice is about.
fn fits(there: &Invoice, job: &InvoiceJob) -> bool {
    there.total == job.total && there.currency.eq_ignore_ascii_case(&job.currency)
}

/// It was paid in another way: Stripe is told to collect nothing. Where it has collected it before, or just now, it was paid
/// twice.
async fn settle(db: &Db, stripe: &Stripe, job: &InvoiceJob, there: &Invoice) -> Result<Seen, CollectError> {
    let is_paid_there = there.status.as_deref() == Some("paid");
    // It is noted before Stripe is told. So it is read after the invoice: another node may have told it meanwhile.
    if !collect::is_settling(db, job).await? {
        if is_paid_there {
            return Ok(Seen::Over(collect::TWICE));
        }
        collect::note_settling(db, job).await?;
    }
    // The answer to the same key is the same: it tells which of both made it paid.
    match stripe.settle(&there.id, &job.key("settle")).await {
        Ok(settled) if settled.status.as_deref() == Some("paid") => Ok(Seen::Over(collect::SETTLED)),
        Ok(_) => Err(StripeError::Unreadable.into()),
        Err(StripeError::Refused { .. }) if is_paid_there => Ok(Seen::Over(collect::TWICE)),
        Err(error) => Err(error.into()),
    }
}

/// Notes that it was paid, once.
async fn note_payment(db: &Db, job: &InvoiceJob, there: &Invoice) -> Result<Seen, CollectError> {
    let reference = Description::parse(&there.id).map_err(|_| StripeError::Unreadable)?;
    let payment = Payment { provider: PaymentProvider::Stripe, reference };
    let is_paid = |conflict: &Conflict| *conflict == ALREADY_PAID;
    let mut noted = pay::pay(db, job.number, &payment).await;
    if matches!(&noted, Err(Refused::Conflict(conflict)) if is_paid(conflict)) {
        // Another node may have written the same payment at this moment: then it is seen now.
        noted = pay::pay(db, job.number, &payment).await;
    }
    match noted {
        Ok(_) => Ok(Seen::Over(collect::PAID)),
        Err(Refused::Conflict(conflict)) if is_paid(&conflict) => Ok(Seen::Over(collect::TWICE)),
        Err(refused) => Err(refused.into()),
    }
}
