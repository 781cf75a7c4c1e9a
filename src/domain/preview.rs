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
            roles::{self, Census, Combination, grants},
            security,
            teams::{self, Team},
        },
        records::named,
    },
    policy::{Access, Permission, Right, Shift, perm, reach},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a change would do.
#[derive(Debug, Default)]
pub struct Preview {
    /// What is gained or lost by somebody, with how many gain and lose it.
    pub lines: Vec<(Right, i64, i64)>,
    /// The first few whom it concerns, by name; nobody where the viewer may not see members.
    pub people: Vec<Affected>,
    /// All active members whom it concerns.
    pub affected: i64,
    /// What the viewer loses by it.
    pub yours: Vec<Right>,
    /// Why it would be refused; `None` where it would go through.
    pub refused: Option<Refused>,
    /// It takes the rules themselves out of the viewer's hands, which must be confirmed.
    pub locks_out: bool,
    /// False where everything is so already.
    pub is_change: bool,
    /// The version that the change must name: that of the form, or of now where none was given.
    pub version: String,
    /// What is set now, and what would be: names of roles, or scopes.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// Somebody whom a change concerns.
#[derive(Clone, Debug)]
pub struct Affected {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub gained: Vec<Right>,
    pub lost: Vec<Right>,
}

/// People who are named.
pub const NAMED: usize = 20;

impl Preview {
    /// The counts of a change by which these people hold something else.
    fn of(shifts: &[Shift]) -> Self {
        let rights: BTreeSet<Right> =
            shifts.iter().flat_map(|shift| shift.gained().into_iter().chain(shift.lost())).collect();
        let line = |right: Right| {
            let (gained, lost) = reach(shifts, |holdings| right.is_in(holdings));
            (right, gained, lost)
        };
        let affected = shifts.iter().filter(|shift| concerns(shift)).map(|shift| shift.people).sum();
        Self { lines: rights.into_iter().map(line).collect(), affected, ..Self::default() }
    }

    /// Compares the version that the viewer saw with that of now.
    fn at(&mut self, seen: &str, now: String) {
        if !seen.is_empty() && seen != now {
            self.refused = Some(CHANGED.into());
        }
        self.version = if seen.is_empty() { now } else { seen.to_owned() };
    }

