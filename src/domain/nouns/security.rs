//! The Security page: which roles hold which permission.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            event::Recorded,
            invalid::Invalid,
            refused::Refused,
            role::{Role, Roles, fingerprint},
        },
        enforce::{read::ReadScope, write::WriteScope},
        nouns::roles::{
            Headcounts,
            grants::{self, Cell},
        },
    },
    policy::{Holdings, Permission, perm},
};

/// One row of the page.
#[derive(Clone, Debug)]
pub struct Row {
    pub permission: Permission,
    /// The roles that can be ticked; Owner is not among them.
    pub roles: Vec<Toggle>,
    /// Active people who hold the permission, Owners too.
    pub people: i64,
    /// API keys that hold the permission.
    pub keys: i64,
    pub version: String,
}

impl Row {
    /// Names of the roles that hold it, Owner first.
    pub fn holders(&self) -> String {
        self.names().join(", ")
    }

    /// The names of the roles that hold it, short enough for a button.
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
    /// Active members who would gain the permission with the tick, or lose it without.
    pub people: i64,
    /// Why the viewer may not tick or untick it; `None` where they may.
    pub refused: Option<String>,
}

/// All rows of the page, in the catalogue's order.
///
/// # Errors
/// The database's own.
pub async fn matrix(scope: &ReadScope<perm::ReadMembers>) -> Result<Vec<Row>, Refused> {
    let all = scope.actor().all_roles.clone();
    let headcounts = Headcounts::load(scope).await?;
    let actor = &scope.actor().holdings;
    let row = |permission: &Permission| {
        let people = headcounts.toggles(&all, *permission);
        let people = |role: &Role| people.get(role.slug.as_str()).copied().unwrap_or(0);
        let others = all.iter().filter(|role| !role.is_owner);
        let holds = |slug: &str| all.by_slug(slug).is_some_and(|role| role.holdings.has(*permission));
        Row {
            permission: *permission,
            roles: others.map(|role| toggle(actor, role, *permission, people(role))).collect(),
            people: headcounts.count(holds),
            keys: headcounts.keys(holds),
            version: version(&all, *permission),
        }
    };
    Ok(Permission::ALL.iter().map(row).collect())
}

fn toggle(actor: &Holdings, role: &Role, permission: Permission, people: i64) -> Toggle {
    let ticked = role.holdings.has(permission);
    Toggle {
        slug: role.slug.clone(),
        name: role.name.clone(),
        ticked,
        people,
        refused: actor.may_toggle(&role.holdings, permission).err().map(|ceiling| ceiling.to_string()),
    }
}

/// The version of the set of roles that hold the permission now.
pub fn version(all: &Roles, permission: Permission) -> String {
    let mut ids: Vec<_> = all.holding(permission).iter().map(|role| *role.id.as_bytes()).collect();
    ids.sort_unstable();
    fingerprint(permission.scope().as_bytes(), ids)
}

/// A change of a permission: the full set of roles beside Owner.
pub struct PermissionChange {
    pub permission: Permission,
    /// Slugs.
    pub roles: Vec<String>,
    /// The version that the editor saw.
    pub version: String,
    /// The editor confirmed that the change takes “Update permissions” from themselves.
    pub confirmed: bool,
}

/// The result of [`set`].
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
/// [`Refused::Invalid`] on the field `role`, [`CHANGED`] after a concurrent change, [`Refused::Ceiling`],
/// [`LOCKS_YOU_OUT`](crate::domain::nouns::roles::grants::LOCKS_YOU_OUT) if that is not confirmed.
pub async fn set(
    s: &mut WriteScope<perm::UpdatePermissions>,
    requested: &PermissionChange,
) -> Result<Recorded<Changed>, Refused> {
    let permission = requested.permission;
    let all = s.actor().all_roles.clone();
    if requested.version != version(&all, permission) {
        return Err(CHANGED.into());
    }
    let cells = cells(&all, permission, &requested.roles)?;
    let held = all.holding(permission);
    let mut changed = Changed {
        permission,
        before: held.iter().map(|role| role.slug.clone()).collect(),
        version: requested.version.clone(),
        gained: 0,
        lost: 0,
        is_change: !cells.is_empty(),
        locked_out: false,
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let change = grants::change(s, &cells, requested.confirmed).await?;
    (changed.gained, changed.lost) =
        change.reach.first().map_or((0, 0), |(_, gained, lost)| (*gained, *lost));
    changed.version = version(&change.after, permission);
    changed.locked_out = change.locked_out;
    Ok(Recorded::many(changed, change.events))
}

/// The cells to change so that exactly the roles with the given slugs hold a permission.
///
/// # Errors
/// A complaint on the field `role`.
pub(in crate::domain) fn cells<'a>(
    all: &'a Roles,
    permission: Permission,
    roles: &[String],
) -> Result<Vec<Cell<'a>>, Refused> {
    let (ticked, held) = (chosen(all, roles)?, all.holding(permission));
    let is_in = |set: &[&Role], role: &Role| set.iter().any(|other| other.id == role.id);
    let cell = |granted: bool| move |role| Cell { role, scope: permission.scope(), granted };
    let added = ticked.iter().copied().filter(|role| !is_in(&held, role)).map(cell(true));
    let taken = held.iter().copied().filter(|role| !is_in(&ticked, role)).map(cell(false));
    Ok(added.chain(taken).collect())
}

/// The roles of the form. The set may be empty: then only Owners hold the permission.
fn chosen<'a>(all: &'a Roles, slugs: &[String]) -> Result<Vec<&'a Role>, Refused> {
    if slugs.is_empty() {
        return Ok(Vec::new());
    }
    let roles = all.chosen(slugs)?;
    if roles.iter().any(|role| role.is_owner) {
        return Err(Invalid::field("role", "Owner always has every permission and can't be changed.").into());
    }
    Ok(roles)
}
