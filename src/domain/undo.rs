//! Taking back a change of roles or permissions that the record tells of. It is a new change, to what
//! was before, made by the same form as any: here is said what it would do.

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
                Bundle, Wanted,
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

/// What going back would do.
pub struct Undo {
    pub entry: Entry,
    /// The change itself; `None` where there is nothing left to change.
    pub back: Option<(Back, Preview)>,
    /// Names of roles of then that are no longer there, or can't be told from others.
    pub gone: Vec<String>,
    /// None of the roles is left without which nobody can be.
    pub is_nothing_left: bool,
    /// It was changed since, so that going back takes later changes back too.
    pub is_overtaken: bool,
}

/// What is set back, to what.
pub enum Back {
    Member(Box<Member>, Vec<String>),
    Permission(Permission, Vec<String>),
    Scopes(Box<Role>, Vec<String>),
    Team(Uuid, String, Vec<String>),
}

/// A change that can be taken back, and whose.
enum Change {
    Member(Uuid, MemberRolesChanged),
    Team(Uuid, TeamRolesChanged),
    Scopes(Uuid, RoleScopesChanged),
    Permission(Permission, PermissionChanged),
}

impl Change {
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

/// The permission that taking an event back needs; `None` where it can't be taken back.
pub fn needs(entry: &Entry) -> Option<Permission> {
    Change::of(entry).map(|change| change.needs())
}

/// Roles that an event tells of, as they are now.
struct Then {
    slugs: Vec<String>,
    /// Their names of now.
    names: BTreeSet<String>,
    gone: Vec<String>,
}

impl Then {
    /// By their ids; in an event without them, by names that one role has and no other.
    fn of(all: &Roles, names: &[String], ids: &[Uuid]) -> Self {
        let mut then = Self { slugs: Vec::new(), names: BTreeSet::new(), gone: Vec::new() };
        for (place, name) in names.iter().enumerate() {
            let mut roles = all.iter().filter(|role| match ids.get(place) {
                Some(id) => role.id == *id,
                None => role.name == *name,
            });
            match (roles.next(), roles.next()) {
                (Some(role), None) => {
                    then.slugs.push(role.slug.clone());
                    then.names.insert(role.name.clone());
                }
                _ => then.gone.push(name.clone()),
            }
        }
        then
    }

    /// They are not those that are set now.
    fn differs(&self, now: &[String]) -> bool {
        !self.gone.is_empty() || now.iter().collect::<BTreeSet<_>>() != self.names.iter().collect()
    }
}

/// Looks at an event, and at what taking it back would do. `None` for an event of another kind.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such event; [`Refused::Forbidden`] for who may not
/// make such a change.
pub async fn look(scope: &ReadScope<perm::ReadAudit>, id: Uuid) -> Result<Option<Undo>, Refused> {
    let entry = activity::one(scope, id).await?;
    let Some(change) = Change::of(&entry) else { return Ok(None) };
    let needed = change.needs();
    let all = &scope.actor().all_roles;
    let (gone, back) = (Vec::new(), None);
    let mut undo = Undo { entry, back, gone, is_nothing_left: false, is_overtaken: false };
    match change {
        Change::Member(member, MemberRolesChanged { before, after, ids }) => {
            let scope = scope.under::<perm::UpdateMemberRoles>(needed).await?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            undo.is_nothing_left = then.slugs.is_empty();
            if let Some((detail, preview)) =
                there(preview::of_member_roles(&scope, member, &then.slugs, "").await)?
            {
                undo.is_overtaken = left.differs(&preview.before);
                undo.back = Some((Back::Member(Box::new(detail.member), then.slugs), preview));
            }
        }
        Change::Team(id, TeamRolesChanged { before, after, ids, .. }) => {
            let scope = scope.under::<perm::UpdateTeams>(needed).await?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            let wanted = teams::Wanted { roles: then.slugs.clone(), version: String::new() };
            if let Some((team, preview)) = there(preview::of_team_roles(&scope, id, &wanted).await)? {
                undo.is_overtaken = left.differs(&preview.before);
                undo.back = Some((Back::Team(id, team.name, then.slugs), preview));
            }
        }
        Change::Permission(permission, PermissionChanged { before, after, ids, .. }) => {
            let scope = scope.under::<perm::UpdatePermissions>(needed).await?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            let (roles, version) = (then.slugs.clone(), String::new());
            let wanted = security::Wanted { permission, roles, version, confirmed: false };
            let preview = preview::of_permission(&scope, &wanted).await?;
            undo.is_overtaken = left.differs(&preview.before);
            undo.back = Some((Back::Permission(permission, then.slugs), preview));
        }
        Change::Scopes(id, RoleScopesChanged { before, after }) => {
            let scope = scope.under::<perm::UpdatePermissions>(needed).await?;
            let Some(role) = all.iter().find(|role| role.id == id) else { return Ok(Some(undo)) };
            undo.is_overtaken = role.application_scopes != after;
            // Each of its permissions has an event of its own, and stays as it is.
            let permissions: Vec<String> = role.permissions().map(|p| p.scope().to_owned()).collect();
            let Ok(scopes) = Bundle::read(&permissions, &before.join("\n")) else { return Ok(Some(undo)) };
            let wanted = Wanted { scopes, version: String::new(), confirmed: false };
            let (role, preview) = preview::of_scopes(&scope, &role.slug, &wanted).await?;
            undo.back = Some((Back::Scopes(Box::new(role), before), preview));
        }
    }
    Ok(Some(undo))
}

/// What was found; `None` where it is not there any more, or nothing of what was set then.
fn there<T>(found: Result<T, Refused>) -> Result<Option<T>, Refused> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Refused::Hidden | Refused::Invalid(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
