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
//! use bailiwick::{domain::{members, Refused, scope::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::InviteMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! The same under the right one does:
//! ```
//! use bailiwick::{domain::{members, Refused, scope::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     scope.write(async |s| members::suspend(s, id).await).await.map(drop)
//! }
//! ```
//! A handle that only reads does not write:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{members, Refused, scope::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>, id: uuid::Uuid) -> Result<(), Refused> {
//!     members::suspend(&mut scope, id).await.map(drop)
//! }
//! ```
//! A change that leaves no audit event behind does not commit:
//! ```compile_fail,E0308
//! use bailiwick::{domain::{Refused, scope::ReadScope}, policy::perm};
//! async fn handler(scope: ReadScope<perm::SuspendMembers>) -> Result<(), Refused> {
//!     scope.write(async |_| Ok(())).await
//! }
//! ```
//! Outside `domain` there is no connection to query:
//! ```compile_fail,E0624
//! use bailiwick::{domain::{Db, Refused}};
//! async fn handler(db: &Db) { let _ = db.read(); }
//! ```

use super::{
    Db, Missing, Refused, Token,
    api_keys::ApiKey,
    audit::{self, Actor as AuditActor, Circumstances, Head, Outcome, Recorded},
    db::Sql,
    idempotency,
    identity::{Person, presence},
    owners,
    readers::Readers,
    roles::{self, Roles},
};
use crate::{
    entity::audit_event,
    policy::{Access, Holdings, Needs, Permission},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, DeleteMany,
    EntityTrait, FromQueryResult, QueryFilter, Select, UpdateMany, Value,
};
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use uuid::Uuid;

/// Where a request comes from, as it is audited.
#[derive(Clone, Debug)]
pub struct Origin {
    pub via: Via,
    /// The client's network address.
    pub address: String,
    /// The browser or program, as it calls itself; cut to a bounded length.
    pub user_agent: String,
    /// Method and path pattern, such as `POST /w/{workspace}/members/{member}/roles`.
    pub route: String,
    /// The attempt under an Idempotency-Key that this request is: its change marks it as done.
    pub attempt: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    Browser,
    Api,
    Command,
}

impl Via {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
            Self::Command => "command",
        }
    }
}

/// Proof of who is asking, as the request carried it. The database decides what it is worth.
#[derive(Clone, Debug)]
pub struct Credential {
    kind: Proof,
    token_hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Session,
    ApiKey,
}

impl Credential {
    pub fn of_session(token: &Token) -> Self {
        Self { kind: Proof::Session, token_hash: token.hash() }
    }

    pub fn of_api_key(secret: &Token) -> Self {
        Self { kind: Proof::ApiKey, token_hash: secret.hash() }
    }

    pub(super) fn token_hash(&self) -> Vec<u8> {
        self.token_hash.clone()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Principal {
    User(Person),
    ApiKey(ApiKey),
}

impl Principal {
    /// A user's id, or a key's.
    pub fn id(&self) -> Uuid {
        match self {
            Self::User(person) => person.user_id,
            Self::ApiKey(key) => key.id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::User(person) => &person.name,
            Self::ApiKey(key) => &key.name,
        }
    }

    /// Whoever is signed in; a key is nobody.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::User(person) => Some(person),
            Self::ApiKey(_) => None,
        }
    }

    pub(super) fn key_id(&self) -> Option<Uuid> {
        match self {
            Self::User(_) => None,
            Self::ApiKey(key) => Some(key.id),
        }
    }

    /// The user who answers for what is done: the person, or who made the key.
    pub(super) fn answers(&self) -> Uuid {
        match self {
            Self::User(person) => person.user_id,
            Self::ApiKey(key) => key.made_by,
        }
    }

    /// Their address, or that of who answers for the key, was confirmed.
    pub fn is_verified(&self) -> bool {
        match self {
            Self::User(person) => person.is_verified,
            Self::ApiKey(key) => key.is_verified,
        }
    }

    pub(super) fn audited(&self) -> AuditActor {
        let kind = if self.key_id().is_some() { "api_key" } else { "user" };
        AuditActor { kind, id: self.id(), name: self.name().to_owned() }
    }
}

/// The member on whose behalf a request is answered.
#[derive(Clone, Debug)]
pub struct Actor {
    pub principal: Principal,
    pub member_id: Uuid,
    pub workspace: Workspace,
    /// Slugs of the roles held.
    pub roles: Vec<String>,
    pub holdings: Holdings,
    /// The roles of the workspace, as of the admission.
    pub all_roles: Roles,
}

