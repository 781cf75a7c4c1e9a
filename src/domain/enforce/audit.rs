//! Audit events, recorded in the transaction of the change.
//!
//! Rows are append-only by trigger, and chained by hash. What is recorded is written last in a transaction: the
//! first event of a chain locks the installation's chain, which nothing may be waited for under.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::{Actor, AuditEvent, Named, RecordedEvent, RecordedIn, Target, TargetKind},
            principal::{Channel, Origin, USER},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            chain::{self, Chain, Commitments, Head},
            events::{AccessRefused, AuditChainStarted},
            receivers,
        },
    },
    entity::{audit_event, audit_identity},
    random,
};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
};
use uuid::Uuid;

/// What is read of events, with the names that they have left, as SQL text: in place of a table. It is no view,
/// because whoever owns the database could make a view show something else than what is verified.
macro_rules! audit_record {
    () => {
        "(SELECT e.id, e.workspace_id, e.account_id, e.user_id, e.seq, e.at, e.kind, e.outcome, e.actor_kind,
            e.actor_id, COALESCE(i.actor_name, 'Erased person') AS actor_name,
            COALESCE(i.actor_email, '') AS actor_email, e.target_kind, e.target_id, i.target_subject,
            COALESCE(i.target_name, 'Erased person') AS target_name,
            COALESCE(i.target_email, '') AS target_email, e.via, COALESCE(i.address, '') AS address,
            COALESCE(i.user_agent, '') AS user_agent, COALESCE(i.payload, e.payload) AS payload
        FROM audit_events e LEFT JOIN audit_identities i ON i.event_id = e.id)"
    };
}
pub(in crate::domain) use audit_record;

/// The end of a chain, read under its lock.
pub struct ChainHead {
    pub chain: Chain,
    /// The account that a workspace belongs to; `None` while the workspace is being created.
    pub account: Option<Uuid>,
    pub head: Head,
}

impl ChainHead {
    /// The chain of a workspace that is being created.
    pub(super) fn start(workspace: Uuid) -> Self {
        Self { chain: Chain::Workspace(workspace), account: None, head: Head::default() }
    }

    /// Locks a chain, and reads its end. That of a workspace or an account is locked together with its row.
    pub(in crate::domain) async fn lock(tx: &DatabaseTransaction, chain: Chain) -> Result<Self, DbErr> {
        #[derive(FromQueryResult)]
        struct Row {
            seq: i64,
            hash: Vec<u8>,
        }
        let sql = match tx.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT seq, hash FROM audit_chains WHERE kind = $1 AND id = $2 FOR NO KEY UPDATE"
            }
            _ => "SELECT seq, hash FROM audit_chains WHERE kind = $1 AND id = $2",
        };
        let row: Option<Row> = tx.first(sql, vec![chain.kind().into(), chain.id().into()]).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(format!("the audit chain of {chain}")))?;
        Ok(Self { chain, account: None, head: Head { seq: row.seq, hash: row.hash } })
    }
}

/// Who caused events, from where, and when.
pub struct EventContext<'a> {
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    pub at: Timestamp,
}

/// Adds events to the end of a chain; those of the actor's own, to that of the actor.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append(
    tx: &DatabaseTransaction,
    head: &mut ChainHead,
    context: &EventContext<'_>,
    events: &[RecordedEvent],
) -> Result<(), DbErr> {
    let mut batch = Batch::default();
    let (own, others): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| event.recorded_in == RecordedIn::User);
    if let (Some(user), false) = (context.actor.id, own.is_empty()) {
        let mut own_head = ChainHead::lock(tx, Chain::User(user)).await?;
        for event in own {
            batch.add(&mut own_head, context, event)?;
        }
    }
    for event in others {
        batch.add(head, context, event)?;
    }
    batch.insert(tx, context.at).await
}

/// Adds events to the ends of several chains, which are locked.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append_to_each(
    tx: &DatabaseTransaction,
    context: &EventContext<'_>,
    chains: Vec<(ChainHead, Vec<RecordedEvent>)>,
) -> Result<(), DbErr> {
    let mut batch = Batch::default();
    for (mut head, events) in chains {
        for event in &events {
            batch.add(&mut head, context, event)?;
        }
    }
    batch.insert(tx, context.at).await
}

