//! Events that can't be sent are held, and the destination is probed, or is sent to as soon as somebody asks for it.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::sql::Sql,
        enforce::{receivers::HELD_FOR, rows::Scoped, write::WriteScope},
    },
    policy::perm,
};
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

/// How long after one probe the next comes, in milliseconds.
pub(super) const PROBE_INTERVAL: i64 = DAY;

/// Holds the events that wait, and gives up tests and probes. Returns how many events there were.
pub(super) async fn hold(tx: &DatabaseTransaction, destination: Uuid, now: Timestamp) -> Result<u64, DbErr> {
    let sql = "UPDATE event_deliveries SET status = 'failed', due_at = NULL
        WHERE destination_id = $1 AND status = 'waiting' AND event_id IS NULL";
    tx.run(sql, vec![destination.into()]).await?;
    let sql = "UPDATE event_deliveries SET status = 'held', due_at = NULL, expires_at = $2
        WHERE destination_id = $1 AND status = 'waiting'";
    tx.run(sql, vec![destination.into(), (now + HELD_FOR).into()]).await
}

/// Makes a destination due, although it asked to wait: somebody asks for it now. To be called before rows of messages are
/// changed: everybody locks this row first.
pub(super) async fn send_now(s: &WriteScope<perm::ManageDestinations>, id: Uuid) -> Result<(), DbErr> {
    let sql = "UPDATE event_endpoints SET not_before = 0,
            next_due_at = CASE WHEN next_due_at > $3 THEN $3 ELSE next_due_at END
        WHERE workspace_id = $1 AND destination_id = $2";
    s.run(sql, vec![id.into(), s.now().into()]).await.map(drop)
}