#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: Uuid,
    pub account_id: Uuid,
    pub slug: String,
    pub name: String,
}

impl Workspace {
    /// Stands for its name and slug as they are now.
    pub fn version(&self) -> String {
        roles::fingerprint(self.id.as_bytes(), [&self.name, &self.slug])
    }
}

impl Actor {
    pub(super) fn audited(&self) -> AuditActor {
        self.principal.audited()
    }
}

/// Entities that belong to one workspace.
pub(super) trait InWorkspace: EntityTrait {
    const WORKSPACE: Self::Column;
}

macro_rules! in_workspace {
    ($($entity:ident),+ $(,)?) => {
        $( impl InWorkspace for crate::entity::$entity::Entity {
            const WORKSPACE: Self::Column = crate::entity::$entity::Column::WorkspaceId;
        } )+
    };
}
in_workspace!(
    member,
    role,
    grant,
    member_role,
    invitation,
    invitation_role,
    invitation_token,
    ownership_offer,
    team,
    team_member,
    team_role,
    resource
);

/// A handle on one workspace. Every query through it carries the workspace's id.
pub(super) trait Scoped {
    type Connection: ConnectionTrait;
    fn workspace_id(&self) -> Uuid;
    fn connection(&self) -> &Self::Connection;

    /// Rows of this workspace, and of no other.
    fn find<E: InWorkspace>(&self) -> Select<E> {
        E::find().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// Runs written-out SQL in which `$1` is the workspace; `values` follow from `$2`.
    async fn all<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<R>, DbErr> {
        self.connection().all(sql, with_workspace(self.workspace_id(), values)).await
    }

    /// Like [`Scoped::all`], for many rows: they come as one value. See [`gather`](super::db::gather).
    async fn list<R: DeserializeOwned>(
        &self,
        columns: &[&str],
        rows: &str,
        values: Vec<Value>,
    ) -> Result<Vec<R>, DbErr> {
        self.connection().list(columns, rows, with_workspace(self.workspace_id(), values)).await
    }

    /// Like [`Scoped::all`], for one row or none.
    async fn first<R: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Option<R>, DbErr> {
        self.connection().first(sql, with_workspace(self.workspace_id(), values)).await
    }

    /// A change of rows of this workspace, and of no other.
    fn update<E: InWorkspace>(&self) -> UpdateMany<E>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        E::update_many().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// A deletion of rows of this workspace, and of no other.
    fn delete<E: InWorkspace>(&self) -> DeleteMany<E>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        E::delete_many().filter(E::WORKSPACE.eq(self.workspace_id()))
    }

    /// Runs a change and answers how many rows it touched.
    async fn apply(&self, change: impl Change) -> Result<u64, DbErr>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        change.exec_on(self.connection()).await
    }

    /// Runs a change of one row that must be there.
    ///
    /// # Errors
    /// [`Refused::Hidden`] where it is not, or belongs to another workspace.
    async fn apply_to_one(&self, change: impl Change) -> Result<(), Refused>
    where
        Self: Scoped<Connection = DatabaseTransaction>,
    {
        match self.apply(change).await? {
            1 => Ok(()),
            _ => Err(Refused::Hidden),
        }
    }
}

fn with_workspace(workspace: Uuid, values: Vec<Value>) -> Vec<Value> {
    let mut all = Vec::with_capacity(values.len() + 1);
    all.push(workspace.into());
    all.extend(values);
    all
}

