//! The columns about a key that lists in a workspace and in the account share.

use crate::{clock::Timestamp, domain::records::keys::NEWEST};
use serde::Deserialize;
use uuid::Uuid;

/// What a list or a page shows of a key, in a workspace or in the account.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub id: Uuid,
    pub name: String,
    /// The last characters of its newest secret.
    pub hint: String,
    /// Identifies its newest secret. A rotation must name it.
    pub version: String,
    /// It may create workspaces in the account.
    pub is_admin: bool,
    pub creator: String,
    /// Its creator is no longer an active member of the workspace; in the account: of no workspace, and not
    /// an admin.
    pub creator_left: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub is_expired: bool,
    /// Revoked, in every workspace.
    pub is_revoked: bool,
    pub last_used_at: Option<Timestamp>,
    /// When the previous secret stops working, while a rotation is in progress.
    pub overlap_ends_at: Option<Timestamp>,
    /// How many more requests a test key may send through the gateway; `None` for any other key.
    pub requests_left: Option<i64>,
}

/// The columns that every list of keys has, as [`select`] names them.
#[derive(Clone, Deserialize)]
pub(in crate::domain) struct KeyColumns {
    pub key_id: Uuid,
    name: String,
    newest: Option<String>,
    admin: i64,
    maker: String,
    maker_left: i64,
    pub created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    overlap_ends_at: Option<Timestamp>,
    requests_left: Option<i64>,
}

/// The names of [`KeyColumns`], in their order, and then of `others`.
pub(in crate::domain) fn fields(others: &[&'static str]) -> Vec<&'static str> {
    let shared = [
        "key_id",
        "name",
        "newest",
        "admin",
        "maker",
        "maker_left",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "overlap_ends_at",
        "requests_left",
    ];
    [&shared, others].concat()
}

/// [`KeyColumns`] of the key `k` that the user `u` created. `$2` is the time; `maker_stays` is the condition
/// under which `u` is still there.
pub(in crate::domain) fn select(maker_stays: &str) -> String {
    format!(
        "SELECT k.id AS key_id, k.name, {NEWEST} AS newest, CASE WHEN k.is_admin THEN 1 ELSE 0 END AS admin,
        u.name AS maker, CASE WHEN {maker_stays} THEN 0 ELSE 1 END AS maker_left,
        k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
        (SELECT MAX(s.expires_at) FROM api_key_secrets s WHERE s.api_key_id = k.id
            AND s.expires_at > $2) AS overlap_ends_at, k.requests_left"
    )
}

impl KeyColumns {
    /// As it is at `now`.
    pub(in crate::domain) fn at(self, now: Timestamp) -> KeyRecord {
        let version = self.newest.unwrap_or_default();
        KeyRecord {
            id: self.key_id,
            name: self.name,
            hint: version.rsplit('-').next().unwrap_or_default().to_owned(),
            version,
            is_admin: self.admin > 0,
            creator: self.maker,
            creator_left: self.maker_left > 0,
            created_at: self.created_at,
            expires_at: self.expires_at,
            is_expired: self.expires_at.is_some_and(|at| at <= now),
            is_revoked: self.revoked_at.is_some(),
            last_used_at: self.last_used_at,
            overlap_ends_at: self.overlap_ends_at,
            requests_left: self.requests_left,
        }
    }
}
