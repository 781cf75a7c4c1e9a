//! Audit events of refusals. A flood of them is one event with a count.

use crate::domain::{
    base::{
        account::Account,
        db::Db,
        event::{Actor as AuditActor, RecordedEvent, Target},
        principal::{Origin, Workspace},
        refusals::{Flood, FloodKey},
        refused::Refused,
    },
    enforce::{
        audit::{self, EventContext},
        boundary::Boundary,
        events::AccessRefused,
        transaction::Transaction,
    },
};
use uuid::Uuid;

/// Audits a refusal in a transaction of its own: the one that was refused is gone. What cannot be
/// written is logged, as the refusal itself is what the client receives. Nothing is written while there are
/// too many by the same accountable user: those are counted, for [`flush`].
pub(in crate::domain) async fn note<B: Boundary>(
    db: &Db,
    id: Uuid,
    accountable: Option<Uuid>,
    by: &AuditActor,
    origin: &Origin,
    refused: &Refused,
) {
    let (Some(reason), Some(event)) = (refused.audit_reason(), audit::refusal(origin, refused)) else {
        return;
    };
    let key = FloodKey { boundary: B::NAME, id, accountable };
    if !db.refusals().is_recorded_alone(key, by, origin, reason.word, db.now()) {
        return;
    }
    match record::<B>(db, id, by, origin, event).await {
        Err(Refused::Failed(error)) if db.note_outage(&error) => {}
        Err(error) => tracing::error!(%error, "could not record a refusal"),
        Ok(()) => {}
    }
}

/// Writes an event in a transaction of its own.
///
/// # Errors
/// The database's own; [`Refused::NotFound`] where there is no such boundary.
pub(super) async fn record<B: Boundary>(
    db: &Db,
    id: Uuid,
    by: &AuditActor,
    origin: &Origin,
    event: RecordedEvent,
) -> Result<(), Refused> {
    let mut open = Transaction::<B>::open(db, origin, async |tx| B::lock_to_record(tx, id).await).await?;
    let context = EventContext { actor: by, origin, at: open.now };
    B::record(&open.tx, &mut open.locked, &context, &[event]).await?;
    Ok(open.tx.commit().await?)
}

/// Records the floods that are over, or, with `all`, every one: before the program ends.
pub(in crate::domain) async fn flush(db: &Db, all: bool) {
    for (key, flood) in db.refusals().take(db.now(), all) {
        let Flood { by, origin, total, .. } = &flood;
        if key == FloodKey::SHARED {
            // Of many records, so that it belongs into none.
            tracing::warn!(total, "refusals of more people than are counted by themselves");
            continue;
        }
        let event = RecordedEvent::new(AccessRefused::flood(&flood), Target::nothing());
        let recorded = match key.boundary {
            Account::NAME => record::<Account>(db, key.id, by, origin, event).await,
            _ => record::<Workspace>(db, key.id, by, origin, event).await,
        };
        match recorded {
            Ok(()) => tracing::warn!(actor = ?by.id, total, "a flood of refusals"),
            Err(Refused::Failed(error)) if db.note_outage(&error) => {
                db.refusals().put_back(key, flood, db.now())
            }
            Err(error) => tracing::error!(%error, "could not record a flood of refusals"),
        }
    }
}
