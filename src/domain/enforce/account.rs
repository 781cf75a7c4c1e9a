//! The way into an account: session, belonging, admin, in one SQL statement; and once more under the
//! account's lock before anything is changed.

use crate::{
    domain::{
        base::{
            account::Account,
            db::Db,
            event::{Actor as AuditActor, Recorded, RecordedEvent},
            invariants::LAST_ADMIN,
            principal::{Credential, Origin, Principal},
            read_pool::Readers,
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            account_admission::{Admin, Row},
            audit::{self, ChainHead, EventContext},
            owners, presence, transaction,
        },
    },
    entity::audit_event,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Value};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// A handle on one account. `$1` is the account in every statement; `values` follow from `$2`.
pub(in crate::domain) trait OfAccount {
    type Connection: ConnectionTrait;
    fn account_id(&self) -> Uuid;
    fn connection(&self) -> &Self::Connection;

    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        self.connection().first(sql, with_account(self.account_id(), values)).await
    }

    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        self.connection().list(columns, rows, with_account(self.account_id(), values)).await
    }
}

fn with_account(account: Uuid, values: Vec<Value>) -> Vec<Value> {
    std::iter::once(account.into()).chain(values).collect()
}

/// An admitted request about an account that reads. Made only by [`AccountScope::admit`].
pub struct AccountScope {
    db: Db,
    credential: Credential,
    actor: Admin,
    origin: Origin,
}

impl OfAccount for AccountScope {
    type Connection = Readers;
    fn account_id(&self) -> Uuid {
        self.actor.account.id
    }
    fn connection(&self) -> &Readers {
        self.db.read()
    }
}

impl AccountScope {
    /// Who is it, and an admin of this account? One SQL statement; a refusal costs more, because it is
    /// audited and explained.
    ///
    /// # Errors
    /// [`Refused::SignedOut`], [`Refused::Hidden`] (no such account, or they do not belong to it: the
    /// same answer), [`Refused::Suspended`], [`Refused::NotAdmin`].
    pub async fn admit(
        db: &Db,
        credential: Credential,
        account: Uuid,
        origin: Origin,
    ) -> Result<Self, Refused> {
        let row = Row::load(db.read(), &credential, account, db.now_ms()).await?;
        let row = row.ok_or(Refused::SignedOut)?;
        let last_seen_at = row.last_seen_at;
        let (actor, verdict) = row.judge()?;
        if let Err(verdict) = verdict {
            let refused = verdict.explain(db.read(), actor.account.id).await?;
            note_refusal(db, actor.account.id, &actor.audited(), &origin, &refused).await;
            return Err(refused);
        }
        presence::seen(db, &Principal::User(actor.person.clone()), None, last_seen_at);
        Ok(Self { db: db.clone(), credential, actor, origin })
    }

    pub fn actor(&self) -> &Admin {
        &self.actor
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.db.now_ms()
    }

    /// The same admission once more, to draw a page after [`AccountScope::write`] took this one.
    pub fn again(&self) -> Self {
        Self {
            db: self.db.clone(),
            credential: self.credential.clone(),
            actor: self.actor.clone(),
            origin: self.origin.clone(),
        }
    }

    /// Writes down that a page was refused to an admin, and hands the refusal on.
    pub async fn refuse(&self, refused: impl Into<Refused>) -> Refused {
        let refused = refused.into();
        note_refusal(&self.db, self.actor.account.id, &self.actor.audited(), &self.origin, &refused).await;
        refused
    }

    /// Opens a transaction, locks the account, admits again, makes the change, sees that an active
    /// admin remains, writes the audit rows and commits; or rolls everything back and audits the
    /// refusal.
    ///
    /// # Errors
    /// What `change` refuses, what [`AccountScope::admit`] would refuse by now, and
    /// [`LAST_ADMIN`].
    pub async fn write<T>(
        self,
        change: impl AsyncFnOnce(&mut AccountWrite) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        match self.attempt(None, change).await {
            Err(refused) => Err(self.refuse(refused).await),
            done => done,
        }
    }

    /// The same for a change that reaches into the workspaces that a key is a member of, and is told in
    /// the record of each. Nothing but the end of a key does.
    pub(in crate::domain) async fn write_reaching<T>(
        self,
        key: Uuid,
        change: impl AsyncFnOnce(&mut AccountWrite) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        match self.attempt(Some(key), change).await {
            Err(refused) => Err(self.refuse(refused).await),
            done => done,
        }
    }

    async fn attempt<T>(
        &self,
        reaching: Option<Uuid>,
        change: impl AsyncFnOnce(&mut AccountWrite) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let account = self.actor.account.id;
        let tx = self.db.begin().await?;
        // Before the account, as whoever comes into a workspace has locked that when they touch this.
        let reached = match reaching {
            Some(key) => reach(&tx, account, key).await?,
            None => Vec::new(),
        };
        lock(&tx, account).await?;
        // The time is read under the lock, so that events are in the order of their times.
        let now = self.db.now_ms();
        let row = Row::load(&tx, &self.credential, account, now).await?.ok_or(Refused::SignedOut)?;
        let (actor, verdict) = row.judge()?;
        if let Err(verdict) = verdict {
            tx.rollback().await?;
            return Err(verdict.explain(self.db.read(), account).await?);
        }
        let mut write = AccountWrite { db: self.db.clone(), tx, actor, now, reached };
        let done = match change(&mut write).await {
            Ok(recorded) => ensure_one_remains(&write).await.map(|()| recorded),
            Err(refused) => Err(refused),
        };
        let AccountWrite { tx, actor, reached, .. } = write;
        match done {
            Ok(recorded) => {
                let (value, events) = recorded.into_parts();
                let by = actor.audited();
                let context = EventContext { actor: &by, origin: &self.origin, at: now };
                for Reached { mut head, events } in reached.into_iter().filter(Reached::is_changed) {
                    owners::ensure_one_remains(&tx, head.workspace).await?;
                    audit::append(&tx, &mut head, &context, &events).await?;
                }
                audit::of_account(&tx, account, &context, &events).await?;
                tx.commit().await?;
                Ok(value)
            }
            Err(refused) => {
                tx.rollback().await?;
                Err(refused)
            }
        }
    }
}

