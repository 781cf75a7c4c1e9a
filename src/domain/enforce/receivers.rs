//! Events of a workspace are queued for the destinations that receive them, in the transaction that records them: what
//! was rolled back was never sent, and what was committed is never lost.

use crate::{
    clock::{DAY, Timestamp},
    domain::base::{event_groups::EventGroups, sql::Sql},
    entity::event_delivery,
    random,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

/// How often a message is tried.
pub const MAX_ATTEMPTS: i64 = 8;

/// How long a message that is held can be sent again, in milliseconds.
pub const HELD_FOR: i64 = 7 * DAY;

/// How long the log keeps others, in milliseconds.
pub const KEPT_FOR: i64 = 30 * DAY;

/// The most destinations of a workspace that receive events.
pub const MAX_RECEIVERS: i64 = 20;

/// An event that was just recorded.
pub(super) struct NewEvent {
    pub workspace: Uuid,
    pub id: Uuid,
    pub kind: String,
}

#[derive(FromQueryResult)]
struct Receiver {
    id: Uuid,
    event_kinds: Option<String>,
    is_held: bool,
}

/// Rows of one statement, far from the number of values that a statement may bind.
const AT_ONCE: usize = 200;

/// Queues these events for whoever receives events of their kinds. Where a receiver was stopped or is paused, they are
/// held for it.
pub(super) async fn queue(tx: &DatabaseTransaction, at: Timestamp, events: &[NewEvent]) -> Result<(), DbErr> {
    let workspaces: BTreeSet<Uuid> = events.iter().map(|event| event.workspace).collect();
    for workspace in workspaces {
        let sql =
            "SELECT d.id, d.event_kinds, (d.paused_at IS NOT NULL OR e.stopped_at IS NOT NULL) AS is_held
            FROM destinations d JOIN event_endpoints e ON e.destination_id = d.id
            WHERE d.workspace_id = $1 AND d.receives_events ORDER BY d.id";
        let receivers: Vec<Receiver> = tx.all(sql, vec![workspace.into()]).await?;
        for receiver in receivers {
            let groups = EventGroups::parse_stored(receiver.event_kinds.as_deref().unwrap_or_default());
            let events = events.iter().filter(|event| event.workspace == workspace);
            let wanted: Vec<&NewEvent> = events.filter(|event| groups.includes(&event.kind)).collect();
            if wanted.is_empty() {
                continue;
            }
            for part in wanted.chunks(AT_ONCE) {
                let rows = part.iter().map(|event| delivery(receiver.id, receiver.is_held, at, event));
                event_delivery::Entity::insert_many(rows).exec_without_returning(tx).await?;
            }
            if !receiver.is_held {
                wake(tx, receiver.id, at).await?;
            }
        }
    }
    Ok(())
}

/// Something is to be sent to this destination from this moment on.
///
/// The sender sets the column to the end of its lease when it begins, and to the least of what stands there and what it
/// has left when it ends. So nothing that was queued in the meantime is forgotten.
async fn wake(tx: &DatabaseTransaction, destination: Uuid, at: Timestamp) -> Result<(), DbErr> {
    let sql = "UPDATE event_endpoints SET next_due_at = $2 WHERE destination_id = $1 AND next_due_at > $2";
    tx.run(sql, vec![destination.into(), at.into()]).await.map(drop)
}

fn delivery(
    destination: Uuid,
    is_held: bool,
    at: Timestamp,
    event: &NewEvent,
) -> event_delivery::ActiveModel {
    event_delivery::ActiveModel {
        id: Set(random::id(at)),
        workspace_id: Set(event.workspace),
        destination_id: Set(destination),
        event_id: Set(Some(event.id)),
        kind: Set(event.kind.clone()),
        status: Set(if is_held { "held" } else { "waiting" }.to_owned()),
        queued_at: Set(at),
        due_at: Set((!is_held).then_some(at)),
        attempts: Set(0),
        tries_left: Set(MAX_ATTEMPTS),
        last_attempt_at: Set(None),
        last_status: Set(None),
        last_error: Set(None),
        expires_at: Set(at + if is_held { HELD_FOR } else { KEPT_FOR }),
    }
}
