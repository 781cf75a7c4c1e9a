//! What somebody with support access looks at: the link that they were printed, and the record of each page.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::Gone,
            db::Db,
            limits,
            principal::{Principal, SupportVisitor},
            refused::Refused,
            sql::Sql,
            tokens::Token,
        },
        enforce::read::ReadScope,
        nouns::support::operator::PAGES,
    },
    entity::support_view,
    policy::{Access, Permission},
    random,
};
use sea_orm::{ActiveValue::Set, EntityTrait, FromQueryResult};

/// The link opens nothing any more.
pub const ENDED: Gone =
    Gone::new("support-access-ended", "This support access was declined, has ended, or never existed.");

/// What a link of support access leads to.
pub enum Opening {
    /// Nobody has answered yet.
    Waiting,
    /// It runs: the address of the first page that was granted, and until when.
    Running { page: String, ends_at: Timestamp },
}

#[derive(FromQueryResult)]
struct Row {
    slug: String,
    status: String,
    expires_at: Timestamp,
    granted_scopes: String,
    ends_at: Option<Timestamp>,
}

/// What the link opens now.
///
/// # Errors
/// [`ENDED`].
pub async fn open(db: &Db, link: &Token) -> Result<Opening, Refused> {
    let sql = "SELECT w.slug, g.status, g.expires_at, g.granted_scopes, g.ends_at FROM support_grants g
        JOIN workspaces w ON w.id = g.workspace_id AND w.deleted_at IS NULL WHERE g.token_hash = $1";
    let row: Option<Row> = db.read().first(sql, vec![link.hash().into()]).await?;
    let row = row.ok_or(ENDED)?;
    match (row.status.as_str(), row.ends_at) {
        ("pending", _) if row.expires_at > db.now() => Ok(Opening::Waiting),
        ("accepted", Some(ends_at)) if ends_at > db.now() => {
            let mut granted = row.granted_scopes.split_ascii_whitespace().filter_map(Permission::of_scope);
            let first = granted.find_map(page_of).ok_or(ENDED)?;
            Ok(Opening::Running { page: format!("/w/{}/{first}", row.slug), ends_at })
        }
        _ => Err(ENDED.into()),
    }
}

/// The last part of the address of the pages that a permission opens.
fn page_of(permission: Permission) -> Option<&'static str> {
    PAGES.iter().find(|(_, other)| *other == permission).map(|(word, _)| *word)
}

/// The most characters of an address that are kept.
const MAX_PATH: usize = 300;

/// Records that somebody with support access opens a page, before they see it. Of a member it records nothing.
///
/// # Errors
/// [`Refused::RateLimited`], [`Refused::Unauthenticated`] if the access has ended by now.
pub async fn record<P: Access>(scope: &ReadScope<P>, path: &str) -> Result<(), Refused> {
    let Principal::Support(SupportVisitor { grant_id, .. }) = &scope.actor().principal else { return Ok(()) };
    let db = scope.db();
    let path: String = path.chars().take(MAX_PATH).collect();
    let tx = db.begin().await?;
    let now = db.now();
    // The row is locked, so that whoever ends the access waits: what is seen is in its receipt, or is not seen.
    let sql = "UPDATE support_grants SET status = status
        WHERE workspace_id = $1 AND id = $2 AND status = 'accepted' AND ends_at > $3";
    let workspace = scope.actor().workspace.id;
    if tx.run(sql, vec![workspace.into(), (*grant_id).into(), now.into()]).await? != 1 {
        tx.rollback().await?;
        return Err(Refused::Unauthenticated);
    }
    let budget = [limits::SUPPORT_VIEWS.of(&grant_id.to_string())];
    if let Err(refused) = limits::spend_in(&tx, &budget, 1, now).await? {
        tx.rollback().await?;
        return Err(refused);
    }
    let row = support_view::ActiveModel {
        id: Set(random::id(now)),
        workspace_id: Set(workspace),
        grant_id: Set(*grant_id),
        path: Set(path),
        at: Set(now),
    };
    support_view::Entity::insert(row).exec_without_returning(&tx).await?;
    Ok(tx.commit().await?)
}
