//! Events to a destination are stopped when it doesn't take them, and sent again when it does.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            db::Db,
            event::Recorded,
            outbox::Mail,
            refused::Refused,
            words::{inert, pluralize},
        },
        enforce::{
            rows::Scoped,
            transaction::Transaction,
            workspace::{change_by_program, roles},
        },
        nouns::deliveries::{
            endpoint::{StopReason, target},
            events::{EventsRestored, EventsStopped},
            hold::{PROBE_INTERVAL, hold},
            lease::Turn,
            mail::{EventFailedMail, EventsRestoredMail, EventsStoppedMail},
        },
        records::holders,
    },
    policy::Permission,
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// Stops sending events to a destination: those that wait are held. Notifies those who can fix it.
///
/// # Errors
/// The database's own.
pub(super) async fn stop(db: &Db, turn: &Turn, host: &str, reason: StopReason) -> Result<(), Refused> {
    let (workspace, destination) = (turn.workspace, turn.destination);
    let stopped = change_by_program(db, workspace, async |tx: &Transaction| {
        let probe = (reason == StopReason::Failed).then(|| tx.now + PROBE_INTERVAL);
        let sql = "UPDATE event_endpoints SET stopped_at = $3, stop_reason = $4, next_probe_at = $5
            WHERE workspace_id = $1 AND destination_id = $2 AND (stop_reason IS NULL OR stop_reason <> $4)";
        let values = vec![destination.into(), tx.now.into(), reason.word().into(), probe.into()];
        if tx.run(sql, values).await? == 0 {
            return Ok(Recorded::unchanged(()));
        }
        let held = hold(&tx.tx, destination, tx.now).await?;
        notify(tx, destination, |address, workspace, page| {
            let (why, next) = in_words(reason);
            Mail::new(address, &EventsStoppedMail { host, workspace, why, next, page })
        })
        .await?;
        let event = EventsStopped { reason: reason.word().to_owned(), held };
        Ok(Recorded::new((), event, target(destination, host)))
    })
    .await;
    gone_is_done(stopped)
}

/// Notifies those who can fix it that a message was never taken, although others are.
///
/// # Errors
/// The database's own.
pub(super) async fn give_up_one(db: &Db, turn: &Turn, host: &str) -> Result<(), Refused> {
    let notified = change_by_program(db, turn.workspace, async |tx: &Transaction| {
        notify(tx, turn.destination, |address, workspace, page| {
            Mail::new(address, &EventFailedMail { host, workspace, page })
        })
        .await?;
        Ok(Recorded::unchanged(()))
    })
    .await;
    gone_is_done(notified)
}

/// The workspace or the destination was deleted in the meantime.
fn gone_is_done(done: Result<(), Refused>) -> Result<(), Refused> {
    match done {
        Err(Refused::NotFound) => Ok(()),
        done => done,
    }
}

/// Why events stopped, and what happens next.
fn in_words(reason: StopReason) -> (&'static str, &'static str) {
    const HELD: &str = "New events are kept for 7 days.";
    match reason {
        StopReason::Failed => (
            "An event could not be delivered within a day and a half, in 8 attempts, nor was another one.",
            "New events are kept for 7 days. Bailiwick sends a probe every day for 30 days, and starts again when it is answered.",
        ),
        StopReason::Gone => ("It answered that nothing is there any more (410 Gone).", HELD),
        StopReason::Authority => (
            "The person who turned events on can no longer view the activity of the workspace or manage its destinations.",
            HELD,
        ),
    }
}

/// Sends events to a destination again. Those that are held stay so.
///
/// # Errors
/// The database's own.
pub(super) async fn restore(db: &Db, turn: &Turn, host: &str) -> Result<(), Refused> {
    let (workspace, destination) = (turn.workspace, turn.destination);
    let restored = change_by_program(db, workspace, async |tx: &Transaction| {
        let sql = "UPDATE event_endpoints SET stopped_at = NULL, stop_reason = NULL, next_probe_at = NULL
            WHERE workspace_id = $1 AND destination_id = $2 AND stop_reason IN ('failed', 'gone')";
        if tx.run(sql, vec![destination.into()]).await? == 0 {
            return Ok(Recorded::unchanged(()));
        }
        let sql = "SELECT COUNT(*) AS count FROM event_deliveries
            WHERE workspace_id = $1 AND destination_id = $2 AND status = 'held'";
        let held: Option<Count> = tx.first(sql, vec![destination.into()]).await?;
        let held = held.map_or(0, |held| held.count);
        let sentence = match held {
            0 => String::new(),
            held => format!(
                "{} could not be delivered before. Bailiwick doesn't send what is held by itself. Choose on the page what to send again:",
                pluralize(held, "event", "events")
            ),
        };
        notify(tx, destination, |address, workspace, page| {
            Mail::new(address, &EventsRestoredMail { host, workspace, held: &sentence, page })
        })
        .await?;
        let event = EventsRestored { held: u64::try_from(held).unwrap_or_default() };
        Ok(Recorded::new((), event, target(destination, host)))
    })
    .await;
    gone_is_done(restored)
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

#[derive(FromQueryResult)]
struct WorkspaceName {
    name: String,
    slug: String,
}

/// Sends a mail to those who can manage destinations: one about each destination a day. `write` gets the address, the
/// name of the workspace and the page.
async fn notify(
    tx: &Transaction,
    destination: Uuid,
    write: impl Fn(&str, &str, &str) -> Mail,
) -> Result<(), Refused> {
    if !is_first_today(tx, destination).await? {
        return Ok(());
    }
    let sql = "SELECT name, slug FROM workspaces WHERE id = $1";
    let workspace: WorkspaceName = tx.first(sql, Vec::new()).await?.ok_or(Refused::NotFound)?;
    let page = format!("{}/w/{}/destinations/{destination}/events", tx.db.public_url(), workspace.slug);
    let all = roles::load(tx).await?;
    for address in holders::addresses(tx, &all, Permission::ManageDestinations).await? {
        write(&address, &inert(&workspace.name), &page).queue(&tx.db, &tx.tx, tx.now).await?;
    }
    Ok(())
}

/// Whether nobody was notified about the destination for a day; from now on somebody was.
async fn is_first_today(tx: &Transaction, destination: Uuid) -> Result<bool, DbErr> {
    let sql = "UPDATE event_endpoints SET mailed_at = $3
        WHERE workspace_id = $1 AND destination_id = $2 AND (mailed_at IS NULL OR mailed_at <= $4)";
    let yesterday: Timestamp = tx.now - DAY;
    Ok(tx.run(sql, vec![destination.into(), tx.now.into(), yesterday.into()]).await? == 1)
}
