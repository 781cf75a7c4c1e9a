//! Roles kept in memory, by workspace and version.

use crate::domain::base::role::Roles;
use std::{collections::HashMap, sync::Mutex};
use uuid::Uuid;

/// Roles that were read, by workspace, each with the version that it had then.
///
/// A request never takes from here what is older than itself: the statement that admits it reads the
/// version, which triggers change with every role and grant, on whatever node; and only what was
/// read together with that very version counts. Versions are random, so one of a change that was
/// rolled back never comes again.
#[derive(Default)]
pub(in crate::domain) struct RoleCache(pub(in crate::domain) Mutex<HashMap<Uuid, Roles>>);

impl RoleCache {
    /// The most workspaces in the cache, some kilobytes each.
    pub(in crate::domain) const MAX_WORKSPACES: usize = 1_000;
}
