//! When somebody was last seen. Kept in memory and written now and then, so that reading a page
//! writes nothing.

use super::Person;
use crate::{
    clock::MINUTE,
    domain::{Db, db::Sql},
};
use sea_orm::DbErr;
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
    members: HashMap<Uuid, i64>,
}

/// Notes that a session, and a member where there is one, was active now.
pub(in crate::domain) fn seen(db: &Db, person: &Person, member: Option<Uuid>, stored: i64) {
    let now = db.now_ms();
    let Ok(mut seen) = db.presence().0.lock() else { return };
    if now - stored >= EVERY {
        seen.sessions.insert(person.session_id, now);
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
    if seen.sessions.is_empty() && seen.members.is_empty() {
        return Ok(());
    }
    let tx = db.begin().await?;
    for (session, at) in seen.sessions {
        let sql = "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2";
        tx.run(sql, vec![session.into(), at.into()]).await?;
    }
    for (member, at) in seen.members {
        // At most one write a minute and member, however many pages were read.
        let sql =
            "UPDATE members SET last_active_at = $2 WHERE id = $1 AND COALESCE(last_active_at, 0) <= $3";
        tx.run(sql, vec![member.into(), at.into(), (at - EVERY).into()]).await?;
    }
    tx.commit().await
}
