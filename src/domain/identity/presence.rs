//! When somebody was last seen. Kept in memory and written now and then, so that reading a page
//! writes nothing.

use crate::{
    clock::MINUTE,
    domain::{Db, db::Sql, scope::Principal},
};
use sea_orm::{DbBackend, DbErr};
use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// How old the stored time must be before it is written again, in milliseconds.
const EVERY: i64 = MINUTE;

/// What was seen since it was last written.
#[derive(Default)]
pub(in crate::domain) struct Presence(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    sessions: HashMap<Uuid, i64>,
    api_keys: HashMap<Uuid, i64>,
    members: HashMap<Uuid, i64>,
}

/// Notes that a session or a key, and a member where there is one, was active now.
pub(in crate::domain) fn seen(db: &Db, principal: &Principal, member: Option<Uuid>, stored: i64) {
    let now = db.now_ms();
    let Ok(mut seen) = db.presence().0.lock() else { return };
    if now - stored >= EVERY {
        match principal {
            Principal::User(person) => seen.sessions.insert(person.session_id, now),
            Principal::ApiKey(key) => seen.api_keys.insert(key.id, now),
        };
    }
    if let Some(member) = member {
        seen.members.insert(member, now);
    }
}

/// Writes what was seen.
///
/// # Errors
/// The database's own; then what was seen is forgotten.
pub(in crate::domain) async fn flush(db: &Db) -> Result<(), DbErr> {
    let seen = db.presence().0.lock().map(|mut seen| std::mem::take(&mut *seen)).unwrap_or_default();
    if seen.sessions.is_empty() && seen.api_keys.is_empty() && seen.members.is_empty() {
        return Ok(());
    }
    // On PostgreSQL each row is a transaction of its own: rows held together could wait in a circle
    // with those of another node, or of a workspace that is being deleted. On SQLite there is one
    // writer anyway, and each commit costs a flush.
    let apart = db.backend() == DbBackend::Postgres;
    let mut tx = db.begin().await?;
    for (sql, id, at, stale) in seen.updates() {
        tx.run(sql, vec![id.into(), at.into(), stale.into()]).await?;
        if apart {
            tx.commit().await?;
            tx = db.begin().await?;
        }
    }
    tx.commit().await
}

impl Seen {
    /// One statement a row: the id, the time, and how old the stored time must be at most. At most
    /// one write a minute and row, however many pages were read.
    fn updates(self) -> impl Iterator<Item = (&'static str, Uuid, i64, i64)> {
        let session = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at <= $3";
        let member =
            "UPDATE members SET last_active_at = $2 WHERE id = $1 AND COALESCE(last_active_at, 0) <= $3";
        let key = "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND COALESCE(last_used_at, 0) <= $3";
        let sessions = self.sessions.into_iter().map(move |(id, at)| (session, id, at, at - EVERY));
        let keys = self.api_keys.into_iter().map(move |(id, at)| (key, id, at, at - EVERY));
        sessions.chain(keys).chain(self.members.into_iter().map(move |(id, at)| (member, id, at, at - EVERY)))
    }
}
