//! What is kept for the next page of one session: messages, shown once and then gone, and drafts: what was typed
//! into a form that was not executed. Both are sealed, for a message may contain the secret of a link.

use crate::{
    clock::{HOUR, MINUTE},
    domain::base::{db::Db, principal::Person, refused::Refused, sealed::Place, sql::Sql, tokens::Token},
    entity::notice,
    random,
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// How long a message is kept, in milliseconds.
const LIFETIME: i64 = 10 * MINUTE;

/// The most messages and drafts of one session. The oldest make room.
const MAX_KEPT: i64 = 20;

/// Stores a message; returns the id under which only this session can take it.
///
/// # Errors
/// The database's own.
pub async fn store(db: &Db, person: &Person, body: &str) -> Result<Uuid, Refused> {
    let now = db.now();
    let id = random::id(now);
    let body = db.sealer().seal(place(id), body)?;
    let tx = db.begin().await?;
    let row = notice::ActiveModel {
        id: Set(id),
        session_id: Set(person.session_id),
        body: Set(body),
        expires_at: Set(now + LIFETIME),
    };
    notice::Entity::insert(row).exec_without_returning(&tx).await?;
    make_room(&tx, person.session_id).await?;
    tx.commit().await?;
    Ok(id)
}

async fn make_room(tx: &DatabaseTransaction, session: Uuid) -> Result<(), DbErr> {
    let sql = "DELETE FROM notices WHERE session_id = $1 AND id NOT IN
        (SELECT n.id FROM notices n WHERE n.session_id = $1 ORDER BY n.id DESC LIMIT $2)";
    tx.run(sql, vec![session.into(), MAX_KEPT.into()]).await.map(drop)
}

#[derive(FromQueryResult)]
struct Body {
    body: String,
}

/// Returns a message of this session and deletes it.
///
/// # Errors
/// The database's own.
pub async fn take(db: &Db, person: &Person, id: Uuid) -> Result<Option<String>, Refused> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM notices WHERE id = $1 AND session_id = $2 AND expires_at > $3 RETURNING body";
    let row: Option<Body> = tx.first(sql, vec![id.into(), person.session_id.into(), db.now().into()]).await?;
    tx.commit().await?;
    Ok(row.and_then(|row| open(db, id, &row.body)))
}

/// How long what somebody typed is kept for them, in milliseconds.
const DRAFT_LIFETIME: i64 = HOUR;

/// Stores what was typed into a form that was not executed; returns the id under which this session alone can
/// read it. `None` if the session has ended.
///
/// # Errors
/// The database's own.
pub async fn store_draft(db: &Db, session: &Token, body: &str) -> Result<Option<Uuid>, Refused> {
    let now = db.now();
    let id = random::id(now);
    let body = db.sealer().seal(place(id), body)?;
    let tx = db.begin().await?;
    let sql = "INSERT INTO notices (id, session_id, body, expires_at)
        SELECT $2, s.id, $3, $4 FROM sessions s WHERE s.token_hash = $1 AND s.expires_at > $5 RETURNING session_id";
    let values =
        vec![session.hash().into(), id.into(), body.into(), (now + DRAFT_LIFETIME).into(), now.into()];
    let stored: Option<Owner> = tx.first(sql, values).await?;
    let Some(Owner { session_id }) = stored else {
        tx.rollback().await?;
        return Ok(None);
    };
    make_room(&tx, session_id).await?;
    tx.commit().await?;
    Ok(Some(id))
}

#[derive(FromQueryResult)]
struct Owner {
    session_id: Uuid,
}

/// A draft of this session. It stays until it expires, so that the page can be loaded again.
///
/// # Errors
/// The database's own.
pub async fn draft(db: &Db, session: &Token, id: Uuid) -> Result<Option<String>, Refused> {
    let sql = "SELECT n.body FROM notices n JOIN sessions s ON s.id = n.session_id
        WHERE n.id = $1 AND s.token_hash = $2 AND n.expires_at > $3 AND s.expires_at > $3";
    let values = vec![id.into(), session.hash().into(), db.now().into()];
    let row: Option<Body> = db.read().first(sql, values).await?;
    Ok(row.and_then(|row| open(db, id, &row.body)))
}

fn place(id: Uuid) -> Place {
    Place { table: "notices", id }
}

/// The text of a notice; `None` if it was stored under another secret key, as if it had expired.
fn open(db: &Db, id: Uuid, body: &str) -> Option<String> {
    let opened = db.sealer().open(place(id), body);
    opened.inspect_err(|error| tracing::warn!(%error, "can't open a notice")).ok()
}
