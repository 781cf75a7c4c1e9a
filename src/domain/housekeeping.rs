//! Periodic work: presence is written, and what has expired is deleted.

use crate::domain::base::{db::Db, sql::Sql};
use sea_orm::DbErr;

/// Writes who was active since the last call.
///
/// # Errors
/// The database's own.
pub async fn housekeeping(db: &Db) -> Result<(), DbErr> {
    crate::domain::enforce::presence::flush(db).await
}

/// Deletes what has expired: limits, idempotency keys, sessions, notices and tokens.
///
/// # Errors
/// The database's own.
pub async fn sweep(db: &Db) -> Result<(), DbErr> {
    crate::domain::base::limits::sweep(db).await?;
    crate::domain::base::idempotency::sweep(db).await?;
    let now = db.now();
    let tx = db.begin().await?;
    tx.run("DELETE FROM sessions WHERE expires_at <= $1", vec![now.into()]).await?;
    tx.run("DELETE FROM notices WHERE expires_at <= $1", vec![now.into()]).await?;
    tx.run("DELETE FROM email_tokens WHERE expires_at <= $1", vec![(now - 30 * crate::clock::DAY).into()])
        .await?;
    tx.commit().await
}
