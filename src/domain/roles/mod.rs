//! Roles: named bundles of scopes, in one workspace.
//!
//! What all of them need is here; [`look`] shows one, [`bundle`] reads the scopes that somebody typed,
//! [`grants`] changes what roles hold, [`change`] makes and names them, [`deletion`] ends them;
//! [`census`] counts who has them.

mod bundle;
mod census;
mod change;
mod deletion;
pub(super) mod grants;
mod look;

pub use bundle::{Bundle, MOST_SCOPES};
pub use change::{
    BUILT_IN, Defined, MOST_ROLES, Made, Named, Saved, Wanted, create, define, describe, set_scopes,
};
pub use deletion::{Deleted, Parting, delete, parting};
pub use grants::OWNER_IS_FIXED;
pub use look::{Look, look};

pub(super) use census::{Census, Combination};
pub(super) use change::{cells, may_edit};

use super::{
    Invalid, Refused, Target, TargetKind,
    scope::{ReadScope, Scoped, Transaction, WriteScope},
};
use crate::{
    entity::{grant, role},
    policy::{Access, BuiltIn, Holdings, Permission, perm},
    random,
};
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, FromQueryResult};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};
use uuid::Uuid;

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
    /// The scopes that are not in the catalogue, sorted.
    pub application_scopes: Vec<String>,
}

impl Role {
    /// The permissions of the catalogue that it holds, in the catalogue's order.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(|permission| self.holdings.has(*permission))
    }

    /// Every scope that it was granted; an Owner's none, who holds everything by rule.
    pub(super) fn scopes(&self) -> BTreeSet<String> {
        let permissions = self.permissions().filter(|_| !self.is_owner).map(|p| p.scope().to_owned());
        permissions.chain(self.application_scopes.iter().cloned()).collect()
    }

    /// Stands for the set of scopes that it holds now.
    pub fn scopes_version(&self) -> String {
        fingerprint(self.id.as_bytes(), self.scopes())
    }

    /// Stands for all of it as it is now.
    pub fn version(&self) -> String {
        let named = [&self.name, &self.description].map(String::clone);
        fingerprint(self.id.as_bytes(), named.into_iter().chain(self.scopes()))
    }

    /// Stands for how it is called and described now.
    pub fn details_version(&self) -> String {
        fingerprint(self.id.as_bytes(), [&self.name, &self.description])
    }

    /// The same role with these scopes.
    fn holding(&self, scopes: &BTreeSet<String>) -> Self {
        let application = scopes.iter().filter(|scope| Permission::of_scope(scope).is_none());
        Self {
            holdings: Holdings::of(self.is_owner, scopes.iter().map(String::as_str)),
            application_scopes: application.cloned().collect(),
            ..self.clone()
        }
    }

    pub(super) fn target(&self) -> Target {
        Target::new(TargetKind::Role, self.id, self.name.clone())
    }
}

/// Stands for what somebody saw. It is made from the thing itself, so no way of changing it can
/// forget to count it up; what came back to what it was is what the editor saw.
pub(super) fn fingerprint(of: &[u8], parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new().chain_update(of);
    for part in parts {
        hash.update([0]);
        hash.update(part.as_ref());
    }
    hex::encode(&hash.finalize()[..8])
}

#[derive(FromQueryResult)]
struct Row {
    roles_version: Option<Uuid>,
    id: Uuid,
    slug: String,
    name: String,
    description: String,
    built_in: bool,
    is_owner: bool,
    scopes: Option<String>,
}

impl From<Row> for Role {
    fn from(row: Row) -> Self {
        let scopes = row.scopes.unwrap_or_default();
        let holdings = Holdings::of(row.is_owner, scopes.split_ascii_whitespace());
        let application: BTreeSet<&str> =
            scopes.split_ascii_whitespace().filter(|scope| Permission::of_scope(scope).is_none()).collect();
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            built_in: row.built_in,
            is_owner: row.is_owner,
            holdings,
            application_scopes: application.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// All roles of the workspace, in their order, as the database has them now. One SQL statement.
///
/// What a request was admitted with is at [`Actor::all_roles`](super::scope::Actor); this is for
/// what a change has just made of it, and for who has no membership.
pub(super) async fn load(scope: &impl Scoped) -> Result<Roles, DbErr> {
    let sql = "SELECT w.roles_version, r.id, r.slug, r.name, r.description, r.built_in, r.is_owner,
            (SELECT string_agg(g.scope, ' ') FROM grants g
                WHERE g.workspace_id = r.workspace_id AND g.role_id = r.id) AS scopes
        FROM workspaces w JOIN roles r ON r.workspace_id = w.id
        WHERE w.id = $1 ORDER BY r.position, r.name, r.id";
    let rows: Vec<Row> = scope.all(sql, Vec::new()).await?;
    let version = rows.first().and_then(|row| row.roles_version);
    Ok(Roles { version, list: rows.into_iter().map(Role::from).collect() })
}

/// One role as it is under the lock, after what was just changed.
///
/// # Errors
/// The database's own.
pub async fn by_slug<P>(s: &WriteScope<P>, slug: &str) -> Result<Option<Role>, Refused> {
    Ok(load(s).await?.by_slug(slug).cloned())
}

/// Roles that were read, by workspace, each with the version that it had then.
///
/// A request never takes from here what is older than itself: the statement that admits it reads the
/// version, which triggers change with every role and grant, on whatever node; and only what was
/// read together with that very version counts. Versions are random, so one of a change that was
/// rolled back never comes again.
#[derive(Default)]
pub(super) struct RolesRead(Mutex<HashMap<Uuid, Roles>>);

impl RolesRead {
    /// Workspaces that are kept; some kilobytes each.
    const MOST: usize = 1_000;

    /// The roles of the workspace as of `version`, or later.
    pub(super) async fn at(&self, scope: &impl Scoped, version: Option<Uuid>) -> Result<Roles, DbErr> {
        let id = scope.workspace_id();
        let read = self.0.lock().ok().and_then(|read| read.get(&id).cloned());
        if let Some(roles) = read.filter(|roles| version.is_some() && roles.version == version) {
            return Ok(roles);
        }
        let roles = load(scope).await?;
        if let Ok(mut read) = self.0.lock() {
            if read.len() >= Self::MOST {
                read.clear();
            }
            read.insert(id, roles.clone());
        }
        Ok(roles)
    }
}

/// The roles of one workspace. A clone is the same thing.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Of the moment at which they were read.
    version: Option<Uuid>,
    list: Arc<[Role]>,
}

impl Roles {
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.list.iter()
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Role> {
        self.list.iter().find(|role| role.slug == slug)
    }

