//! Who pays at Stripe: a customer there for each workspace that opened a page of it, or has an invoice that it collects.

use crate::{
    clock::{HOUR, SECOND, Timestamp},
    domain::{
        base::{db::Db, event::Recorded, limits, refused::Refused, sql::Sql},
        enforce::{
            read::ReadScope,
            rows::{Scoped, Unadmitted},
            workspace::lock_even_deleted,
            write::WriteScope,
        },
        nouns::{
            billing::{
                collect::{LEASE, pause},
                events::{PaymentMethodsOpened, target},
                profile,
            },
            credits::book::InTransaction,
        },
    },
    policy::perm,
};
use sea_orm::{DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

/// When a page that was opened is looked at for the first time, if nothing is heard of it.
const FIRST_LOOK: i64 = 20 * SECOND;

/// How often after that, until it is over.
const LOOK_AGAIN: i64 = HOUR;

/// What is stored of a customer.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Saved {
    pub customer: String,
    /// Invoices are charged to something.
    pub has_method: bool,
}

const SELECT: &str = "SELECT k.customer, k.has_method FROM provider_customers k WHERE k.workspace_id = $1";

/// The customer of this workspace, if it has one.
///
/// # Errors
/// The database's own.
pub async fn get(scope: &ReadScope<perm::ReadBilling>) -> Result<Option<Saved>, Refused> {
    Ok(scope.first(SELECT, Vec::new()).await?)
}

async fn of_workspace(db: &Db, workspace: Uuid) -> Result<Option<Saved>, DbErr> {
    Unadmitted(db.read(), workspace).first(SELECT, Vec::new()).await
}

/// Who pays, as they are called at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payer {
    pub workspace: Uuid,
    pub name: String,
    /// The contact of billing; may be empty.
    pub email: String,
}

/// Who pays for a workspace, as they are called now.
///
/// # Errors
/// [`Refused::NotFound`] without the workspace.
pub async fn payer(db: &Db, workspace: Uuid) -> Result<Payer, Refused> {
    load_payer(&Unadmitted(db.read(), workspace)).await
}

async fn load_payer(scope: &impl Scoped) -> Result<Payer, Refused> {
    #[derive(FromQueryResult)]
    struct Named {
        name: String,
    }
    let sql = "SELECT w.name FROM workspaces w WHERE w.id = $1";
    let named: Option<Named> = scope.first(sql, Vec::new()).await?;
    let Named { name } = named.ok_or(Refused::NotFound)?;
    Ok(Payer { workspace: scope.workspace_id(), name, email: profile::load(scope).await?.contact })
}

/// The customer of a workspace. Where it has none, `create` does it, and returns the id.
///
/// # Errors
/// Those of `create`; [`Refused::NotFound`] without the workspace.
pub async fn ensure<E: From<Refused>>(
    db: &Db,
    workspace: Uuid,
    create: impl AsyncFnOnce(Payer) -> Result<String, E>,
) -> Result<Saved, E> {
    let saved = of_workspace(db, workspace).await.map_err(Refused::from)?;
    if let Some(saved) = saved {
        return Ok(saved);
    }
    let payer = payer(db, workspace).await?;
    let customer = create(payer.clone()).await?;
    Ok(note(db, &payer, &customer).await?)
}

/// [`ensure`] for somebody who can manage billing, and opens a page.
///
/// # Errors
/// As [`ensure`]; [`Refused::RateLimited`].
pub async fn ensure_own<E: From<Refused>>(
    scope: &ReadScope<perm::ManageBilling>,
    create: impl AsyncFnOnce(Payer) -> Result<String, E>,
) -> Result<Saved, E> {
    let workspace = scope.workspace_id();
    limits::PAYMENT_PAGES.spend(scope.db(), &workspace.to_string(), 1).await?;
    ensure(scope.db(), workspace, create).await
}

/// Notes the customer that was created for a workspace, and returns the one that counts: the first.
async fn note(db: &Db, told: &Payer, customer: &str) -> Result<Saved, Refused> {
    let tx = db.begin().await?;
    match note_in(&tx, told, customer, db.now()).await {
        Ok(saved) => {
            tx.commit().await?;
            Ok(saved)
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(refused)
        }
    }
}

async fn note_in(
    tx: &DatabaseTransaction,
    told: &Payer,
    customer: &str,
    now: Timestamp,
) -> Result<Saved, Refused> {
    // Whoever changes what Stripe was told has this lock: their change is seen here, or they see the row.
    lock_even_deleted(tx, told.workspace).await?;
    let s = Unadmitted(tx, told.workspace);
    let details_at = (load_payer(&s).await? != *told).then_some(now);
    let sql = "INSERT INTO provider_customers (workspace_id, provider, customer, has_method, details_at, due_at, created_at)
        VALUES ($1, 'stripe', $2, $3, $4, $4, $5) ON CONFLICT (workspace_id) DO NOTHING";
    s.run(sql, vec![customer.into(), false.into(), details_at.into(), now.into()]).await?;
    s.first(SELECT, Vec::new()).await?.ok_or(Refused::NotFound)
}

/// The key under which the customer of a workspace is created. Two of them are no harm: the first that is noted counts.
pub fn key(workspace: Uuid, attempt: &str) -> String {
    format!("bailiwick-customer-{workspace}-{attempt}")
}

