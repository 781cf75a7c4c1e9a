//! A key as a row or as the head of a page.

use crate::{
    clock::Timestamp,
    domain::nouns::{
        accounts::keys,
        api_keys::{self, KeyRecord},
    },
    web::when::When,
};

/// A key as one of its homes sees it.
pub(in crate::web) enum HomeKey {
    Workspace(api_keys::WorkspaceKey),
    Account(keys::AccountKey),
}

impl From<api_keys::WorkspaceKey> for HomeKey {
    fn from(key: api_keys::WorkspaceKey) -> Self {
        Self::Workspace(key)
    }
}

impl From<keys::AccountKey> for HomeKey {
    fn from(key: keys::AccountKey) -> Self {
        Self::Account(key)
    }
}

/// A key as a row or as the head of a page.
pub(in crate::web) struct Row {
    listed: HomeKey,
    /// The part of its newest secret that may be shown; empty if it has none.
    pub(super) secret: String,
    pub(super) created: When,
    pub(super) expires: Option<When>,
    pub(super) used: Option<When>,
    pub(super) overlap: Option<When>,
    pub(super) is_live: bool,
    pub(super) tone: &'static str,
    pub(super) status: &'static str,
}

impl Row {
    pub(super) fn new(listed: impl Into<HomeKey>, now: Timestamp) -> Self {
        let listed = listed.into();
        let (key, is_active, is_limited) = match &listed {
            HomeKey::Workspace(here) => (&here.key, here.is_active, here.limited_by.is_limited()),
            HomeKey::Account(all) => (&all.key, true, false),
        };
        let (tone, status) = match () {
            () if key.is_revoked => ("off", "Revoked"),
            () if key.is_expired => ("warn", "Expired"),
            () if !is_active => ("off", "Suspended"),
            () if is_limited => ("warn", "Limited"),
            () => ("good", "Active"),
        };
        let when = |at: Option<Timestamp>| at.map(|at| When::new(at, now));
        Self {
            secret: if key.hint.is_empty() { String::new() } else { format!("blw_key_…{}", key.hint) },
            created: When::new(key.created_at, now),
            expires: when(key.expires_at),
            used: when(key.last_used_at),
            overlap: when(key.overlap_ends_at),
            is_live: matches!(status, "Active" | "Limited"),
            tone,
            status,
            listed,
        }
    }

    pub(super) fn key(&self) -> &KeyRecord {
        match &self.listed {
            HomeKey::Workspace(here) => &here.key,
            HomeKey::Account(all) => &all.key,
        }
    }

    /// Its membership, on the pages of a workspace.
    pub(super) fn here(&self) -> Option<&api_keys::WorkspaceKey> {
        match &self.listed {
            HomeKey::Workspace(here) => Some(here),
            HomeKey::Account(_) => None,
        }
    }

    /// Where it is a member, on the pages of the account.
    pub(super) fn everywhere(&self) -> Option<&keys::AccountKey> {
        match &self.listed {
            HomeKey::Workspace(_) => None,
            HomeKey::Account(all) => Some(all),
        }
    }
}

/// The number of workspaces that are not named.
pub(super) fn more(all: &keys::AccountKey) -> i64 {
    all.workspaces - 3
}