    /// It would be refused, unless something else stands against it already.
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

fn concerns(shift: &Shift) -> bool {
    !shift.gained().is_empty() || !shift.lost().is_empty()
}

/// Gives a member exactly these roles of their own.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Invalid`] on the field `role`.
pub async fn of_member_roles(
    scope: &ReadScope<perm::UpdateMemberRoles>,
    id: Uuid,
    to: &[String],
    seen: &str,
) -> Result<(Detail, Preview), Refused> {
    let actor = scope.actor();
    let all = &actor.all_roles;
    let detail = members::detail(scope, id).await?;
    let wanted = all.chosen(to)?;
    let own: Vec<&Role> = all.iter().filter(|role| detail.own.contains(&role.slug)).collect();
    let through_teams = detail.teams.iter().flat_map(|place| &place.roles);
    let present = role::holdings(&detail.member.roles.iter().collect::<Vec<_>>());
    let after = role::holdings(&wanted.iter().copied().chain(through_teams).collect::<Vec<_>>());
    let shift = Shift { people: 1, before: present.clone(), after };
    let mut preview = Preview::of(std::slice::from_ref(&shift));
    preview.is_change = !own.iter().map(|role| role.id).eq(wanted.iter().map(|role| role.id));
    (preview.before, preview.after) = (role::names(&own), role::names(&wanted));
    preview.at(seen, detail.version());
    let may = actor.holdings.may_change_roles(&present, wanted.iter().map(|role| &role.holdings));
    preview.refuse(may.map_err(Refused::from))?;
    if detail.member.is_last_owner && !wanted.iter().any(|role| role.is_owner) {
        preview.refuse(Err(LAST_OWNER.into()))?;
    }
    if detail.member.is_you {
        preview.yours = shift.lost();
    }
    if concerns(&shift) {
        preview.people = vec![Affected {
            id,
            user_id: detail.member.user_id,
            name: detail.member.name.clone(),
            gained: shift.gained(),
            lost: shift.lost(),
        }];
    }
    Ok((detail, preview))
}

/// Sets which roles hold a permission.
///
/// # Errors
/// [`Refused::Invalid`] on the field `role`.
pub async fn of_permission(
    scope: &ReadScope<perm::UpdatePermissions>,
    wanted: &security::Wanted,
) -> Result<Preview, Refused> {
    let all = &scope.actor().all_roles;
    let cells = security::cells(all, wanted.permission, &wanted.roles)?;
    let mut preview =
        of_cells(scope, &cells, &wanted.version, security::version(all, wanted.permission)).await?;
    let after = grants::with(all, &cells);
    (preview.before, preview.after) =
        (role::names(&all.holding(wanted.permission)), role::names(&after.holding(wanted.permission)));
    Ok(preview)
}

/// Sets what a role holds.
///
/// # Errors
/// [`Refused::Hidden`] where this workspace has no such role.
pub async fn of_scopes(
    scope: &ReadScope<perm::UpdatePermissions>,
    slug: &str,
    wanted: &roles::Wanted,
) -> Result<(Role, Preview), Refused> {
    let role = scope.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::Hidden)?;
    let held = role.scopes();
    let cells = roles::cells(&role, &held, &wanted.scopes);
    let mut preview = of_cells(scope, &cells, &wanted.version, role.scopes_version()).await?;
    preview.refuse(roles::may_edit(scope.actor(), &role))?;
    (preview.before, preview.after) =
        (held.into_iter().collect(), wanted.scopes.iter().map(str::to_owned).collect());
    Ok((role, preview))
}

/// Changes cells of the matrix of roles and scopes.
async fn of_cells(
    scope: &ReadScope<perm::UpdatePermissions>,
    cells: &[grants::Cell<'_>],
    seen: &str,
    now: String,
) -> Result<Preview, Refused> {
    let actor = scope.actor();
    let (before, after) = (&actor.all_roles, grants::with(&actor.all_roles, cells));
    let census = Census::take(scope).await?;
    let shifts = census.shifts(before, &after);
    let mut preview = Preview::of(&shifts);
    preview.at(seen, now);
    preview.refuse(grants::may_change(actor, cells))?;
    preview.is_change = !cells.is_empty();
    preview.locks_out = preview.is_change && grants::locks_out(actor, cells);
    preview.yours = losses(actor, &after);
    if actor.holdings.has(Permission::ReadMembers) {
        let concerned = census.combinations().iter().zip(&shifts).filter(|(_, shift)| concerns(shift));
        let (who, shifts): (Vec<&Combination>, Vec<&Shift>) = concerned.unzip();
        let found = named::few(scope, &who, NAMED).await?;
        let affected = |one: named::One| {
            let shift = shifts.get(one.nth)?;
            let (gained, lost) = (shift.gained(), shift.lost());
            Some(Affected { id: one.id, user_id: one.user_id, name: one.name, gained, lost })
        };
        preview.people = found.into_iter().filter_map(affected).take(NAMED).collect();
    }
    Ok(preview)
}

/// What the viewer loses when roles hold this.
fn losses(actor: &Actor, after: &Roles) -> Vec<Right> {
    actor.holdings.beyond(&role::holdings(&after.joined(&actor.roles.join(" "))))
}

/// Lets a team carry exactly these roles.
///
/// # Errors
/// [`Refused::Hidden`], [`Refused::Invalid`] on the field `role`.
pub async fn of_team_roles(
    scope: &ReadScope<perm::UpdateTeams>,
    id: Uuid,
    wanted: &teams::Wanted,
) -> Result<(Team, Preview), Refused> {
    let actor = scope.actor();
    let (team, before, now) = teams::plan(scope, actor, id, &wanted.roles).await?;
    let groups = team.groups(scope, actor, &before).await?;
    let shifts: Vec<Shift> = groups.iter().map(|group| group.shift.clone()).collect();
    let mut preview = Preview::of(&shifts);
    preview.at(&wanted.version, now);
    preview.refuse(team.may_carry(scope, actor, &before).await)?;
    preview.is_change = !before.iter().map(|role| role.id).eq(team.roles.iter().map(|role| role.id));
    let names = |roles: &[Role]| roles.iter().map(|role| role.name.clone()).collect();
    (preview.before, preview.after) = (names(&before), names(&team.roles));
    let yours = groups.iter().find(|group| group.is_yours);
    preview.yours = yours.map(|group| group.shift.lost()).unwrap_or_default();
    if actor.holdings.has(Permission::ReadMembers) {
        let concerned: Vec<_> = groups.iter().filter(|group| concerns(&group.shift)).collect();
        for (group, one) in team.few(scope, &before, &concerned, NAMED).await? {
            let (gained, lost) = (group.shift.gained(), group.shift.lost());
            preview.people.push(Affected { id: one.id, user_id: one.user_id, name: one.name, gained, lost });
        }
    }
    Ok((team, preview))
}

impl<P: Access> ReadScope<P> {
    /// The same admission under another permission, which somebody needs who comes this way to see
    /// what such a change would do.
    ///
    /// # Errors
    /// [`Refused::Forbidden`], which says who has it.
    pub(super) async fn under<Q: Access>(&self, permission: Permission) -> Result<ReadScope<Q>, Refused> {
        self.require(permission).await?;
        self.again().narrow::<Q>().ok_or(Refused::Hidden)
    }
}
