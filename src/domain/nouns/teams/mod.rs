//! Teams: people of one workspace who belong together, and the roles that all of them hold through the team.
//!
//! [`mod@list`] lists teams and loads one, [`change`] changes one and its roles, [`effects`] computes whose
//! access that changes, [`people`] adds people and removes them. Triggers compute what a member holds through
//! teams: see `migration/src/m0008_teams.rs`.

pub mod change;
pub mod effects;
pub mod events;
pub mod list;
pub mod people;

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            event::Target,
            principal::Actor,
            refused::Refused,
            role::{self, Role, Roles},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::teams::events::TEAM,
    },
    policy::{Ceiling, Holdings, Permission, perm},
};
pub(in crate::domain) use change::plan;
pub use change::{Changed, Deleted, RolesChanged, TeamRolesChange, create, delete, set_roles, update};
pub use list::{Candidate, Person, TeamDetail, candidates, check_deletion, get, list};
pub use people::{TeamMemberChange, add, appoint, remove};
use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The most teams that a workspace can have.
const MAX_TEAMS: u64 = 200;

/// A team, loaded for a page or under the lock.
#[derive(Clone, Debug)]
pub struct Team {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    /// The number of people in the team, suspended members included.
    pub people: i64,
    /// The roles of the team, which everybody in it holds.
    pub roles: Vec<Role>,
    /// Names of some of its leads.
    pub leads: Vec<String>,
    /// The viewer leads the team.
    is_yours: bool,
}

#[derive(Deserialize, FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    description: String,
    created_at: Timestamp,
    people: i64,
    roles: Option<String>,
    leads: Option<String>,
    yours: i64,
}

/// The columns of a [`Row`], in the order of its fields. `$2` is the viewer's membership, `$3` the
/// separator of joined names: a line break, which no name contains.
const COLUMNS: &str = "SELECT t.id, t.name, t.description, t.created_at,
        (SELECT COUNT(*) FROM team_members tm
            WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id) AS people,
        (SELECT string_agg(r.slug, ' ') FROM team_roles tr
            JOIN roles r ON r.workspace_id = tr.workspace_id AND r.id = tr.role_id
            WHERE tr.workspace_id = t.workspace_id AND tr.team_id = t.id) AS roles,
        (SELECT string_agg(l.name, $3) FROM (SELECT u.name
            FROM team_members tm CROSS JOIN members m CROSS JOIN users u
            WHERE tm.workspace_id = t.workspace_id AND tm.team_id = t.id AND tm.is_lead
                AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id AND u.id = m.user_id
            ORDER BY tm.member_id LIMIT 5) AS l) AS leads,
        (SELECT COUNT(*) FROM team_members tm WHERE tm.workspace_id = t.workspace_id
            AND tm.team_id = t.id AND tm.member_id = $2 AND tm.is_lead) AS yours
    FROM teams t WHERE t.workspace_id = $1";

const FIELDS: [&str; 8] = ["id", "name", "description", "created_at", "people", "roles", "leads", "yours"];

/// What is bound to [`COLUMNS`].
fn viewer_values(actor: &Actor) -> Vec<Value> {
    vec![actor.member_id.into(), "\n".into()]
}

impl Row {
    fn with(self, all: &Roles) -> Team {
        let leads = self.leads.unwrap_or_default();
        Team {
            id: self.id,
            name: self.name,
            description: self.description,
            created_at: self.created_at,
            people: self.people,
            roles: all.parse_slugs(self.roles.as_deref().unwrap_or_default()).into_iter().cloned().collect(),
            leads: leads.lines().map(str::to_owned).collect(),
            is_yours: self.yours > 0,
        }
    }
}

impl Team {
    /// # Errors
    /// [`Refused::NotFound`] where this workspace has no such team.
    async fn load(scope: &impl Scoped, actor: &Actor, id: Uuid) -> Result<Self, Refused> {
        let mut values = viewer_values(actor);
        values.push(id.into());
        let row: Option<Row> = scope.first(&format!("{COLUMNS} AND t.id = $4"), values).await?;
        Ok(row.ok_or(Refused::NotFound)?.with(&actor.all_roles))
    }

    /// Loads the team to edit it: its leads may, and members with the permission to update teams.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Forbidden`].
    async fn load_to_edit(s: &WriteScope<perm::Membership>, id: Uuid) -> Result<Self, Refused> {
        let team = Self::load(s, s.actor(), id).await?;
        if !team.is_yours {
            s.require(Permission::UpdateTeams).await?;
        }
        Ok(team)
    }

