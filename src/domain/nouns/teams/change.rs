//! Creating, renaming and deleting a team, and changing its roles.

use crate::{
    domain::{
        base::{
            conflict::CHANGED,
            event::{Recorded, Target},
            invalid::Invalid,
            principal::Actor,
            refused::{Refused, is_duplicate},
            role::{Role, RoleIds, Roles},
            values::{Description, Name},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::teams::{
            MAX_TEAMS, Team,
            events::{TEAM, TeamCreated, TeamDeleted, TeamRolesChanged, TeamUpdated},
        },
    },
    entity::{team, team_member, team_role},
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

/// The key that the list sorts by, which is unique in the workspace.
fn sort_key(name: &Name) -> String {
    name.as_str().to_lowercase()
}

fn name_taken() -> Refused {
    Invalid::field("name", "Another team in this workspace already has this name.").into()
}

/// Creates a team, with nobody in it. Returns its id.
///
/// # Errors
/// [`Refused::Invalid`] on the field `name` where it is taken, or where there are too many teams.
pub async fn create(
    s: &mut WriteScope<perm::CreateTeams>,
    name: &Name,
    description: &Description,
) -> Result<Recorded<Uuid>, Refused> {
    if s.find::<team::Entity>().count(s.connection()).await? >= MAX_TEAMS {
        let sentence = format!("A workspace can have at most {MAX_TEAMS} teams. Delete one first.");
        return Err(Invalid::field("name", sentence).into());
    }
    let id = random::id(s.now());
    let row = team::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        name: Set(name.to_string()),
        sort_key: Set(sort_key(name)),
        description: Set(description.to_string()),
        created_at: Set(s.now()),
    };
    match s.open().insert(row).await {
        Err(error) if is_duplicate(&error) => return Err(name_taken()),
        other => other?,
    }
    let event = TeamCreated { description: description.to_string() };
    Ok(Recorded::new(id, event, Target::new(TEAM, id, name.to_string())))
}

/// The result of a change of name or description.
#[derive(Clone, Debug)]
pub struct Changed {
    pub name: String,
    pub is_change: bool,
}

/// Changes the name and description of a team.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Forbidden`] for someone who may not edit it, [`Refused::Invalid`] on the
/// field `name` if it is taken.
pub async fn update(
    s: &mut WriteScope<perm::Membership>,
    id: Uuid,
    name: &Name,
    description: &Description,
) -> Result<Recorded<Changed>, Refused> {
    let team = Team::load_to_edit(s, id).await?;
    let is_change = team.name != name.as_str() || team.description != description.as_str();
    let changed = Changed { name: name.to_string(), is_change };
    if !is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let row = s.open().update::<team::Entity>().filter(team::Column::Id.eq(id));
    let row = row
        .col_expr(team::Column::Name, Expr::value(name.as_str()))
        .col_expr(team::Column::SortKey, Expr::value(sort_key(name)))
        .col_expr(team::Column::Description, Expr::value(description.as_str()));
    match s.open().apply_to_one(row).await {
        Err(Refused::Failed(error)) if is_duplicate(&error) => return Err(name_taken()),
        other => other?,
    }
    let event = TeamUpdated {
        name_before: team.name.clone(),
        name_after: name.to_string(),
        description_before: team.description,
        description_after: description.to_string(),
    };
    Ok(Recorded::new(changed, event, Target::new(TEAM, id, name.to_string())))
}

/// A change of the roles of a team.
pub struct TeamRolesChange {
    /// Slugs: the full set.
    pub roles: Vec<String>,
    /// The version of the set that the editor saw.
    pub version: String,
}

/// The result of a change of a team's roles.
#[derive(Clone, Debug)]
pub struct RolesChanged {
    pub name: String,
    pub people: i64,
    /// Names.
    pub after: Vec<String>,
    /// Slugs before, for an Undo, and the version after, which it must name.
    pub undo: Vec<String>,
    pub version: String,
    pub is_change: bool,
}

/// Sets the roles of a team. Everybody in it holds them from their next request on.
///
/// # Errors
/// [`Refused::NotFound`], [`CHANGED`] after a concurrent change, [`Refused::Invalid`] on the field `role`,
/// [`Refused::Ceiling`] if one of the roles, before or after, or a person in the team holds more than the
/// actor may manage.
pub async fn set_roles(
    s: &mut WriteScope<perm::UpdateTeams>,
    id: Uuid,
    requested: &TeamRolesChange,
) -> Result<Recorded<RolesChanged>, Refused> {
    let (team, before, version) = plan(s, s.actor(), id, &requested.roles).await?;
    if requested.version != version {
        return Err(CHANGED.into());
    }
    team.may_assign_roles(s, s.actor(), &before).await?;
    let is_in = |set: &[Role], role: &Role| set.iter().any(|other| other.id == role.id);
    // New roles are added first, so that nobody loses access for a moment.
    for role in team.roles.iter().filter(|role| !is_in(&before, role)) {
        assign_role(s, id, role.id).await?;
    }
    for role in before.iter().filter(|role| !is_in(&team.roles, role)) {
        use team_role::Column;
        let row = s.open().delete::<team_role::Entity>().filter(Column::TeamId.eq(id));
        s.open().apply_to_one(row.filter(Column::RoleId.eq(role.id))).await?;
    }
    let names = |roles: &[Role]| -> Vec<String> { roles.iter().map(|role| role.name.clone()).collect() };
    let changed = RolesChanged {
        name: team.name.clone(),
        people: team.people,
        after: team.role_names(),
        undo: before.iter().map(|role| role.slug.clone()).collect(),
        version: team.version(),
        is_change: !before.iter().map(|role| role.id).eq(team.roles.iter().map(|role| role.id)),
    };
    if !changed.is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let event = TeamRolesChanged {
        before: names(&before),
        after: changed.after.clone(),
        people: team.people,
        ids: RoleIds::of(&before, &team.roles),
    };
    Ok(Recorded::new(changed, event, team.target()))
}

/// Returns the team as it would be with the given roles, its current roles, and their version.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Invalid`] on the field `role`.
pub(in crate::domain) async fn plan(
    scope: &impl Scoped,
    actor: &Actor,
    id: Uuid,
    roles: &[String],
) -> Result<(Team, Vec<Role>, String), Refused> {
    let mut team = Team::load(scope, actor, id).await?;
    let version = team.version();
    let after = chosen(&actor.all_roles, roles)?.into_iter().cloned().collect();
    let before = std::mem::replace(&mut team.roles, after);
    Ok((team, before, version))
}

impl Team {
    /// Checks that the team may have its roles in place of `before`.
    ///
    /// # Errors
    /// [`Refused::Ceiling`] if one of the roles, before or after, or a person in the team holds more than the
    /// actor may manage; [`Refused::Invalid`] on the field `role` for Owner.
    pub(in crate::domain) async fn may_assign_roles(
        &self,
        scope: &impl Scoped,
        actor: &Actor,
        before: &[Role],
    ) -> Result<(), Refused> {
        let concerned: Vec<Role> = before.iter().chain(&self.roles).cloned().collect();
        self.may_change_roles(scope, actor, &concerned).await??;
        if self.roles.iter().any(|role| role.is_owner) {
            let sentence =
                "A team can't have the Owner role. Assign it to one person at a time, on the Members page.";
            return Err(Invalid::field("role", sentence).into());
        }
        Ok(())
    }
}

/// The roles of the form. The set may be empty.
fn chosen<'a>(all: &'a Roles, slugs: &[String]) -> Result<Vec<&'a Role>, Invalid> {
    if slugs.is_empty() { Ok(Vec::new()) } else { all.chosen(slugs) }
}

