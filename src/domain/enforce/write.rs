//! An admitted request that changes: everything is checked again under the lock of the boundary.

use crate::clock::Timestamp;
use crate::domain::{
    base::{event::Recorded, principal::Workspace, refused::Refused},
    enforce::{
        boundary::{Admits, Boundary, Judged},
        read::ReadScope,
        rows::Scoped,
        transaction::Transaction,
    },
};
use sea_orm::DatabaseTransaction;
use std::marker::PhantomData;
use tracing::Instrument;
use uuid::Uuid;

impl<P, B: Admits<P>> ReadScope<P, B> {
    /// Opens a transaction, locks the boundary, admits again, makes the change, checks the invariant,
    /// writes the audit rows and commits; or rolls everything back and audits the refusal.
    ///
    /// # Errors
    /// What `change` refuses, what [`ReadScope::admit`] would refuse by now, and the conflict with the
    /// invariant: [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER) of a workspace,
    /// [`LAST_ADMIN`](crate::domain::base::invariants::LAST_ADMIN) of an account.
    pub async fn write<T>(
        self,
        change: impl AsyncFnOnce(&mut WriteScope<P, B>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let id = B::id(&self.actor);
        self.write_locking(async |tx| B::lock(tx, id).await, change).await
    }

    /// [`ReadScope::write`] for a change that locks more than the boundary.
    pub(super) async fn write_locking<T>(
        self,
        lock: impl AsyncFnOnce(&DatabaseTransaction) -> Result<B::Locked, Refused>,
        change: impl AsyncFnOnce(&mut WriteScope<P, B>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        if self.credential.is_read_only() {
            return Err(self.refuse(Refused::NotAllowed(READS_ALONE)).await);
        }
        match self.attempt(lock, change).instrument(tracing::debug_span!("write")).await {
            Err(refused) => Err(self.refuse(refused).await),
            done => done,
        }
    }

    async fn attempt<T>(
        &self,
        lock: impl AsyncFnOnce(&DatabaseTransaction) -> Result<B::Locked, Refused>,
        change: impl AsyncFnOnce(&mut WriteScope<P, B>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let open = Transaction::<B>::open(&self.db, &self.origin, lock).await?;
        let this = B::id(&self.actor).into();
        let judged = B::admit(&self.db, &open.tx, &self.credential, this, open.now).await?;
        let Judged { actor, verdict, .. } = judged;
        if let Err(denied) = verdict {
            open.roll_back().await;
            return Err(denied.explain::<P, B>(&self.db, &actor).await?);
        }
        let mut scope = WriteScope { open, actor, admitted: PhantomData };
        let done = change(&mut scope).await;
        let WriteScope { open, actor, .. } = scope;
        open.finish(&B::audit_actor(&actor), done).await
    }
}

const READS_ALONE: &str = "Support access can view pages, and change nothing.";

/// An admitted request that changes: transaction open, boundary locked, everything checked again. Inside
/// a workspace, unless `B` is another boundary.
#[must_use = "a change is only kept by the commit at the end of ReadScope::write"]
pub struct WriteScope<P, B: Boundary = Workspace> {
    pub(super) open: Transaction<B>,
    pub(super) actor: B::Actor,
    admitted: PhantomData<P>,
}

impl<P, B: Boundary> Scoped<B> for WriteScope<P, B> {
    type Connection = DatabaseTransaction;
    fn boundary_id(&self) -> Uuid {
        B::id(&self.actor)
    }
    fn connection(&self) -> &Self::Connection {
        &self.open.tx
    }
}

impl<P, B: Boundary> WriteScope<P, B> {
    /// The principal on whose behalf the request is made, as of the admission under the lock.
    pub fn actor(&self) -> &B::Actor {
        &self.actor
    }

    pub(in crate::domain) fn open(&self) -> &Transaction<B> {
        &self.open
    }

    /// The moment of the change.
    pub(in crate::domain) fn now(&self) -> Timestamp {
        self.open.now
    }
}