/// A page for payment methods was opened; `session` is what is to be looked at until it is over.
///
/// # Errors
/// The database's own.
pub async fn opened(
    s: &mut WriteScope<perm::ManageBilling>,
    session: Option<&str>,
) -> Result<Recorded<()>, Refused> {
    note_session(s, session, s.now()).await?;
    let event = PaymentMethodsOpened { provider: "stripe".to_owned() };
    Ok(Recorded::new((), event, target()))
}

async fn note_session<S: InTransaction>(s: &S, session: Option<&str>, now: Timestamp) -> Result<(), DbErr> {
    // On the portal too something may change, and its message may be lost.
    let sql =
        "UPDATE provider_customers SET session = COALESCE($2, session), due_at = $3 WHERE workspace_id = $1";
    s.run(sql, vec![session.into(), (now + FIRST_LOOK).into()]).await.map(drop)
}

/// A customer that this node looks at.
#[derive(Debug, FromQueryResult)]
pub struct CustomerJob {
    pub workspace_id: Uuid,
    pub customer: String,
    /// A page that was opened, and may have been completed since.
    pub session: Option<String>,
    due_at: Timestamp,
    details_at: Option<Timestamp>,
    refusals: i64,
    failures: i64,
}

impl CustomerJob {
    /// The last look at it failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// The key of the request that tells Stripe the name and the contact; `None` if it has them.
    pub fn details_key(&self) -> Option<String> {
        self.details_at.map(|at| self.key("details", &at.to_string()))
    }

    /// The key of a request, as of an invoice.
    pub fn key(&self, what: &str, about: &str) -> String {
        format!("bailiwick-{what}-{}-{about}-{}", self.workspace_id, self.refusals)
    }
}

/// What came of a look at a customer.
#[derive(Debug)]
pub enum Looked {
    Done {
        has_method: bool,
        /// The page is still open.
        is_open: bool,
    },
    /// Somebody deleted it at Stripe. The next invoice, or whoever opens a page, has another one created.
    Deleted,
    Failed {
        needs_new_key: bool,
    },
}

/// Leases the customer that is due for longest, with or without those that failed. `None` if there is none, or another node
/// was faster.
///
/// # Errors
/// The database's own.
pub async fn lease(db: &Db, with_failing: bool) -> Result<Option<CustomerJob>, DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        workspace_id: Uuid,
        due_at: Timestamp,
    }
    let now = db.now();
    let sql = "SELECT workspace_id, due_at FROM provider_customers
        WHERE due_at <= $1 AND (failures = 0 OR $2) ORDER BY due_at, workspace_id LIMIT 1";
    let due: Option<Due> = db.read().first(sql, vec![now.into(), with_failing.into()]).await?;
    let Some(Due { workspace_id, due_at }) = due else { return Ok(None) };
    let tx = db.begin().await?;
    let sql = "UPDATE provider_customers SET due_at = $3 WHERE workspace_id = $1 AND due_at = $2
        RETURNING workspace_id, customer, session, due_at, details_at, refusals, failures";
    let job = tx.first(sql, vec![workspace_id.into(), due_at.into(), (now + LEASE).into()]).await?;
    tx.commit().await?;
    Ok(job)
}

/// Ends a look at a customer.
///
/// # Errors
/// The database's own. Then it is looked at again when the lease ends.
pub async fn end(db: &Db, job: &CustomerJob, looked: &Looked) -> Result<(), DbErr> {
    let now = db.now();
    let (has_method, is_over, due_at, failures, refusals) = match looked {
        Looked::Done { has_method, is_open: true } => {
            (Some(*has_method), false, Some(now + LOOK_AGAIN), 0, 0)
        }
        Looked::Done { has_method, is_open: false } => (Some(*has_method), true, None, 0, 0),
        Looked::Deleted => return forget(db, job).await,
        Looked::Failed { needs_new_key } => {
            (None, false, Some(now + pause(job.failures)), job.failures + 1, i64::from(*needs_new_key))
        }
    };
    let tx = db.begin().await?;
    let is_done = matches!(looked, Looked::Done { .. });
    // Another page may have been opened meanwhile, or the name changed again.
    let sql = "UPDATE provider_customers SET has_method = COALESCE($3, has_method),
            session = CASE WHEN $4 AND session = $5 THEN NULL ELSE session END,
            refusals = refusals + $6, failures = $7, due_at = CASE WHEN due_at = $2 THEN $8 ELSE due_at END,
            details_at = CASE WHEN $9 AND details_at = $10 THEN NULL ELSE details_at END
        WHERE workspace_id = $1";
    let values = vec![
        job.workspace_id.into(),
        job.due_at.into(),
        has_method.into(),
        is_over.into(),
        job.session.as_deref().into(),
        refusals.into(),
        failures.into(),
        due_at.into(),
        is_done.into(),
        job.details_at.into(),
    ];
    tx.run(sql, values).await?;
    tx.commit().await
}

async fn forget(db: &Db, job: &CustomerJob) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM provider_customers WHERE workspace_id = $1 AND customer = $2";
    tx.run(sql, vec![job.workspace_id.into(), job.customer.as_str().into()]).await?;
    tx.commit().await
}

/// Has the customer of a workspace looked at again, if it has one.
///
/// # Errors
/// The database's own.
pub async fn look_again(db: &Db, workspace: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "UPDATE provider_customers SET due_at = $2 WHERE workspace_id = $1";
    tx.run(sql, vec![workspace.into(), db.now().into()]).await?;
    tx.commit().await
}
