//! One role, as its own page shows it.

use crate::{
    domain::{
        base::{
            conflict::{Conflict, DetailedConflict},
            principal::Actor,
            refused::Refused,
            role::{Role, holdings},
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::roles::{change::BUILT_IN, events::IN_USE, grants::OWNER_IS_FIXED},
    },
    policy::{Access, Ceiling, Permission},
};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use uuid::Uuid;

/// A role, and who has it.
#[derive(Clone, Debug)]
pub struct RoleDetail {
    pub role: Role,
    /// Active members who have it.
    pub people: i64,
    pub suspended: i64,
    /// Pending invitations that offer it.
    pub invited: i64,
    /// The number of teams that have it.
    pub teams: i64,
    /// These teams, if the viewer may see teams.
    pub teams_with_role: Vec<TeamWithRole>,
    /// The sets of roles of those who have it.
    role_sets: Vec<String>,
}

#[derive(FromQueryResult)]
struct Headcount {
    status: String,
    role_set: String,
    people: i64,
}

#[derive(FromQueryResult)]
struct Count {
    invited: i64,
    teams: i64,
}

impl RoleDetail {
    pub fn is_in_use(&self) -> bool {
        self.people + self.suspended + self.invited > 0
    }

    /// Why this member may not delete it, no matter what replaces it. The permission is not checked.
    pub fn not_deletable(&self, actor: &Actor) -> Option<Refused> {
        if self.role.is_owner {
            return Some(Refused::NotAllowed(OWNER_IS_FIXED));
        }
        if self.role.built_in {
            return Some(Refused::NotAllowed(BUILT_IN));
        }
        if self.teams > 0 {
            return Some(teams_conflict(&self.teams_with_role).into());
        }
        let may = actor.holdings.may_assign(&self.role.holdings);
        let may = may.and_then(|()| may_reassign(actor, self.role_sets.iter().map(String::as_str)));
        may.err().map(Refused::from)
    }
}

/// A team that has a role.
#[derive(Clone, Debug, Deserialize)]
pub struct TeamWithRole {
    pub id: Uuid,
    pub name: String,
}

/// Why a role that teams have can't be deleted. It names the teams that the actor may see.
pub(in crate::domain) fn teams_conflict(teams: &[TeamWithRole]) -> DetailedConflict {
    let mut conflict = DetailedConflict::from(ROLE_OF_TEAMS);
    if teams.is_empty() {
        return conflict;
    }
    let names: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
    conflict.notes.push(format!("Teams with this role: {}.", names.join(", ")));
    let link = |team: &TeamWithRole| (format!("/teams/{}", team.id), format!("Team {}", team.name));
    conflict.links.extend(teams.iter().take(3).map(link));
    conflict.links.push((String::new(), "Back to the workspace".to_owned()));
    conflict
}

const ROLE_OF_TEAMS: Conflict = Conflict::new(
    "role-of-teams",
    "A team has this role. Remove it from the team first, on the team's page.",
)
.with_audit_reason(IN_USE);

/// The teams that have a role, by name, as far as the actor may see them.
pub(in crate::domain) async fn load_teams_with_role(
    scope: &impl Scoped,
    actor: &Actor,
    role: &Role,
) -> Result<Vec<TeamWithRole>, Refused> {
    if !actor.holdings.has(Permission::ReadTeams) {
        return Ok(Vec::new());
    }
    let sql = "SELECT t.id, t.name FROM team_roles tr CROSS JOIN teams t
        WHERE tr.workspace_id = $1 AND tr.role_id = $2 AND t.workspace_id = tr.workspace_id AND t.id = tr.team_id
        ORDER BY t.listed_as || ''";
    Ok(scope.list(&["id", "name"], sql, vec![role.id.into()]).await?)
}

/// Loads one role.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such role.
pub async fn get<P: Access>(scope: &ReadScope<P>, slug: &str) -> Result<RoleDetail, Refused> {
    let role = scope.actor().all_roles.by_slug(slug).cloned().ok_or(Refused::NotFound)?;
    let sql = "SELECT status, role_set, people FROM headcounts WHERE workspace_id = $1 AND people > 0";
    let mut those: Vec<Headcount> = scope.all(sql, Vec::new()).await?;
    those.retain(|some| some.role_set.split(' ').any(|held| held == slug));
    let sql = "SELECT (SELECT COUNT(*) FROM invitation_roles ir
            JOIN invitations i ON i.workspace_id = ir.workspace_id AND i.id = ir.invitation_id
            WHERE ir.workspace_id = $1 AND ir.role_id = $2 AND i.status = 'pending') AS invited,
        (SELECT COUNT(*) FROM team_roles tr WHERE tr.workspace_id = $1 AND tr.role_id = $2) AS teams";
    let count: Count = scope.first(sql, vec![role.id.into()]).await?.ok_or(Refused::NotFound)?;
    let sum = |active: bool| {
        those.iter().filter(|some| (some.status == "active") == active).map(|some| some.people).sum()
    };
    Ok(RoleDetail {
        teams_with_role: if count.teams > 0 {
            load_teams_with_role(scope, scope.actor(), &role).await?
        } else {
            Vec::new()
        },
        teams: count.teams,
        people: sum(true),
        suspended: sum(false),
        invited: count.invited,
        role_sets: those.into_iter().map(|some| some.role_set).collect(),
        role,
    })
}

/// Checks that a role may be replaced by another for a member with these roles. It is a change of their
/// roles, so the rules are those of their own page.
pub(in crate::domain) fn may_reassign<'a>(
    actor: &Actor,
    role_sets: impl IntoIterator<Item = &'a str>,
) -> Result<(), Ceiling> {
    for role_set in role_sets {
        if !actor.holdings.has(Permission::UpdateMemberRoles) {
            return Err(Ceiling::Lacks(vec![Permission::UpdateMemberRoles.scope().to_owned()]));
        }
        actor.holdings.may_manage(&holdings(&actor.all_roles.parse_slugs(role_set)))?;
    }
    Ok(())
}
