//! Ending what is over: holds, and grants. Whether it was done changes no balance that anybody sees.

use crate::domain::{
    base::{db::Db, outage::Outage, refused::Refused, sql::Sql},
    enforce::rows::Unadmitted,
    nouns::credits::{available, book::Book, notice},
};
use sea_orm::{DbErr, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Workspaces looked at at a time, and what is ended in one transaction: others wait for it.
const WORKSPACES: usize = 100;
const AT_ONCE: usize = 100;

#[derive(FromQueryResult)]
struct Due {
    workspace_id: Uuid,
}

/// Releases the holds that are over, and expires what is left of grants. A ledger that was altered stays as it is, and is
/// logged.
///
/// # Errors
/// The database's own.
pub async fn sweep(db: &Db) -> Result<(), DbErr> {
    let mut seen = BTreeSet::new();
    loop {
        let due: Vec<Uuid> = due(db).await?.difference(&seen).copied().collect();
        if due.is_empty() {
            return Ok(());
        }
        for workspace in due {
            match sweep_one(db, workspace).await {
                Ok(()) => {}
                Err(Refused::Failed(error)) if Outage::of(&error).is_some() => return Err(error),
                // The next time.
                Err(Refused::Busy { .. }) => return Ok(()),
                Err(error) => tracing::warn!(%workspace, %error, "could not end what is over in a ledger"),
            }
            seen.insert(workspace);
        }
    }
}

/// Workspaces with something that is over, without those whose rows are being removed.
async fn due(db: &Db) -> Result<BTreeSet<Uuid>, DbErr> {
    let now = db.now();
    let mut due = BTreeSet::new();
    let holds = "SELECT h.workspace_id FROM credit_holds h WHERE h.status = 'open' AND h.expires_at <= $1
            AND (SELECT w.purge_began_at FROM workspaces w WHERE w.id = h.workspace_id) IS NULL
        ORDER BY h.expires_at, h.id";
    let grants = "SELECT a.workspace_id FROM credit_accounts a WHERE a.kind = 'grant' AND a.balance > 0
            AND a.expires_at <= $1
            AND (SELECT w.purge_began_at FROM workspaces w WHERE w.id = a.workspace_id) IS NULL
        ORDER BY a.expires_at, a.id";
    for sql in [holds, grants] {
        let rows: Vec<Due> = db.read().all(&format!("{sql} LIMIT {WORKSPACES}"), vec![now.into()]).await?;
        due.extend(rows.into_iter().map(|row| row.workspace_id));
    }
    Ok(due)
}

/// Those who can buy are notified where what expired leaves little.
async fn sweep_one(db: &Db, workspace: Uuid) -> Result<(), Refused> {
    loop {
        let tx = db.begin().await?;
        let s = Unadmitted(&tx, workspace);
        let Some(mut book) = Book::open(&s, db.now()).await? else { return Ok(tx.rollback().await?) };
        let now = book.now;
        let released = book.release_expired(AT_ONCE).await?;
        let expired = book.expire_grants(AT_ONCE).await?;
        book.close().await?;
        if expired > 0 {
            notice::send_if_low(db, &s, available(&s, now).await?, now).await?;
        }
        tx.commit().await?;
        db.outbox_ready().notify_one();
        if released < AT_ONCE && expired < AT_ONCE {
            return Ok(());
        }
    }
}
