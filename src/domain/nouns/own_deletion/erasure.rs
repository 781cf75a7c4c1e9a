//! The names of people who deleted their sign-in are erased from the record: beside the requests, because that goes
//! through the whole record.

use crate::domain::{
    base::{db::Db, refused::Refused, sql::Sql},
    enforce::erasure::{Whom, erase_names},
};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

/// The most people who are erased in one go; the others wait for the next.
const BATCH: i64 = 20;

/// Erases those who wait for it, the earliest first. Where this is cut off, it goes on with the next sweep: an erasure
/// that was committed is found to be done.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn erase_waiting(db: &Db) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Deleted {
        id: Uuid,
    }
    let sql = "SELECT u.id FROM users u WHERE u.deleted_at <= $1 AND u.names_erased_at IS NULL
        ORDER BY u.deleted_at, u.id LIMIT $2";
    let waiting: Vec<Deleted> = db.read().all(sql, vec![db.now().into(), BATCH.into()]).await?;
    for Deleted { id } in waiting {
        match erase_names(db, &Whom::User(id)).await {
            Ok(_) => {}
            Err(Refused::Failed(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(user = %id, %error, "could not erase the names of a deleted sign-in");
                continue;
            }
        }
        let tx = db.begin().await?;
        tx.run("UPDATE users SET names_erased_at = $2 WHERE id = $1", vec![id.into(), db.now().into()])
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
