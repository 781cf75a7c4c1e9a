//! Events that a destination of the demo received, as their log keeps them: it took them for weeks, and then said that
//! nothing is there any more. So the demo itself sends nothing.

use crate::{
    clock::{HOUR, MINUTE, SECOND, Timestamp},
    domain::{
        base::{db::Db, refused::Refused, sql::Sql},
        enforce::receivers::{HELD_FOR, KEPT_FOR, MAX_ATTEMPTS},
        nouns::deliveries::{DELIVERED, FAILED, HELD, TEST},
    },
    entity::{event_attempt, event_delivery},
    random,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// How long before now the destination is gone, in milliseconds.
const GONE_FOR: i64 = 60 * HOUR;

/// What the log says of an answer.
const GONE: &str = "It answered 410: nothing is there any more.";
const BUSY: &str = "It answered 503.";

#[derive(FromQueryResult)]
struct Held {
    id: Uuid,
    workspace_id: Uuid,
    destination_id: Uuid,
    queued_at: Timestamp,
}

/// An attempt: when, the status of the answer, how long it took, and the first bytes.
struct Attempt(Timestamp, i64, i64, &'static str);

impl Attempt {
    fn error(&self) -> Option<&'static str> {
        match self.1 {
            410 => Some(GONE),
            503 => Some(BUSY),
            _ => None,
        }
    }
}

/// Has the events of a destination held from the first one on, so that none is sent meanwhile.
///
/// # Errors
/// The database's own.
pub(super) async fn hold(db: &Db, destination: Uuid) -> Result<(), Refused> {
    let tx = db.begin().await?;
    let sql = "UPDATE event_endpoints SET stopped_at = $2, stop_reason = 'gone' WHERE destination_id = $1";
    tx.run(sql, vec![destination.into(), db.now().into()]).await?;
    Ok(tx.commit().await?)
}

/// Writes what came of the events that are held. To be called once the clock is at the present.
///
/// # Errors
/// The database's own.
pub(super) async fn fill(db: &Db) -> Result<(), Refused> {
    let sql = "SELECT id, workspace_id, destination_id, queued_at FROM event_deliveries
        WHERE status = 'held' AND attempts = 0 ORDER BY queued_at, id";
    let all: Vec<Held> = db.read().all(sql, Vec::new()).await?;
    let taken = all.partition_point(|held| held.queued_at < db.now() - GONE_FOR);
    let (Some(last), Some(first)) = (all[..taken].last(), all.get(taken)) else { return Ok(()) };
    let tx = db.begin().await?;
    for (number, held) in (0_i64..).zip(&all[..taken]) {
        let mut at = held.queued_at + SECOND;
        let mut attempts = Vec::new();
        if number % 7 == 3 {
            attempts.push(Attempt(at, 503, 1_204, "Try again later."));
            at = at + 5 * SECOND;
        }
        attempts.push(Attempt(at, 200, 61 + number * 37 % 140, "ok"));
        write(&tx, held, DELIVERED, &attempts).await?;
    }
    let gone_at = first.queued_at + SECOND;
    write(&tx, first, HELD, &[Attempt(gone_at, 410, 88, "Gone")]).await?;
    let test = Held { id: random::id(db.now()), queued_at: gone_at + 40 * MINUTE, ..*first };
    insert_test(&tx, &test).await?;
    let tested_at = test.queued_at + SECOND;
    write(&tx, &test, FAILED, &[Attempt(tested_at, 410, 74, "Gone")]).await?;
    let sql = "UPDATE event_endpoints SET stopped_at = $2, failing_since = $2, last_success_at = $3
        WHERE destination_id = $1";
    let values = vec![first.destination_id.into(), gone_at.into(), (last.queued_at + SECOND).into()];
    tx.run(sql, values).await?;
    let sql = "UPDATE destinations SET last_error_at = $3, last_error = $4
        WHERE workspace_id = $1 AND id = $2 AND COALESCE(last_error_at, 0) < $3";
    let values = vec![first.workspace_id.into(), first.destination_id.into(), tested_at.into(), GONE.into()];
    tx.run(sql, values).await?;
    Ok(tx.commit().await?)
}

async fn write(
    tx: &DatabaseTransaction,
    held: &Held,
    status: &str,
    attempts: &[Attempt],
) -> Result<(), Refused> {
    let Some(last) = attempts.last() else { return Ok(()) };
    let made = i64::try_from(attempts.len()).unwrap_or(MAX_ATTEMPTS);
    let kept_for = if status == HELD { HELD_FOR } else { KEPT_FOR };
    let sql = "UPDATE event_deliveries SET status = $2, attempts = $3, tries_left = $4, last_attempt_at = $5,
            last_status = $6, last_error = $7, expires_at = $8
        WHERE id = $1";
    let values = vec![
        held.id.into(),
        status.into(),
        made.into(),
        (MAX_ATTEMPTS - made).into(),
        last.0.into(),
        last.1.into(),
        last.error().into(),
        (held.queued_at + kept_for).into(),
    ];
    tx.run(sql, values).await?;
    let rows = attempts.iter().map(|attempt| event_attempt::ActiveModel {
        id: Set(random::id(attempt.0)),
        workspace_id: Set(held.workspace_id),
        delivery_id: Set(held.id),
        attempted_at: Set(attempt.0),
        status: Set(Some(attempt.1)),
        error: Set(attempt.error().map(str::to_owned)),
        duration_ms: Set(attempt.2),
        body: Set(attempt.3.to_owned()),
    });
    event_attempt::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// A test event that somebody sent.
async fn insert_test(tx: &DatabaseTransaction, test: &Held) -> Result<(), Refused> {
    let row = event_delivery::ActiveModel {
        id: Set(test.id),
        workspace_id: Set(test.workspace_id),
        destination_id: Set(test.destination_id),
        event_id: Set(None),
        kind: Set(TEST.to_owned()),
        status: Set(FAILED.to_owned()),
        queued_at: Set(test.queued_at),
        due_at: Set(None),
        attempts: Set(0),
        tries_left: Set(1),
        last_attempt_at: Set(None),
        last_status: Set(None),
        last_error: Set(None),
        expires_at: Set(test.queued_at + KEPT_FOR),
    };
    event_delivery::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
