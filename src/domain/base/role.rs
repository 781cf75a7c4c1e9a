//! A role with what it grants, and the roles of a workspace.

use crate::{
    domain::base::{
        event::{Target, TargetKind},
        invalid::Invalid,
    },
    policy::{Holdings, Permission},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
};
use uuid::Uuid;

pub(in crate::domain) const ROLE: TargetKind = TargetKind::new("role");

/// The ids of the roles of a change. An event has them beside the names, because other roles may get these
/// names and slugs later. Events of earlier versions have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleIds {
    pub before: Vec<Uuid>,
    pub after: Vec<Uuid>,
}

impl RoleIds {
    pub(in crate::domain) fn of<'a>(
        before: impl IntoIterator<Item = &'a Role>,
        after: impl IntoIterator<Item = &'a Role>,
    ) -> Self {
        Self {
            before: before.into_iter().map(|role| role.id).collect(),
            after: after.into_iter().map(|role| role.id).collect(),
        }
    }
}

/// A role with what it grants.
#[derive(Clone, Debug)]
pub struct Role {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub built_in: bool,
    pub is_owner: bool,
    pub holdings: Holdings,
    /// The scopes that are not in the catalogue, sorted. Clones share them.
    pub application_scopes: Arc<[String]>,
}

impl Role {
    /// The permissions of the catalogue that it holds, in the catalogue's order.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(|permission| self.holdings.has(*permission))
    }

    /// Every scope that was granted to the role; empty for Owner, which holds everything by rule.
    pub(in crate::domain) fn scopes(&self) -> BTreeSet<String> {
        let permissions = self.permissions().filter(|_| !self.is_owner).map(|p| p.scope().to_owned());
        permissions.chain(self.application_scopes.iter().cloned()).collect()
    }

    /// The version of the set of scopes that it holds now.
    pub fn scopes_version(&self) -> String {
        fingerprint(self.id.as_bytes(), self.scopes())
    }

    /// The version of the role as a whole.
    pub fn version(&self) -> String {
        let named = [&self.name, &self.description].map(String::clone);
        fingerprint(self.id.as_bytes(), named.into_iter().chain(self.scopes()))
    }

    /// The version of its name and description.
    pub fn details_version(&self) -> String {
        fingerprint(self.id.as_bytes(), [&self.name, &self.description])
    }

    /// A copy of the role with the given scopes.
    pub(in crate::domain) fn holding(&self, scopes: &BTreeSet<String>) -> Self {
        let application = scopes.iter().filter(|scope| Permission::of_scope(scope).is_none());
        Self {
            holdings: Holdings::of(self.is_owner, scopes.iter().map(String::as_str)),
            application_scopes: application.cloned().collect(),
            ..self.clone()
        }
    }

    pub(in crate::domain) fn target(&self) -> Target {
        Target::new(ROLE, self.id, self.name.clone())
    }
}

/// A version of what a form showed. It is a hash of the content itself, so no change can
/// forget to increment it; content that was changed and restored has its former version again.
pub(in crate::domain) fn fingerprint(of: &[u8], parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new().chain_update(of);
    for part in parts {
        hash.update([0]);
        hash.update(part.as_ref());
    }
    hex::encode(&hash.finalize()[..8])
}

/// The roles of one workspace. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// The workspace's version of roles at the time they were read.
    pub(in crate::domain) version: Option<Uuid>,
    pub(in crate::domain) list: Arc<[Role]>,
    /// What API keys hold that are limited, by [`Roles::limited`].
    limited: Arc<Mutex<HashMap<String, Holdings>>>,
}

impl Roles {
    pub(in crate::domain) fn new(version: Option<Uuid>, list: Arc<[Role]>) -> Self {
        Self { version, list, limited: Arc::default() }
    }

