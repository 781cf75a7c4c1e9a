//! When principals were last active. Kept in memory and written from time to time, so that reading a page
//! writes nothing.

use crate::{
    clock::Timestamp,
    domain::base::{
        db::Db,
        presence::{LastSeen, WRITE_INTERVAL},
        principal::Principal,
        sql::Sql,
    },
};
use sea_orm::{DbBackend, DbErr};
use uuid::Uuid;

/// Notes that a session or a key, and a member where there is one, was active now.
pub(in crate::domain) fn record(db: &Db, principal: &Principal, member: Option<Uuid>, stored: Timestamp) {
    if matches!(principal, Principal::Support(_)) {
        // What they look at is recorded by itself.
        return;
    }
    let now = db.now();
    let Ok(mut seen) = db.presence().0.lock() else { return };
    if now - stored >= WRITE_INTERVAL {
        match principal {
            Principal::User(person) => seen.sessions.insert(person.session_id, now),
            Principal::ApiKey(key) => seen.api_keys.insert(key.id, now),
            Principal::Support(_) => None,
        };
    }
    if let Some(member) = member {
        seen.members.insert(member, now);
    }
}

/// Writes what was noted.
///
/// # Errors
/// The database's own. Then it is kept for the next time.
pub(in crate::domain) async fn flush(db: &Db) -> Result<(), DbErr> {
    let seen = db.presence().0.lock().map(|mut seen| std::mem::take(&mut *seen)).unwrap_or_default();
    let written = write(db, seen.clone()).await;
    if let (Err(_), Ok(mut newer)) = (&written, db.presence().0.lock()) {
        newer.add_earlier(seen);
    }
    written
}

async fn write(db: &Db, seen: LastSeen) -> Result<(), DbErr> {
    if seen.sessions.is_empty() && seen.api_keys.is_empty() && seen.members.is_empty() {
        return Ok(());
    }
    // On PostgreSQL each row is a transaction of its own: rows held together could wait in a circle
    // with those of another node, or of a workspace that is being deleted. On SQLite there is one
    // writer anyway, and each commit costs a flush.
    let apart = db.backend() == DbBackend::Postgres;
    let mut tx = db.begin().await?;
    for (sql, values) in seen.updates(db.session_limits()) {
        tx.run(sql, values).await?;
        if apart {
            tx.commit().await?;
            tx = db.begin().await?;
        }
    }
    tx.commit().await
}
