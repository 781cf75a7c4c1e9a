//! Checkpoints: signed statements of how far the record has come. The signing key is not in the database, so
//! whoever owns the database alone can't make one for a record that they altered.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            db::Db,
            event::{RecordedEvent, Target},
            refused::Refused,
            sql::Sql,
        },
        enforce::{
            audit::{self, ChainHead},
            chain::{Chain, Head},
            events::AuditCheckpointSigned,
        },
    },
    note::Signer,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The first line of a checkpoint, and the name of the keys that sign it.
pub const ORIGIN: &str = "bailiwick-audit";

/// What is signed: the installation's chain up to one event. That event commits to the heads of all chains that
/// changed since the checkpoint before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub head: Head,
    pub at: Timestamp,
}

impl Checkpoint {
    /// Four lines: the origin, the number of events of the installation's chain, the hash of the last, the time
    /// in milliseconds since 1970.
    fn text(&self) -> String {
        format!("{ORIGIN}\n{}\n{}\ntime {}\n", self.head.seq, BASE64.encode(&self.head.hash), self.at)
    }

    /// Reads what [`Checkpoint::text`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(ORIGIN) {
            return None;
        }
        let seq = lines.next()?.parse().ok()?;
        let hash = BASE64.decode(lines.next()?).ok()?;
        let at = Timestamp::from_millis(lines.next()?.strip_prefix("time ")?.parse().ok()?);
        Some(Self { head: Head { seq, hash }, at })
    }
}

/// The head of a chain that a checkpoint commits to.
#[derive(FromQueryResult)]
struct SealedHead {
    kind: String,
    id: Uuid,
    seq: i64,
    hash: Vec<u8>,
}

/// The heads of one chain that checkpoints commit to: the hashes, by the number of the event. Without those that were
/// signed after that one; a checkpoint that is not in the installation's chain at all counts.
///
/// # Errors
/// The database's own.
pub(super) async fn sealed(
    connection: &impl ConnectionTrait,
    chain: Chain,
    until: i64,
) -> Result<BTreeMap<i64, Vec<u8>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        seq: i64,
        hash: Vec<u8>,
    }
    let sql = "SELECT h.seq, h.hash FROM audit_checkpoint_heads h WHERE h.kind = $1 AND h.id = $2
        AND (h.checkpoint <= $3
            OR h.checkpoint > (SELECT c.seq FROM audit_chains c WHERE c.kind = 'installation'))";
    let rows: Vec<Row> =
        connection.all(sql, vec![chain.kind().into(), chain.id().into(), until.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.seq, row.hash)).collect())
}

/// The number of the heads of a checkpoint, and the SHA-256 of them, one a line, in hex.
///
/// # Errors
/// The database's own.
pub(super) async fn digest_of(
    connection: &impl ConnectionTrait,
    checkpoint: i64,
) -> Result<(i64, String), DbErr> {
    let sql = "SELECT kind, id, seq, hash FROM audit_checkpoint_heads
        WHERE checkpoint = $1 AND (kind, id, seq) > ($2, $3, $4) ORDER BY kind, id, seq LIMIT 1000";
    let (mut digest, mut count) = (Sha256::new(), 0);
    let mut last = (String::new(), Uuid::nil(), 0);
    loop {
        let values = vec![checkpoint.into(), last.0.clone().into(), last.1.into(), last.2.into()];
        let rows: Vec<SealedHead> = connection.all(sql, values).await?;
        let Some(newest) = rows.last() else { break };
        last = (newest.kind.clone(), newest.id, newest.seq);
        for SealedHead { kind, id, seq, hash } in rows {
            digest.update(format!("{kind} {id} {seq} {}\n", hex::encode(hash)));
            count += 1;
        }
    }
    Ok((count, hex::encode(digest.finalize())))
}

/// Chains whose head no checkpoint has yet. Along an index of those that are not marked as sealed: a head that is
/// sealed already may lack its mark, and none has one that is not.
const CHANGED: &str = "FROM audit_chains c WHERE NOT c.sealed AND c.kind <> 'installation' AND c.seq > 0
    AND NOT EXISTS (SELECT 1 FROM audit_checkpoint_heads h
        WHERE h.kind = c.kind AND h.id = c.id AND h.seq = c.seq)";

/// Heads that one checkpoint commits to, at most. Nobody can start a chain while they are written.
pub const MAX_HEADS: i64 = 10_000;

