//! Step 6 of the enforcement path: what happened is written down in the same transaction.
//!
//! An event is a closed kind with a bounded, typed payload: no free text of a request, no secret.
//! Rows are append-only by trigger, and chained by hash within a workspace.

use crate::{
    clock::MINUTE,
    domain::base::{
        event::{Actor, Event, Outcome, Target, TargetKind},
        principal::Origin,
        refused::Refused,
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
pub struct Head {
    pub workspace: Uuid,
    /// The account that the workspace belongs to; none while it is being created.
    pub account: Option<Uuid>,
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl Head {
    /// The chain of a workspace that is being created.
    pub(super) fn start(workspace: Uuid) -> Self {
        Self { workspace, account: None, seq: 0, hash: Vec::new() }
    }
}

/// Everything about an event but the event itself.
pub struct Circumstances<'a> {
    pub actor: &'a Actor,
    pub origin: &'a Origin,
    pub at: i64,
    pub outcome: Outcome,
}

/// Adds events to the end of a workspace's chain.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn append(
    tx: &DatabaseTransaction,
    head: &mut Head,
    about: &Circumstances<'_>,
    entries: &[(Event, Target)],
) -> Result<(), DbErr> {
    if entries.is_empty() {
        return Ok(());
    }
    for (event, target) in entries {
        head.seq += 1;
        let account = head.account.filter(|_| event.concerns_account());
        let place = Place { workspace: Some(head.workspace), account, seq: head.seq, previous: &head.hash };
        head.hash = insert(tx, place, about, event, target).await?;
    }
    workspace::Entity::update_many()
        .filter(workspace::Column::Id.eq(head.workspace))
        .col_expr(workspace::Column::AuditSeq, Expr::value(head.seq))
        .col_expr(workspace::Column::AuditHash, Expr::value(head.hash.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes down what a person did outside any workspace: their own sign-ins, passwords, sessions.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn personal(
    tx: &DatabaseTransaction,
    actor: &Actor,
    origin: &Origin,
    at: i64,
    event: &Event,
) -> Result<(), DbErr> {
    let about = Circumstances { actor, origin, at, outcome: Outcome::Done };
    let target = Target::new(TargetKind::User, actor.id, actor.name.clone());
    insert(tx, Place::default(), &about, event, &target).await.map(drop)
}

/// Writes down what happens to an account. Its record is append-only like every other, and no chain.
///
/// # Errors
/// The database's own.
pub(super) async fn of_account(
    tx: &DatabaseTransaction,
    account: Uuid,
    about: &Circumstances<'_>,
    entries: &[(Event, Target)],
) -> Result<(), DbErr> {
    for (event, target) in entries {
        let place = Place { account: Some(account), ..Place::default() };
        insert(tx, place, about, event, target).await?;
    }
    Ok(())
}

/// Whose record an event goes into, and after which other.
#[derive(Default)]
struct Place<'a> {
    workspace: Option<Uuid>,
    account: Option<Uuid>,
    seq: i64,
    previous: &'a [u8],
}

async fn insert(
    tx: &DatabaseTransaction,
    place: Place<'_>,
    about: &Circumstances<'_>,
    event: &Event,
    target: &Target,
) -> Result<Vec<u8>, DbErr> {
    let payload = serde_json::to_string(event).map_err(|e| DbErr::Custom(e.to_string()))?;
    let link = Link {
        seq: place.seq,
        at: about.at,
        kind: event.kind(),
        outcome: about.outcome.word(),
        actor: &about.actor.id.to_string(),
        actor_name: &about.actor.name,
        target_kind: target.kind(),
        target: &target.id.map(|id| id.to_string()).unwrap_or_default(),
        target_name: &target.name,
        via: about.origin.via.word(),
        address: &about.origin.address,
        user_agent: &about.origin.user_agent,
        payload: &payload,
    };
    let hash = link.hash(place.previous);
    let row = audit_event::ActiveModel {
        id: Set(random::id(about.at)),
        workspace_id: Set(place.workspace),
        seq: Set(place.seq),
        at: Set(about.at),
        kind: Set(event.kind().to_owned()),
        outcome: Set(about.outcome.word().to_owned()),
        actor_kind: Set(about.actor.kind.to_owned()),
        actor_id: Set(Some(about.actor.id)),
        actor_name: Set(about.actor.name.clone()),
        target_kind: Set(target.kind().to_owned()),
        target_id: Set(target.id),
        target_name: Set(target.name.clone()),
        via: Set(about.origin.via.word().to_owned()),
        address: Set(about.origin.address.clone()),
        user_agent: Set(about.origin.user_agent.clone()),
        payload: Set(payload),
        hash: Set(hash.clone()),
        account_id: Set(place.account),
    };
    audit_event::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(hash)
}

/// What one link of the chain vouches for.
#[derive(Serialize)]
pub(super) struct Link<'a> {
    pub seq: i64,
    pub at: i64,
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

impl Link<'_> {
    /// SHA-256 over the previous link's hash and this one's content as JSON.
    pub(super) fn hash(&self, previous: &[u8]) -> Vec<u8> {
        let content = serde_json::to_vec(self).unwrap_or_default();
        Sha256::new().chain_update(previous).chain_update(content).finalize().to_vec()
    }
}

/// Refusals of one kind to one person within a minute that are written down. More of them are a
/// flood, whose rows could never be deleted.
const MOST_REFUSALS_A_MINUTE: u64 = 100;

/// Whether this very refusal was written down too often lately, in the record that `whose` tells.
///
/// # Errors
/// The database's own.
pub(super) async fn is_flood(
    tx: &DatabaseTransaction,
    whose: SimpleExpr,
    by: &Actor,
    event: &Event,
    now: i64,
) -> Result<bool, DbErr> {
    use audit_event::Column;
    let payload = serde_json::to_string(event).map_err(|e| DbErr::Custom(e.to_string()))?;
    let same = audit_event::Entity::find()
        .filter(whose)
        .filter(Column::At.gt(now - MINUTE))
        .filter(Column::ActorId.eq(by.id))
        .filter(Column::Payload.eq(payload))
        .count(tx)
        .await?;
    Ok(same >= MOST_REFUSALS_A_MINUTE)
}

/// The words for a refusal, as an event.
pub(super) fn refusal(origin: &Origin, refused: &Refused) -> Option<(Event, Target)> {
    let reason = refused.audited_as()?.to_owned();
    let event = Event::AccessRefused { route: origin.route.clone(), reason };
    Some((event, Target::named(TargetKind::Nothing, "")))
}
