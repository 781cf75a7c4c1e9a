//! One node at a time has a turn at a destination.

use crate::{
    clock::{SECOND, Timestamp},
    domain::{
        base::{db::Db, sql::Sql},
        nouns::deliveries::settings::NEVER,
    },
};
use sea_orm::{DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

/// How long a destination is leased to a node, in milliseconds: longer than an attempt may take. Each attempt renews it.
const LEASE: i64 = 45 * SECOND;

/// This node's turn at a destination.
#[derive(Debug)]
pub struct Turn {
    pub workspace: Uuid,
    pub destination: Uuid,
    pub(super) leased_until: Timestamp,
    /// Its last attempt failed: it may take long.
    pub is_failing: bool,
}

#[derive(FromQueryResult)]
struct Due {
    destination_id: Uuid,
}

#[derive(FromQueryResult)]
struct Leased {
    workspace_id: Uuid,
    failing_since: Option<Timestamp>,
}

/// What [`lease_next`] found.
#[derive(Debug)]
pub enum NextLease {
    Leased(Turn),
    /// Another node was faster. Other destinations may be due.
    Raced,
    /// Nothing is due.
    Nothing,
}

/// Leases the destination that has waited longest. No other node gets it meanwhile.
///
/// # Errors
/// The database's own.
pub async fn lease_next(db: &Db) -> Result<NextLease, DbErr> {
    let now = db.now();
    // What waits in a workspace that is deleted stays as it is, for when it is restored.
    let sql = "SELECT destination_id FROM event_endpoints WHERE next_due_at <= $1 AND leased_until <= $1
            AND (SELECT w.deleted_at FROM workspaces w WHERE w.id = event_endpoints.workspace_id) IS NULL
        ORDER BY next_due_at, destination_id LIMIT 1";
    let due: Option<Due> = db.read().first(sql, vec![now.into()]).await?;
    let Some(Due { destination_id }) = due else { return Ok(NextLease::Nothing) };
    let leased_until = now + LEASE;
    let tx = db.begin().await?;
    // Due again when the lease ends: then this node is gone.
    let sql = "UPDATE event_endpoints SET leased_until = $2, next_due_at = $2
        WHERE destination_id = $1 AND next_due_at <= $3 AND leased_until <= $3
        RETURNING workspace_id, failing_since";
    let leased: Option<Leased> =
        tx.first(sql, vec![destination_id.into(), leased_until.into(), now.into()]).await?;
    tx.commit().await?;
    Ok(leased.map_or(NextLease::Raced, |row| {
        NextLease::Leased(Turn {
            workspace: row.workspace_id,
            destination: destination_id,
            leased_until,
            is_failing: row.failing_since.is_some(),
        })
    }))
}

/// Renews the lease, and returns until when; `None` if it is no longer this node's. What was queued in the meantime stays
/// due.
pub(super) async fn renew(
    tx: &DatabaseTransaction,
    turn: &Turn,
    now: Timestamp,
) -> Result<Option<Timestamp>, DbErr> {
    let until = now + LEASE;
    let sql = "UPDATE event_endpoints SET leased_until = $3,
            next_due_at = CASE WHEN next_due_at = leased_until THEN $3 ELSE next_due_at END
        WHERE destination_id = $1 AND leased_until = $2";
    let renewed = tx.run(sql, vec![turn.destination.into(), turn.leased_until.into(), until.into()]).await?;
    Ok((renewed == 1).then_some(until))
}

#[derive(FromQueryResult)]
struct Moments {
    due_at: Option<Timestamp>,
    next_probe_at: Option<Timestamp>,
    not_before: Timestamp,
}

/// Ends a turn: the destination is due when its next message or probe is, and not before `later`.
///
/// # Errors
/// The database's own. Then it is due when the lease ends.
pub async fn release(db: &Db, turn: &Turn, later: Timestamp) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "SELECT e.next_probe_at, e.not_before, (SELECT MIN(d.due_at) FROM event_deliveries d
            WHERE d.destination_id = e.destination_id AND d.status = 'waiting') AS due_at
        FROM event_endpoints e WHERE e.destination_id = $1";
    let moments: Option<Moments> = tx.first(sql, vec![turn.destination.into()]).await?;
    if let Some(Moments { due_at, next_probe_at, not_before }) = moments {
        let due = due_after(due_at, next_probe_at, not_before, db.now());
        // Where something was queued in the meantime, it is due at once, unless this node can't send it now.
        let (due, sql) = match later > Timestamp::default() {
            true => (later, PUT_OFF),
            false => (due, RELEASE),
        };
        tx.run(sql, vec![turn.destination.into(), turn.leased_until.into(), due.into()]).await?;
    }
    tx.commit().await
}

/// When a destination is due again after a turn. What is left of a backlog is not due since it was queued, but from now on:
/// others that wait go first.
fn due_after(
    due_at: Option<Timestamp>,
    next_probe_at: Option<Timestamp>,
    not_before: Timestamp,
    now: Timestamp,
) -> Timestamp {
    due_at.into_iter().chain(next_probe_at).min().map_or(NEVER, |due| due.max(not_before).max(now))
}

const RELEASE: &str = "UPDATE event_endpoints SET leased_until = 0,
        next_due_at = CASE WHEN next_due_at < $3 AND next_due_at <> leased_until THEN next_due_at ELSE $3 END
    WHERE destination_id = $1 AND leased_until = $2";

const PUT_OFF: &str = "UPDATE event_endpoints SET leased_until = 0, next_due_at = $3
    WHERE destination_id = $1 AND leased_until = $2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_with_a_backlog_goes_behind_those_that_wait() {
        let at = Timestamp::from_millis;
        let (long_ago, now, later) = (at(1_000), at(5_000), at(9_000));
        let never = Timestamp::default();
        for (due_at, probe, not_before, expected) in [
            (Some(long_ago), None, never, now),
            (Some(later), None, never, later),
            (Some(long_ago), None, later, later),
            (None, Some(later), never, later),
            (Some(long_ago), Some(later), never, now),
            (None, None, later, NEVER),
        ] {
            assert_eq!(due_after(due_at, probe, not_before, now), expected);
        }
    }
}
