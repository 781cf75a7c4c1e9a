use crate::{
    domain::{
        base::{event::Recorded, principal::Actor, refused::Refused},
        enforce::{
            admission::{Asked, Row, explain, require},
            read::ReadScope,
            rows::Scoped,
            transaction::{Transaction, record_refusal},
        },
    },
    policy::{Access, Permission},
};
use sea_orm::DatabaseTransaction;

use std::marker::PhantomData;
use uuid::Uuid;

impl<P: Access> ReadScope<P> {
    /// Opens a transaction, locks the workspace, checks steps 1 to 3 again, makes the change, sees
    /// that an Owner remains, writes the audit rows and commits; or rolls everything back and audits
    /// the refusal.
    ///
    /// # Errors
    /// What `change` refuses, what [`ReadScope::admit`] would refuse by now, and
    /// [`LAST_OWNER`](crate::domain::base::invariants::LAST_OWNER).
    pub async fn write<T>(
        self,
        change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let done = self.attempt(change).await;
        if let Err(refused) = &done {
            record_refusal(&self.db, &self.actor, &self.origin, refused).await;
        }
        done
    }
}

impl<P: Access> ReadScope<P> {
    async fn attempt<T>(
        &self,
        change: impl AsyncFnOnce(&mut WriteScope<P>) -> Result<Recorded<T>, Refused>,
    ) -> Result<T, Refused> {
        let open = Transaction::lock(&self.db, self.actor.workspace.id, &self.origin).await?;
        let asked = Asked::ById(self.actor.workspace.id);
        let row = Row::load(&open.tx, &self.credential, &asked, open.now, None).await?;
        let row = row.ok_or(Refused::SignedOut)?;
        let roles = row.roles(&self.db, &open.tx).await?;
        let (actor, verdict) = row.judge(roles, P::NEEDS)?;
        if let Err(refused) = verdict {
            open.roll_back().await?;
            return Err(explain(self.db.read(), &actor, refused).await?);
        }
        let mut scope = WriteScope { open, actor, admitted: PhantomData };
        match change(&mut scope).await {
            Ok(recorded) => scope.open.commit(&scope.actor.audited(), recorded).await,
            Err(refused) => {
                scope.open.roll_back().await?;
                Err(refused)
            }
        }
    }
}

/// An admitted request that changes: transaction open, workspace locked, everything checked again.
#[must_use = "a change is only kept by the commit at the end of ReadScope::write"]
pub struct WriteScope<P> {
    open: Transaction,
    actor: Actor,
    admitted: PhantomData<P>,
}

impl<P> Scoped for WriteScope<P> {
    type Connection = DatabaseTransaction;
    fn workspace_id(&self) -> Uuid {
        self.open.head.workspace
    }
    fn connection(&self) -> &Self::Connection {
        &self.open.tx
    }
}

impl<P> WriteScope<P> {
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(in crate::domain) fn open(&self) -> &Transaction {
        &self.open
    }

    pub(in crate::domain) fn now_ms(&self) -> i64 {
        self.open.now
    }

    /// Asks for a permission that not everybody needs who comes this way.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which says who has it.
    pub(in crate::domain) async fn require(&self, permission: Permission) -> Result<(), Refused> {
        require(&self.open.tx, &self.actor, permission).await
    }
}