/// An admitted request that reads. Made only by [`ReadScope::admit`], which *is* the check.
pub struct ReadScope<P> {
    db: Db,
    credential: Credential,
    actor: Actor,
    origin: Origin,
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
    pub(super) async fn admit_about(
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

    pub(super) fn db(&self) -> &Db {
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
    pub(super) async fn require(&self, permission: Permission) -> Result<(), Refused> {
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

    /// Opens a transaction, locks the workspace, checks steps 1 to 3 again, makes the change, sees
    /// that an Owner remains, writes the audit rows and commits; or rolls everything back and audits
    /// the refusal.
    ///
    /// # Errors
    /// What `change` refuses, what [`ReadScope::admit`] would refuse by now, and
    /// [`super::Conflict::LastOwner`].
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

    pub(super) fn open(&self) -> &Transaction {
        &self.open
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.open.now
    }

    /// Asks for a permission that not everybody needs who comes this way.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which says who has it.
    pub(super) async fn require(&self, permission: Permission) -> Result<(), Refused> {
        require(&self.open.tx, &self.actor, permission).await
    }
}

/// An open transaction that holds the lock of one workspace. The one mutex for ownership: on
/// PostgreSQL the workspace's row, on SQLite the write lock of the whole database.
pub(super) struct Transaction {
    pub(super) db: Db,
    pub(super) tx: DatabaseTransaction,
    /// The moment of the change, in milliseconds since 1970.
    pub(super) now: i64,
    head: Head,
    origin: Origin,
}

impl Scoped for Transaction {
    type Connection = DatabaseTransaction;
    fn workspace_id(&self) -> Uuid {
        self.head.workspace
    }
    fn connection(&self) -> &Self::Connection {
        &self.tx
    }
}

/// What [`Scoped::apply`] runs.
pub(super) trait Change {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr>;
}

impl<E: EntityTrait> Change for UpdateMany<E> {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr> {
        Ok(self.exec(tx).await?.rows_affected)
    }
}

impl<E: EntityTrait> Change for DeleteMany<E> {
    async fn exec_on(self, tx: &DatabaseTransaction) -> Result<u64, DbErr> {
        Ok(self.exec(tx).await?.rows_affected)
    }
}

#[derive(FromQueryResult)]
struct ChainHead {
    account_id: Uuid,
    audit_seq: i64,
    audit_hash: Vec<u8>,
}

/// Locks a workspace until the end of the transaction, and reads the end of its chain.
///
/// # Errors
/// [`Refused::Hidden`] where there is none.
pub(super) async fn lock(tx: &DatabaseTransaction, workspace: Uuid) -> Result<Head, Refused> {
    // The lock is a statement of its own: under READ COMMITTED a statement that waited for a row
    // still sees every other table as it was before the wait.
    let sql = match tx.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1 FOR NO KEY UPDATE"
        }
        _ => "SELECT account_id, audit_seq, audit_hash FROM workspaces WHERE id = $1",
    };
    let chain: Option<ChainHead> = tx.first(sql, vec![workspace.into()]).await?;
    let chain = chain.ok_or(Refused::Hidden)?;
    Ok(Head { workspace, account: Some(chain.account_id), seq: chain.audit_seq, hash: chain.audit_hash })
}

impl Transaction {
    async fn lock(db: &Db, workspace: Uuid, origin: &Origin) -> Result<Self, Refused> {
        let tx = db.begin().await?;
        let head = lock(&tx, workspace).await?;
        // The time is read under the lock, so that events are in the order of their times.
        Ok(Self { now: db.now_ms(), db: db.clone(), tx, head, origin: origin.clone() })
    }

    /// The account that the workspace belongs to.
    pub(super) fn account(&self) -> Option<Uuid> {
        self.head.account
    }

    /// Inserts a row, which says itself to which workspace it belongs.
    pub(super) async fn insert<A: ActiveModelTrait>(&self, row: A) -> Result<(), DbErr> {
        A::Entity::insert(row).exec_without_returning(&self.tx).await.map(drop)
    }

    async fn commit<T>(mut self, actor: &AuditActor, recorded: Recorded<T>) -> Result<T, Refused> {
        let (value, entries) = recorded.into_parts();
        if let Err(refused) = owners::ensure_one_remains(&self.tx, self.head.workspace).await {
            self.roll_back().await?;
            return Err(refused);
        }
        let about = Circumstances { actor, origin: &self.origin, at: self.now, outcome: Outcome::Done };
        audit::append(&self.tx, &mut self.head, &about, &entries).await?;
        if let Some(attempt) = self.origin.attempt
            && let Err(refused) = idempotency::done(&self.tx, attempt, self.now).await
        {
            self.roll_back().await?;
            return Err(refused);
        }
        self.tx.commit().await?;
        self.db.outbox_ready().notify_one();
        Ok(value)
    }

