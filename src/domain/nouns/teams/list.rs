//! Loading teams: all of them, one with its people, and who could be added to it.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            paging::{Cursor, Key, Order, PAGE_SIZE, Page, Position},
            refused::Refused,
            role::{self, Assignable, Role},
            values::folded,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::{
            members::like,
            teams::{COLUMNS, FIELDS, Row, Team, viewer_values},
        },
    },
    policy::{Ceiling, Permission, perm},
};
use sea_orm::Value;
use serde::Deserialize;
use uuid::Uuid;

/// All teams, by name: a workspace has no more of them than fit on a page.
///
/// # Errors
/// The database's own.
pub async fn list(scope: &ReadScope<perm::ReadTeams>) -> Result<Vec<Team>, Refused> {
    let actor = scope.actor();
    let sql = format!("{COLUMNS} ORDER BY t.listed_as");
    let rows: Vec<Row> = scope.list(&FIELDS, &sql, viewer_values(actor)).await?;
    Ok(rows.into_iter().map(|row| row.with(&actor.all_roles)).collect())
}

/// A person in a team, or one who could be added.
#[derive(Deserialize)]
struct PersonRow {
    member_id: Uuid,
    user_id: Option<Uuid>,
    name: String,
    email: String,
    status: String,
    role_set: String,
    joined_at: Timestamp,
    leads: i64,
}

const PERSON: [&str; 8] =
    ["member_id", "user_id", "name", "email", "status", "role_set", "joined_at", "leads"];

/// A person in a team, as the viewer sees them.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    /// `None` for a viewer who may not see members.
    pub email: Option<String>,
    pub is_active: bool,
    pub is_you: bool,
    pub is_lead: bool,
    /// When they joined the team.
    pub joined_at: Timestamp,
    /// Why the viewer may not remove them; `None` if the ceiling allows it.
    pub refused: Option<Ceiling>,
}

/// One team with a page of its people, and what the viewer could do.
pub struct TeamDetail {
    pub team: Team,
    pub page: Page<Person>,
    /// The version of the team's roles, which a change of them must name.
    pub version: String,
    /// The roles that a team can have.
    pub roles: Vec<Assignable>,
    /// Why the viewer may not change the team's roles; `None` if the ceiling allows it, or if they don't have
    /// the permission anyway.
    pub refused: Option<Ceiling>,
}

/// Loads one team. The people who joined last come first.
///
/// # Errors
/// [`Refused::NotFound`] if this workspace has no such team, [`Refused::Invalid`] for a page link of another
/// list.
pub async fn get(scope: &ReadScope<perm::ReadTeams>, id: Uuid, at: &Position) -> Result<TeamDetail, Refused> {
    let actor = scope.actor();
    let team = Team::load(scope, actor, id).await?;
    let mut values: Vec<Value> = vec![id.into()];
    let mut sql = "SELECT tm.member_id, m.user_id, u.name, COALESCE(u.awaited_email, u.email) AS email, m.status, m.role_set, tm.joined_at,
            CASE WHEN tm.is_lead THEN 1 ELSE 0 END AS leads
        FROM team_members tm CROSS JOIN members m CROSS JOIN users u
        WHERE tm.workspace_id = $1 AND tm.team_id = $2
            AND m.workspace_id = tm.workspace_id AND m.id = tm.member_id AND u.id = m.user_id"
        .to_owned();
    let order = Order { column: "tm.joined_at", is_text: false, id: "tm.member_id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<PersonRow> = scope.list(&PERSON, &sql, values).await?;
    let page =
        Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.joined_at.as_millis()), row.member_id));
    let sees_members = actor.holdings.has(Permission::ReadMembers);
    let page = page.map(|row| {
        let held = role::holdings(&actor.all_roles.parse_slugs(&row.role_set));
        Person {
            id: row.member_id,
            user_id: row.user_id,
            name: row.name,
            email: sees_members.then_some(row.email),
            is_active: row.status == "active",
            is_you: row.member_id == actor.member_id,
            is_lead: row.leads > 0,
            joined_at: row.joined_at,
            refused: team.may_change_membership(actor, &held).err(),
        }
    });
    let changes_all = [Permission::UpdateTeams, Permission::DeleteTeams];
    let refused = match changes_all.into_iter().any(|permission| actor.holdings.has(permission)) {
        true => team.may_change_roles(scope, actor, &team.roles).await?.err(),
        false => None,
    };
    Ok(TeamDetail {
        page,
        version: team.version(),
        roles: role::assignable_roles(&actor.all_roles, &actor.holdings)
            .into_iter()
            .filter(|role| !role.is_owner)
            .collect(),
        refused,
        team,
    })
}

/// A member who is not in the team yet.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub name: String,
    pub email: String,
    pub is_active: bool,
    pub roles: Vec<Role>,
    /// Why the viewer may not add them; `None` if they may.
    pub refused: Option<Ceiling>,
}

/// Members who are not in the team, by name, with the given text in their name or address; and whether there
/// are more of them.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Forbidden`] for someone who may not edit the team.
pub async fn candidates(
    scope: &ReadScope<perm::ReadMembers>,
    id: Uuid,
    text: &str,
) -> Result<(Team, Vec<Candidate>, bool), Refused> {
    let actor = scope.actor();
    let team = Team::load(scope, actor, id).await?;
    if !team.is_yours {
        scope.require(Permission::UpdateTeams).await?;
    }
    let mut values: Vec<Value> = vec![id.into()];
    let mut sql = "SELECT m.id AS member_id, m.user_id, u.name, COALESCE(u.awaited_email, u.email) AS email, m.status, m.role_set, m.joined_at,
            0 AS leads
        FROM members m CROSS JOIN users u
        WHERE m.workspace_id = $1 AND u.id = m.user_id AND NOT EXISTS (SELECT 1 FROM team_members tm
            WHERE tm.workspace_id = m.workspace_id AND tm.team_id = $2 AND tm.member_id = m.id)"
        .to_owned();
    if !text.is_empty() {
        values.push(like(&folded(text)).into());
        sql.push_str(" AND m.listed_as LIKE $3 ESCAPE '!'");
    }
    let order = Order { column: "m.listed_as", is_text: true, id: "m.id", descending: false };
    order.append_to(&mut sql, &mut values, &Position::FIRST)?;
    let mut rows: Vec<PersonRow> = scope.list(&PERSON, &sql, values).await?;
    let is_cut = rows.len() > PAGE_SIZE;
    rows.truncate(PAGE_SIZE);
    let candidate = |row: PersonRow| {
        let held = actor.all_roles.parse_slugs(&row.role_set);
        Candidate {
            id: row.member_id,
            user_id: row.user_id,
            name: row.name,
            email: row.email,
            is_active: row.status == "active",
            refused: team.may_add(actor, &role::holdings(&held)).err(),
            roles: held.into_iter().cloned().collect(),
        }
    };
    let candidates = rows.into_iter().map(candidate).collect();
    Ok((team, candidates, is_cut))
}

/// Loads the team to delete, for the confirmation page.
///
/// # Errors
/// [`Refused::NotFound`], [`Refused::Ceiling`] if the actor may not revoke its roles from its people.
pub async fn check_deletion(scope: &ReadScope<perm::DeleteTeams>, id: Uuid) -> Result<Team, Refused> {
    let team = Team::load(scope, scope.actor(), id).await?;
    match team.may_delete(scope, scope.actor()).await? {
        Ok(()) => Ok(team),
        Err(ceiling) => Err(scope.refuse(ceiling).await),
    }
}
