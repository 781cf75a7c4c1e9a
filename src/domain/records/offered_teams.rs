//! The teams that an offer to join leads into.

use crate::{
    domain::{
        base::{
            invalid::Invalid,
            refused::Refused,
            role::{Role, Roles},
        },
        enforce::{rows::Scoped, transaction::Transaction},
    },
    entity::team_member,
    policy::{Ceiling, Holdings, Permission},
};
use sea_orm::{ActiveValue::Set, FromQueryResult, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most teams of one offer.
pub const MAX_TEAMS: usize = 20;

/// A team that an offer leads into, or that could be chosen for one.
#[derive(Clone, Debug)]
pub struct OfferedTeam {
    pub id: Uuid,
    pub name: String,
    /// The roles that everybody in it has.
    pub roles: Vec<Role>,
}

/// What an offer is.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) enum OfferKind {
    Invitation,
    Link,
}

impl OfferKind {
    const fn table(self) -> (&'static str, &'static str) {
        match self {
            Self::Invitation => ("invitation_teams", "invitation_id"),
            Self::Link => ("join_link_teams", "link_id"),
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    name: String,
    roles: Option<String>,
}

impl Row {
    fn with(self, all: &Roles) -> OfferedTeam {
        let roles = all.parse_slugs(self.roles.as_deref().unwrap_or_default());
        let roles = roles.into_iter().cloned().collect();
        OfferedTeam { id: self.id, name: self.name, roles }
    }
}

const COLUMNS: &str = "SELECT t.id, t.name,
        (SELECT string_agg(r.slug, ' ') FROM team_roles tr
            JOIN roles r ON r.workspace_id = tr.workspace_id AND r.id = tr.role_id
            WHERE tr.workspace_id = t.workspace_id AND tr.team_id = t.id) AS roles";

/// The teams of an offer, by name. One that was deleted since is not among them.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn of(
    scope: &impl Scoped,
    kind: OfferKind,
    offer: Uuid,
    all: &Roles,
) -> Result<Vec<OfferedTeam>, Refused> {
    let (table, column) = kind.table();
    let sql = format!(
        "{COLUMNS} FROM {table} o CROSS JOIN teams t WHERE o.workspace_id = $1 AND o.{column} = $2
            AND t.workspace_id = o.workspace_id AND t.id = o.team_id ORDER BY t.listed_as || ''"
    );
    let rows: Vec<Row> = scope.all(&sql, vec![offer.into()]).await?;
    Ok(rows.into_iter().map(|row| row.with(all)).collect())
}

/// The teams with these ids, by name.
///
/// # Errors
/// [`Refused::Invalid`] on the field `team` for one that this workspace does not have, or for too many.
pub(in crate::domain) async fn chosen(
    scope: &impl Scoped,
    ids: &[Uuid],
    all: &Roles,
) -> Result<Vec<OfferedTeam>, Refused> {
    let ids: BTreeSet<Uuid> = ids.iter().copied().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    if ids.len() > MAX_TEAMS {
        return Err(Invalid::field("team", format!("Choose at most {MAX_TEAMS} teams.")).into());
    }
    let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!(
        "{COLUMNS} FROM teams t WHERE t.workspace_id = $1 AND t.id IN ({}) ORDER BY t.listed_as || ''",
        places.join(", ")
    );
    let values: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
    let rows: Vec<Row> = scope.all(&sql, values).await?;
    if rows.len() != ids.len() {
        return Err(Invalid::field("team", "Choose teams of this workspace.").into());
    }
    Ok(rows.into_iter().map(|row| row.with(all)).collect())
}

/// All teams of the workspace, by name: there are no more than fit on a page.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn all(scope: &impl Scoped, all: &Roles) -> Result<Vec<OfferedTeam>, Refused> {
    let sql = format!("{COLUMNS} FROM teams t WHERE t.workspace_id = $1 ORDER BY t.listed_as");
    let rows: Vec<Row> = scope.all(&sql, Vec::new()).await?;
    Ok(rows.into_iter().map(|row| row.with(all)).collect())
}

/// Checks that somebody who holds this may offer these roles and teams, or that such an offer is still valid: they may
/// assign the roles, those of the teams too, and may edit teams.
///
/// # Errors
/// As [`Holdings::may_invite`]; with teams, [`Ceiling::Lacks`] the permission to update them.
pub(in crate::domain) fn may_offer(
    inviter: &Holdings,
    roles: &[&Role],
    teams: &[OfferedTeam],
) -> Result<(), Ceiling> {
    let of_teams = teams.iter().flat_map(|team| &team.roles);
    inviter.may_invite(roles.iter().copied().chain(of_teams).map(|role| &role.holdings))?;
    match teams.is_empty() || inviter.has(Permission::UpdateTeams) {
        true => Ok(()),
        false => Err(Ceiling::Lacks(vec![Permission::UpdateTeams.scope().to_owned()])),
    }
}

/// Puts a new member into these teams, without a permission check.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn join(
    open: &Transaction,
    member: Uuid,
    teams: &[OfferedTeam],
) -> Result<(), Refused> {
    for team in teams {
        let row = team_member::ActiveModel {
            workspace_id: Set(open.workspace_id()),
            team_id: Set(team.id),
            member_id: Set(member),
            is_lead: Set(false),
            joined_at: Set(open.now),
        };
        open.insert(row).await?;
    }
    Ok(())
}

/// The names of teams.
pub(in crate::domain) fn names(teams: &[OfferedTeam]) -> Vec<String> {
    teams.iter().map(|team| team.name.clone()).collect()
}
