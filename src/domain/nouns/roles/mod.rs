//! Roles: named sets of scopes, in one workspace.
//!
//! [`detail`] loads one, [`scope_set`] parses typed scopes, [`grants`] changes what roles hold, [`change`]
//! creates and renames roles, [`deletion`] deletes them; `records::headcounts` counts who has them. This file
//! has what all of them need.

pub mod change;
pub mod deletion;
pub mod detail;
pub mod events;
pub mod grants;
pub mod scope_set;

pub(in crate::domain) use crate::domain::records::headcounts::{Combination, Headcounts};
use crate::{
    domain::{
        base::{
            refused::Refused,
            role::{Assignable, Role, assignable_roles},
        },
        enforce::{read::ReadScope, workspace::roles::load, write::WriteScope},
    },
    policy::{Access, perm},
};
pub use change::{
    BUILT_IN, Defined, MAX_ROLES, RoleDetails, SavedRole, SavedScopes, ScopesChange, create, define,
    describe, set_scopes,
};
pub(in crate::domain) use change::{cells, may_edit};
pub use deletion::{Deleted, DeletionPlan, ROLE_IN_USE, delete, deletion_plan};
pub use detail::{RoleDetail, get};
pub use grants::{LOCKS_YOU_OUT, OWNER_IS_FIXED};
pub use scope_set::{MAX_SCOPES, ScopeSet};

/// One role as it is under the lock, after the change.
///
/// # Errors
/// The database's own.
pub async fn by_slug<P>(s: &WriteScope<P>, slug: &str) -> Result<Option<Role>, Refused> {
    Ok(load(s).await?.by_slug(slug).cloned())
}

/// A role and how many active members have it.
#[derive(Clone, Debug)]
pub struct RoleWithCounts {
    pub role: Role,
    pub people: i64,
    pub keys: i64,
}

/// The roles for their page.
///
/// # Errors
/// The database's own.
pub async fn list(scope: &ReadScope<perm::ReadMembers>) -> Result<Vec<RoleWithCounts>, Refused> {
    let headcounts = Headcounts::load(scope).await?;
    let listed = |role: &Role| RoleWithCounts {
        people: headcounts.count(|slug| slug == role.slug),
        keys: headcounts.keys(|slug| slug == role.slug),
        role: role.clone(),
    };
    Ok(scope.actor().all_roles.iter().map(listed).collect())
}

/// All roles, each with the reason why the actor may not assign it, if there is one.
pub fn assignable<P: Access>(scope: &ReadScope<P>) -> Vec<Assignable> {
    assignable_roles(&scope.actor().all_roles, &scope.actor().holdings)
}
