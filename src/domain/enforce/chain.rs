//! Reads a workspace's audit chain from its start and says whether anything in it was altered.

use crate::clock::Timestamp;
use crate::domain::{
    base::{db::Db, refused::Refused, sql::Sql},
    enforce::audit::ChainEntry,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The state of one workspace's chain.
#[derive(Debug)]
pub struct Verdict {
    pub workspace: Uuid,
    /// Events read.
    pub events: i64,
    /// The number of the first event that does not fit the chain; `None` if all do.
    pub broken_at: Option<i64>,
}

#[derive(FromQueryResult)]
struct Chain {
    workspace_id: Uuid,
}

#[derive(FromQueryResult)]
struct HeadRow {
    audit_seq: i64,
    audit_hash: Vec<u8>,
}

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    at: Timestamp,
    kind: String,
    outcome: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    target_kind: String,
    target_id: Option<Uuid>,
    target_name: String,
    via: String,
    address: String,
    user_agent: String,
    payload: String,
    hash: Vec<u8>,
}

/// Events read at a time.
const BATCH: i64 = 1_000;

/// Verifies every chain there is, those of deleted workspaces too.
///
/// # Errors
/// The database's own.
pub async fn verify(db: &Db) -> Result<Vec<Verdict>, Refused> {
    let sql = "SELECT DISTINCT workspace_id FROM audit_events WHERE workspace_id IS NOT NULL";
    let chains: Vec<Chain> = db.read().all(sql, Vec::new()).await?;
    let mut verdicts = Vec::with_capacity(chains.len());
    for chain in chains {
        verdicts.push(verify_one(db, chain.workspace_id).await?);
    }
    Ok(verdicts)
}

async fn verify_one(db: &Db, workspace: Uuid) -> Result<Verdict, Refused> {
    let (mut seq, mut hash) = (0, Vec::new());
    loop {
        let sql = "SELECT seq, at, kind, outcome, actor_id, actor_name, target_kind, target_id, target_name,
                via, address, user_agent, payload, hash
            FROM audit_events WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let rows: Vec<Row> = db.read().all(sql, vec![workspace.into(), seq.into(), BATCH.into()]).await?;
        let is_last = i64::try_from(rows.len()).unwrap_or(0) < BATCH;
        for row in rows {
            seq += 1;
            if row.seq != seq || row.entry_hash(&hash) != row.hash {
                return Ok(Verdict { workspace, events: seq, broken_at: Some(seq) });
            }
            hash = row.hash;
        }
        if is_last {
            break;
        }
    }
    // Events cut off at the end leave a chain that fits; the workspace remembers where it ended.
    let sql = "SELECT audit_seq, audit_hash FROM workspaces WHERE id = $1";
    let head: Option<HeadRow> = db.read().first(sql, vec![workspace.into()]).await?;
    let fits = head.is_none_or(|head| head.audit_seq == seq && head.audit_hash == hash);
    Ok(Verdict { workspace, events: seq, broken_at: (!fits).then_some(seq + 1) })
}

impl Row {
    fn entry_hash(&self, previous: &[u8]) -> Vec<u8> {
        let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        ChainEntry {
            seq: self.seq,
            at: self.at,
            kind: &self.kind,
            outcome: &self.outcome,
            actor: &text(self.actor_id),
            actor_name: &self.actor_name,
            target_kind: &self.target_kind,
            target: &text(self.target_id),
            target_name: &self.target_name,
            via: &self.via,
            address: &self.address,
            user_agent: &self.user_agent,
            payload: &self.payload,
        }
        .hash(previous)
    }
}
