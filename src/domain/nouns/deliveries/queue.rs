//! The queue of all destinations, which all nodes share.

use crate::{
    clock::Timestamp,
    domain::base::{db::Db, sql::Sql},
};
use sea_orm::{DbErr, FromQueryResult};
use std::time::Duration;

/// The state of the queue of all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct QueueState {
    /// Messages that were not tried yet, or are being sent.
    pub waiting: i64,
    /// Messages that failed, and are tried again.
    pub retrying: i64,
    /// Since when the oldest of them waits; `None` if there is none.
    pub oldest: Option<Timestamp>,
}

/// The state of the queue: for the metrics.
///
/// # Errors
/// The database's own.
pub async fn state(db: &Db) -> Result<QueueState, DbErr> {
    let sql = "SELECT COUNT(*) - COUNT(CASE WHEN attempts > 0 THEN 1 END) AS waiting,
            COUNT(CASE WHEN attempts > 0 THEN 1 END) AS retrying, MIN(queued_at) AS oldest
        FROM event_deliveries WHERE status = 'waiting' AND queued_at > $1";
    let state = db.read().first(sql, vec![0_i64.into()]).await?;
    state.ok_or_else(|| DbErr::RecordNotFound("the state of the events".into()))
}

/// Returns when something may be due: a change has just recorded events, or some time has passed.
pub async fn wait(db: &Db) {
    let _ = tokio::time::timeout(Duration::from_secs(1), db.events_ready().notified()).await;
}