/// An admitted request that changes an account: transaction open, account locked, everything checked
/// again.
#[must_use = "a change is only kept by the commit at the end of AccountScope::write"]
pub struct AccountWrite {
    db: Db,
    tx: DatabaseTransaction,
    actor: Admin,
    now: i64,
    reached: Vec<Reached>,
}

/// A workspace that the change reaches into: locked, with what is told of it there.
struct Reached {
    head: ChainHead,
    events: Vec<RecordedEvent>,
}

impl Reached {
    fn is_changed(&self) -> bool {
        !self.events.is_empty()
    }
}

/// Locks the workspaces of the account that a key is a member of, always in the same order.
async fn reach(tx: &DatabaseTransaction, account: Uuid, key: Uuid) -> Result<Vec<Reached>, Refused> {
    #[derive(FromQueryResult)]
    struct Place {
        id: Uuid,
    }
    let sql = "SELECT w.id FROM members m JOIN workspaces w ON w.id = m.workspace_id
        WHERE m.api_key_id = $2 AND w.account_id = $1 ORDER BY w.id";
    let places: Vec<Place> = tx.all(sql, vec![account.into(), key.into()]).await?;
    let mut reached = Vec::with_capacity(places.len());
    for place in places {
        reached.push(Reached { head: transaction::lock(tx, place.id).await?, events: Vec::new() });
    }
    Ok(reached)
}

impl OfAccount for AccountWrite {
    type Connection = DatabaseTransaction;
    fn account_id(&self) -> Uuid {
        self.actor.account.id
    }
    fn connection(&self) -> &DatabaseTransaction {
        &self.tx
    }
}

impl AccountWrite {
    /// As it stands under the lock.
    pub(in crate::domain) fn account(&self) -> &Account {
        &self.actor.account
    }

    pub(in crate::domain) fn actor_id(&self) -> Uuid {
        self.actor.id()
    }

    pub(in crate::domain) fn is_verified(&self) -> bool {
        self.actor.person.is_verified
    }

    pub(in crate::domain) fn db(&self) -> &Db {
        &self.db
    }

    pub(in crate::domain) fn now_ms(&self) -> i64 {
        self.now
    }

    /// This workspace is locked with the account.
    pub(in crate::domain) fn has_reached(&self, workspace: Uuid) -> bool {
        self.reached.iter().any(|reached| reached.head.workspace == workspace)
    }

    /// What is to be told in the record of one of them.
    pub(in crate::domain) fn tell<T>(&mut self, workspace: Uuid, recorded: Recorded<T>) {
        let mut reached = self.reached.iter_mut();
        if let Some(reached) = reached.find(|reached| reached.head.workspace == workspace) {
            reached.events.extend(recorded.into_parts().1);
        }
    }

    /// Runs a change; answers how many rows it touched.
    pub(in crate::domain) async fn run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        self.tx.run(sql, with_account(self.account_id(), values)).await
    }
}

/// Locks an account, in a statement of its own as [`scope`](crate::domain::scope) locks a workspace.
///
/// # Errors
/// [`Refused::Hidden`] where there is none.
pub(in crate::domain) async fn lock(tx: &DatabaseTransaction, account: Uuid) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Locked {
        #[expect(dead_code, reason = "a row is all that is asked for")]
        id: Uuid,
    }
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => "SELECT id FROM accounts WHERE id = $1 FOR NO KEY UPDATE",
        _ => "SELECT id FROM accounts WHERE id = $1",
    };
    let locked: Option<Locked> = tx.first(sql, vec![account.into()]).await?;
    locked.map(drop).ok_or(Refused::Hidden)
}

/// Audits a refusal in a transaction of its own: the one that was refused is gone.
pub(in crate::domain) async fn note_refusal(
    db: &Db,
    account: Uuid,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let Some(event) = audit::refusal(origin, refused) else { return };
    let written = async {
        let tx = db.begin().await?;
        lock(&tx, account).await?;
        let now = db.now_ms();
        let whose = audit_event::Column::AccountId.eq(account);
        if audit::is_flood(&tx, whose, by, &event, now).await? {
            tracing::warn!(route = origin.route, "refused too often to be audited each time");
            return tx.rollback().await.map_err(Refused::from);
        }
        let context = EventContext { actor: by, origin, at: now };
        audit::of_account(&tx, account, &context, &[event]).await?;
        tx.commit().await.map_err(Refused::from)
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a refusal could not be audited");
    }
}

/// Looks after the change, inside its transaction and under the account's lock, so that two admins
/// who unmake each other at once see each other's work.
///
/// # Errors
/// [`LAST_ADMIN`], which rolls the change back.
pub(in crate::domain) async fn ensure_one_remains(s: &AccountWrite) -> Result<(), Refused> {
    #[derive(FromQueryResult)]
    struct Remains {
        remains: bool,
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM active_admins WHERE account_id = $1) AS remains";
    let found: Option<Remains> = s.first(sql, Vec::new()).await?;
    if found.is_some_and(|found| found.remains) { Ok(()) } else { Err(LAST_ADMIN.into()) }
}
