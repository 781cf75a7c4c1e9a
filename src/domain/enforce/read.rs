//! An admitted request that reads.

use crate::clock::Timestamp;
use crate::domain::{
    base::{
        db::Db,
        event::RecordedEvent,
        principal::{Credential, Origin, Workspace},
        read_pool::ReadPool,
        refused::Refused,
    },
    enforce::{
        boundary::{Admits, Boundary, Judged},
        refusal,
        rows::Scoped,
    },
};
use std::marker::PhantomData;
use uuid::Uuid;

/// An admitted request that reads: to a workspace, unless `B` is another boundary. Made only by
/// [`ReadScope::admit`], which *is* the check. `P` is the requirement that was met.
pub struct ReadScope<P, B: Boundary = Workspace> {
    pub(super) db: Db,
    pub(super) credential: Credential,
    pub(super) actor: B::Actor,
    pub(super) origin: Origin,
    admitted: PhantomData<P>,
}

impl<P, B: Boundary> Scoped<B> for ReadScope<P, B> {
    type Connection = ReadPool;
    fn boundary_id(&self) -> Uuid {
        B::id(&self.actor)
    }
    fn connection(&self) -> &Self::Connection {
        self.db.read()
    }
}

impl<P, B: Admits<P>> ReadScope<P, B> {
    /// Checks who the principal is, whether they belong to the boundary, and whether they meet the
    /// requirement. One SQL statement; a refusal needs more, because it is audited and explained.
    ///
    /// # Errors
    /// [`Refused::Unauthenticated`], [`Refused::NotFound`] (no such boundary, or they do not belong to it: the
    /// two are not distinguished), [`Refused::Suspended`], and where the requirement is not met
    /// [`Refused::Forbidden`] or [`Refused::NotAdmin`].
    pub async fn admit(
        db: &Db,
        credential: Credential,
        selector: B::Selector<'_>,
        origin: Origin,
    ) -> Result<Self, Refused> {
        let judged = B::admit(db, db.read(), &credential, selector, db.now()).await?;
        Self::conclude(db, credential, origin, judged).await
    }

    /// Checks everything again, for a response that takes its time: who was admitted then may not be any more.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::domain) async fn admit_again(&self) -> Result<Self, Refused> {
        let this = B::id(&self.actor).into();
        let judged = B::admit(&self.db, self.db.read(), &self.credential, this, self.db.now()).await?;
        Self::conclude(&self.db, self.credential.clone(), self.origin.clone(), judged).await
    }

    /// Returns the handle, or audits the refusal and explains it.
    pub(super) async fn conclude(
        db: &Db,
        credential: Credential,
        origin: Origin,
        judged: Judged<B>,
    ) -> Result<Self, Refused> {
        let Judged { actor, last_seen_at, verdict } = judged;
        if let Err(denied) = verdict {
            let refused = denied.explain::<P, B>(db, &actor).await?;
            let accountable = Some(B::accountable_user(&actor));
            refusal::note::<B>(db, B::id(&actor), accountable, &B::audit_actor(&actor), &origin, &refused)
                .await;
            return Err(refused);
        }
        B::note_activity(db, &actor, last_seen_at);
        Ok(Self { db: db.clone(), credential, actor, origin, admitted: PhantomData })
    }
}

impl<P, B: Boundary> ReadScope<P, B> {
    /// The principal on whose behalf the request is made, as of the admission.
    pub fn actor(&self) -> &B::Actor {
        &self.actor
    }

    pub fn now(&self) -> Timestamp {
        self.db.now()
    }

    pub(in crate::domain) fn db(&self) -> &Db {
        &self.db
    }

    /// Audits a refusal to a principal that was admitted, and returns the refusal. What
    /// [`ReadScope::write`] refuses, it has audited itself.
    pub async fn refuse(&self, refused: impl Into<Refused>) -> Refused {
        let refused = refused.into();
        let (by, accountable) = (B::audit_actor(&self.actor), Some(B::accountable_user(&self.actor)));
        refusal::note::<B>(&self.db, B::id(&self.actor), accountable, &by, &self.origin, &refused).await;
        refused
    }

    /// Records what was handed out on this admission, in a transaction of its own. Nothing is checked again: it has left,
    /// whatever became of the authority since.
    ///
    /// # Errors
    /// The database's own; [`Refused::NotFound`] where the boundary is gone.
    pub(in crate::domain) async fn record_disclosure(&self, event: RecordedEvent) -> Result<(), Refused> {
        let by = B::audit_actor(&self.actor);
        refusal::record::<B>(&self.db, B::id(&self.actor), &by, &self.origin, event).await
    }

    /// A copy of this admission, to draw a page after [`ReadScope::write`] consumed this one.
    pub fn duplicate(&self) -> Self {
        Self {
            db: self.db.clone(),
            credential: self.credential.clone(),
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            admitted: PhantomData,
        }
    }

    /// This admission under another requirement. The caller must have checked that it is met.
    pub(super) fn with_requirement<Q>(self) -> ReadScope<Q, B> {
        let Self { db, credential, actor, origin, .. } = self;
        ReadScope { db, credential, actor, origin, admitted: PhantomData }
    }
}