async fn assign_role<P>(s: &WriteScope<P>, team: Uuid, role: Uuid) -> Result<(), Refused> {
    let row = team_role::ActiveModel {
        workspace_id: Set(s.workspace_id()),
        team_id: Set(team),
        role_id: Set(role),
    };
    Ok(s.open().insert(row).await?)
}

/// The result of deleting a team.
#[derive(Clone, Debug)]
pub struct Deleted {
    pub name: String,
    pub people: i64,
}

/// Deletes a team. Its people stay members, without the access that they had only through the team.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`] if the actor may not revoke its roles from everybody in it.
pub async fn delete(s: &mut WriteScope<perm::DeleteTeams>, id: Uuid) -> Result<Recorded<Deleted>, Refused> {
    let team = Team::load(s, s.actor(), id).await?;
    team.may_delete(s, s.actor()).await??;
    // Its people first, so that triggers compute what each of them holds once, and not for each role.
    let people = s.open().delete::<team_member::Entity>().filter(team_member::Column::TeamId.eq(id));
    s.open().apply(people).await?;
    s.open().apply_to_one(s.open().delete::<team::Entity>().filter(team::Column::Id.eq(id))).await?;
    let event = TeamDeleted { roles: team.role_names(), people: team.people };
    let target = team.target();
    Ok(Recorded::new(Deleted { name: team.name, people: team.people }, event, target))
}
