//! Teams: people of one workspace who belong together, and the roles that all of them hold by it.
//!
//! [`list`] looks at teams, [`change`] changes one and the roles it carries, [`effects`] says whom that
//! concerns, [`people`] puts people in and takes them out. What somebody holds through a team is put together by triggers: see
//! `migration/src/m0008_teams.rs`.

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

/// Teams of one workspace.
const MAX_TEAMS: u64 = 200;

/// A team as it stands: for a page, or under the lock.
#[derive(Clone, Debug)]
pub struct Team {
    pub id: Uuid,
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
    /// How many are in it, those too who are suspended.
    pub people: i64,
    /// The roles that it carries: everybody in it holds them.
    pub roles: Vec<Role>,
    /// Names of the first leads.
    pub leads: Vec<String>,
    /// The viewer leads it.
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

/// The columns of a [`Row`], in the order of its fields. `$2` is the member who asks, `$3` what names
/// are joined with: a line break, which is in none.
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

    /// The team, for who edits it: its leads do, and who holds the permission to update teams.
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

    /// The same verdict as of [`Team::load_to_edit`], to draw no form that would be refused.
    pub fn may_be_edited_by(&self, actor: &Actor) -> bool {
        self.is_yours || actor.holdings.has(Permission::UpdateTeams)
    }

    /// May somebody who holds `present` be put into this team, or taken out of it? A team without
    /// roles gives nothing and takes nothing.
    ///
    /// # Errors
    /// As [`Holdings::may_change_roles`].
    fn may_change_membership(&self, actor: &Actor, present: &Holdings) -> Result<(), Ceiling> {
        if self.roles.is_empty() {
            return Ok(());
        }
        actor.holdings.may_change_roles(present, self.roles.iter().map(|role| &role.holdings))
    }

    /// May these roles be given to, or taken from, everybody in the team?
    async fn may_change_roles(
        &self,
        scope: &impl Scoped,
        actor: &Actor,
        roles: &[Role],
    ) -> Result<Result<(), Ceiling>, Refused> {
        // An Owner may, whoever is in it.
        let sets = if actor.holdings.is_owner() { Vec::new() } else { self.role_sets(scope).await? };
        let people = sets.iter().map(|set| role::holdings(&actor.all_roles.parse_slugs(&set.role_set)));
        Ok(actor.holdings.may_change_roles_of_all(people, roles.iter().map(|role| &role.holdings)))
    }

    /// May the team be deleted, which takes its roles from everybody in it?
    async fn may_delete(&self, scope: &impl Scoped, actor: &Actor) -> Result<Result<(), Ceiling>, Refused> {
        if self.roles.is_empty() {
            return Ok(Ok(()));
        }
        self.may_change_roles(scope, actor, &self.roles).await
    }

    /// What the people of this team hold: each combination once.
    async fn role_sets(&self, scope: &impl Scoped) -> Result<Vec<RoleSet>, Refused> {
        let sql = "SELECT DISTINCT m.role_set FROM team_members tm CROSS JOIN members m
            WHERE tm.workspace_id = $1 AND tm.team_id = $2
                AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id";
        Ok(scope.all(sql, vec![self.id.into()]).await?)
    }

    /// Stands for all of it as it is now, its people aside.
    pub fn whole_version(&self) -> String {
        let named = [&self.name, &self.description, &self.version()].map(String::clone);
        role::fingerprint(self.id.as_bytes(), named)
    }

    /// Stands for the set of roles that the team carries now, as on the Security page.
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

/// The same for who edits it.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Forbidden`].
pub async fn to_edit(s: &WriteScope<perm::Membership>, id: Uuid) -> Result<Team, Refused> {
    Team::load_to_edit(s, id).await
}

/// The team as it stands under the lock.
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
