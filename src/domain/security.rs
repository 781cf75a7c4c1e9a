//! The Security page: which roles hold which permission.

use super::{
    Conflict, Event, Invalid, Recorded, Refused, Target, TargetKind,
    roles::{self, Census, Role, Roles},
    scope::{ReadScope, Scoped, WriteScope},
};
use crate::{
    entity::grant,
    policy::{Holdings, Permission, perm},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, QueryFilter};
use sha2::{Digest, Sha256};

/// One row of the page.
#[derive(Clone, Debug)]
pub struct Row {
    pub permission: Permission,
    /// The roles that can be ticked; Owner is not among them.
    pub roles: Vec<Toggle>,
    /// Active members who hold the permission, Owners too.
    pub people: i64,
    pub version: String,
}

impl Row {
    /// Names of the roles that hold it, Owner first.
    pub fn holders(&self) -> String {
        self.names().join(", ")
    }

    /// The same, short enough for a button.
    pub fn summary(&self) -> String {
        const SHOWN: usize = 3;
        match self.names() {
            names if names.len() > self.roles.len() => "Everyone".to_owned(),
            names if names.len() > SHOWN => {
                format!("{} +{}", names[..SHOWN - 1].join(", "), names.len() + 1 - SHOWN)
            }
            names => names.join(", "),
        }
    }

    fn names(&self) -> Vec<&str> {
        let ticked = self.roles.iter().filter(|toggle| toggle.ticked).map(|toggle| toggle.name.as_str());
        std::iter::once("Owner").chain(ticked).collect()
    }
}

/// One role in the dropdown of one permission.
#[derive(Clone, Debug)]
pub struct Toggle {
    pub slug: String,
    pub name: String,
    pub ticked: bool,
    /// Why the viewer may not tick or untick it; `None` where they may.
    pub refused: Option<String>,
}

/// The whole page, in the catalogue's order.
///
/// # Errors
/// The database's own.
pub async fn matrix(scope: &ReadScope<perm::ReadMembers>) -> Result<Vec<Row>, Refused> {
    let all = scope.actor().all_roles.clone();
    let census = Census::take(scope).await?;
    let actor = &scope.actor().holdings;
    let row = |permission: &Permission| Row {
        permission: *permission,
        roles: all
            .iter()
            .filter(|role| !role.is_owner)
            .map(|role| toggle(actor, role, *permission))
            .collect(),
        people: census.count(|slug| all.by_slug(slug).is_some_and(|role| role.holdings.has(*permission))),
        version: version(&all, *permission),
    };
    Ok(Permission::ALL.iter().map(row).collect())
}

fn toggle(actor: &Holdings, role: &Role, permission: Permission) -> Toggle {
    let ticked = role.holdings.has(permission);
    Toggle {
        slug: role.slug.clone(),
        name: role.name.clone(),
        ticked,
        refused: actor.may_toggle(&role.holdings, permission).err().map(|ceiling| ceiling.to_string()),
    }
}

/// Stands for the set of roles that hold the permission now. It is made from the set itself, so no
/// way of changing the set can forget to count it up; a set that came back to what it was is the set
/// that the editor saw.
fn version(all: &Roles, permission: Permission) -> String {
    let mut ids: Vec<_> = all
        .iter()
        .filter(|role| !role.is_owner && role.holdings.has(permission))
        .map(|role| role.id)
        .collect();
    ids.sort_unstable();
    let mut hash = Sha256::new().chain_update(permission.scope());
    for id in ids {
        hash.update(id.as_bytes());
    }
    hex::encode(&hash.finalize()[..8])
}

/// What an editor asks for: the full set of roles beside Owner.
pub struct Wanted {
    pub permission: Permission,
    /// Slugs.
    pub roles: Vec<String>,
    /// The version that the editor saw.
    pub version: String,
    /// The editor knows that the change takes this very page away from them.
    pub confirmed: bool,
}

