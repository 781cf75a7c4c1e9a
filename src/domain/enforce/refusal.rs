//! Refusals in the record: each is audited, up to a flood.

use crate::domain::{
    base::{
        db::Db,
        event::{Actor as AuditActor, Event, Outcome, Target},
        principal::Origin,
        refused::Refused,
    },
    enforce::{
        audit::{self, Circumstances},
        boundary::Boundary,
        transaction::Transaction,
    },
};
use uuid::Uuid;

/// Audits a refusal in a transaction of its own: the one that was refused is gone. What cannot be
/// written is logged, as the refusal itself is the answer.
pub(in crate::domain) async fn note<B: Boundary>(
    db: &Db,
    id: Uuid,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let Some(entry) = audit::refusal(origin, refused) else { return };
    if let Err(error) = record::<B>(db, id, by, origin, entry).await {
        tracing::error!(%error, "a refusal could not be audited");
    }
}

async fn record<B: Boundary>(
    db: &Db,
    id: Uuid,
    by: &AuditActor,
    origin: &Origin,
    entry: (Event, Target),
) -> Result<(), Refused> {
    let mut open = Transaction::<B>::open(db, origin, async |tx| B::lock(tx, id).await).await?;
    if audit::is_flood(&open.tx, B::in_record_of(id), by, &entry.0, open.now).await? {
        tracing::warn!(route = origin.route, "refused too often to be audited each time");
        return Ok(open.roll_back().await?);
    }
    let about = Circumstances { actor: by, origin, at: open.now, outcome: Outcome::Refused };
    B::record(&open.tx, &mut open.locked, &about, &[entry]).await?;
    Ok(open.tx.commit().await?)
}