/// Records what a user did outside of workspaces and accounts: sign-ins, passwords, sessions.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append_to_user(
    tx: &DatabaseTransaction,
    actor: &Actor,
    origin: &Origin,
    at: Timestamp,
    event: impl AuditEvent,
) -> Result<(), DbErr> {
    let events = [RecordedEvent::new(event, target_of(actor))];
    append_all_to_user(tx, actor, origin, at, &events, Vec::new()).await
}

/// [`append_to_user`] for several events of one change, with one in each of other chains, which are locked.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append_all_to_user(
    tx: &DatabaseTransaction,
    actor: &Actor,
    origin: &Origin,
    at: Timestamp,
    events: &[RecordedEvent],
    elsewhere: Vec<(ChainHead, RecordedEvent)>,
) -> Result<(), DbErr> {
    let context = EventContext { actor, origin, at };
    let mut head = ChainHead::lock(tx, Chain::User(actor.id.unwrap_or_default())).await?;
    let mut batch = Batch::default();
    for event in events {
        batch.add(&mut head, &context, event)?;
    }
    for (mut head, event) in elsewhere {
        batch.add(&mut head, &context, &event)?;
    }
    batch.insert(tx, at).await
}

/// A user as the target of what they did to themselves.
pub(in crate::domain) fn target_of(user: &Actor) -> Target {
    Target::new(USER, user.id.unwrap_or_default(), &user.name).of(user.id, &user.email)
}

/// Records what the program, or whoever runs it, did to the installation. Returns the head after it.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append_to_installation(
    tx: &DatabaseTransaction,
    at: Timestamp,
    event: RecordedEvent,
) -> Result<Head, DbErr> {
    let mut head = ChainHead::lock(tx, Chain::Installation).await?;
    let mut batch = Batch::default();
    batch.add_of_program(&mut head, at, &event)?;
    batch.insert(tx, at).await?;
    Ok(head.head)
}

/// Whether events that are declared for this record are written into this chain.
fn includes(chain: Chain, recorded_in: RecordedIn) -> bool {
    match recorded_in {
        RecordedIn::Workspace | RecordedIn::WorkspaceAndAccount => matches!(chain, Chain::Workspace(_)),
        RecordedIn::WorkspaceOrAccount => matches!(chain, Chain::Workspace(_) | Chain::Account(_)),
        RecordedIn::Account => matches!(chain, Chain::Account(_)),
        RecordedIn::User => matches!(chain, Chain::User(_)),
        RecordedIn::Installation => chain == Chain::Installation,
    }
}

/// Events to insert at once. Each head is already at the last of them.
#[derive(Default)]
struct Batch {
    events: Vec<audit_event::ActiveModel>,
    names: Vec<audit_identity::ActiveModel>,
    /// Chains of which these are the first events.
    started: Vec<Chain>,
    /// Those of workspaces, which may be sent to destinations.
    to_send: Vec<receivers::NewEvent>,
}

/// Rows of one statement: far from the number of values that a statement may bind.
const AT_ONCE: usize = 200;

impl Batch {
    fn add(
        &mut self,
        head: &mut ChainHead,
        context: &EventContext<'_>,
        event: &RecordedEvent,
    ) -> Result<(), DbErr> {
        debug_assert!(
            includes(head.chain, event.recorded_in),
            "{} is declared for another record",
            event.kind
        );
        if head.head.seq == 0 && head.chain != Chain::Installation {
            self.started.push(head.chain);
        }
        let names = names(context, event)?;
        let mut row = row(head, context, event)?;
        row.id = names.event_id;
        row.hash = chain::hash(&head.head.hash, &row, &names);
        head.head = Head { seq: row.seq, hash: row.hash.clone() };
        if let Some(workspace) = row.workspace_id {
            self.to_send.push(receivers::NewEvent { workspace, id: row.id, kind: row.kind.clone() });
        }
        self.events.push(row.into_active_model());
        self.names.push(names.into_active_model());
        Ok(())
    }

    fn add_of_program(
        &mut self,
        head: &mut ChainHead,
        at: Timestamp,
        event: &RecordedEvent,
    ) -> Result<(), DbErr> {
        let origin = Origin {
            via: Channel::Command,
            address: String::new(),
            user_agent: String::new(),
            route: String::new(),
            attempt: None,
        };
        self.add(head, &EventContext { actor: &Actor::system(), origin: &origin, at }, event)
    }

