//! What a boundary must declare, so that the engine in [`read`](super::read),
//! [`write`](super::write), [`transaction`](super::transaction) and [`refusal`](super::refusal) serves it.
//!
//! This module is private to `enforce`: code outside can't name these traits, and so can't declare a boundary
//! or admit anybody.
#![expect(async_fn_in_trait, reason = "static dispatch in this crate alone")]

use crate::clock::Timestamp;
use crate::domain::{
    base::{
        db::Db,
        event::{Actor as AuditActor, RecordedEvent},
        principal::Credential,
        refused::Refused,
    },
    enforce::audit::EventContext,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use uuid::Uuid;

/// What requests are admitted to and changes stay inside of: a workspace, an account. It is locked as a
/// whole, keeps an invariant of its own, and has a record of its own.
pub trait Boundary: Sized + 'static {
    /// The principal on whose behalf a request is made, as of the admission.
    type Actor: Clone;
    /// How a request names the boundary: always by its id, and maybe in other ways too.
    type Selector<'a>: From<Uuid>;
    /// What locking returns: the boundary that is locked, and the state that its audit record continues from.
    type Locked;

    /// The word for this kind of boundary.
    const NAME: &'static str;

    /// The id of the boundary that they were admitted to.
    fn id(actor: &Self::Actor) -> Uuid;

    /// The actor as the record names them.
    fn audit_actor(actor: &Self::Actor) -> AuditActor;

    /// The user who is accountable for what the actor does.
    fn accountable_user(actor: &Self::Actor) -> Uuid;

    /// Notes that the actor was active now. `last_seen_at` is what the database has stored.
    fn note_activity(db: &Db, actor: &Self::Actor, last_seen_at: Timestamp);

    /// Locks the boundary until the end of the transaction, in a statement of its own: under READ COMMITTED a
    /// statement that waited for a row still sees every other table as it was before the wait.
    ///
    /// # Errors
    /// [`Refused::NotFound`] where there is none.
    async fn lock(tx: &DatabaseTransaction, id: Uuid) -> Result<Self::Locked, Refused>;

    /// [`Boundary::lock`] to add to the record alone: of one that nobody is admitted to any more, too.
    ///
    /// # Errors
    /// As [`Boundary::lock`].
    async fn lock_to_record(tx: &DatabaseTransaction, id: Uuid) -> Result<Self::Locked, Refused> {
        Self::lock(tx, id).await
    }

    /// Checks, after a change and under the lock, what must hold whatever was changed.
    ///
    /// # Errors
    /// The conflict, which rolls the change back.
    async fn ensure_invariant(tx: &DatabaseTransaction, locked: &Self::Locked) -> Result<(), Refused>;

    /// Writes events into the record.
    ///
    /// # Errors
    /// The database's own.
    async fn record(
        tx: &DatabaseTransaction,
        locked: &mut Self::Locked,
        context: &EventContext<'_>,
        events: &[RecordedEvent],
    ) -> Result<(), DbErr>;
}

/// How a principal is admitted to a boundary under the requirement `P`. It is a type, so that the handle
/// carries it.
pub trait Admits<P>: Boundary {
    /// Checks who the principal is, whether they belong to the boundary and whether they meet the
    /// requirement: before anything is read, and once more under the lock before anything is changed.
    ///
    /// # Errors
    /// [`Refused::Unauthenticated`] where the credential proves nothing, [`Refused::NotFound`] where they do not
    /// belong to the boundary, or it does not exist: these two are not distinguished. Everything else is in
    /// the verdict.
    async fn admit(
        db: &Db,
        connection: &impl ConnectionTrait,
        credential: &Credential,
        selector: Self::Selector<'_>,
        now: Timestamp,
    ) -> Result<Judged<Self>, Refused>;

    /// The refusal for a principal that does not meet the requirement. It names what is missing, and who
    /// could grant it.
    ///
    /// # Errors
    /// The database's own.
    async fn missing(connection: &impl ConnectionTrait, actor: &Self::Actor) -> Result<Refused, DbErr>;
}

/// A principal that belongs to a boundary, and whether it is admitted.
pub struct Judged<B: Boundary> {
    pub actor: B::Actor,
    /// As the database has stored it.
    pub last_seen_at: Timestamp,
    pub verdict: Result<(), Denied>,
}

