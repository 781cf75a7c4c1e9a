//! The invariant of a workspace: an active Owner remains, whose access has no end. So none of the ends of others, when
//! they come, leaves it without one.

use crate::domain::base::{invariants::LAST_OWNER, refused::Refused, sql::Sql};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Remains {
    remains: bool,
}

/// Checked after the change, inside its transaction and under the workspace's lock, so that two
/// Owners who demote each other at once see each other's work. A workspace whose rows are being removed needs none, nor one
/// that is gone.
///
/// # Errors
/// [`LAST_OWNER`], which rolls the change back.
pub(super) async fn ensure_one_remains(tx: &DatabaseTransaction, workspace: Uuid) -> Result<(), Refused> {
    let sql = "SELECT EXISTS (SELECT 1 FROM lasting_owners WHERE workspace_id = $1)
               OR NOT EXISTS (SELECT 1 FROM workspaces WHERE id = $1 AND purge_began_at IS NULL) AS remains";
    let row: Option<Remains> = tx.first(sql, vec![workspace.into()]).await?;
    if row.is_some_and(|row| row.remains) { Ok(()) } else { Err(LAST_OWNER.into()) }
}