    /// Inserts the events; triggers move the heads. The start of a chain is recorded in the installation's, so
    /// that a whole chain does not disappear unnoticed.
    async fn insert(mut self, tx: &DatabaseTransaction, at: Timestamp) -> Result<(), DbErr> {
        receivers::queue(tx, at, &self.to_send).await?;
        if !self.started.is_empty() {
            let mut head = ChainHead::lock(tx, Chain::Installation).await?;
            for chain in std::mem::take(&mut self.started) {
                let target = Target::new(TargetKind::new(chain.kind()), chain.id(), "");
                self.add_of_program(&mut head, at, &RecordedEvent::new(AuditChainStarted {}, target))?;
            }
        }
        let (mut events, mut names) = (self.events.into_iter(), self.names.into_iter());
        while events.len() > 0 {
            let (events, names) = (events.by_ref().take(AT_ONCE), names.by_ref().take(AT_ONCE));
            audit_event::Entity::insert_many(events).exec_without_returning(tx).await?;
            audit_identity::Entity::insert_many(names).exec_without_returning(tx).await?;
        }
        Ok(())
    }
}

/// The row of an event at the end of a chain, still without its id and its hash.
fn row(
    head: &ChainHead,
    context: &EventContext<'_>,
    event: &RecordedEvent,
) -> Result<audit_event::Model, DbErr> {
    let (workspace_id, account_id, user_id) = match head.chain {
        Chain::Workspace(id) => {
            (Some(id), head.account.filter(|_| event.recorded_in == RecordedIn::WorkspaceAndAccount), None)
        }
        Chain::Account(id) => (None, Some(id), None),
        Chain::User(id) => (None, None, Some(id)),
        Chain::Installation => (None, None, None),
    };
    let payload = if event.named == Named::Nobody { event.payload()? } else { "{}" };
    Ok(audit_event::Model {
        id: Uuid::nil(),
        workspace_id,
        account_id,
        user_id,
        seq: head.head.seq + 1,
        at: context.at,
        kind: event.kind.to_owned(),
        outcome: event.outcome.word().to_owned(),
        actor_kind: context.actor.kind.to_owned(),
        actor_id: context.actor.id,
        target_kind: event.target.kind().to_owned(),
        target_id: event.target.id,
        via: context.origin.via.word().to_owned(),
        payload: payload.to_owned(),
        hash: Vec::new(),
    })
}

/// The names of an event under its new id, each part with a salt of its own.
fn names(context: &EventContext<'_>, event: &RecordedEvent) -> Result<audit_identity::Model, DbErr> {
    let salt = || Some(random::bytes::<16>().to_vec());
    let subject = match event.named {
        Named::Nobody => None,
        Named::Actor => context.actor.id,
        Named::Person(id) => Some(id),
    };
    let is_personal = event.named != Named::Nobody;
    let mut names = audit_identity::Model {
        event_id: random::id(context.at),
        actor_commitment: Vec::new(),
        actor_salt: salt(),
        actor_name: Some(context.actor.name.clone()),
        actor_email: Some(context.actor.email.clone()),
        address: Some(context.origin.address.clone()),
        user_agent: Some(context.origin.user_agent.clone()),
        target_subject: event.target.subject,
        target_commitment: Vec::new(),
        target_salt: salt(),
        target_name: Some(event.target.name.clone()),
        target_email: Some(event.target.email.clone()),
        payload_subject: subject,
        payload_commitment: None,
        payload_salt: if is_personal { salt() } else { None },
        payload: if is_personal { Some(event.payload()?.to_owned()) } else { None },
    };
    let commitments = Commitments::of(&names);
    names.actor_commitment = commitments.actor.unwrap_or_default();
    names.target_commitment = commitments.target.unwrap_or_default();
    names.payload_commitment = commitments.payload;
    Ok(names)
}

/// A refusal as an event; `None` for one that is not audited.
pub(super) fn refusal(origin: &Origin, refused: &Refused) -> Option<RecordedEvent> {
    let reason = refused.audit_reason()?.word.to_owned();
    let event = AccessRefused::once(origin.route.clone(), reason);
    Some(RecordedEvent::new(event, Target::nothing()))
}
