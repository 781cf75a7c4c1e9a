//! What a node may take of a limit that all nodes share: so many requests at once for some seconds, or so many of a
//! minute. A node asks when it needs more, and not for each request.
//!
//! Whoever asks first writes a row that all nodes write (that of no node). So they wait for each other, and then read
//! what the others have.

use crate::{
    clock::{SECOND, Timestamp},
    domain::base::{db::Db, sql::Sql},
};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use std::time::Duration;
use uuid::Uuid;

/// For how long a node may use what it leased, in milliseconds. It is renewed well before.
pub(super) const LEASE: i64 = 10 * SECOND;

/// How often leases are renewed.
pub const RENEWAL: Duration = Duration::from_secs(2);

/// How often a request that waits asks for a lease again.
pub(super) const LEASE_POLL: Duration = Duration::from_millis(250);

/// Which limit, of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Limited {
    /// Requests of a key at once.
    Key,
    /// Requests of a workspace at once.
    Workspace,
    /// Requests of a key in a minute.
    KeyRate,
    /// Requests to a destination in a minute.
    DestinationRate,
}

impl Limited {
    const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Workspace => "workspace",
            Self::KeyRate => "key_rate",
            Self::DestinationRate => "destination_rate",
        }
    }
}

/// What a node asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub limited: Limited,
    pub subject: Uuid,
    /// Of all nodes together.
    pub limit: u32,
    /// Of this node, with what it has already.
    pub wanted: u32,
    /// Of a rate the end of the minute.
    pub expires_at: Timestamp,
}

/// What a node got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub permits: u32,
    pub elsewhere: u32,
}

#[derive(FromQueryResult)]
struct Elsewhere {
    permits: Option<i64>,
}

/// Takes as much as the other nodes leave.
///
/// # Errors
/// The database's own.
pub(super) async fn take(db: &Db, node: Uuid, asks: &mut [Ask]) -> Result<Vec<Got>, DbErr> {
    // In one order, so that nodes that ask at once don't wait in a circle.
    asks.sort_by_key(|ask| (ask.limited, ask.subject));
    let now = db.now();
    let tx = db.begin().await?;
    let mut got = Vec::with_capacity(asks.len());
    for ask in &*asks {
        upsert(&tx, Uuid::nil(), ask, 0).await?;
        let sql = "SELECT CAST(SUM(permits) AS BIGINT) AS permits FROM gateway_leases
            WHERE scope = $1 AND scope_id = $2 AND node_id <> $3 AND expires_at > $4";
        let values: Vec<Value> = vec![ask.limited.word().into(), ask.subject.into(), node.into(), now.into()];
        let others: Option<Elsewhere> = tx.first(sql, values).await?;
        let elsewhere = others.and_then(|others| others.permits).unwrap_or_default();
        let elsewhere = u32::try_from(elsewhere).unwrap_or(u32::MAX);
        let permits = ask.wanted.min(ask.limit.saturating_sub(elsewhere));
        upsert(&tx, node, ask, permits).await?;
        got.push(Got { permits, elsewhere });
    }
    tx.commit().await?;
    Ok(got)
}

/// Keeps what this node has, or less, for some seconds more.
///
/// # Errors
/// The database's own.
pub(super) async fn renew(db: &Db, node: Uuid, asks: &[Ask]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    for ask in asks {
        upsert(&tx, node, ask, ask.wanted).await?;
    }
    tx.commit().await
}

async fn upsert(tx: &impl ConnectionTrait, node: Uuid, ask: &Ask, permits: u32) -> Result<(), DbErr> {
    let sql = "INSERT INTO gateway_leases
            (scope, scope_id, node_id, permits, expires_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (scope, scope_id, node_id)
            DO UPDATE SET permits = excluded.permits, expires_at = excluded.expires_at";
    let values: Vec<Value> = vec![
        ask.limited.word().into(),
        ask.subject.into(),
        node.into(),
        i64::from(permits).into(),
        ask.expires_at.into(),
    ];
    tx.run(sql, values).await.map(drop)
}
