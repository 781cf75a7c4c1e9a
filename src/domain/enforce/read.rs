//! The way in, steps 1 to 6 of the enforcement path, once.
//!
//! ```text
//! session ─ admit ─→ ReadScope<P> ─ write ─→ WriteScope<P> ─→ owners · audit · commit
//! ```
//!
//! [`ReadScope::admit`] is the check of session, active membership and permission, in one SQL
//! statement; [`ReadScope::write`] opens a transaction, locks the workspace and checks all of it
//! again; and nothing but its end commits. Two more doors lead in for those who have no membership
//! yet: `redeem` an invitation and `found` a workspace. The fourth, to an account, is in
//! [`accounts`](super::accounts), and leads into no workspace.
//!
//! What a handle was admitted for is in its type. A change under the wrong permission does not compile:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{members, Refused, enforce::read::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::InviteMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! The same under the right one does:
//! ```
//! use bailiwick::{domain::{members, Refused, enforce::read::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! A handle that only reads does not write:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{members, Refused, enforce::read::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     members::suspend(&mut scope, id).await.map(drop)
//! }
//! ```
//! A change that leaves no audit event behind does not commit:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, enforce::read::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>) -> Result<(), Refused> {
//!     scope.write(async |_| Ok(())).await
//! }
//! ```
//! Outside `domain` there is no connection to query:
//! ```compile_fail,E0624
//! use bailiwick::{domain::{Db, Refused}};
//! async fn handler(db: &Db) { let _ = db.read(); }
//! ```

use crate::{
    domain::{
        base::{
            db::Db,
            principal::{Actor, Credential, Origin},
            read_pool::Readers,
            refused::Refused,
        },
        enforce::{
            admission::{Asked, Row, explain, require},
            presence,
            rows::Scoped,
            transaction::record_refusal,
        },
    },
    policy::{Access, Permission},
};
use sea_orm::Value;

use std::marker::PhantomData;
use uuid::Uuid;

/// An admitted request that reads. Made only by [`ReadScope::admit`], which *is* the check.
pub struct ReadScope<P> {
    pub(super) db: Db,
    pub(super) credential: Credential,
    pub(super) actor: Actor,
    pub(super) origin: Origin,
    admitted: PhantomData<P>,
}

impl<P> Scoped for ReadScope<P> {
    type Connection = Readers;
    fn workspace_id(&self) -> Uuid {
        self.actor.workspace.id
    }
    fn connection(&self) -> &Self::Connection {
        self.db.read()
    }
}

impl<P: Access> ReadScope<P> {
    /// Steps 1 to 3: who is it, an active member, with the permission? One SQL statement; a refusal
    /// costs more, because it is audited and explained.
    ///
    /// # Errors
    /// [`Refused::SignedOut`], [`Refused::Hidden`] (no such workspace or no membership: the same
    /// answer), [`Refused::Suspended`], [`Refused::Forbidden`].
    pub async fn admit(
        db: &Db,
        credential: Credential,
        asked: Asked<'_>,
        origin: Origin,
    ) -> Result<Self, Refused> {
        Ok(Self::admit_about(db, credential, asked, origin, None).await?.0)
    }

    /// The same together with one more thing read in that statement: a subselect of a text, in which `m`
    /// is the membership of who asks and `$3` the time, and what it binds as `$4`.
    ///
    /// # Errors
    /// As [`ReadScope::admit`].
    pub(in crate::domain) async fn admit_about(
        db: &Db,
        credential: Credential,
        asked: Asked<'_>,
        origin: Origin,
        about: Option<(String, Value)>,
    ) -> Result<(Self, Option<String>), Refused> {
        let load = async || {
            let row = Row::load(db.read(), &credential, &asked, db.now_ms(), about.as_ref()).await?;
            let row = row.ok_or(Refused::SignedOut)?;
            let roles = row.roles(db, db.read()).await?;
            Ok::<_, Refused>((row, roles))
        };
        let (mut row, mut roles) = load().await?;
        // Roles that were changed between the two belong to another moment than the membership.
        for _ in 0..3 {
            if row.member_id.is_none() || roles.version() == row.roles_version {
                break;
            }
            (row, roles) = load().await?;
        }
        let (last_seen_at, standing) = (row.last_seen_at, row.standing.take());
        let (actor, verdict) = row.judge(roles, P::NEEDS)?;
        if let Err(refused) = verdict {
            let refused = explain(db.read(), &actor, refused).await?;
            record_refusal(db, &actor, &origin, &refused).await;
            return Err(refused);
        }
        presence::seen(db, &actor.principal, Some(actor.member_id), last_seen_at);
        Ok((Self { db: db.clone(), credential, actor, origin, admitted: PhantomData }, standing))
    }

    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.db.now_ms()
    }

    pub(in crate::domain) fn db(&self) -> &Db {
        &self.db
    }

    /// Writes down that a page was refused to somebody who was admitted, and hands the refusal on.
    /// What [`ReadScope::write`] refuses it has written down itself.
    pub async fn refuse(&self, refused: impl Into<Refused>) -> Refused {
        let refused = refused.into();
        record_refusal(&self.db, &self.actor, &self.origin, &refused).await;
        refused
    }

    /// Asks for a permission that not everybody needs who comes this way, and writes down that it is
    /// missing.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which says who has it.
    pub(in crate::domain) async fn require(&self, permission: Permission) -> Result<(), Refused> {
        match require(self.db.read(), &self.actor, permission).await {
            Err(refused) => Err(self.refuse(refused).await),
            Ok(()) => Ok(()),
        }
    }

    /// The same admission once more, to draw a page after [`ReadScope::write`] took this one.
    pub fn again(&self) -> Self {
        Self {
            db: self.db.clone(),
            credential: self.credential.clone(),
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            admitted: PhantomData,
        }
    }

    /// The same admission under another permission, if it is held too.
    pub fn narrow<Q: Access>(self) -> Option<ReadScope<Q>> {
        let Self { db, credential, actor, origin, .. } = self;
        actor.holdings.meets(Q::NEEDS).then_some(ReadScope {
            db,
            credential,
            actor,
            origin,
            admitted: PhantomData,
        })
    }
}