    async fn roll_back(self) -> Result<(), DbErr> {
        self.tx.rollback().await
    }
}

/// The second door: somebody with an invitation, who is no member yet. The caller has found the
/// invitation; under the lock it must look again.
///
/// # Errors
/// What `change` refuses.
pub(super) async fn redeem<T>(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<Recorded<T>, Refused>,
) -> Result<T, Refused> {
    let open = Transaction::lock(db, workspace, origin).await?;
    let done = match change(&open).await {
        Ok(recorded) => open.commit(by, recorded).await,
        Err(refused) => open.roll_back().await.map_err(Refused::from).and(Err(refused)),
    };
    if let Err(refused) = &done {
        note_refusal(db, workspace, by, origin, refused).await;
    }
    done
}

/// The third door: a workspace that is not there yet. `change` makes it in the transaction it is
/// given, under the id it is given, and says in which account.
///
/// # Errors
/// What `change` refuses.
pub(super) async fn found<T>(
    db: &Db,
    by: &AuditActor,
    origin: &Origin,
    change: impl AsyncFnOnce(&Transaction) -> Result<(Uuid, Recorded<T>), Refused>,
) -> Result<T, Refused> {
    let tx = db.begin().await?;
    let now = db.now_ms();
    let head = Head::start(crate::random::id(now));
    let mut open = Transaction { db: db.clone(), tx, now, head, origin: origin.clone() };
    match change(&open).await {
        Ok((account, recorded)) => {
            open.head.account = Some(account);
            open.commit(by, recorded).await
        }
        Err(refused) => open.roll_back().await.map_err(Refused::from).and(Err(refused)),
    }
}

/// Audits a refusal in a transaction of its own: the one that was refused is gone.
async fn record_refusal(db: &Db, actor: &Actor, origin: &Origin, refused: &Refused) {
    note_refusal(db, actor.workspace.id, &actor.audited(), origin, refused).await;
}

pub(super) async fn note_refusal(
    db: &Db,
    workspace: Uuid,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let Some(entry) = audit::refusal(origin, refused) else { return };
    let written = async {
        let mut open = Transaction::lock(db, workspace, origin).await?;
        let whose = audit_event::Column::WorkspaceId.eq(workspace);
        if audit::is_flood(&open.tx, whose, by, &entry.0, open.now).await? {
            tracing::warn!(route = origin.route, "refused too often to be audited each time");
            return open.roll_back().await.map_err(Refused::from);
        }
        let about = Circumstances { actor: by, origin, at: open.now, outcome: Outcome::Refused };
        audit::append(&open.tx, &mut open.head, &about, &[entry]).await?;
        open.tx.commit().await.map_err(Refused::from)
    };
    if let Err(error) = written.await {
        tracing::error!(%error, "a refusal could not be audited");
    }
}

/// Which workspace is asked for: it only selects among the principal's own memberships.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    BySlug(&'a str),
    ById(Uuid),
    /// The one that a key is at home in.
    Home,
}

/// Steps 1 to 3 as one row. `principal_id` is a user's id or a key's.
#[derive(FromQueryResult)]
struct Row {
    /// Of the session; a key's own id again.
    proof_id: Uuid,
    last_seen_at: i64,
    principal_id: Uuid,
    principal_name: String,
    /// A key has none.
    email: Option<String>,
    is_verified: bool,
    /// Of a key.
    key_account_id: Option<Uuid>,
    made_by: Option<Uuid>,
    is_key_admin: Option<bool>,
    key_expires_at: Option<i64>,
    is_outgoing: Option<bool>,
    workspace_id: Option<Uuid>,
    account_id: Option<Uuid>,
    slug: Option<String>,
    workspace_name: Option<String>,
    is_closed: Option<bool>,
    member_id: Option<Uuid>,
    status: Option<String>,
    role_set: Option<String>,
    roles_version: Option<Uuid>,
    /// What was asked about beside.
    standing: Option<String>,
}

/// A workspace that somebody turned out to be a member of, to read its roles.
pub(super) struct Found<'a, C>(pub &'a C, pub Uuid);

impl<C: ConnectionTrait> Scoped for Found<'_, C> {
    type Connection = C;
    fn workspace_id(&self) -> Uuid {
        self.1
    }
    fn connection(&self) -> &C {
        self.0
    }
}

