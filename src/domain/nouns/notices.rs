//! A message for the next page of one session, shown once and then gone.

use crate::{
    clock::MINUTE,
    domain::base::{db::Db, principal::Person, refused::Refused, sql::Sql},
    entity::notice,
    random,
};
use sea_orm::{ActiveValue::Set, EntityTrait, FromQueryResult};
use uuid::Uuid;

/// How long a message is kept, in milliseconds.
const LIFETIME: i64 = 10 * MINUTE;

/// Stores a message; returns the id under which only this session can take it.
///
/// # Errors
/// The database's own.
pub async fn store(db: &Db, person: &Person, body: String) -> Result<Uuid, Refused> {
    let now = db.now();
    let id = random::id(now);
    let tx = db.begin().await?;
    let row = notice::ActiveModel {
        id: Set(id),
        session_id: Set(person.session_id),
        body: Set(body),
        expires_at: Set(now + LIFETIME),
    };
    notice::Entity::insert(row).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(id)
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
    Ok(row.map(|row| row.body))
}
