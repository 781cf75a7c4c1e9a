//! Requests of a key with an Idempotency-Key: each is executed once, however often it is sent.
//!
//! An attempt is claimed before the change, marked as done in the change's own transaction, and its
//! response is stored after it. So whenever the program or the machine stops, either nothing was done and
//! the name is free again after a while, or it was done and is not done again.

use crate::{
    clock::{DAY, MINUTE, Timestamp},
    domain::base::{conflict::Conflict, db::Db, invalid::Invalid, limits, refused::Refused, sql::Sql},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use uuid::Uuid;

/// The name of the header.
pub const HEADER: &str = "Idempotency-Key";

/// How long a response is stored, in milliseconds.
pub(in crate::domain) const LIFETIME: i64 = DAY;

/// No request takes this long, in milliseconds: an older claim belongs to a process that has ended.
const RUNNING_TIMEOUT: i64 = 2 * MINUTE;

pub const STILL_RUNNING: Conflict = Conflict::new(
    "still-running",
    "The first request with this Idempotency-Key is still being processed. Wait a moment, then try again.",
);

pub const DONE_BEFORE: Conflict = Conflict::new(
    "done-before",
    "The first request with this Idempotency-Key already did this. Its response contained a secret or was lost, so it isn't stored. Nothing was done again.",
);

/// One request under an Idempotency-Key.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Identifies this attempt.
    pub id: Uuid,
    pub api_key_id: Uuid,
    pub name: String,
    /// A hash of the workspace, the address and the body.
    pub request_hash: Vec<u8>,
}

/// The response to the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResponse {
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `ETag`.
    pub etag: Option<String>,
    pub body: String,
}

#[derive(FromQueryResult)]
struct Row {
    request_hash: Vec<u8>,
    done_at: Option<Timestamp>,
    status: Option<i64>,
    location: Option<String>,
    etag: Option<String>,
    body: Option<String>,
}

/// Claims the Idempotency-Key for this attempt, or returns the stored response of the first one.
///
/// # Errors
/// [`Refused::Invalid`] if the Idempotency-Key belongs to a different request, [`STILL_RUNNING`],
/// [`DONE_BEFORE`], [`Refused::RateLimited`] beyond the number that is stored for one API key.
pub async fn claim(db: &Db, attempt: &Attempt) -> Result<Option<StoredResponse>, Refused> {
    let now = db.now();
    let sql = "INSERT INTO idempotency_keys (api_key_id, name, id, request_hash, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (api_key_id, name) DO UPDATE SET id = $3, request_hash = $4, created_at = $5,
            done_at = NULL, status = NULL, location = NULL, etag = NULL, body = NULL
        WHERE idempotency_keys.created_at <= $6
            OR (idempotency_keys.done_at IS NULL AND idempotency_keys.created_at <= $7
                AND idempotency_keys.request_hash = $4)";
    let values = vec![
        attempt.api_key_id.into(),
        attempt.name.as_str().into(),
        attempt.id.into(),
        attempt.request_hash.clone().into(),
        now.into(),
        (now - LIFETIME).into(),
        (now - RUNNING_TIMEOUT).into(),
    ];
    let tx = db.begin().await?;
    let claimed = tx.run(sql, values).await?;
    if claimed == 1 {
        let counted = [limits::IDEMPOTENCY_KEYS.of(&attempt.api_key_id.to_string())];
        if let Err(refused) = limits::spend_in(&tx, &counted, 1, now).await? {
            tx.rollback().await?;
            return Err(refused);
        }
    }
    let sql = "SELECT request_hash, done_at, status, location, etag, body FROM idempotency_keys
        WHERE api_key_id = $1 AND name = $2";
    let row: Option<Row> =
        tx.first(sql, vec![attempt.api_key_id.into(), attempt.name.as_str().into()]).await?;
    tx.commit().await?;
    match row {
        _ if claimed == 1 => Ok(None),
        Some(row) if row.request_hash != attempt.request_hash => {
            let sentence =
                "This key was already used for a different request. Use a new one for each request.";
            Err(Invalid::field(HEADER, sentence).into())
        }
        Some(row) => match (row.done_at, row.status, row.body) {
            (None, ..) => Err(STILL_RUNNING.into()),
            (_, Some(status), Some(body)) => {
                let status = u16::try_from(status).unwrap_or(200);
                Ok(Some(StoredResponse { status, location: row.location, etag: row.etag, body }))
            }
            _ => Err(DONE_BEFORE.into()),
        },
        None => Err(STILL_RUNNING.into()),
    }
}

/// Marks the attempt as done, in the transaction of the change.
///
/// # Errors
/// [`STILL_RUNNING`] if another attempt has taken over the Idempotency-Key.
pub(in crate::domain) async fn mark_done(
    tx: &impl ConnectionTrait,
    id: Uuid,
    now: Timestamp,
) -> Result<(), Refused> {
    let sql = "UPDATE idempotency_keys SET done_at = $2 WHERE id = $1";
    match tx.run(sql, vec![id.into(), now.into()]).await? {
        1 => Ok(()),
        _ => Err(STILL_RUNNING.into()),
    }
}

/// Stores the response of an attempt, or, with `None`, that it was done.
///
/// # Errors
/// The database's own.
pub async fn store_response(db: &Db, id: Uuid, answer: Option<&StoredResponse>) -> Result<(), DbErr> {
    let sql =
        "UPDATE idempotency_keys SET done_at = COALESCE(done_at, $2), status = $3, body = $4, location = $5,
            etag = $6 WHERE id = $1";
    let status = answer.map(|answer| i64::from(answer.status));
    let body = answer.map(|answer| answer.body.clone());
    let location = answer.and_then(|answer| answer.location.clone());
    let etag = answer.and_then(|answer| answer.etag.clone());
    let tx = db.begin().await?;
    tx.run(sql, vec![id.into(), db.now().into(), status.into(), body.into(), location.into(), etag.into()])
        .await?;
    tx.commit().await
}

/// Releases the Idempotency-Key of an attempt that did nothing.
///
/// # Errors
/// The database's own.
pub async fn release(db: &Db, id: Uuid) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    tx.run("DELETE FROM idempotency_keys WHERE id = $1 AND done_at IS NULL", vec![id.into()]).await?;
    tx.commit().await
}
