//! Undoing a recorded change of roles or permissions. An undo is a new change, to the previous
//! state, made by the usual form: this module computes its preview.

use crate::{
    domain::{
        activity::{self, Entry},
        base::{
            refused::Refused,
            role::{Role, Roles},
        },
        enforce::read::ReadScope,
        nouns::{
            members::{Member, events::MemberRolesChanged},
            roles::{
                ScopeSet, ScopesChange,
                events::{PermissionChanged, RoleScopesChanged},
            },
            security,
            teams::{self, events::TeamRolesChanged},
        },
        preview::{self, Preview},
    },
    policy::{Permission, perm},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What an undo would do.
pub struct Undo {
    pub entry: Entry,
    /// The change itself; `None` where there is nothing left to change.
    pub reversal: Option<(Reversal, Preview)>,
    /// Names of previous roles that no longer exist, or are ambiguous now.
    pub missing_roles: Vec<String>,
    /// No role would be left, and a member needs one.
    pub leaves_no_role: bool,
    /// It was changed again since, so an undo reverts the later changes too.
    pub is_superseded: bool,
}

/// What is restored, to which state.
pub enum Reversal {
    Member(Box<Member>, Vec<String>),
    Permission(Permission, Vec<String>),
    Scopes(Box<Role>, Vec<String>),
    Team(Uuid, String, Vec<String>),
}

/// A recorded change that can be undone, with the id of its target.
enum UndoableChange {
    Member(Uuid, MemberRolesChanged),
    Team(Uuid, TeamRolesChanged),
    Scopes(Uuid, RoleScopesChanged),
    Permission(Permission, PermissionChanged),
}

impl UndoableChange {
    fn of(entry: &Entry) -> Option<Self> {
        let member = || Some(Self::Member(entry.target_id?, entry.read()?));
        let team = || Some(Self::Team(entry.target_id?, entry.read()?));
        let scopes = || Some(Self::Scopes(entry.target_id?, entry.read()?));
        let permission = || {
            let event: PermissionChanged = entry.read()?;
            Some(Self::Permission(Permission::of_scope(&event.permission)?, event))
        };
        member().or_else(team).or_else(scopes).or_else(permission)
    }

    fn needs(&self) -> Permission {
        match self {
            Self::Member(..) => Permission::UpdateMemberRoles,
            Self::Team(..) => Permission::UpdateTeams,
            Self::Scopes(..) | Self::Permission(..) => Permission::UpdatePermissions,
        }
    }
}

/// The permission that undoing an event needs; `None` where it can't be undone.
pub fn needs(entry: &Entry) -> Option<Permission> {
    UndoableChange::of(entry).map(|change| change.needs())
}

/// The roles named in an event, as they are now.
struct PreviousRoles {
    slugs: Vec<String>,
    /// Their current names.
    names: BTreeSet<String>,
    missing: Vec<String>,
}

impl PreviousRoles {
    /// By their ids; in an event without them, by names that one role has and no other.
    fn of(all: &Roles, names: &[String], ids: &[Uuid]) -> Self {
        let mut previous = Self { slugs: Vec::new(), names: BTreeSet::new(), missing: Vec::new() };
        for (index, name) in names.iter().enumerate() {
            let mut roles = all.iter().filter(|role| match ids.get(index) {
                Some(id) => role.id == *id,
                None => role.name == *name,
            });
            match (roles.next(), roles.next()) {
                (Some(role), None) => {
                    previous.slugs.push(role.slug.clone());
                    previous.names.insert(role.name.clone());
                }
                _ => previous.missing.push(name.clone()),
            }
        }
        previous
    }

    /// Whether they differ from the roles that are set now.
    fn differs(&self, now: &[String]) -> bool {
        !self.missing.is_empty() || now.iter().collect::<BTreeSet<_>>() != self.names.iter().collect()
    }
}

/// Loads an event, and the preview of its undo. `None` for an event that can't be undone.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such event; [`Refused::Forbidden`] for a principal that
/// may not make such a change.
pub async fn get(scope: &ReadScope<perm::ReadAudit>, id: Uuid) -> Result<Option<Undo>, Refused> {
    let entry = activity::get(scope, id).await?;
    let Some(change) = UndoableChange::of(&entry) else { return Ok(None) };
    let needed = change.needs();
    let all = &scope.actor().all_roles;
    let (missing_roles, reversal) = (Vec::new(), None);
    let mut undo = Undo { entry, reversal, missing_roles, leaves_no_role: false, is_superseded: false };
    match change {
        UndoableChange::Member(member, MemberRolesChanged { before, after, ids }) => {
            let scope = scope.with_permission::<perm::UpdateMemberRoles>(needed).await?;
            let (previous, later) =
                (PreviousRoles::of(all, &before, &ids.before), PreviousRoles::of(all, &after, &ids.after));
            undo.missing_roles = previous.missing;
            undo.leaves_no_role = previous.slugs.is_empty();
            if let Some((detail, preview)) =
                none_if_not_found(preview::of_member_roles(&scope, member, &previous.slugs, "").await)?
            {
                undo.is_superseded = later.differs(&preview.before);
                undo.reversal = Some((Reversal::Member(Box::new(detail.member), previous.slugs), preview));
            }
        }
        UndoableChange::Team(id, TeamRolesChanged { before, after, ids, .. }) => {
            let scope = scope.with_permission::<perm::UpdateTeams>(needed).await?;
            let (previous, later) =
                (PreviousRoles::of(all, &before, &ids.before), PreviousRoles::of(all, &after, &ids.after));
            undo.missing_roles = previous.missing;
            let requested = teams::TeamRolesChange { roles: previous.slugs.clone(), version: String::new() };
            if let Some((team, preview)) =
                none_if_not_found(preview::of_team_roles(&scope, id, &requested).await)?
            {
                undo.is_superseded = later.differs(&preview.before);
                undo.reversal = Some((Reversal::Team(id, team.name, previous.slugs), preview));
            }
        }
        UndoableChange::Permission(permission, PermissionChanged { before, after, ids, .. }) => {
            let scope = scope.with_permission::<perm::UpdatePermissions>(needed).await?;
            let (previous, later) =
                (PreviousRoles::of(all, &before, &ids.before), PreviousRoles::of(all, &after, &ids.after));
            undo.missing_roles = previous.missing;
            let (roles, version) = (previous.slugs.clone(), String::new());
            let requested = security::PermissionChange { permission, roles, version, confirmed: false };
            let preview = preview::of_permission(&scope, &requested).await?;
            undo.is_superseded = later.differs(&preview.before);
            undo.reversal = Some((Reversal::Permission(permission, previous.slugs), preview));
        }
        UndoableChange::Scopes(id, RoleScopesChanged { before, after }) => {
            let scope = scope.with_permission::<perm::UpdatePermissions>(needed).await?;
            let Some(role) = all.iter().find(|role| role.id == id) else { return Ok(Some(undo)) };
            undo.is_superseded = *role.application_scopes != *after;
            // Each of its permissions has an event of its own, and stays as it is.
            let permissions: Vec<String> = role.permissions().map(|p| p.scope().to_owned()).collect();
            let Ok(scopes) = ScopeSet::read(&permissions, &before.join("\n")) else { return Ok(Some(undo)) };
            let requested = ScopesChange { scopes, version: String::new(), confirmed: false };
            let (role, preview) = preview::of_scopes(&scope, &role.slug, &requested).await?;
            undo.reversal = Some((Reversal::Scopes(Box::new(role), before), preview));
        }
    }
    Ok(Some(undo))
}

/// `None` instead of an error if the target, or everything that was set then, no longer exists.
fn none_if_not_found<T>(found: Result<T, Refused>) -> Result<Option<T>, Refused> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Refused::NotFound | Refused::Invalid(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
