//! Taking back a change of roles or permissions that the record tells of. It is a new change, to what
//! was before, made by the same form as any: here is said what it would do.

use crate::{
    domain::{
        activity::{self, Entry},
        base::{
            event::Event,
            refused::Refused,
            role::{Role, Roles},
        },
        enforce::read::ReadScope,
        members::Member,
        preview::{self, Preview},
        roles::{Bundle, Wanted},
        security, teams,
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

/// The permission that taking an event back needs; `None` where it can't be taken back.
pub fn needs(entry: &Entry) -> Option<Permission> {
    match entry.event.as_ref()? {
        Event::MemberRolesChanged { .. } => entry.target_id.map(|_| Permission::UpdateMemberRoles),
        Event::TeamRolesChanged { .. } => entry.target_id.map(|_| Permission::UpdateTeams),
        Event::RoleScopesChanged { .. } => entry.target_id.map(|_| Permission::UpdatePermissions),
        Event::PermissionChanged { permission, .. } => {
            Permission::of_scope(permission).map(|_| Permission::UpdatePermissions)
        }
        _ => None,
    }
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
    let (Some(permission), Some(event)) = (needs(&entry), entry.event.clone()) else { return Ok(None) };
    let target = entry.target_id.unwrap_or_default();
    let all = &scope.actor().all_roles;
    let (gone, back) = (Vec::new(), None);
    let mut undo = Undo { entry, back, gone, is_nothing_left: false, is_overtaken: false };
    match event {
        Event::MemberRolesChanged { before, after, ids } => {
            let scope = scope.under::<perm::UpdateMemberRoles>(permission).await?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            undo.is_nothing_left = then.slugs.is_empty();
            if let Some((detail, preview)) =
                there(preview::of_member_roles(&scope, target, &then.slugs, "").await)?
            {
                undo.is_overtaken = left.differs(&preview.before);
                undo.back = Some((Back::Member(Box::new(detail.member), then.slugs), preview));
            }
        }
        Event::TeamRolesChanged { before, after, ids, .. } => {
            let scope = scope.under::<perm::UpdateTeams>(permission).await?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            let wanted = teams::Wanted { roles: then.slugs.clone(), version: String::new() };
            if let Some((team, preview)) = there(preview::of_team_roles(&scope, target, &wanted).await)? {
                undo.is_overtaken = left.differs(&preview.before);
                undo.back = Some((Back::Team(target, team.name, then.slugs), preview));
            }
        }
        Event::PermissionChanged { permission: of, before, after, ids, .. } => {
            let scope = scope.under::<perm::UpdatePermissions>(permission).await?;
            let permission = Permission::of_scope(&of).ok_or(Refused::Hidden)?;
            let (then, left) = (Then::of(all, &before, &ids.before), Then::of(all, &after, &ids.after));
            undo.gone = then.gone;
            let (roles, version) = (then.slugs.clone(), String::new());
            let wanted = security::Wanted { permission, roles, version, confirmed: false };
            let preview = preview::of_permission(&scope, &wanted).await?;
            undo.is_overtaken = left.differs(&preview.before);
            undo.back = Some((Back::Permission(permission, then.slugs), preview));
        }
        Event::RoleScopesChanged { before, after } => {
            let scope = scope.under::<perm::UpdatePermissions>(permission).await?;
            let Some(role) = all.iter().find(|role| role.id == target) else { return Ok(Some(undo)) };
            undo.is_overtaken = role.application_scopes != after;
            // Each of its permissions has an event of its own, and stays as it is.
            let permissions: Vec<String> = role.permissions().map(|p| p.scope().to_owned()).collect();
            let Ok(scopes) = Bundle::read(&permissions, &before.join("\n")) else { return Ok(Some(undo)) };
            let wanted = Wanted { scopes, version: String::new(), confirmed: false };
            let (role, preview) = preview::of_scopes(&scope, &role.slug, &wanted).await?;
            undo.back = Some((Back::Scopes(Box::new(role), before), preview));
        }
        _ => return Ok(None),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written before the ids were is still read, and means the same.
    #[test]
    fn an_event_of_an_earlier_version_is_read_without_ids() {
        let stored = r#"{"member_roles_changed":{"before":["Viewer"],"after":["Editor"]}}"#;
        let event: Event = serde_json::from_str(stored).expect("an event");
        let Event::MemberRolesChanged { before, ids, .. } = event else { panic!("another event") };
        assert_eq!((before, ids.before), (vec!["Viewer".to_owned()], Vec::new()));
    }
}
