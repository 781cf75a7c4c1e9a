//! Making an archive: one node at a time has the lease of it, and says how far it is.

use crate::{
    clock::{MINUTE, Timestamp},
    domain::{
        base::{db::Db, sql::Sql},
        nouns::exports::archives::purpose,
    },
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult};
use uuid::Uuid;

/// How long a node has an archive without writing a part of it, in milliseconds.
const LEASE: i64 = 5 * MINUTE;

/// How often an archive is begun: a node may be stopped meanwhile.
const MAX_TRIES: i64 = 3;

/// The largest archive, in bytes.
const MAX_SIZE: i64 = 4 * 1024 * 1024 * 1024;

/// An archive that this node makes.
#[derive(Clone, Debug)]
pub struct Lease {
    pub export: Uuid,
    pub workspace: Uuid,
    pub slug: String,
    pub name: String,
    until: Timestamp,
    parts: i64,
    size: i64,
}

/// Why an archive is no longer this node's to make.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("it was deleted, or another node makes it")]
    Taken,
    #[error("it is larger than 4 GiB")]
    TooLarge,
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// Takes the next archive to make, if there is one.
///
/// # Errors
/// The database's own.
pub async fn lease_next(db: &Db) -> Result<Option<Lease>, DbErr> {
    #[derive(FromQueryResult)]
    struct Due {
        id: Uuid,
        workspace_id: Uuid,
        tries: i64,
    }
    #[derive(FromQueryResult)]
    struct Of {
        slug: String,
        name: String,
    }
    // What waits in a workspace that is deleted waits until it is restored.
    let sql = "SELECT id, workspace_id, tries FROM exports
        WHERE state IN ('waiting', 'running') AND leased_until <= $1
            AND (SELECT w.deleted_at FROM workspaces w WHERE w.id = exports.workspace_id) IS NULL
        ORDER BY leased_until, id LIMIT 1";
    // Nothing is locked while there is nothing to make.
    let waiting: Option<Due> = db.read().first(sql, vec![db.now().into()]).await?;
    if waiting.is_none() {
        return Ok(None);
    }
    let tx = db.begin().await?;
    let now = db.now();
    let skip = if tx.get_database_backend() == DbBackend::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let Some(due): Option<Due> = tx.first(&format!("{sql}{skip}"), vec![now.into()]).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    let state = if due.tries < MAX_TRIES { "running" } else { "failed" };
    let until = now + LEASE;
    let sql = "UPDATE exports SET state = $2, tries = tries + 1, rows_done = 0, parts = 0, size = 0, leased_until = $3
        WHERE id = $1";
    tx.run(sql, vec![due.id.into(), state.into(), until.into()]).await?;
    // Of an earlier try.
    let sql = "DELETE FROM export_parts WHERE workspace_id = $1 AND export_id = $2";
    tx.run(sql, vec![due.workspace_id.into(), due.id.into()]).await?;
    let of: Option<Of> =
        tx.first("SELECT slug, name FROM workspaces WHERE id = $1", vec![due.workspace_id.into()]).await?;
    tx.commit().await?;
    let of = of.filter(|_| state == "running");
    Ok(of.map(|of| Lease {
        export: due.id,
        workspace: due.workspace_id,
        slug: of.slug,
        name: of.name,
        until,
        parts: 0,
        size: 0,
    }))
}

/// Says how many rows there are going to be.
///
/// # Errors
/// [`Lost`].
pub async fn expect(db: &Db, lease: &mut Lease, rows: i64) -> Result<(), Lost> {
    let until = db.now() + LEASE;
    let tx = db.begin().await?;
    let sql = "UPDATE exports SET rows_total = $3, leased_until = $4
        WHERE id = $1 AND leased_until = $2 AND state = 'running'";
    let values = vec![lease.export.into(), lease.until.into(), rows.into(), until.into()];
    if tx.run(sql, values).await? != 1 {
        tx.rollback().await?;
        return Err(Lost::Taken);
    }
    tx.commit().await?;
    lease.until = until;
    Ok(())
}

/// Adds a part of the file.
///
/// # Errors
/// [`Lost`].
pub async fn add_part(db: &Db, lease: &mut Lease, part: &[u8], rows: u64) -> Result<(), Lost> {
    let (n, until) = (lease.parts, db.now() + LEASE);
    let size = lease.size + i64::try_from(part.len()).unwrap_or(i64::MAX);
    if size > MAX_SIZE {
        return Err(Lost::TooLarge);
    }
    let sealed = db.sealer().seal_bytes_for(&purpose(lease.export, n), part)?;
    let tx = db.begin().await?;
    let sql = "UPDATE exports SET rows_done = $3, parts = $4, size = $5, leased_until = $6
        WHERE id = $1 AND leased_until = $2 AND state = 'running'";
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let values =
        vec![lease.export.into(), lease.until.into(), rows.into(), (n + 1).into(), size.into(), until.into()];
    if tx.run(sql, values).await? != 1 {
        tx.rollback().await?;
        return Err(Lost::Taken);
    }
    let sql = "INSERT INTO export_parts (workspace_id, export_id, n, sealed) VALUES ($1, $2, $3, $4)";
    tx.run(sql, vec![lease.workspace.into(), lease.export.into(), n.into(), sealed.into()]).await?;
    tx.commit().await?;
    (lease.parts, lease.size, lease.until) = (n + 1, size, until);
    Ok(())
}

/// Ends it: the file is whole, or it is not going to be.
///
/// # Errors
/// The database's own.
pub async fn end(db: &Db, lease: &Lease, is_whole: bool) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let state = if is_whole { "ready" } else { "failed" };
    let sql = "UPDATE exports SET state = $3, leased_until = 0 WHERE id = $1 AND leased_until = $2 AND state = 'running'";
    let ended = tx.run(sql, vec![lease.export.into(), lease.until.into(), state.into()]).await?;
    if ended == 1 && !is_whole {
        // Nobody can download half of it.
        let sql = "DELETE FROM export_parts WHERE workspace_id = $1 AND export_id = $2";
        tx.run(sql, vec![lease.workspace.into(), lease.export.into()]).await?;
    }
    tx.commit().await
}

/// Gives it back, to be begun again by another node: this one stops. That is no failed try.
///
/// # Errors
/// The database's own.
pub async fn give_back(db: &Db, lease: &Lease) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let sql = "UPDATE exports SET leased_until = 0, tries = tries - 1
        WHERE id = $1 AND leased_until = $2 AND state = 'running'";
    tx.run(sql, vec![lease.export.into(), lease.until.into()]).await?;
    tx.commit().await
}
