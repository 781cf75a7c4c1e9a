//! Sending something because a person asks for it: a test, and events that were sent before or are held.

use crate::{
    clock::Timestamp,
    domain::{
        base::{conflict::Conflict, event::Recorded, refused::Refused},
        enforce::{
            receivers::{KEPT_FOR, MAX_ATTEMPTS},
            rows::Scoped,
            write::WriteScope,
        },
        nouns::deliveries::{
            TEST, WAITING,
            endpoint::Endpoint,
            events::{EventsReplayed, EventsTested},
            hold::send_now,
            list::{Delivery, load},
            settings::EVENTS_ARE_OFF,
        },
    },
    entity::event_delivery,
    policy::{Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait};
use uuid::Uuid;

pub const PAUSED: Conflict = Conflict::new(
    "events-paused",
    "This destination is paused, so nothing is sent to it. Nothing was changed. Resume it first.",
);

pub const STOPPED: Conflict = Conflict::new(
    "events-stopped",
    "Events to this destination have stopped. Nothing was changed. Turn them on again first.",
);

pub const NOT_AN_EVENT: Conflict = Conflict::new(
    "not-an-event",
    "This message is a test, and no event. Nothing was changed. Send another test event instead.",
);

/// The most messages that are sent again at once.
pub const MAX_REPLAYED: i64 = 10_000;

fn ensure_can_receive(endpoint: &Endpoint) -> Result<(), Refused> {
    match endpoint {
        Endpoint { is_on: false, .. } => Err(EVENTS_ARE_OFF.into()),
        Endpoint { is_paused: true, .. } => Err(PAUSED.into()),
        endpoint if endpoint.lacks_authority() => Err(STOPPED.into()),
        _ => Ok(()),
    }
}

/// A message of the program's own, which is sent once.
pub(super) async fn insert_message(
    tx: &DatabaseTransaction,
    workspace: Uuid,
    destination: Uuid,
    kind: &str,
    now: Timestamp,
) -> Result<Uuid, DbErr> {
    let id = random::id(now);
    let row = event_delivery::ActiveModel {
        id: Set(id),
        workspace_id: Set(workspace),
        destination_id: Set(destination),
        event_id: Set(None),
        kind: Set(kind.to_owned()),
        status: Set(WAITING.to_owned()),
        queued_at: Set(now),
        due_at: Set(Some(now)),
        attempts: Set(0),
        tries_left: Set(1),
        last_attempt_at: Set(None),
        last_status: Set(None),
        last_error: Set(None),
        expires_at: Set(now + KEPT_FOR),
    };
    event_delivery::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// Sends a test message. Where events were stopped and the destination takes it, events are sent again.
///
/// # Errors
/// [`EVENTS_ARE_OFF`], [`PAUSED`], [`STOPPED`] where nobody who may see events answers for them.
pub async fn send_test(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<Delivery>, Refused> {
    let endpoint = Endpoint::load(s, id).await?;
    ensure_can_receive(&endpoint)?;
    send_now(s, id).await?;
    let message = insert_message(&s.open().tx, s.workspace_id(), id, TEST, s.now()).await?;
    let sent = load(s, id, message).await?;
    Ok(Recorded::new(sent, EventsTested {}, endpoint.target()))
}

/// Sends one event again, under the id that it had.
///
/// # Errors
/// As [`send_test`]; [`NOT_AN_EVENT`]; [`Refused::Forbidden`] for who may not see the record.
pub async fn replay(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    delivery: Uuid,
) -> Result<Recorded<Delivery>, Refused> {
    s.require(Permission::ReadAudit).await?;
    let endpoint = Endpoint::load(s, id).await?;
    let before = load(s, id, delivery).await?;
    if !before.can_be_replayed() {
        return Err(NOT_AN_EVENT.into());
    }
    ensure_can_receive(&endpoint)?;
    send_now(s, id).await?;
    // While events are stopped each try is one that somebody asked for.
    let tries = if endpoint.stopped.is_some() { 1 } else { MAX_ATTEMPTS };
    let sql = "UPDATE event_deliveries SET status = 'waiting', due_at = $4, tries_left = $5, expires_at = $6
        WHERE workspace_id = $1 AND destination_id = $2 AND id = $3";
    let values = vec![id.into(), delivery.into(), s.now().into(), tries.into(), (s.now() + KEPT_FOR).into()];
    s.run(sql, values).await?;
    let sent = load(s, id, delivery).await?;
    Ok(Recorded::new(sent, EventsReplayed { count: 1 }, endpoint.target()))
}

/// Which events to send again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// When they were queued. The first moment is included, the second is not.
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Those too that were delivered; otherwise only those that are held.
    pub with_delivered: bool,
}

/// Sends events of a span of time again, the earliest ones where there are more than [`MAX_REPLAYED`]. Returns how
/// many.
///
/// # Errors
/// As [`replay`], and [`STOPPED`] where events are stopped, for whatever reason.
pub async fn replay_range(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    range: Range,
) -> Result<Recorded<u64>, Refused> {
    s.require(Permission::ReadAudit).await?;
    let endpoint = Endpoint::load(s, id).await?;
    ensure_can_receive(&endpoint)?;
    if endpoint.stopped.is_some() {
        return Err(STOPPED.into());
    }
    send_now(s, id).await?;
    let from = range.from.unwrap_or_default();
    let until = range.until.unwrap_or(Timestamp::from_millis(i64::MAX));
    let mut count = 0;
    let statuses: &[&str] = if range.with_delivered { &["held", "delivered"] } else { &["held"] };
    for status in statuses {
        let left = MAX_REPLAYED - i64::try_from(count).unwrap_or(MAX_REPLAYED);
        let sql = format!(
            "UPDATE event_deliveries SET status = 'waiting', due_at = $5, tries_left = {MAX_ATTEMPTS}, expires_at = $6
            WHERE workspace_id = $1 AND id IN (SELECT d.id FROM event_deliveries d
                WHERE d.workspace_id = $1 AND d.destination_id = $2 AND d.status = '{status}'
                    AND d.queued_at >= $3 AND d.queued_at < $4 AND d.event_id IS NOT NULL
                ORDER BY d.queued_at, d.id LIMIT $7)"
        );
        let values = vec![
            id.into(),
            from.into(),
            until.into(),
            s.now().into(),
            (s.now() + KEPT_FOR).into(),
            left.into(),
        ];
        count += s.run(&sql, values).await?;
    }
    if count == 0 {
        return Ok(Recorded::unchanged(0));
    }
    Ok(Recorded::new(count, EventsReplayed { count }, endpoint.target()))
}
