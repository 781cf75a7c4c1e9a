//! Rows of links that several people join by, and of domains whose people join by themselves: what becomes of those that
//! a member answers for.

use crate::{
    clock::Timestamp,
    domain::{base::refused::Refused, enforce::rows::Scoped, records::inviters::InviterId},
};
use sea_orm::{DatabaseTransaction, FromQueryResult, Value};
use uuid::Uuid;

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinCounts {
    pub links: i64,
    pub domains: i64,
}

/// The condition of rows that a member answers for, as SQL text, and the value that it binds as `$2`. `None` for a member
/// who answers for nothing.
fn answered_by(user: Option<Uuid>, key: Option<Uuid>) -> Option<(&'static str, Value)> {
    match (user, key) {
        (Some(user), _) => Some(("inviter_id = $2 AND inviter_key_id IS NULL", user.into())),
        (None, Some(key)) => Some(("inviter_key_id = $2", key.into())),
        (None, None) => None,
    }
}

/// Ends what a member answers for: links are revoked, domains are removed.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn end_of(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    user: Option<Uuid>,
    key: Option<Uuid>,
    now: Timestamp,
) -> Result<JoinCounts, Refused> {
    let Some((theirs, value)) = answered_by(user, key) else { return Ok(JoinCounts::default()) };
    let links = format!(
        "UPDATE join_links SET revoked_at = $3
        WHERE workspace_id = $1 AND {theirs} AND revoked_at IS NULL AND expires_at > $3"
    );
    let links = at.run(&links, vec![value.clone(), now.into()]).await?;
    let domains = format!("DELETE FROM join_domains WHERE workspace_id = $1 AND {theirs}");
    let domains = at.run(&domains, vec![value]).await?;
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    Ok(JoinCounts { links: count(links), domains: count(domains) })
}

#[derive(FromQueryResult)]
struct Counted {
    links: i64,
    domains: i64,
}

/// How many open links and domains a member answers for.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn count_of(
    scope: &impl Scoped,
    user: Option<Uuid>,
    key: Option<Uuid>,
    now: Timestamp,
) -> Result<JoinCounts, Refused> {
    let Some((theirs, value)) = answered_by(user, key) else { return Ok(JoinCounts::default()) };
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM join_links WHERE workspace_id = $1 AND {theirs} AND revoked_at IS NULL
                AND expires_at > $3 AND uses < max_uses) AS links,
            (SELECT COUNT(*) FROM join_domains WHERE workspace_id = $1 AND {theirs}) AS domains"
    );
    let counted: Option<Counted> = scope.first(&sql, vec![value, now.into()]).await?;
    Ok(counted
        .map(|counted| JoinCounts { links: counted.links, domains: counted.domains })
        .unwrap_or_default())
}

#[derive(FromQueryResult)]
struct Id {
    id: Uuid,
}

/// The open links that a member answers for, or the domains, under the lock.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn ids_of(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    user: Option<Uuid>,
    key: Option<Uuid>,
    now: Timestamp,
) -> Result<(Vec<Uuid>, Vec<Uuid>), Refused> {
    let Some((theirs, value)) = answered_by(user, key) else { return Ok((Vec::new(), Vec::new())) };
    let links = format!(
        "SELECT id FROM join_links WHERE workspace_id = $1 AND {theirs} AND revoked_at IS NULL AND expires_at > $3
        ORDER BY id"
    );
    let links: Vec<Id> = at.all(&links, vec![value.clone(), now.into()]).await?;
    let domains = format!("SELECT id FROM join_domains WHERE workspace_id = $1 AND {theirs} ORDER BY id");
    let domains: Vec<Id> = at.all(&domains, vec![value]).await?;
    let ids = |rows: Vec<Id>| rows.into_iter().map(|row| row.id).collect();
    Ok((ids(links), ids(domains)))
}

/// Makes somebody else answer for a link or a domain.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such row.
pub(in crate::domain) async fn answer_for(
    at: &impl Scoped<Connection = DatabaseTransaction>,
    table: &'static str,
    id: Uuid,
    by: InviterId,
) -> Result<(), Refused> {
    let sql = format!(
        "UPDATE {table} SET inviter_id = $3, inviter_key_id = $4 WHERE workspace_id = $1 AND id = $2"
    );
    match at.run(&sql, vec![id.into(), by.user.into(), by.key.into()]).await? {
        1 => Ok(()),
        _ => Err(Refused::NotFound),
    }
}

#[derive(FromQueryResult)]
struct Ways {
    ways: i64,
}

/// Whether people can still join with this role: by a link, or by a domain.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn lets_in_with(
    scope: &impl Scoped,
    role: Uuid,
    now: Timestamp,
) -> Result<bool, Refused> {
    let sql = "SELECT (SELECT COUNT(*) FROM join_link_roles lr CROSS JOIN join_links l
                WHERE lr.workspace_id = $1 AND lr.role_id = $2 AND l.workspace_id = lr.workspace_id
                    AND l.id = lr.link_id AND l.revoked_at IS NULL AND l.expires_at > $3 AND l.uses < l.max_uses)
            + (SELECT COUNT(*) FROM join_domains d WHERE d.workspace_id = $1 AND d.role_id = $2) AS ways";
    let ways: Option<Ways> = scope.first(sql, vec![role.into(), now.into()]).await?;
    Ok(ways.is_some_and(|found| found.ways > 0))
}