/// Why a principal that belongs to a boundary is not admitted.
pub enum Denied {
    /// The principal or the whole boundary is suspended; the text says which.
    Suspended(&'static str),
    /// They do not meet the requirement.
    Missing,
}

impl Denied {
    /// Turns it into a refusal that a person can act on. Costs a statement, outside any transaction.
    ///
    /// # Errors
    /// The database's own.
    pub async fn explain<P, B: Admits<P>>(self, db: &Db, actor: &B::Actor) -> Result<Refused, DbErr> {
        match self {
            Self::Suspended(what) => Ok(Refused::Suspended(what)),
            Self::Missing => B::missing(db.read(), actor).await,
        }
    }
}

#[cfg(test)]
mod tests {
    //! A third boundary, as small as one can be: the engine serves what it has never seen, and keeps its
    //! promises there. The operators of an installation would write this much, and what they read and change.

    use super::*;
    use crate::{
        clock::Clock,
        config::Config,
        domain::{
            base::{
                conflict::CHANGED,
                event::{AuditEvent, EventRow, EventSentence, Recorded, Target},
                invariants::LAST_ADMIN,
                principal::{Channel, Origin},
                sql::Sql,
                tokens::{Purpose, Token},
            },
            enforce::{read::ReadScope, rows::Scoped},
        },
        random,
    };
    use sea_orm::FromQueryResult;
    use serde::{Deserialize, Serialize};

    struct Installation;

    struct Operate;

    #[derive(Clone, FromQueryResult)]
    struct Operator {
        id: Uuid,
        name: String,
        is_active: bool,
    }

    impl Boundary for Installation {
        type Actor = Operator;
        type Selector<'a> = Uuid;
        type Locked = ();

        const NAME: &'static str = "installation";

        fn id(_: &Operator) -> Uuid {
            Uuid::nil()
        }

        fn audit_actor(actor: &Operator) -> AuditActor {
            AuditActor { kind: "operator", ..AuditActor::user(actor.id, actor.name.clone(), "") }
        }

        fn accountable_user(actor: &Operator) -> Uuid {
            actor.id
        }

        fn note_activity(_: &Db, _: &Operator, _: Timestamp) {}

        async fn lock(tx: &DatabaseTransaction, _: Uuid) -> Result<(), Refused> {
            Ok(tx.run("UPDATE installation SET changes = changes + 1", Vec::new()).await.map(drop)?)
        }

        async fn ensure_invariant(tx: &DatabaseTransaction, (): &()) -> Result<(), Refused> {
            match count(tx, "SELECT COUNT(*) AS count FROM operators WHERE is_active").await? {
                0 => Err(LAST_ADMIN.into()),
                _ => Ok(()),
            }
        }

        async fn record(
            tx: &DatabaseTransaction,
            (): &mut (),
            context: &EventContext<'_>,
            events: &[RecordedEvent],
        ) -> Result<(), DbErr> {
            for event in events {
                let values = vec![event.outcome.word().into(), event.kind.into(), context.actor.id.into()];
                tx.run("INSERT INTO operations (outcome, kind, actor_id) VALUES ($1, $2, $3)", values)
                    .await?;
            }
            Ok(())
        }
    }

    impl Admits<Operate> for Installation {
        async fn admit(
            _: &Db,
            connection: &impl ConnectionTrait,
            credential: &Credential,
            _: Self::Selector<'_>,
            _: Timestamp,
        ) -> Result<Judged<Self>, Refused> {
            let sql = "SELECT id, name, is_active FROM operators WHERE token_hash = $1";
            let actor: Option<Operator> = connection.first(sql, vec![credential.token_hash().into()]).await?;
            let actor = actor.ok_or(Refused::Unauthenticated)?;
            let verdict = if actor.is_active { Ok(()) } else { Err(Denied::Missing) };
            Ok(Judged { actor, last_seen_at: Timestamp::default(), verdict })
        }

        async fn missing(_: &impl ConnectionTrait, _: &Operator) -> Result<Refused, DbErr> {
            Ok(Refused::NotAllowed("You operate this installation no longer."))
        }
    }

    type OperatorScope = ReadScope<Operate, Installation>;

    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }

    async fn count(connection: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
        let row: Option<Count> = connection.first(sql, Vec::new()).await?;
        Ok(row.map_or(0, |row| row.count))
    }

    struct Fixture {
        db: Db,
        credential: Credential,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        /// A database with one operator.
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let url = format!("sqlite://{}", folder.path().join("boundary.db").display());
            let config = Config::for_tests(url, folder.path());
            let db = Db::open(&config, String::new(), Clock::manual(Timestamp::default()))
                .await
                .expect("a database");
            let token = Token::new(Purpose::Session);
            let credential = Credential::of_session(&token);
            let tx = db.begin().await.expect("a transaction");
            for sql in [
                "CREATE TABLE installation (changes BIGINT NOT NULL)",
                "INSERT INTO installation VALUES (0)",
                "CREATE TABLE operators (id BLOB, name TEXT, token_hash BLOB, is_active BOOLEAN)",
                "CREATE TABLE operations (outcome TEXT, kind TEXT, actor_id BLOB)",
            ] {
                tx.run(sql, Vec::new()).await.expect("a table");
            }
            let sql = "INSERT INTO operators (id, name, token_hash, is_active) VALUES ($1, 'Operator One', $2, TRUE)";
            tx.run(sql, vec![random::id(Timestamp::default()).into(), credential.token_hash().into()])
                .await
                .expect("an operator");
            tx.commit().await.expect("committed");
            Self { db, credential, _folder: folder }
        }