macro_rules! admission {
    ($principal:literal, $from:literal, $workspace:literal, $member:literal, $live:literal) => {
        concat!(
            "SELECT ",
            $principal,
            ", w.id AS workspace_id, w.account_id, w.slug, w.name AS workspace_name,
                (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed,
                m.id AS member_id, m.status, m.role_set, w.roles_version, NULL AS standing FROM ",
            $from,
            " LEFT JOIN workspaces w ON ",
            $workspace,
            " AND w.deleted_at IS NULL
            LEFT JOIN accounts a ON a.id = w.account_id
            LEFT JOIN members m ON m.workspace_id = w.id AND ",
            $member,
            " WHERE s.token_hash = $1 AND ",
            $live
        )
    };
    (session, $workspace:literal) => {
        admission!(
            "s.id AS proof_id, s.last_seen_at, u.id AS principal_id, u.name AS principal_name, u.email,
                u.email_verified_at IS NOT NULL AS is_verified, NULL AS key_account_id, NULL AS made_by,
                NULL AS is_key_admin, NULL AS key_expires_at, NULL AS is_outgoing",
            "sessions s JOIN users u ON u.id = s.user_id AND u.suspended_at IS NULL",
            $workspace,
            "m.user_id = u.id",
            "s.expires_at > $3"
        )
    };
    // The order of the tables is that of the joins: secret, key, who answers for it.
    (key, $workspace:literal) => {
        admission!(
            "k.id AS proof_id, COALESCE(k.last_used_at, 0) AS last_seen_at, k.id AS principal_id,
                k.name AS principal_name, NULL AS email, u.email_verified_at IS NOT NULL AS is_verified,
                k.account_id AS key_account_id, k.made_by, k.is_admin AS is_key_admin,
                k.expires_at AS key_expires_at, s.expires_at IS NOT NULL AS is_outgoing",
            "api_key_secrets s JOIN api_keys k ON k.id = s.api_key_id JOIN users u ON u.id = k.made_by",
            $workspace,
            "m.api_key_id = k.id",
            "(s.expires_at IS NULL OR s.expires_at > $3) AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > $3)"
        )
    };
}

/// What judging a row can find wrong once it is known which member asks.
enum Verdict {
    Suspended(&'static str),
    Missing(Needs),
}

impl Row {
    async fn load(
        connection: &impl ConnectionTrait,
        credential: &Credential,
        asked: &Asked<'_>,
        now: i64,
        about: Option<&(String, Value)>,
    ) -> Result<Option<Self>, DbErr> {
        let (sql, workspace): (&str, Value) = match (credential.kind, asked) {
            (Proof::Session, Asked::BySlug(slug)) => (admission!(session, "w.slug = $2"), (*slug).into()),
            (Proof::Session, Asked::ById(id)) => (admission!(session, "w.id = $2"), (*id).into()),
            (Proof::ApiKey, Asked::BySlug(slug)) => (admission!(key, "w.slug = $2"), (*slug).into()),
            (Proof::ApiKey, Asked::ById(id)) => (admission!(key, "w.id = $2"), (*id).into()),
            // $2 is not used; both databases want each parameter to stand somewhere.
            (Proof::ApiKey, Asked::Home) => {
                (admission!(key, "w.id = k.home_id AND $2 = ''"), String::new().into())
            }
            // A browser always names it.
            (Proof::Session, Asked::Home) => return Ok(None),
        };
        let mut values = vec![credential.token_hash().into(), workspace, now.into()];
        let Some((column, value)) = about else { return connection.first(sql, values).await };
        values.push(value.clone());
        connection.first(&sql.replacen("NULL AS standing", &format!("{column} AS standing"), 1), values).await
    }

    /// The roles of the workspace in which there is a membership; of any other nothing is read.
    async fn roles<C: ConnectionTrait>(&self, db: &Db, connection: &C) -> Result<Roles, DbErr> {
        match (self.workspace_id, &self.member_id) {
            (Some(id), Some(_)) => db.roles().at(&Found(connection, id), self.roles_version).await,
            _ => Ok(Roles::default()),
        }
    }

    /// # Errors
    /// [`Refused::Hidden`] where there is no membership; what else is wrong is in the verdict, beside
    /// the actor on whom it is passed.
    fn judge(self, all_roles: Roles, needs: Needs) -> Result<(Actor, Result<(), Verdict>), Refused> {
        let (Some(id), Some(account_id), Some(slug), Some(name)) =
            (self.workspace_id, self.account_id, self.slug, self.workspace_name)
        else {
            return Err(Refused::Hidden);
        };
        let (Some(member_id), Some(status)) = (self.member_id, self.status) else {
            return Err(Refused::Hidden);
        };
        let held = all_roles.joined(self.role_set.as_deref().unwrap_or_default());
        let holdings = roles::holdings(&held);
        let verdict = if self.is_closed.unwrap_or(true) {
            Err(Verdict::Suspended("This workspace"))
        } else if status != "active" {
            Err(Verdict::Suspended("Your membership in this workspace"))
        } else if !holdings.meets(needs) {
            Err(Verdict::Missing(needs))
        } else {
            Ok(())
        };
        let principal = match (self.key_account_id, self.made_by) {
            (Some(account_id), Some(made_by)) => Principal::ApiKey(ApiKey {
                id: self.principal_id,
                name: self.principal_name,
                account_id,
                is_admin: self.is_key_admin.unwrap_or_default(),
                made_by,
                is_verified: self.is_verified,
                expires_at: self.key_expires_at,
                is_outgoing: self.is_outgoing.unwrap_or_default(),
            }),
            _ => Principal::User(Person {
                session_id: self.proof_id,
                user_id: self.principal_id,
                name: self.principal_name,
                email: self.email.unwrap_or_default(),
                is_verified: self.is_verified,
            }),
        };
        let roles = held.iter().map(|role| role.slug.clone()).collect();
        let workspace = Workspace { id, account_id, slug, name };
        let actor = Actor { principal, member_id, workspace, roles, holdings, all_roles };
        Ok((actor, verdict))
    }
}

async fn require(
    connection: &impl ConnectionTrait,
    actor: &Actor,
    permission: Permission,
) -> Result<(), Refused> {
    let needs = Needs::One(permission);
    if actor.holdings.meets(needs) {
        return Ok(());
    }
    Err(explain(connection, actor, Verdict::Missing(needs)).await?)
}

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

/// Turns a verdict into the refusal that a person can act on: who has the permission, who gives it.
async fn explain(
    connection: &impl ConnectionTrait,
    actor: &Actor,
    verdict: Verdict,
) -> Result<Refused, DbErr> {
    let needs = match verdict {
        Verdict::Suspended(what) => return Ok(Refused::Suspended(what)),
        Verdict::Missing(needs) => needs,
    };
    let permissions = needs.permissions();
    let roles = actor.all_roles.iter().filter(|role| role.is_owner || role.holdings.meets(needs));
    let granters: Vec<NameRow> = if actor.holdings.has(Permission::ReadMembers) {
        let sql = "SELECT u.name FROM active_owners o
            JOIN members m ON m.workspace_id = o.workspace_id AND m.id = o.member_id
            JOIN users u ON u.id = m.user_id WHERE o.workspace_id = $1 ORDER BY u.name LIMIT 5";
        connection.all(sql, vec![actor.workspace.id.into()]).await?
    } else {
        Vec::new()
    };
    Ok(Refused::Forbidden(Box::new(Missing {
        permissions: permissions.iter().map(|p| p.label()).collect(),
        roles: roles.take(20).map(|role| role.name.clone()).collect(),
        granters: granters.into_iter().map(|row| row.name).collect(),
        actor: Some(actor.clone()),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        config::Config,
        entity::{member, role},
    };
    use sea_orm::QueryTrait;

    /// A change names the row by an id that was read through the scope, so that no request can show
    /// the filter of a deletion: here it is looked at itself.
    #[tokio::test]
    async fn every_change_is_filtered_by_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("scope.db").display());
        let config = Config::for_tests(url, folder.path());
        let db = Db::open(&config, String::new(), Clock::manual(1)).await.expect("a database");
        let workspace = crate::random::id(1);
        let origin = Origin {
            via: Via::Command,
            address: String::new(),
            user_agent: String::new(),
            route: String::new(),
            attempt: None,
        };
        let tx = db.begin().await.expect("a transaction");
        let open = Transaction { db: db.clone(), tx, now: 1, head: Head::start(workspace), origin };
        let backend = DbBackend::Sqlite;
        for statement in [
            open.update::<member::Entity>().col_expr(member::Column::Status, "x".into()).build(backend),
            open.delete::<member::Entity>().build(backend),
            open.delete::<role::Entity>().build(backend),
            open.find::<role::Entity>().build(backend),
        ] {
            let (_, filter) = statement.sql.split_once(" WHERE ").expect("a filter");
            assert!(filter.contains("\"workspace_id\" = "), "{}", statement.sql);
            let values = statement.values.expect("its values").0;
            assert!(values.contains(&workspace.into()), "{}", statement.sql);
        }
        open.roll_back().await.expect("rolled back");
    }
}
