//! Audit events of refusals, with a limit against floods.

use crate::domain::{
    base::{
        db::Db,
        event::{Actor as AuditActor, RecordedEvent},
        principal::Origin,
        refused::Refused,
    },
    enforce::{
        audit::{self, EventContext},
        boundary::Boundary,
        transaction::Transaction,
    },
};
use uuid::Uuid;

/// Audits a refusal in a transaction of its own: the one that was refused is gone. What cannot be
/// written is logged, as the refusal itself is what the client receives.
pub(in crate::domain) async fn note<B: Boundary>(
    db: &Db,
    id: Uuid,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let Some(event) = audit::refusal(origin, refused) else { return };
    if let Err(error) = record::<B>(db, id, by, origin, event).await {
        tracing::error!(%error, "could not record a refusal");
    }
}

async fn record<B: Boundary>(
    db: &Db,
    id: Uuid,
    by: &AuditActor,
    origin: &Origin,
    event: RecordedEvent,
) -> Result<(), Refused> {
    let mut open = Transaction::<B>::open(db, origin, async |tx| B::lock(tx, id).await).await?;
    if audit::is_flood(&open.tx, B::audit_condition(id), by, &event, open.now).await? {
        tracing::warn!(route = origin.route, "too many refusals to record each one");
        return Ok(open.roll_back().await?);
    }
    let context = EventContext { actor: by, origin, at: open.now };
    B::record(&open.tx, &mut open.locked, &context, &[event]).await?;
    Ok(open.tx.commit().await?)
}