    /// Whether [`Team::load_to_edit`] would allow it, so that no form is drawn that would be refused.
    pub fn may_be_edited_by(&self, actor: &Actor) -> bool {
        self.is_yours || actor.holdings.has(Permission::UpdateTeams)
    }

    /// Checks that a member who holds `present` may be added to this team, or removed from it. Without roles,
    /// a team changes nobody's access.
    ///
    /// # Errors
    /// As [`Holdings::may_change_roles`].
    fn may_change_membership(&self, actor: &Actor, present: &Holdings) -> Result<(), Ceiling> {
        if self.roles.is_empty() {
            return Ok(());
        }
        actor.holdings.may_change_roles(present, self.roles.iter().map(|role| &role.holdings))
    }

    /// Checks that a member who holds `present` may be added to this team. Its lead does not put it out of reach of
    /// the people who edit all teams and stand above the lead: they change its roles only while they may manage
    /// everybody in it.
    ///
    /// # Errors
    /// As [`Team::may_change_membership`] and [`Holdings::may_manage`].
    fn may_add(&self, actor: &Actor, present: &Holdings) -> Result<(), Ceiling> {
        self.may_change_membership(actor, present)?;
        if actor.holdings.has(Permission::UpdateTeams) {
            return Ok(());
        }
        let editors = actor.all_roles.iter().map(|role| &role.holdings);
        let mut above = editors.filter(|held| {
            !held.is_owner() && held.has(Permission::UpdateTeams) && held.may_manage(&actor.holdings).is_ok()
        });
        above.try_for_each(|held| held.may_manage(present))
    }

    /// Checks that the given roles may be assigned to, or revoked from, everybody in the team.
    async fn may_change_roles(
        &self,
        scope: &impl Scoped,
        actor: &Actor,
        roles: &[Role],
    ) -> Result<Result<(), Ceiling>, Refused> {
        // An Owner may, no matter who is in the team.
        let sets = if actor.holdings.is_owner() { Vec::new() } else { self.role_sets(scope).await? };
        let people = sets.iter().map(|set| role::holdings(&actor.all_roles.parse_slugs(&set.role_set)));
        Ok(actor.holdings.may_change_roles_of_all(people, roles.iter().map(|role| &role.holdings)))
    }

    /// Checks that the team may be deleted, which revokes its roles from everybody in it.
    async fn may_delete(&self, scope: &impl Scoped, actor: &Actor) -> Result<Result<(), Ceiling>, Refused> {
        if self.roles.is_empty() {
            return Ok(Ok(()));
        }
        self.may_change_roles(scope, actor, &self.roles).await
    }

    /// What the people of this team hold: each combination of roles once.
    async fn role_sets(&self, scope: &impl Scoped) -> Result<Vec<RoleSet>, Refused> {
        let sql = "SELECT DISTINCT m.role_set FROM team_members tm CROSS JOIN members m
            WHERE tm.workspace_id = $1 AND tm.team_id = $2
                AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id";
        Ok(scope.all(sql, vec![self.id.into()]).await?)
    }

    /// The version of the team's name, description and roles.
    pub fn whole_version(&self) -> String {
        let named = [&self.name, &self.description, &self.version()].map(String::clone);
        role::fingerprint(self.id.as_bytes(), named)
    }

    /// The version of the team's set of roles.
    pub fn version(&self) -> String {
        let mut ids: Vec<_> = self.roles.iter().map(|role| role.id).collect();
        ids.sort_unstable();
        let mut hash = Sha256::new().chain_update(self.id.as_bytes());
        for id in ids {
            hash.update(id.as_bytes());
        }
        hex::encode(&hash.finalize()[..8])
    }

    fn role_names(&self) -> Vec<String> {
        self.roles.iter().map(|role| role.name.clone()).collect()
    }

    fn target(&self) -> Target {
        Target::new(TEAM, self.id, self.name.clone())
    }
}

/// [`under_lock`], for someone who is about to edit the team.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Forbidden`].
pub async fn to_edit(s: &WriteScope<perm::Membership>, id: Uuid) -> Result<Team, Refused> {
    Team::load_to_edit(s, id).await
}

/// Loads the team under the lock.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such team.
pub async fn under_lock<P>(s: &WriteScope<P>, id: Uuid) -> Result<Team, Refused> {
    Team::load(s, s.actor(), id).await
}

#[derive(FromQueryResult)]
struct RoleSet {
    role_set: String,
}