        async fn admit(&self) -> Result<OperatorScope, Refused> {
            let origin = Origin {
                via: Channel::Command,
                address: String::new(),
                user_agent: String::new(),
                route: "POST /operators".into(),
                attempt: None,
            };
            ReadScope::admit(&self.db, self.credential.clone(), Uuid::nil(), origin).await
        }

        async fn recorded(&self, outcome: &str) -> i64 {
            let sql = format!("SELECT COUNT(*) AS count FROM operations WHERE outcome = '{outcome}'");
            count(self.db.read(), &sql).await.expect("a count")
        }

        async fn active(&self) -> i64 {
            count(self.db.read(), "SELECT COUNT(*) AS count FROM operators WHERE is_active")
                .await
                .expect("a count")
        }
    }

    #[derive(Serialize, Deserialize)]
    struct OperatorsSuspended {}

    impl AuditEvent for OperatorsSuspended {
        const NAME: &'static str = "operators_suspended";
        const KIND: &'static str = "operators.suspended";
        const LABEL: &'static str = "Operators suspended";

        fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
            EventSentence::new("suspended the operators", "")
        }
    }

    fn recorded() -> Recorded<()> {
        Recorded::new((), OperatorsSuspended {}, Target::nothing())
    }

    const SUSPEND: &str = "UPDATE operators SET is_active = FALSE";

    #[tokio::test]
    async fn a_change_is_committed_with_its_record() {
        let fixture = Fixture::new().await;
        let scope = fixture.admit().await.expect("admitted");

        let sql =
            "INSERT INTO operators (id, name, token_hash, is_active) VALUES ($1, 'Operator Two', '', TRUE)";
        let done = scope
            .write(async |s| {
                s.connection().run(sql, vec![random::id(s.now()).into()]).await?;
                Ok(recorded())
            })
            .await;

        assert!(done.is_ok());
        assert_eq!((fixture.active().await, fixture.recorded("done").await), (2, 1));
        assert_eq!(fixture.recorded("refused").await, 0);
    }

    #[tokio::test]
    async fn a_change_against_the_invariant_is_rolled_back_and_recorded_as_refused() {
        let fixture = Fixture::new().await;
        let scope = fixture.admit().await.expect("admitted");

        let done = scope
            .write(async |s| {
                s.connection().run(SUSPEND, Vec::new()).await?;
                Ok(recorded())
            })
            .await;

        assert!(matches!(done, Err(Refused::Conflict(LAST_ADMIN))));
        assert_eq!((fixture.active().await, fixture.recorded("done").await), (1, 0));
        assert_eq!(fixture.recorded("refused").await, 1);
    }

    #[tokio::test]
    async fn what_a_change_refuses_is_rolled_back_and_recorded_as_refused() {
        let fixture = Fixture::new().await;
        let scope = fixture.admit().await.expect("admitted");

        let done = scope
            .write(async |s| {
                s.connection().run("DELETE FROM operators", Vec::new()).await?;
                Err::<Recorded<()>, _>(Refused::NotAllowed("Never."))
            })
            .await;

        assert!(matches!(done, Err(Refused::NotAllowed(_))));
        assert_eq!((fixture.active().await, fixture.recorded("refused").await), (1, 1));
    }

    #[tokio::test]
    async fn whoever_was_admitted_is_admitted_again_under_the_lock() {
        let fixture = Fixture::new().await;
        let scope = fixture.admit().await.expect("admitted");
        let again = scope.duplicate();
        let tx = fixture.db.begin().await.expect("a transaction");
        tx.run(SUSPEND, Vec::new()).await.expect("suspended");
        tx.commit().await.expect("committed");

        let done = scope.write(async |_| -> Result<Recorded<()>, Refused> { unreachable!() }).await;

        assert!(matches!(done, Err(Refused::NotAllowed(_))));
        assert_eq!(fixture.recorded("refused").await, 1);
        assert!(matches!(fixture.admit().await, Err(Refused::NotAllowed(_))));
        assert!(matches!(again.refuse(CHANGED).await, Refused::Conflict(CHANGED)));
        assert_eq!(fixture.recorded("refused").await, 3);
    }
}