    /// The roles that hold a permission, Owner aside.
    pub(super) fn holding(&self, permission: Permission) -> Vec<&Role> {
        self.list.iter().filter(|role| !role.is_owner && role.holdings.has(permission)).collect()
    }

    /// The scopes of the customer's own applications that some role holds, sorted.
    pub fn application_scopes(&self) -> BTreeSet<&str> {
        self.list.iter().flat_map(|role| &role.application_scopes).map(String::as_str).collect()
    }

    /// The role that this workspace's Owners hold.
    pub(super) fn owner(&self) -> Result<&Role, Refused> {
        self.list.iter().find(|role| role.is_owner).ok_or(Refused::Hidden)
    }

    /// The workspace's `roles_version` when these were read.
    pub(super) fn version(&self) -> Option<Uuid> {
        self.version
    }

    /// The roles of a form, in their order.
    ///
    /// # Errors
    /// [`Refused::Invalid`] on the field `role` for none, or for one that is not here.
    pub fn chosen(&self, slugs: &[String]) -> Result<Vec<&Role>, Invalid> {
        if slugs.is_empty() {
            return Err(Invalid::field("role", "Choose at least one role."));
        }
        if let Some(unknown) = slugs.iter().find(|slug| self.by_slug(slug).is_none()) {
            let shown: String = unknown.chars().take(60).collect();
            return Err(Invalid::field("role", format!("There is no role “{shown}” in this workspace.")));
        }
        Ok(self.list.iter().filter(|role| slugs.contains(&role.slug)).collect())
    }

    /// The roles named by slugs that the database joined with spaces.
    pub(super) fn joined(&self, slugs: &str) -> Vec<&Role> {
        let slugs: Vec<&str> = slugs.split_ascii_whitespace().collect();
        self.list.iter().filter(|role| slugs.contains(&role.slug.as_str())).collect()
    }
}

/// What somebody holds who has these roles.
pub(super) fn holdings(roles: &[&Role]) -> Holdings {
    Holdings::union(roles.iter().map(|role| &role.holdings))
}

pub(super) fn names(roles: &[&Role]) -> Vec<String> {
    roles.iter().map(|role| role.name.clone()).collect()
}

/// A role and how many active members have it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub role: Role,
    pub people: i64,
    pub keys: i64,
}

/// The roles for their page.
///
/// # Errors
/// The database's own.
pub async fn list(scope: &ReadScope<perm::ReadMembers>) -> Result<Vec<Listed>, Refused> {
    let census = Census::take(scope).await?;
    let listed = |role: &Role| Listed {
        people: census.count(|slug| slug == role.slug),
        keys: census.keys(|slug| slug == role.slug),
        role: role.clone(),
    };
    Ok(scope.actor().all_roles.iter().map(listed).collect())
}

/// The roles that the actor could hand out, and for the others why not.
pub fn assignable<P: Access>(scope: &ReadScope<P>) -> Vec<Assignable> {
    choices(&scope.actor().all_roles, &scope.actor().holdings)
}

/// A role as an option of a form.
#[derive(Clone, Debug)]
pub struct Assignable {
    pub slug: String,
    pub name: String,
    pub description: String,
    /// Why the viewer may not give it; `None` where they may.
    pub refused: Option<String>,
    pub is_owner: bool,
}

pub(super) fn choices(roles: &Roles, actor: &Holdings) -> Vec<Assignable> {
    let choice = |role: &Role| Assignable {
        slug: role.slug.clone(),
        name: role.name.clone(),
        description: role.description.clone(),
        refused: actor.may_assign(&role.holdings).err().map(|ceiling| ceiling.to_string()),
        is_owner: role.is_owner,
    };
    roles.iter().map(choice).collect()
}

/// The built-in roles of a new workspace; answers the id of each.
pub(super) async fn seed(open: &Transaction) -> Result<HashMap<BuiltIn, Uuid>, Refused> {
    let mut ids = HashMap::new();
    for (position, role) in (0_i64..).zip(BuiltIn::ALL) {
        let id = random::id(open.now);
        let row = role::ActiveModel {
            id: Set(id),
            workspace_id: Set(open.workspace_id()),
            slug: Set(role.slug().to_owned()),
            name: Set(role.name().to_owned()),
            description: Set(role.description().to_owned()),
            built_in: Set(true),
            is_owner: Set(role == BuiltIn::Owner),
            position: Set(position),
            created_at: Set(open.now),
        };
        open.insert(row).await?;
        let grants = role.grants().into_iter().map(|scope| grant::ActiveModel {
            workspace_id: Set(open.workspace_id()),
            role_id: Set(id),
            scope: Set(scope.to_owned()),
        });
        if role != BuiltIn::Owner {
            grant::Entity::insert_many(grants).exec_without_returning(&open.tx).await?;
        }
        ids.insert(role, id);
    }
    Ok(ids)
}
