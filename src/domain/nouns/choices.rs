//! What people chose about their own pages. It grants nothing, and nobody else sees it.

use crate::domain::base::{db::Db, principal::Person, refused::Refused, sql::Sql, values::Slug};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The name of the choice that the list of first steps of this workspace is hidden.
pub(in crate::domain) fn first_steps(workspace: Uuid) -> String {
    format!("first-steps:{workspace}")
}

#[derive(FromQueryResult)]
struct Workspace {
    id: Uuid,
}

/// Hides the list of first steps of this workspace from the person, or shows it to them again. Returns whether they
/// are a member of such a workspace.
///
/// # Errors
/// The database's own.
pub async fn hide_first_steps(
    db: &Db,
    person: &Person,
    workspace: &Slug,
    is_hidden: bool,
) -> Result<bool, Refused> {
    let tx = db.begin().await?;
    let sql = "SELECT w.id FROM workspaces w JOIN members m ON m.workspace_id = w.id
        WHERE w.slug = $1 AND w.deleted_at IS NULL AND m.user_id = $2";
    let values = vec![workspace.as_str().into(), person.user_id.into()];
    let found: Option<Workspace> = tx.first(sql, values).await?;
    let Some(Workspace { id }) = found else {
        tx.rollback().await?;
        return Ok(false);
    };
    let name = first_steps(id);
    if is_hidden {
        let sql = "INSERT INTO user_choices (user_id, name, value, chosen_at) VALUES ($1, $2, 'hidden', $3)
            ON CONFLICT DO NOTHING";
        tx.run(sql, vec![person.user_id.into(), name.into(), db.now().into()]).await?;
    } else {
        let sql = "DELETE FROM user_choices WHERE user_id = $1 AND name = $2";
        tx.run(sql, vec![person.user_id.into(), name.into()]).await?;
    }
    tx.commit().await?;
    Ok(true)
}
