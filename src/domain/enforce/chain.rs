//! What a hash chain is: which one an event is in, what an event's hash covers, and the commitments to names.

use crate::entity::{audit_event, audit_identity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// A chain of audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chain {
    /// Which chains were started, checkpoints and erasures.
    Installation,
    Account(Uuid),
    User(Uuid),
    Workspace(Uuid),
}

impl Chain {
    pub(in crate::domain) fn new(kind: &str, id: Uuid) -> Option<Self> {
        Some(match kind {
            "installation" => Self::Installation,
            "account" => Self::Account(id),
            "user" => Self::User(id),
            "workspace" => Self::Workspace(id),
            _ => return None,
        })
    }

    /// The stored word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Account(_) => "account",
            Self::User(_) => "user",
            Self::Workspace(_) => "workspace",
        }
    }

    /// The id of what it is about; nil for the installation.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Installation => Uuid::nil(),
            Self::Account(id) | Self::User(id) | Self::Workspace(id) => id,
        }
    }

    /// The condition that selects its events; `$1` is its id.
    pub(super) const fn condition(self) -> &'static str {
        match self {
            Self::Installation => {
                "e.workspace_id IS NULL AND e.account_id IS NULL AND e.user_id IS NULL AND $1 = $1"
            }
            Self::Account(_) => "e.workspace_id IS NULL AND e.account_id = $1",
            Self::User(_) => "e.user_id = $1",
            Self::Workspace(_) => "e.workspace_id = $1",
        }
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation"),
            _ => write!(f, "{} {}", self.kind(), self.id()),
        }
    }
}

/// The last event of a chain: its number, from 1, and its hash. 0 and empty before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// The hash of an event after the one whose hash is `previous`. It covers every column of both rows, but for
/// what may be erased: of that, the commitment.
pub(super) fn hash(previous: &[u8], event: &audit_event::Model, names: &audit_identity::Model) -> Vec<u8> {
    // Neither is left out here unnoticed: a new column does not compile until it is covered.
    let audit_event::Model {
        id,
        workspace_id,
        account_id,
        user_id,
        seq,
        at,
        kind,
        outcome,
        actor_kind,
        actor_id,
        target_kind,
        target_id,
        via,
        payload,
        hash: _,
    } = event;
    let audit_identity::Model {
        event_id: _,
        actor_commitment,
        target_subject,
        target_commitment,
        payload_subject,
        payload_commitment,
        // Covered by the commitments: see `commitments`.
        actor_salt: _,
        actor_name: _,
        actor_email: _,
        address: _,
        user_agent: _,
        target_salt: _,
        target_name: _,
        target_email: _,
        payload_salt: _,
        payload: _,
    } = names;
    digest(&json!([
        "bailiwick audit 1",
        hex::encode(previous),
        id,
        workspace_id,
        account_id,
        user_id,
        seq,
        at,
        kind,
        outcome,
        actor_kind,
        actor_id,
        target_kind,
        target_id,
        via,
        payload,
        hex::encode(actor_commitment),
        target_subject,
        hex::encode(target_commitment),
        payload_subject,
        payload_commitment.as_ref().map(hex::encode),
    ]))
}

/// The commitments that fit the names of a row; `None` for what was erased, or is not there.
pub(super) struct Commitments {
    pub actor: Option<Vec<u8>>,
    pub target: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
}

impl Commitments {
    pub(super) fn of(names: &audit_identity::Model) -> Self {
        let commit = |part: &str, salt: &Option<Vec<u8>>, texts: &[&Option<String>]| {
            let is_erased = salt.is_none() && texts.iter().all(|text| text.is_none());
            let mut content = vec![json!(part), json!(salt.as_ref().map(hex::encode))];
            content.extend(texts.iter().map(|text| json!(text)));
            (!is_erased).then(|| digest(&Value::Array(content)))
        };
        let audit_identity::Model { actor_name, actor_email, address, user_agent, .. } = names;
        Self {
            actor: commit("actor", &names.actor_salt, &[actor_name, actor_email, address, user_agent]),
            target: commit("target", &names.target_salt, &[&names.target_name, &names.target_email]),
            payload: commit("payload", &names.payload_salt, &[&names.payload]),
        }
    }
}

fn digest(content: &Value) -> Vec<u8> {
    Sha256::digest(content.to_string()).to_vec()
}
