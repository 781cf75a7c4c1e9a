//! What a change would do, before it is made: who would gain and who would lose what, and whether it
//! would be refused. Nothing is written. The rules and the counts are those of the change itself.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            invariants::LAST_OWNER,
            principal::Actor,
            refused::Refused,
            role::{self, Role, Roles},
        },
        enforce::read::ReadScope,
        nouns::{
            members::{self, Detail},
            roles::{self, Combination, Headcounts, grants},
            security, separation,
            teams::{self, Team},
        },
        records::named,
    },
    policy::{Access, HoldingsChange, Permission, Right, perm, reach},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a change would do.
#[derive(Debug, Default)]
pub struct Preview {
    /// Each right that is gained or lost, with how many members gain and lose it.
    pub lines: Vec<(Right, i64, i64)>,
    /// The first affected members, by name; empty where the viewer may not see members.
    pub people: Vec<Affected>,
    /// The number of active members whom the change affects.
    pub affected: i64,
    /// What the viewer loses by it.
    pub yours: Vec<Right>,
    /// Why it would be refused; `None` where it would go through.
    pub refused: Option<Refused>,
    /// It takes “Update permissions” from the viewer, which must be confirmed.
    pub locks_out: bool,
    /// False if nothing would change.
    pub is_change: bool,
    /// The version that the change must name: that of the form, or the current one if the form has none.
    pub version: String,
    /// What is set now, and what would be: names of roles, or scopes.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// A member whom a change affects.
#[derive(Clone, Debug)]
pub struct Affected {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub gained: Vec<Right>,
    pub lost: Vec<Right>,
}

/// The most people who are named.
pub const MAX_NAMED: usize = 20;

impl Preview {
    /// The counts of a change by which these people hold something else.
    fn of(changes: &[HoldingsChange]) -> Self {
        let rights: BTreeSet<Right> =
            changes.iter().flat_map(|change| change.gained().into_iter().chain(change.lost())).collect();
        let line = |right: Right| {
            let (gained, lost) = reach(changes, |holdings| right.is_in(holdings));
            (right, gained, lost)
        };
        let affected = changes.iter().filter(|change| concerns(change)).map(|change| change.people).sum();
        Self { lines: rights.into_iter().map(line).collect(), affected, ..Self::default() }
    }

    /// Compares the version that the viewer saw with that of now.
    fn at(&mut self, seen: &str, now: String) {
        if !seen.is_empty() && seen != now {
            self.refused = Some(CHANGED.into());
        }
        self.version = if seen.is_empty() { now } else { seen.to_owned() };
    }

    /// Stores the reason for a refusal, unless there already is one.
    fn refuse(&mut self, verdict: Result<(), Refused>) -> Result<(), Refused> {
        match verdict {
            Err(why @ (Refused::Ceiling(_) | Refused::NotAllowed(_) | Refused::Conflict(_))) => {
                self.refused.get_or_insert(why);
                Ok(())
            }
            other => other,
        }
    }
}

fn concerns(change: &HoldingsChange) -> bool {
    !change.gained().is_empty() || !change.lost().is_empty()
}

/// Previews setting the own roles of a member.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Invalid`] on the field `role`.
pub async fn of_member_roles(
    scope: &ReadScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    seen: &str,
) -> Result<(Detail, Preview), Refused> {
    let actor = scope.actor();
    let all = &actor.all_roles;
    let detail = members::detail(scope, id).await?;
    let requested = all.chosen(to)?;
    let own: Vec<&Role> = all.iter().filter(|role| detail.own.contains(&role.slug)).collect();
    let through_teams = detail.teams.iter().flat_map(|place| &place.roles);
    let present = role::holdings(&detail.member.roles.iter().collect::<Vec<_>>());
    let after = role::holdings(&requested.iter().copied().chain(through_teams).collect::<Vec<_>>());
    let change = HoldingsChange { people: 1, before: present.clone(), after };
    let mut preview = Preview::of(std::slice::from_ref(&change));
    preview.is_change = !own.iter().map(|role| role.id).eq(requested.iter().map(|role| role.id));
    (preview.before, preview.after) = (role::names(&own), role::names(&requested));
    preview.at(seen, detail.version());
    let may = actor.holdings.may_change_roles(&present, requested.iter().map(|role| &role.holdings));
    preview.refuse(may.map_err(Refused::from))?;
    if detail.member.is_last_owner && !requested.iter().any(|role| role.is_owner) {
        preview.refuse(Err(LAST_OWNER.into()))?;
    }
    if detail.member.is_you {
        preview.yours = change.lost();
    }
    if concerns(&change) {
        preview.people = vec![Affected {
            id,
            user_id: detail.member.user_id,
            name: detail.member.name.clone(),
            gained: change.gained(),
            lost: change.lost(),
        }];
    }
    Ok((detail, preview))
}

/// Previews setting which roles hold a permission.
///
/// # Errors
/// [`Refused::Invalid`] on the field `role`.
pub async fn of_permission(
    scope: &ReadScope<perm::UpdatePermissions>,
    requested: &security::PermissionChange,
) -> Result<Preview, Refused> {
    let all = &scope.actor().all_roles;
    let cells = security::cells(all, requested.permission, &requested.roles)?;
    let mut preview =
        of_cells(scope, &cells, &requested.version, security::version(all, requested.permission)).await?;
    let after = grants::with(all, &cells);
    (preview.before, preview.after) =
        (role::names(&all.holding(requested.permission)), role::names(&after.holding(requested.permission)));
    Ok(preview)
}

/// Previews setting what a role holds.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such role.
pub async fn of_scopes(
    scope: &ReadScope<perm::UpdatePermissions>,
    slug: &str,
    requested: &roles::ScopesChange,
) -> Result<(Role, Preview), Refused> {
    let role = scope.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::NotFound)?;
    let held = role.scopes();
    let cells = roles::cells(&role, &held, &requested.scopes);
    let mut preview = of_cells(scope, &cells, &requested.version, role.scopes_version()).await?;
    preview.refuse(roles::may_edit(scope.actor(), &role))?;
    (preview.before, preview.after) =
        (held.into_iter().collect(), requested.scopes.iter().map(str::to_owned).collect());
    Ok((role, preview))
}

