//! What becomes of destinations when a role or an API key goes that may send to them.

use crate::{
    domain::{
        base::refused::Refused,
        enforce::{read::ReadScope, rows::Scoped},
        nouns::destinations::pattern::shown,
    },
    policy::Access,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// A sender that goes.
#[derive(Clone, Copy, Debug)]
pub enum LostSender {
    Role(Uuid),
    /// An API key, as a member of the workspace.
    Member(Uuid),
}

/// A destination that loses a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LosingDestination {
    /// The host as people read it.
    pub displayed: String,
    /// It has no other sender, so that no one can send to it any more.
    pub is_last: bool,
}

#[derive(FromQueryResult)]
struct Row {
    host: String,
    senders: i64,
}

/// The destinations that only some may send to, and of which this is one, by their hosts.
///
/// # Errors
/// The database's own.
pub async fn losing<P: Access>(
    scope: &ReadScope<P>,
    sender: LostSender,
) -> Result<Vec<LosingDestination>, Refused> {
    let (column, id) = match sender {
        LostSender::Role(id) => ("role_id", id),
        LostSender::Member(id) => ("member_id", id),
    };
    let sql = format!(
        "SELECT d.host, (SELECT COUNT(*) FROM destination_senders o
                WHERE o.workspace_id = d.workspace_id AND o.destination_id = d.id) AS senders
        FROM destination_senders s JOIN destinations d ON d.workspace_id = s.workspace_id AND d.id = s.destination_id
        WHERE s.workspace_id = $1 AND s.{column} = $2 ORDER BY d.host"
    );
    let rows: Vec<Row> = scope.all(&sql, vec![id.into()]).await?;
    let losing = |row: Row| LosingDestination { displayed: shown(&row.host), is_last: row.senders <= 1 };
    Ok(rows.into_iter().map(losing).collect())
}