    /// What is held by these roles within limits: computed once, and kept under a key that names them all.
    pub(in crate::domain) fn limited(&self, key: String, compute: impl FnOnce() -> Holdings) -> Holdings {
        let kept = self.limited.lock().ok().and_then(|kept| kept.get(&key).cloned());
        kept.unwrap_or_else(|| {
            let holdings = compute();
            if let Ok(mut kept) = self.limited.lock() {
                let weight = |holdings: &Holdings| 1 + holdings.application_scopes().count();
                // No more than the roles themselves take.
                if kept.values().map(weight).sum::<usize>() + weight(&holdings) > self.weight() {
                    kept.clear();
                }
                kept.insert(key, holdings.clone());
            }
            holdings
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.list.iter()
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Role> {
        self.list.iter().find(|role| role.slug == slug)
    }

    /// The roles that hold a permission, Owner aside.
    pub(in crate::domain) fn holding(&self, permission: Permission) -> Vec<&Role> {
        self.list.iter().filter(|role| !role.is_owner && role.holdings.has(permission)).collect()
    }

    /// The scopes of the customer's own applications that some role holds, sorted.
    pub fn application_scopes(&self) -> BTreeSet<&str> {
        self.list.iter().flat_map(|role| role.application_scopes.iter()).map(String::as_str).collect()
    }

    /// The workspace's `roles_version` when these were read.
    pub(in crate::domain) fn version(&self) -> Option<Uuid> {
        self.version
    }

    /// The roles with the given slugs, in the workspace's order.
    ///
    /// # Errors
    /// An error on the field `role` if there is no slug, or one that the workspace does not have.
    pub fn chosen(&self, slugs: &[String]) -> Result<Vec<&Role>, Invalid> {
        if slugs.is_empty() {
            return Err(Invalid::field("role", "Choose at least one role."));
        }
        if let Some(unknown) = slugs.iter().find(|slug| self.by_slug(slug).is_none()) {
            let shown: String = unknown.chars().take(60).collect();
            return Err(Invalid::field("role", format!("This workspace has no role “{shown}”.")));
        }
        Ok(self.list.iter().filter(|role| slugs.contains(&role.slug)).collect())
    }

    /// The roles named by slugs that the database joined with spaces.
    pub(in crate::domain) fn parse_slugs(&self, slugs: &str) -> Vec<&Role> {
        let slugs: HashSet<&str> = slugs.split_ascii_whitespace().collect();
        self.list.iter().filter(|role| slugs.contains(role.slug.as_str())).collect()
    }

    /// How many scopes they have, each role by itself: what they cost in memory.
    pub(in crate::domain) fn weight(&self) -> usize {
        self.list.iter().map(|role| 1 + role.application_scopes.len()).sum()
    }

    /// These roles before and after a change, so that what one of them holds can be compared with what another
    /// does without a search: they have one index.
    pub(in crate::domain) fn indexed_together(before: &Self, after: &Self) -> (Self, Self) {
        let scopes: Vec<BTreeSet<String>> = before.iter().map(Role::scopes).collect();
        let mut all: Vec<(bool, BTreeSet<String>)> =
            before.iter().zip(scopes).map(|(role, scopes)| (role.is_owner, scopes)).collect();
        // Those that are unchanged have the place that they had.
        let place = |role: &Role| {
            let scopes = role.scopes();
            let same = all.iter().position(|other| other.0 == role.is_owner && other.1 == scopes);
            same.unwrap_or_else(|| {
                all.push((role.is_owner, scopes));
                all.len() - 1
            })
        };
        let places: Vec<usize> = after.iter().map(place).collect();
        let holdings =
            Holdings::of_roles(all.iter().map(|(owner, set)| (*owner, set.iter().map(String::as_str))));
        let with = |roles: &Self, of: &dyn Fn(usize) -> usize| {
            let held = |n: usize| holdings.get(of(n)).cloned().unwrap_or_default();
            let list = roles.iter().enumerate().map(|(n, role)| Role { holdings: held(n), ..role.clone() });
            Self::new(roles.version, list.collect())
        };
        (with(before, &|n| n), with(after, &|n| places.get(n).copied().unwrap_or(usize::MAX)))
    }
}

/// The holdings of a member with these roles.
pub(in crate::domain) fn holdings(roles: &[&Role]) -> Holdings {
    Holdings::union(roles.iter().map(|role| &role.holdings))
}

pub(in crate::domain) fn names(roles: &[&Role]) -> Vec<String> {
    roles.iter().map(|role| role.name.clone()).collect()
}

/// A role as an option of a form.
#[derive(Clone, Debug)]
pub struct Assignable {
    pub slug: String,
    pub name: String,
    pub description: String,
    /// Why the viewer may not assign it; `None` where they may.
    pub refused: Option<String>,
    /// How many permissions of the catalogue it holds.
    pub permissions: usize,
    pub is_owner: bool,
}

pub(in crate::domain) fn assignable_roles(roles: &Roles, actor: &Holdings) -> Vec<Assignable> {
    let choice = |role: &Role| Assignable {
        slug: role.slug.clone(),
        name: role.name.clone(),
        description: role.description.clone(),
        refused: actor.may_assign(&role.holdings).err().map(|ceiling| ceiling.to_string()),
        permissions: role.permissions().count(),
        is_owner: role.is_owner,
    };
    roles.iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(slug: &str, scopes: &[&str]) -> Role {
        let role = Role {
            id: Uuid::nil(),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            description: String::new(),
            built_in: false,
            is_owner: false,
            holdings: Holdings::default(),
            application_scopes: Arc::default(),
        };
        role.holding(&scopes.iter().map(|scope| (*scope).to_owned()).collect())
    }

    #[test]
    fn what_is_held_within_limits_is_computed_once_and_kept_in_the_room_of_the_roles() {
        let list = [role("wide", &["read:posts", "read:users"]), role("narrow", &["read:posts"])];
        let roles = Roles::new(None, list.into());
        let mut computed = 0;
        let mut ask = |key: &str| {
            let limited = roles.limited(key.to_owned(), || {
                computed += 1;
                roles.list[1].holdings.clone()
            });
            assert_eq!(limited, roles.list[1].holdings);
            computed
        };
        assert_eq!([ask("a"), ask("a"), ask("b"), ask("b")], [1, 1, 2, 2]);
        // Two of weight 2 fit beside roles of weight 5; the third one is alone.
        assert_eq!([ask("c"), ask("c"), ask("a")], [3, 3, 4]);
    }
}
