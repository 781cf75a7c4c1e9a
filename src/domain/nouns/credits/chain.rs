//! What a transfer is, and what its hash covers.

use crate::clock::Timestamp;
use sea_orm::FromQueryResult;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Where credits come from: its balance is what was ever granted, below zero.
pub(super) const ISSUED: &str = "issued";
pub(super) const SPENT: &str = "spent";
pub(super) const EXPIRED: &str = "expired";
const GRANT: &str = "grant";
const HELD: &str = "held";

/// What an account is: everything of its row that never changes, and that says whose credits are on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub id: Uuid,
    pub kind: String,
    pub grant_id: Option<Uuid>,
    pub source: Option<String>,
    pub expires_at: Option<Timestamp>,
}

impl Account {
    pub fn of_ledger(id: Uuid, kind: &str) -> Self {
        Self { id, kind: kind.to_owned(), grant_id: None, source: None, expires_at: None }
    }

    pub fn grant(id: Uuid, source: &str, expires_at: Timestamp) -> Self {
        Self { source: Some(source.to_owned()), expires_at: Some(expires_at), ..Self::of_ledger(id, GRANT) }
    }

    pub fn held(id: Uuid, grant: Uuid) -> Self {
        Self { grant_id: Some(grant), ..Self::of_ledger(id, HELD) }
    }
}

/// Why credits moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferKind {
    /// They came in.
    Grant,
    /// They were used at once.
    Usage,
    /// They were reserved.
    Hold,
    /// They were used, of what was reserved.
    Settlement,
    /// They came back from what was reserved.
    Release,
    /// They were not used in time.
    Expiry,
    /// Another transfer was taken back.
    Reversal,
}

impl TransferKind {
    pub const ALL: [Self; 7] =
        [Self::Grant, Self::Usage, Self::Hold, Self::Settlement, Self::Release, Self::Expiry, Self::Reversal];

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Usage => "usage",
            Self::Hold => "hold",
            Self::Settlement => "settlement",
            Self::Release => "release",
            Self::Expiry => "expiry",
            Self::Reversal => "reversal",
        }
    }

    /// The name on pages.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Grant => "Grant",
            Self::Usage => "Usage",
            Self::Hold => "Hold",
            Self::Settlement => "Settlement",
            Self::Release => "Release",
            Self::Expiry => "Expiry",
            Self::Reversal => "Correction",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A transfer, without the accounts that it is between.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Transfer {
    pub workspace_id: Uuid,
    pub seq: i64,
    pub id: Uuid,
    pub at: Timestamp,
    pub kind: String,
    pub amount: i64,
    pub hold_id: Option<Uuid>,
    pub reverses: Option<Uuid>,
    pub client_id: Option<String>,
    pub api_key_id: Option<Uuid>,
    pub key_name: String,
    pub note: String,
}

/// The hash of a transfer after the one whose hash is `previous`. It covers every column of the row, and of both
/// accounts what never changes.
pub(super) fn hash(previous: &[u8], transfer: &Transfer, debit: &Account, credit: &Account) -> Vec<u8> {
    // A new column does not compile until it is covered.
    let Transfer {
        workspace_id,
        seq,
        id,
        at,
        kind,
        amount,
        hold_id,
        reverses,
        client_id,
        api_key_id,
        key_name,
        note,
    } = transfer;
    let account = |account: &Account| {
        let Account { id, kind, grant_id, source, expires_at } = account;
        json!([id, kind, grant_id, source, expires_at])
    };
    let content = json!([
        "bailiwick credits 1",
        hex::encode(previous),
        workspace_id,
        seq,
        id,
        at,
        kind,
        account(debit),
        account(credit),
        amount,
        hold_id,
        reverses,
        client_id,
        api_key_id,
        key_name,
        note,
    ]);
    Sha256::digest(content.to_string()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for kind in TransferKind::ALL {
            assert_eq!(TransferKind::of_word(kind.word()), Some(kind));
        }
    }

    #[test]
    fn a_hash_covers_the_amount_the_accounts_and_the_one_before() {
        let id = Uuid::from_u128;
        let transfer = Transfer {
            workspace_id: id(1),
            seq: 1,
            id: id(2),
            at: Timestamp::from_millis(3),
            kind: "usage".to_owned(),
            amount: 4,
            hold_id: None,
            reverses: None,
            client_id: None,
            api_key_id: None,
            key_name: String::new(),
            note: String::new(),
        };
        let (grant, spent) =
            (Account::grant(id(5), "bought", Timestamp::from_millis(6)), Account::of_ledger(id(7), SPENT));
        let one = hash(b"", &transfer, &grant, &spent);
        assert_eq!(one, hash(b"", &transfer, &grant, &spent));
        assert_ne!(one, hash(b"x", &transfer, &grant, &spent));
        assert_ne!(one, hash(b"", &transfer, &spent, &grant));
        assert_ne!(one, hash(b"", &Transfer { amount: 5, ..transfer.clone() }, &grant, &spent));
        let later = Account { expires_at: Some(Timestamp::from_millis(7)), ..grant.clone() };
        assert_ne!(one, hash(b"", &transfer, &later, &spent));
    }
}