/// What the change came to.
#[derive(Clone, Debug)]
pub struct Changed {
    pub permission: Permission,
    /// Slugs before, for an Undo.
    pub before: Vec<String>,
    /// The version after, which the Undo must name.
    pub version: String,
    /// Active members who hold it now and did not.
    pub gained: i64,
    /// Active members who held it and do not now.
    pub lost: i64,
    pub is_change: bool,
    /// The editor can change nothing here any more, so there is no Undo for them.
    pub locked_out: bool,
}

/// Sets which roles hold a permission.
///
/// # Errors
/// [`Refused::Invalid`] on the field `role`, [`Conflict::Changed`] where somebody was faster,
/// [`Refused::Ceiling`], [`Conflict::LocksYouOut`] where that is not confirmed.
pub async fn set(
    s: &mut WriteScope<perm::UpdatePermissions>,
    wanted: &Wanted,
) -> Result<Recorded<Changed>, Refused> {
    let permission = wanted.permission;
    let all = s.actor().all_roles.clone();
    if wanted.version != version(&all, permission) {
        return Err(Conflict::Changed.into());
    }
    let ticked = chosen(&all, &wanted.roles)?;
    let held: Vec<&Role> = all.iter().filter(|r| !r.is_owner && r.holdings.has(permission)).collect();
    let is_in = |set: &[&Role], role: &Role| set.iter().any(|other| other.id == role.id);
    let added: Vec<&Role> = ticked.iter().copied().filter(|role| !is_in(&held, role)).collect();
    let taken: Vec<&Role> = held.iter().copied().filter(|role| !is_in(&ticked, role)).collect();
    for role in added.iter().chain(&taken) {
        s.actor().holdings.may_toggle(&role.holdings, permission)?;
    }
    let locked_out = permission == Permission::UpdatePermissions
        && !s.actor().holdings.is_owner()
        && !ticked.iter().any(|role| s.actor().roles.contains(&role.slug));
    if locked_out && !wanted.confirmed {
        return Err(Conflict::LocksYouOut.into());
    }
    let census = Census::take(s).await?;
    apply(s, permission, &added, &taken).await?;
    let after = roles::load(s).await?;
    let holds =
        |roles: &Roles, slug: &str| roles.by_slug(slug).is_some_and(|role| role.holdings.has(permission));
    let (gained, lost) = census.difference(|slug| holds(&all, slug), |slug| holds(&after, slug));
    let changed = Changed {
        permission,
        before: held.iter().map(|role| role.slug.clone()).collect(),
        version: version(&after, permission),
        gained,
        lost,
        is_change: !added.is_empty() || !taken.is_empty(),
        locked_out,
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let event = Event::PermissionChanged {
        permission: permission.scope().to_owned(),
        before: roles::names(&held),
        after: roles::names(&ticked),
        gained,
        lost,
    };
    Ok(Recorded::new(changed, event, Target::named(TargetKind::Permission, permission.label())))
}

/// The roles of the form. None at all is an answer here: then only Owners hold it.
fn chosen<'a>(all: &'a Roles, slugs: &[String]) -> Result<Vec<&'a Role>, Refused> {
    if slugs.is_empty() {
        return Ok(Vec::new());
    }
    let roles = all.chosen(slugs)?;
    if roles.iter().any(|role| role.is_owner) {
        return Err(Invalid::field("role", "Owner holds every permission and can't be changed here.").into());
    }
    Ok(roles)
}

async fn apply(
    s: &WriteScope<perm::UpdatePermissions>,
    permission: Permission,
    added: &[&Role],
    taken: &[&Role],
) -> Result<(), Refused> {
    for role in added {
        let row = grant::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            role_id: Set(role.id),
            scope: Set(permission.scope().to_owned()),
        };
        s.open().insert(row).await?;
    }
    for role in taken {
        let row = s.open().delete::<grant::Entity>().filter(grant::Column::RoleId.eq(role.id));
        s.open().apply_to_one(row.filter(grant::Column::Scope.eq(permission.scope()))).await?;
    }
    Ok(())
}
