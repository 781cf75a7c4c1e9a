//! How many rows there are to export.

use crate::{
    domain::{
        base::refused::Refused,
        enforce::{read::ReadScope, rows::Scoped},
    },
    policy::perm,
};
use sea_orm::FromQueryResult;

/// Rows are counted up to here. Beyond it, that there are more is all that is said.
pub const MAX_COUNTED: i64 = 1_000;

/// The rows of each list.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub struct Counts {
    pub members: i64,
    pub api_keys: i64,
    pub teams: i64,
    /// One more than [`MAX_COUNTED`] if there are more.
    pub invitations: i64,
    /// One more than [`MAX_COUNTED`] if there are more.
    pub traffic: i64,
    pub events: i64,
    pub transfers: i64,
}

/// Counts the rows of each list.
///
/// # Errors
/// The database's own.
pub async fn counts(scope: &ReadScope<perm::ExportData>) -> Result<Counts, Refused> {
    let most = MAX_COUNTED + 1;
    let sql = format!(
        "SELECT
            (SELECT CAST(COALESCE(SUM(h.people), 0) AS BIGINT) FROM headcounts h WHERE h.workspace_id = $1) AS members,
            (SELECT CAST(COALESCE(SUM(k.people), 0) AS BIGINT) FROM headcounts k
                WHERE k.workspace_id = $1 AND k.kind = 'api_key') AS api_keys,
            (SELECT COUNT(*) FROM teams t WHERE t.workspace_id = $1) AS teams,
            (SELECT COUNT(*) FROM (SELECT 1 FROM invitations i WHERE i.workspace_id = $1 LIMIT {most}) AS counted)
                AS invitations,
            (SELECT COUNT(*) FROM (SELECT 1 FROM traffic r WHERE r.workspace_id = $1 LIMIT {most}) AS counted) AS traffic,
            COALESCE((SELECT c.seq FROM audit_chains c WHERE c.kind = 'workspace' AND c.id = $1), 0) AS events,
            COALESCE((SELECT l.seq FROM credit_ledgers l WHERE l.workspace_id = $1), 0) AS transfers"
    );
    scope.first(&sql, Vec::new()).await?.ok_or(Refused::NotFound)
}
