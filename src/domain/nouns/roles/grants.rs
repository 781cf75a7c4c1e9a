//! The matrix of roles and scopes. The Security page shows it by permission, the Roles page by role;
//! both change it here: under the same ceiling, with the same warning and the same events.

use crate::{
    domain::{
        base::{
            conflict::Conflict,
            event::{RecordedEvent, Target},
            principal::Actor,
            refused::Refused,
            role::{Role, RoleIds, Roles, names},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::roles::events::{LOCK_OUT, PERMISSION, PermissionChanged, RoleScopesChanged},
        records::headcounts::Headcounts,
    },
    entity::grant,
    policy::{HoldingsChange, Permission, reach},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

/// Why nobody can edit the Owner role.
pub const OWNER_IS_FIXED: &str = "Owner always has all permissions. It can't be changed, renamed or deleted.";

pub const LOCKS_YOU_OUT: Conflict = Conflict::new(
    "locks-you-out",
    "This change would lock you out: you would lose “Update permissions”. Confirm it to continue.",
)
.with_audit_reason(LOCK_OUT);

/// A scope to add to a role, or to remove from it.
#[derive(Clone, Copy)]
pub(in crate::domain) struct Cell<'a> {
    pub role: &'a Role,
    pub scope: &'a str,
    pub granted: bool,
}

/// The result of a change of the matrix.
pub(in crate::domain) struct Change {
    pub after: Roles,
    /// How many active members gained and lost each permission.
    pub reach: Vec<(Permission, i64, i64)>,
    pub events: Vec<RecordedEvent>,
    /// The editor can no longer change permissions.
    pub locked_out: bool,
    pub headcounts: Headcounts,
}

/// Changes cells of the matrix. Each cell must be a change, and the caller must have checked that the actor
/// may update permissions.
///
/// # Errors
/// [`Refused::NotAllowed`] for the Owner role, [`Refused::Ceiling`], [`LOCKS_YOU_OUT`] where
/// that is not confirmed.
pub(in crate::domain) async fn change<P>(
    s: &WriteScope<P>,
    cells: &[Cell<'_>],
    confirmed: bool,
) -> Result<Change, Refused> {
    let before = s.actor().all_roles.clone();
    may_change(s.actor(), cells)?;
    let locked_out = locks_out(s.actor(), cells);
    if locked_out && !confirmed {
        return Err(LOCKS_YOU_OUT.into());
    }
    let headcounts = Headcounts::load(s).await?;
    apply(s, cells).await?;
    let after = crate::domain::enforce::workspace::roles::load(s).await?;
    let changes = headcounts.changes(&before, &after);
    let mut change = Change { after, reach: Vec::new(), events: Vec::new(), locked_out, headcounts };
    for permission in Permission::ALL.iter().filter(|p| cells.iter().any(|cell| cell.scope == p.scope())) {
        change.record_permission(&before, &changes, *permission);
    }
    for role in before.iter().filter(|role| cells.iter().any(|cell| is_of_application(cell, role))) {
        change.record_scopes(role);
    }
    Ok(change)
}

/// Checks that the actor may change all of the given cells.
///
/// # Errors
/// [`Refused::NotAllowed`] for the Owner role, [`Refused::Ceiling`].
pub(in crate::domain) fn may_change(actor: &Actor, cells: &[Cell<'_>]) -> Result<(), Refused> {
    for cell in cells {
        if cell.role.is_owner {
            return Err(Refused::NotAllowed(OWNER_IS_FIXED));
        }
        actor.holdings.may_grant(&cell.role.holdings, cell.scope)?;
    }
    Ok(())
}

/// The roles as they would be after a change of the given cells.
pub(in crate::domain) fn with(roles: &Roles, cells: &[Cell<'_>]) -> Roles {
    let changed = |role: &Role| {
        if cells.iter().all(|cell| cell.role.id != role.id) {
            return role.clone();
        }
        let mut scopes = role.scopes();
        for cell in cells.iter().filter(|cell| cell.role.id == role.id) {
            match cell.granted {
                true => scopes.insert(cell.scope.to_owned()),
                false => scopes.remove(cell.scope),
            };
        }
        role.holding(&scopes)
    };
    Roles::new(None, roles.iter().map(changed).collect())
}

fn is_of_application(cell: &Cell<'_>, role: &Role) -> bool {
    cell.role.id == role.id && Permission::of_scope(cell.scope).is_none()
}

/// Whether the change takes “Update permissions” from the editor.
pub(in crate::domain) fn locks_out(actor: &Actor, cells: &[Cell<'_>]) -> bool {
    let scope = Permission::UpdatePermissions.scope();
    let mut own = actor.all_roles.iter().filter(|role| actor.roles.contains(&role.slug));
    let keeps = own.any(|role| match cells.iter().find(|c| c.role.id == role.id && c.scope == scope) {
        Some(cell) => cell.granted,
        None => role.holdings.has(Permission::UpdatePermissions),
    });
    !keeps
}

async fn apply<P>(s: &WriteScope<P>, cells: &[Cell<'_>]) -> Result<(), Refused> {
    let put = cells.iter().filter(|cell| cell.granted).map(|cell| grant::ActiveModel {
        workspace_id: Set(s.workspace_id()),
        role_id: Set(cell.role.id),
        scope: Set(cell.scope.to_owned()),
    });
    let put: Vec<_> = put.collect();
    if !put.is_empty() {
        grant::Entity::insert_many(put).exec_without_returning(&s.open().tx).await?;
    }
    for cell in cells.iter().filter(|cell| !cell.granted) {
        let row = s.open().delete::<grant::Entity>().filter(grant::Column::RoleId.eq(cell.role.id));
        s.open().apply_to_one(row.filter(grant::Column::Scope.eq(cell.scope))).await?;
    }
    Ok(())
}

impl Change {
    fn record_permission(&mut self, before: &Roles, changes: &[HoldingsChange], permission: Permission) {
        let (gained, lost) = reach(changes, |holdings| holdings.has(permission));
        let (before, after) = (before.holding(permission), self.after.holding(permission));
        let event = PermissionChanged {
            permission: permission.scope().to_owned(),
            before: names(&before),
            after: names(&after),
            gained,
            lost,
            ids: RoleIds::of(before, after),
        };
        self.reach.push((permission, gained, lost));
        let target = Target::named(PERMISSION, permission.label());
        self.events.push(RecordedEvent::new(event, target));
    }

    fn record_scopes(&mut self, before: &Role) {
        let after = self.after.by_slug(&before.slug).map(|role| role.application_scopes.to_vec());
        let event = RoleScopesChanged {
            before: before.application_scopes.to_vec(),
            after: after.unwrap_or_default(),
        };
        self.events.push(RecordedEvent::new(event, before.target()));
    }
}
