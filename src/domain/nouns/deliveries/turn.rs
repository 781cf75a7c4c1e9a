//! What the sender does with the database: one node at a time has a turn at a destination, sends what is due, and
//! records what came of it.
//!
//! A message is recorded as delivered after it was: where a node ends in between, it is sent once more, under the same
//! id. Everything that allows it to be sent is read again before each one.

use crate::{
    clock::{DAY, HOUR, Timestamp},
    domain::{
        base::{
            db::Db,
            ends::{held_roles, lasts},
            refused::Refused,
            role,
            sql::Sql,
        },
        enforce::{
            receivers::{HELD_FOR, KEPT_FOR},
            rows::Unadmitted,
        },
        nouns::deliveries::{
            DELIVERED, FAILED, HELD, PROBE, WAITING, delay,
            endpoint::StopReason,
            health,
            hold::{PROBE_INTERVAL, hold},
            lease::{Turn, renew},
            replay::insert_message,
            secret::SigningSecret,
        },
    },
    entity::event_attempt,
    policy::Permission,
    random,
    visible::is_hidden,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// The longest that a receiver can put us off, in milliseconds.
const MAX_RETRY_AFTER: i64 = DAY;

/// A message that is to be sent now.
#[derive(Debug)]
pub struct Outgoing {
    /// The id that it is sent under.
    pub id: Uuid,
    pub workspace: Uuid,
    pub destination: Uuid,
    pub event_id: Option<Uuid>,
    pub kind: String,
    pub queued_at: Timestamp,
    /// The ASCII form of the host.
    pub host: String,
    pub path: String,
    /// The present one, and the one before it for a while.
    pub secrets: Vec<SigningSecret>,
    attempts: i64,
    tries_left: i64,
    stopped: Option<StopReason>,
    /// When the destination last took a message.
    last_success_at: Option<Timestamp>,
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Outcome {
    pub attempted_at: Timestamp,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
    /// How long to wait before the next attempt, in milliseconds, if the receiver said so.
    pub retry_after: Option<i64>,
    pub duration_ms: i64,
    /// The first bytes of the response.
    pub body: String,
}

/// Everything that allows messages to be sent, or not.
#[derive(FromQueryResult)]
struct State {
    host: String,
    event_path: Option<String>,
    receives_events: bool,
    is_paused: bool,
    is_deleted: bool,
    is_closed: bool,
    secret: String,
    old_secret: Option<String>,
    old_secret_ends_at: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
    stop_reason: Option<String>,
    not_before: Timestamp,
    next_probe_at: Option<Timestamp>,
    roles_version: Option<Uuid>,
    /// The roles of the person who answers for it; `None` if they are no active member.
    role_set: Option<String>,
}

const STATE: &str = concat!(
    "SELECT d.host, d.event_path, d.receives_events, d.paused_at IS NOT NULL AS is_paused,
        w.deleted_at IS NOT NULL AS is_deleted,
        (w.suspended_at IS NOT NULL OR a.suspended_at IS NOT NULL) AS is_closed,
        e.secret, e.old_secret, e.old_secret_ends_at, e.last_success_at, e.stop_reason, e.not_before, e.next_probe_at, w.roles_version,
        (SELECT ",
    held_roles!("m", "$2"),
    " FROM members m JOIN users u ON u.id = m.user_id AND u.suspended_at IS NULL
            WHERE m.workspace_id = e.workspace_id AND m.user_id = e.accountable_user_id AND m.status = 'active' AND ",
    lasts!("m", "$2"),
    ") AS role_set
    FROM event_endpoints e JOIN destinations d ON d.id = e.destination_id
    JOIN workspaces w ON w.id = e.workspace_id
    LEFT JOIN accounts a ON a.id = w.account_id
    WHERE e.destination_id = $1"
);

impl State {
    /// The person who turned events on may still see what is sent, and decide where it goes.
    async fn is_vouched_for(&self, db: &Db, workspace: Uuid) -> Result<bool, DbErr> {
        let Some(role_set) = &self.role_set else { return Ok(false) };
        let roles = db.roles().at(&Unadmitted(db.read(), workspace), self.roles_version).await?;
        let holdings = role::holdings(&roles.parse_slugs(role_set));
        Ok(holdings.has(Permission::ReadAudit) && holdings.has(Permission::ManageDestinations))
    }

    fn secrets(&self, db: &Db, destination: Uuid, now: Timestamp) -> Result<Vec<SigningSecret>, DbErr> {
        let mut secrets = vec![SigningSecret::open(db, destination, &self.secret)?];
        if let (Some(old), Some(ends)) = (&self.old_secret, self.old_secret_ends_at)
            && ends > now
        {
            secrets.push(SigningSecret::open(db, destination, old)?);
        }
        Ok(secrets)
    }
}

#[derive(FromQueryResult)]
struct DueMessage {
    id: Uuid,
    event_id: Option<Uuid>,
    kind: String,
    queued_at: Timestamp,
    attempts: i64,
    tries_left: i64,
}

const DUE: &str = "SELECT id, event_id, kind, queued_at, attempts, tries_left FROM event_deliveries
    WHERE destination_id = $1 AND status = 'waiting' AND due_at <= $2 ORDER BY due_at, id LIMIT 1";

/// The message that is to be sent next; `None` if this turn is over. Where nothing may be sent, what waits is held.
///
/// # Errors
/// The database's own, and those of the secret key that sealed the destination's.
pub async fn next(db: &Db, turn: &Turn) -> Result<Option<Outgoing>, Refused> {
    let (now, id) = (db.now(), turn.destination);
    let values = vec![id.into(), db.now().into()];
    let Some(state): Option<State> = db.read().first(STATE, values).await? else { return Ok(None) };
    if state.is_deleted {
        return Ok(None);
    }
    if !state.receives_events || state.is_paused || state.is_closed {
        hold_waiting(db, id).await?;
        return Ok(None);
    }
    let stopped = state.stop_reason.as_deref().map(StopReason::of_word);
    if !state.is_vouched_for(db, turn.workspace).await? {
        match stopped {
            // What came in between must not make this destination due again and again.
            Some(StopReason::Authority) => hold_waiting(db, id).await?,
            _ => health::stop(db, turn, &state.host, StopReason::Authority).await?,
        }
        return Ok(None);
    }
    if state.not_before > now {
        return Ok(None);
    }
    let due: Option<DueMessage> = db.read().first(DUE, vec![id.into(), now.into()]).await?;
    let due = match due {
        Some(due) => due,
        None if stopped == Some(StopReason::Failed) && state.next_probe_at.is_some_and(|at| at <= now) => {
            insert_probe(db, turn).await?
        }
        None => return Ok(None),
    };
    Ok(Some(Outgoing {
        id: due.id,
        workspace: turn.workspace,
        destination: id,
        event_id: due.event_id,
        kind: due.kind,
        queued_at: due.queued_at,
        secrets: state.secrets(db, id, now)?,
        host: state.host,
        path: state.event_path.unwrap_or_default(),
        attempts: due.attempts,
        tries_left: due.tries_left,
        stopped,
        last_success_at: state.last_success_at,
    }))
}

/// For how long a destination that was stopped is probed, in milliseconds: each probe comes a little more than a day after
/// the one before, and there are to be thirty.
const PROBED_FOR: i64 = 30 * DAY + HOUR;

async fn insert_probe(db: &Db, turn: &Turn) -> Result<DueMessage, DbErr> {
    let now = db.now();
    let tx = db.begin().await?;
    let id = insert_message(&tx, turn.workspace, turn.destination, PROBE, now).await?;
    let sql = "UPDATE event_endpoints SET next_probe_at = CASE WHEN stopped_at + $3 >= $2 THEN $2 END
        WHERE destination_id = $1";
    tx.run(sql, vec![turn.destination.into(), (now + PROBE_INTERVAL).into(), PROBED_FOR.into()]).await?;
    tx.commit().await?;
    Ok(DueMessage { id, event_id: None, kind: PROBE.to_owned(), queued_at: now, attempts: 0, tries_left: 1 })
}

/// Holds what waits for a destination to which nothing may be sent now.
async fn hold_waiting(db: &Db, destination: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    // This row before those of the messages, as everywhere: two transactions that lock them in other orders wait for each
    // other. A probe that is due is for another day, or this would be looked at again at once.
    let sql = "UPDATE event_endpoints SET next_probe_at = CASE WHEN next_probe_at < $2 THEN $2 ELSE next_probe_at END
        WHERE destination_id = $1";
    tx.run(sql, vec![destination.into(), (db.now() + PROBE_INTERVAL).into()]).await?;
    hold(&tx, destination, db.now()).await?;
    tx.commit().await
}

/// Records what came of an attempt, and what follows from it. Renews the lease, and returns whether it is still this node's.
///
/// # Errors
/// The database's own. Then the message is sent again, under the same id.
pub async fn record(db: &Db, turn: &mut Turn, sent: &Outgoing, outcome: &Outcome) -> Result<bool, Refused> {
    let counters = &db.counters().events;
    let is_delivered = outcome.error.is_none();
    let next = match is_delivered {
        true => AfterAttempt { status: DELIVERED, due_at: None, expires_in: KEPT_FOR },
        false => after_failure(db.now(), sent, outcome),
    };
    let is_leased = write(db, turn, sent, outcome, &next).await?;
    match next.status {
        DELIVERED => counters.delivered.increment(),
        WAITING => counters.retried.increment(),
        _ => counters.given_up.increment(),
    }
    let heals = matches!(sent.stopped, Some(StopReason::Failed | StopReason::Gone));
    match (is_delivered, outcome.status) {
        (true, _) if heals => health::restore(db, turn, &sent.host).await?,
        (false, Some(410)) if sent.stopped != Some(StopReason::Gone) => {
            health::stop(db, turn, &sent.host, StopReason::Gone).await?;
        }
        // One message that is never taken doesn't stop the others that are.
        _ if next.status == HELD && sent.stopped.is_none() => {
            match sent.last_success_at.is_some_and(|at| at >= sent.queued_at) {
                true => health::give_up_one(db, turn, &sent.host).await?,
                false => health::stop(db, turn, &sent.host, StopReason::Failed).await?,
            }
        }
        _ => {}
    }
    Ok(is_leased)
}

/// Gives up a message that can't be sent, as its event is gone from the record. That says nothing of the destination. Renews
/// the lease, and returns whether it is still this node's.
///
/// # Errors
/// The database's own.
pub async fn give_up(db: &Db, turn: &mut Turn, message: &Outgoing) -> Result<bool, DbErr> {
    let now = db.now();
    let tx = db.begin().await?;
    let renewed = renew(&tx, turn, now).await?;
    let sql =
        "UPDATE event_deliveries SET status = 'failed', due_at = NULL, tries_left = 0, last_status = NULL,
            last_error = 'The event is no longer in the record.', expires_at = $2
        WHERE id = $1 AND status = 'waiting'";
    tx.run(sql, vec![message.id.into(), (now + KEPT_FOR).into()]).await?;
    tx.commit().await?;
    db.counters().events.given_up.increment();
    turn.leased_until = renewed.unwrap_or(turn.leased_until);
    Ok(renewed.is_some())
}

/// The state of a message after an attempt.
struct AfterAttempt {
    status: &'static str,
    due_at: Option<Timestamp>,
    expires_in: i64,
}

fn after_failure(now: Timestamp, sent: &Outgoing, outcome: &Outcome) -> AfterAttempt {
    let is_final = sent.event_id.is_none();
    match delay(sent.tries_left - 1) {
        Some(delay) if outcome.status != Some(410) && !is_final => {
            let wait = vary(delay).max(put_off(outcome).unwrap_or_default());
            AfterAttempt { status: WAITING, due_at: Some(now + wait), expires_in: KEPT_FOR }
        }
        _ if is_final => AfterAttempt { status: FAILED, due_at: None, expires_in: KEPT_FOR },
        _ => AfterAttempt { status: HELD, due_at: None, expires_in: HELD_FOR },
    }
}

fn put_off(outcome: &Outcome) -> Option<i64> {
    outcome.retry_after.map(|wait| wait.clamp(0, MAX_RETRY_AFTER))
}

/// A delay, give or take a fifth, so that what failed together does not come back together.
fn vary(delay: i64) -> i64 {
    let random = i64::from(u16::from_le_bytes(random::bytes::<2>()));
    delay * 4 / 5 + delay * 2 / 5 * random / i64::from(u16::MAX)
}

/// Returns whether the lease is still this node's.
async fn write(
    db: &Db,
    turn: &mut Turn,
    sent: &Outgoing,
    outcome: &Outcome,
    next: &AfterAttempt,
) -> Result<bool, DbErr> {
    let now = db.now();
    let tx = db.begin().await?;
    // The row of the destination first, then its endpoint, then messages: everybody locks them in this order.
    note_use(&tx, sent, outcome).await?;
    let renewed = renew(&tx, turn, now).await?;
    // Not of a message that was dropped, or sent by another node, in the meantime.
    let sql = "UPDATE event_deliveries SET status = $3, due_at = $4, attempts = attempts + 1, tries_left = tries_left - 1,
            last_attempt_at = $5, last_status = $6, last_error = $7, expires_at = $8
        WHERE id = $1 AND status = 'waiting' AND attempts = $2";
    let values = vec![
        sent.id.into(),
        sent.attempts.into(),
        next.status.into(),
        next.due_at.into(),
        outcome.attempted_at.into(),
        outcome.status.map(i64::from).into(),
        outcome.error.clone().into(),
        (now + next.expires_in).into(),
    ];
    if tx.run(sql, values).await? == 1 {
        let row = event_attempt::ActiveModel {
            id: Set(random::id(now)),
            workspace_id: Set(sent.workspace),
            delivery_id: Set(sent.id),
            attempted_at: Set(outcome.attempted_at),
            status: Set(outcome.status.map(i64::from)),
            error: Set(outcome.error.clone()),
            duration_ms: Set(outcome.duration_ms),
            body: Set(outcome.body.clone()),
        };
        event_attempt::Entity::insert(row).exec_without_returning(&tx).await?;
    }
    let (sql, values): (_, Vec<sea_orm::Value>) = match outcome.error {
        None => (
            "UPDATE event_endpoints SET failing_since = NULL, last_success_at = $2, not_before = 0
            WHERE destination_id = $1",
            vec![turn.destination.into(), now.into()],
        ),
        Some(_) => (
            "UPDATE event_endpoints SET failing_since = COALESCE(failing_since, $2), not_before = $3
            WHERE destination_id = $1",
            vec![
                turn.destination.into(),
                now.into(),
                put_off(outcome).map_or(Timestamp::default(), |wait| now + wait).into(),
            ],
        ),
    };
    tx.run(sql, values).await?;
    tx.commit().await?;
    turn.leased_until = renewed.unwrap_or(turn.leased_until);
    Ok(renewed.is_some())
}

/// When the destination was last used, and last failed. Requests to it may have been noted that are later.
async fn note_use(tx: &DatabaseTransaction, sent: &Outgoing, outcome: &Outcome) -> Result<(), DbErr> {
    let at = outcome.attempted_at;
    let sql = "UPDATE destinations SET last_used_at = $3
        WHERE workspace_id = $1 AND id = $2 AND COALESCE(last_used_at, 0) < $3";
    tx.run(sql, vec![sent.workspace.into(), sent.destination.into(), at.into()]).await?;
    if let Some(error) = &outcome.error {
        let sql = "UPDATE destinations SET last_error_at = $3, last_error = $4
            WHERE workspace_id = $1 AND id = $2 AND COALESCE(last_error_at, 0) < $3";
        let values = vec![sent.workspace.into(), sent.destination.into(), at.into(), error.as_str().into()];
        tx.run(sql, values).await?;
    }
    Ok(())
}

/// A text of others as it is kept and shown: characters that can't be seen, or turn the text around, are replaced.
pub fn visible(text: &str) -> String {
    let lines = text.replace("\r\n", "\n");
    lines.chars().map(|c| if c != '\n' && is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn a_delay_varies_by_a_fifth() {
        let varied: Vec<i64> = (0..200).map(|_| vary(1_000)).collect();
        assert!(varied.iter().all(|delay| (800..=1_200).contains(delay)), "{varied:?}");
        assert!(varied.iter().any(|delay| *delay < 950) && varied.iter().any(|delay| *delay > 1_050));
        assert!((vary(10 * 3_600 * SECOND) - 10 * 3_600 * SECOND).abs() <= 2 * 3_600 * SECOND);
    }
}