/// How far the record is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningState {
    /// When the latest checkpoint was signed; `None` if none was.
    pub latest: Option<Timestamp>,
    /// Chains whose newest event no checkpoint commits to.
    pub unsigned_chains: i64,
}

/// How far the record is signed, for the metrics.
///
/// # Errors
/// The database's own.
pub async fn state(db: &Db) -> Result<SigningState, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        note: String,
    }
    let sql = "SELECT note FROM audit_checkpoints ORDER BY seq DESC LIMIT 1";
    let latest: Option<Row> = db.read().first(sql, Vec::new()).await?;
    let latest = latest.and_then(|row| Checkpoint::parse(&row.note)).map(|checkpoint| checkpoint.at);
    Ok(SigningState { latest, unsigned_chains: changed(db).await? })
}

/// The number of checkpoints that commit to all that was recorded since the one before. 0 if that is nothing.
///
/// # Errors
/// The database's own.
pub async fn due(db: &Db) -> Result<i64, Refused> {
    Ok((changed(db).await? + MAX_HEADS - 1) / MAX_HEADS)
}

/// How many chains no checkpoint commits to as they are.
async fn changed(db: &Db) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        count: i64,
    }
    let row: Option<Row> =
        db.read().first(&format!("SELECT COUNT(*) AS count {CHANGED}"), Vec::new()).await?;
    Ok(row.map_or(0, |row| row.count))
}

/// Makes a checkpoint and signs it. Returns the signed note, which is stored too. Where more than [`MAX_HEADS`]
/// chains changed, another one is due afterwards.
///
/// # Errors
/// The database's own.
pub async fn sign(db: &Db, signer: &Signer) -> Result<String, Refused> {
    sign_at_most(db, signer, MAX_HEADS).await
}

/// [`sign`], with so many heads at most.
///
/// # Errors
/// As [`sign`].
pub async fn sign_at_most(db: &Db, signer: &Signer, heads: i64) -> Result<String, Refused> {
    let tx = db.begin().await?;
    // Nobody starts a chain, or signs, in between.
    let seq = ChainHead::lock(&tx, Chain::Installation).await?.head.seq + 1;
    let now = db.now();
    let sql = format!(
        "INSERT INTO audit_checkpoint_heads (kind, id, seq, hash, checkpoint)
        SELECT c.kind, c.id, c.seq, c.hash, $1 {CHANGED} ORDER BY c.kind, c.id LIMIT $2"
    );
    tx.run(&sql, vec![seq.into(), heads.into()]).await?;
    let (chains, digest) = digest_of(&tx, seq).await?;
    let event = RecordedEvent::new(AuditCheckpointSigned { chains, digest }, Target::nothing());
    let head = audit::append_to_installation(&tx, now, event).await?;
    let note = signer.sign(&Checkpoint { head, at: now }.text());
    let sql = "INSERT INTO audit_checkpoints (seq, note) VALUES ($1, $2)";
    tx.run(sql, vec![seq.into(), note.as_str().into()]).await?;
    tx.commit().await?;
    if let Err(error) = mark_sealed(db, seq).await {
        // The next one looks at them again.
        tracing::warn!(%error, "could not mark what an audit checkpoint commits to");
    }
    Ok(note)
}

/// Marks the heads that a checkpoint commits to, unless they moved on. Each in a transaction of its own, so that
/// it never holds one chain while it waits for another.
async fn mark_sealed(db: &Db, checkpoint: i64) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: String,
        id: Uuid,
        seq: i64,
    }
    let sql = "SELECT kind, id, seq FROM audit_checkpoint_heads WHERE checkpoint = $1";
    let heads: Vec<Row> = db.read().all(sql, vec![checkpoint.into()]).await?;
    let sql = "UPDATE audit_chains SET sealed = TRUE WHERE kind = $1 AND id = $2 AND seq = $3 AND NOT sealed";
    for Row { kind, id, seq } in heads {
        let tx = db.begin().await?;
        tx.run(sql, vec![kind.into(), id.into(), seq.into()]).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let head = Head { seq: 7, hash: vec![1, 2, 3] };
        let checkpoint = Checkpoint { head, at: Timestamp::from_millis(1_800_000_000_000) };
        assert_eq!(checkpoint.text(), "bailiwick-audit\n7\nAQID\ntime 1800000000000\n");
        assert_eq!(Checkpoint::parse(&checkpoint.text()), Some(checkpoint));
        assert_eq!(Checkpoint::parse("another\n7\nAQID\ntime 1\n"), None);
    }
}