/// Previews the preset that keeps technical and billing work separate.
///
/// # Errors
/// The database's own.
pub async fn of_separation(scope: &ReadScope<perm::UpdatePermissions>) -> Result<Preview, Refused> {
    let all = &scope.actor().all_roles;
    let cells = separation::cells(all);
    let mut preview = of_cells(scope, &cells, "", separation::version(all)).await?;
    (preview.before, preview.after) =
        (separation::holders(all), separation::holders(&grants::with(all, &cells)));
    Ok(preview)
}

/// Previews changing cells of the matrix of roles and scopes.
async fn of_cells(
    scope: &ReadScope<perm::UpdatePermissions>,
    cells: &[grants::Cell<'_>],
    seen: &str,
    now: String,
) -> Result<Preview, Refused> {
    let actor = scope.actor();
    let (before, after) = (&actor.all_roles, grants::with(&actor.all_roles, cells));
    let headcounts = Headcounts::load(scope).await?;
    let changes = headcounts.changes(before, &after);
    let mut preview = Preview::of(&changes);
    preview.at(seen, now);
    preview.refuse(grants::may_change(actor, cells))?;
    preview.is_change = !cells.is_empty();
    preview.locks_out = preview.is_change && grants::locks_out(actor, cells);
    preview.yours = losses(actor, &after);
    if actor.holdings.has(Permission::ReadMembers) {
        let concerned = headcounts.combinations().iter().zip(&changes).filter(|(_, change)| concerns(change));
        let (who, changes): (Vec<&Combination>, Vec<&HoldingsChange>) = concerned.unzip();
        let named = named::named_members(scope, &who, MAX_NAMED).await?;
        let affected = |member: named::NamedMember| {
            let change = changes.get(member.nth)?;
            let (gained, lost) = (change.gained(), change.lost());
            Some(Affected { id: member.id, user_id: member.user_id, name: member.name, gained, lost })
        };
        preview.people = named.into_iter().filter_map(affected).take(MAX_NAMED).collect();
    }
    Ok(preview)
}

/// What the viewer loses if the roles change to `after`.
fn losses(actor: &Actor, after: &Roles) -> Vec<Right> {
    actor.holdings.beyond(&role::holdings(&after.parse_slugs(&actor.roles.join(" "))))
}

/// Previews setting the roles of a team.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Invalid`] on the field `role`.
pub async fn of_team_roles(
    scope: &ReadScope<perm::UpdateTeams>,
    id: Uuid,
    requested: &teams::TeamRolesChange,
) -> Result<(Team, Preview), Refused> {
    let actor = scope.actor();
    let (team, before, now) = teams::plan(scope, actor, id, &requested.roles).await?;
    let groups = team.groups(scope, actor, &before).await?;
    let changes: Vec<HoldingsChange> = groups.iter().map(|group| group.shift.clone()).collect();
    let mut preview = Preview::of(&changes);
    preview.at(&requested.version, now);
    preview.refuse(team.may_assign_roles(scope, actor, &before).await)?;
    preview.is_change = !before.iter().map(|role| role.id).eq(team.roles.iter().map(|role| role.id));
    let names = |roles: &[Role]| roles.iter().map(|role| role.name.clone()).collect();
    (preview.before, preview.after) = (names(&before), names(&team.roles));
    let yours = groups.iter().find(|group| group.is_yours);
    preview.yours = yours.map(|group| group.shift.lost()).unwrap_or_default();
    if actor.holdings.has(Permission::ReadMembers) {
        let concerned: Vec<_> = groups.iter().filter(|group| concerns(&group.shift)).collect();
        for (group, member) in team.named_members(scope, &before, &concerned, MAX_NAMED).await? {
            let (gained, lost) = (group.shift.gained(), group.shift.lost());
            preview.people.push(Affected {
                id: member.id,
                user_id: member.user_id,
                name: member.name,
                gained,
                lost,
            });
        }
    }
    Ok((team, preview))
}

impl<P: Access> ReadScope<P> {
    /// This admission under another permission, which is needed to see
    /// what such a change would do.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which names who has it.
    pub(super) async fn with_permission<Q: Access>(
        &self,
        permission: Permission,
    ) -> Result<ReadScope<Q>, Refused> {
        self.require(permission).await?;
        self.duplicate().narrow::<Q>().ok_or(Refused::NotFound)
    }
}
