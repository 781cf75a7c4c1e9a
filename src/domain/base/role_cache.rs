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
pub(in crate::domain) struct RoleCache(pub(in crate::domain) Mutex<CachedRoles>);

#[derive(Default)]
pub(in crate::domain) struct CachedRoles {
    pub(in crate::domain) by_workspace: HashMap<Uuid, Roles>,
    /// How many scopes these roles have.
    weight: usize,
}

/// The most scopes in the cache, some 200 bytes each, and as much again for what limited keys hold of them. A few
/// workspaces with all that is allowed do not drive out many with little.
const MAX_WEIGHT: usize = 250_000;

impl CachedRoles {
    pub(in crate::domain) fn insert(&mut self, workspace: Uuid, roles: Roles) {
        if self.weight >= MAX_WEIGHT {
            self.make_room();
        }
        self.weight += roles.weight();
        if let Some(before) = self.by_workspace.insert(workspace, roles) {
            self.weight -= before.weight();
        }
    }

    /// Drops the heaviest, which are the fewest workspaces, until half of the weight is free.
    fn make_room(&mut self) {
        let by_weight = self.by_workspace.iter().map(|(workspace, roles)| (roles.weight(), *workspace));
        let mut by_weight: Vec<(usize, Uuid)> = by_weight.collect();
        by_weight.sort_unstable_by(|a, b| b.cmp(a));
        for (weight, workspace) in by_weight {
            if self.weight <= MAX_WEIGHT / 2 {
                return;
            }
            self.by_workspace.remove(&workspace);
            self.weight -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::base::role::Role, policy::Holdings};
    use std::sync::Arc;

    /// The roles of a workspace, of this weight.
    fn roles(weight: usize) -> Roles {
        let role = Role {
            id: Uuid::nil(),
            slug: "any".to_owned(),
            name: "Any".to_owned(),
            description: String::new(),
            built_in: false,
            is_owner: false,
            holdings: Holdings::default(),
            application_scopes: vec![String::new(); weight - 1].into(),
        };
        Roles::new(None, Arc::from([role]))
    }

    #[test]
    fn a_few_heavy_workspaces_drive_out_each_other_and_not_the_light_ones() {
        let (mut cache, light, heavy) = (CachedRoles::default(), roles(7), roles(64 * 201));
        for n in 0..1_000 {
            cache.insert(Uuid::from_u128(n), light.clone());
        }
        for n in 1_000..1_020 {
            cache.insert(Uuid::from_u128(n), heavy.clone());
        }
        let kept = |from: u128, to: u128| {
            (from..to).filter(|n| cache.by_workspace.contains_key(&Uuid::from_u128(*n))).count()
        };
        assert_eq!(kept(0, 1_000), 1_000);
        assert_eq!(kept(1_000, 1_020), 10, "half of the weight was freed, and not more");
        let weight: usize = cache.by_workspace.values().map(Roles::weight).sum();
        assert_eq!(cache.weight, weight);
    }
}
