//! A preset of the Security page: technical and billing work are separate.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            event::Recorded,
            refused::Refused,
            role::{Role, Roles, fingerprint},
        },
        enforce::write::WriteScope,
        nouns::roles::grants::{self, Cell},
    },
    policy::{BuiltIn, Permission, SEPARATED, perm},
};

/// The built-in role, if the workspace has it.
fn built_in(all: &Roles, role: BuiltIn) -> Option<&Role> {
    all.by_slug(role.slug()).filter(|role| role.built_in)
}

/// What the preset takes from the roles as they are: empty where the two are separate already.
pub(in crate::domain) fn cells(all: &Roles) -> Vec<Cell<'_>> {
    let cell = |(role, permission): &(BuiltIn, Permission)| {
        let role = built_in(all, *role)?;
        let scope = permission.scope();
        role.holdings.has(*permission).then_some(Cell { role, scope, granted: false })
    };
    SEPARATED.iter().filter_map(cell).collect()
}

/// The version of what the preset would change.
pub fn version(all: &Roles) -> String {
    let held = |cell: &Cell<'_>| [cell.role.id.as_bytes().as_slice(), cell.scope.as_bytes()].concat();
    fingerprint(b"separation", cells(all).iter().map(held))
}

/// Which roles hold the permissions that the preset is about, as texts such as “Admin: Manage billing”.
pub fn holders(all: &Roles) -> Vec<String> {
    let mut permissions: Vec<Permission> = SEPARATED.iter().map(|(_, permission)| *permission).collect();
    permissions.dedup();
    let of = |permission: Permission| {
        let roles = all.iter().filter(move |role| !role.is_owner && role.holdings.has(permission));
        roles.map(move |role| format!("{}: {}", role.name, permission.label()))
    };
    permissions.into_iter().flat_map(of).collect()
}

/// The result of [`set`].
pub struct Separated {
    /// How many active members lost each permission.
    pub lost: Vec<(Permission, i64)>,
    pub is_change: bool,
}

/// Takes from the built-in roles what keeps the two together. Each permission is changed as on the Security page, under
/// the same ceiling and with the same event, and can be undone by itself.
///
/// # Errors
/// [`CHANGED`] if the roles are others than the editor saw, [`Refused::Ceiling`].
pub async fn set(
    s: &mut WriteScope<perm::UpdatePermissions>,
    seen: &str,
) -> Result<Recorded<Separated>, Refused> {
    let all = s.actor().all_roles.clone();
    if seen != version(&all) {
        return Err(CHANGED.into());
    }
    let cells = cells(&all);
    if cells.is_empty() {
        return Ok(Recorded::unchanged(Separated { lost: Vec::new(), is_change: false }));
    }
    // None of it is “Update permissions”, so that nobody locks themselves out.
    let change = grants::change(s, &cells, false).await?;
    let lost = change.reach.iter().map(|(permission, _, lost)| (*permission, *lost)).collect();
    Ok(Recorded::many(Separated { lost, is_change: true }, change.events))
}
