//! Audit events, recorded in the transaction of the change.
//!
//! Rows are append-only by trigger, and chained by hash within a workspace.

use crate::{
    clock::{MINUTE, Timestamp},
    domain::{
        base::{
            event::{Actor, AuditEvent, RecordedEvent, RecordedIn, Target},
            principal::{Origin, USER},
            refused::Refused,
        },
        enforce::events::AccessRefused,
    },
    entity::{audit_event, workspace},
    random,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, SimpleExpr},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The end of a workspace's chain, read under the workspace's lock.
pub struct ChainHead {
    pub workspace: Uuid,
    /// The account that the workspace belongs to; `None` while the workspace is being created.
    pub account: Option<Uuid>,
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl ChainHead {
    /// The chain of a workspace that is being created.
    pub(super) fn start(workspace: Uuid) -> Self {
        Self { workspace, account: None, seq: 0, hash: Vec::new() }
    }
}

/// Who caused events, from where, and when.
pub struct EventContext<'a> {
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    pub at: Timestamp,
}

/// Adds events to the end of a workspace's chain.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append(
    tx: &DatabaseTransaction,
    head: &mut ChainHead,
    context: &EventContext<'_>,
    events: &[RecordedEvent],
) -> Result<(), DbErr> {
    if events.is_empty() {
        return Ok(());
    }
    for event in events {
        head.seq += 1;
        let account = head.account.filter(|_| event.recorded_in == RecordedIn::WorkspaceAndAccount);
        let stream =
            AuditStream { workspace: Some(head.workspace), account, seq: head.seq, previous: &head.hash };
        head.hash = insert(tx, stream, context, event).await?;
    }
    workspace::Entity::update_many()
        .filter(workspace::Column::Id.eq(head.workspace))
        .col_expr(workspace::Column::AuditSeq, Expr::value(head.seq))
        .col_expr(workspace::Column::AuditHash, Expr::value(head.hash.clone()))
        .exec(tx)
        .await?;
    Ok(())
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
    let context = EventContext { actor, origin, at };
    let event = RecordedEvent::new(event, Target::new(USER, actor.id, actor.name.clone()));
    insert(tx, AuditStream::default(), &context, &event).await.map(drop)
}

/// Records events of an account. Its record is append-only, but not a hash chain.
///
/// # Errors
/// The database's own.
pub(super) async fn append_to_account(
    tx: &DatabaseTransaction,
    account: Uuid,
    context: &EventContext<'_>,
    events: &[RecordedEvent],
) -> Result<(), DbErr> {
    for event in events {
        let stream = AuditStream { account: Some(account), ..AuditStream::default() };
        insert(tx, stream, context, event).await?;
    }
    Ok(())
}

/// The record that an event is written into, and the position in it. Neither a workspace nor an account: the
/// actor's own.
#[derive(Default)]
struct AuditStream<'a> {
    workspace: Option<Uuid>,
    account: Option<Uuid>,
    seq: i64,
    /// The hash of the entry before.
    previous: &'a [u8],
}

impl AuditStream<'_> {
    /// Events that are declared for another record are not written here.
    fn includes(&self, recorded_in: RecordedIn) -> bool {
        match recorded_in {
            RecordedIn::Workspace | RecordedIn::WorkspaceAndAccount => self.workspace.is_some(),
            RecordedIn::WorkspaceOrAccount => self.workspace.is_some() || self.account.is_some(),
            RecordedIn::Account => self.workspace.is_none() && self.account.is_some(),
            RecordedIn::User => self.workspace.is_none() && self.account.is_none(),
        }
    }
}

async fn insert(
    tx: &DatabaseTransaction,
    stream: AuditStream<'_>,
    context: &EventContext<'_>,
    event: &RecordedEvent,
) -> Result<Vec<u8>, DbErr> {
    debug_assert!(stream.includes(event.recorded_in), "{} is declared for another record", event.kind);
    let (payload, target) = (event.payload()?, &event.target);
    let entry = ChainEntry {
        seq: stream.seq,
        at: context.at,
        kind: event.kind,
        outcome: event.outcome.word(),
        actor: &context.actor.id.to_string(),
        actor_name: &context.actor.name,
        target_kind: target.kind(),
        target: &target.id.map(|id| id.to_string()).unwrap_or_default(),
        target_name: &target.name,
        via: context.origin.via.word(),
        address: &context.origin.address,
        user_agent: &context.origin.user_agent,
        payload,
    };
    let hash = entry.hash(stream.previous);
    let row = audit_event::ActiveModel {
        id: Set(random::id(context.at)),
        workspace_id: Set(stream.workspace),
        seq: Set(stream.seq),
        at: Set(context.at),
        kind: Set(event.kind.to_owned()),
        outcome: Set(event.outcome.word().to_owned()),
        actor_kind: Set(context.actor.kind.to_owned()),
        actor_id: Set(Some(context.actor.id)),
        actor_name: Set(context.actor.name.clone()),
        target_kind: Set(target.kind().to_owned()),
        target_id: Set(target.id),
        target_name: Set(target.name.clone()),
        via: Set(context.origin.via.word().to_owned()),
        address: Set(context.origin.address.clone()),
        user_agent: Set(context.origin.user_agent.clone()),
        payload: Set(payload.to_owned()),
        hash: Set(hash.clone()),
        account_id: Set(stream.account),
    };
    audit_event::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(hash)
}

/// What the hash of one event covers.
#[derive(Serialize)]
pub(super) struct ChainEntry<'a> {
    pub seq: i64,
    pub at: Timestamp,
    pub kind: &'a str,
    pub outcome: &'a str,
    pub actor: &'a str,
    pub actor_name: &'a str,
    pub target_kind: &'a str,
    pub target: &'a str,
    pub target_name: &'a str,
    pub via: &'a str,
    pub address: &'a str,
    pub user_agent: &'a str,
    pub payload: &'a str,
}

impl ChainEntry<'_> {
    /// SHA-256 over the previous entry's hash and this one's content as JSON.
    pub(super) fn hash(&self, previous: &[u8]) -> Vec<u8> {
        let content = serde_json::to_vec(self).unwrap_or_default();
        Sha256::new().chain_update(previous).chain_update(content).finalize().to_vec()
    }
}

/// The most identical refusals of one actor that are recorded within a minute. More would be a flood, whose
/// rows could never be deleted.
const MAX_REFUSALS_A_MINUTE: u64 = 100;

/// Whether this very refusal was recorded too often within the last minute, in the record that `whose`
/// selects.
///
/// # Errors
/// The database's own.
pub(super) async fn is_flood(
    tx: &DatabaseTransaction,
    whose: SimpleExpr,
    by: &Actor,
    event: &RecordedEvent,
    now: Timestamp,
) -> Result<bool, DbErr> {
    use audit_event::Column;
    let same = audit_event::Entity::find()
        .filter(whose)
        .filter(Column::At.gt(now - MINUTE))
        .filter(Column::ActorId.eq(by.id))
        .filter(Column::Payload.eq(event.payload()?))
        .count(tx)
        .await?;
    Ok(same >= MAX_REFUSALS_A_MINUTE)
}

/// A refusal as an event; `None` for one that is not audited.
pub(super) fn refusal(origin: &Origin, refused: &Refused) -> Option<RecordedEvent> {
    let reason = refused.audit_reason()?.word.to_owned();
    let event = AccessRefused { route: origin.route.clone(), reason };
    Some(RecordedEvent::new(event, Target::nothing()))
}
