//! The teams of a form that invites.

use crate::{
    domain::{Refused, enforce::read::ReadScope, nouns::teams},
    policy::{Access, Permission, perm},
};
use uuid::Uuid;

/// Teams to choose from, each with whether it is ticked.
pub(in crate::web::routes) type TeamChoices = Vec<(TeamChoice, bool)>;

/// A team that invited people can come into.
pub(in crate::web::routes) struct TeamChoice {
    pub(in crate::web::routes) id: Uuid,
    pub(in crate::web::routes) name: String,
    /// Names of its roles, joined with ", ".
    pub(in crate::web::routes) roles: String,
    /// Why the viewer may not choose it; empty if they may.
    pub(in crate::web::routes) why_not: String,
}

/// The teams that the viewer may invite people into.
pub(in crate::web::routes) async fn team_choices<P: Access>(
    scope: &ReadScope<P>,
) -> Result<Vec<TeamChoice>, Refused> {
    let holdings = &scope.actor().holdings;
    let may = [Permission::InviteMembers, Permission::UpdateTeams].into_iter().all(|one| holdings.has(one));
    let Some(reads) = scope.duplicate().narrow::<perm::ReadTeams>().filter(|_| may) else {
        return Ok(Vec::new());
    };
    let choice = |team: teams::Team| TeamChoice {
        id: team.id,
        roles: team.roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>().join(", "),
        why_not: team
            .roles
            .iter()
            .find_map(|role| holdings.may_assign(&role.holdings).err())
            .map(|ceiling| ceiling.to_string())
            .unwrap_or_default(),
        name: team.name,
    };
    Ok(teams::list(&reads).await?.into_iter().map(choice).collect())
}

/// The given teams, with those in `ticked` ticked.
pub(in crate::web::routes) fn ticked(teams: Vec<TeamChoice>, ticked: &[Uuid]) -> TeamChoices {
    let choice = |team: TeamChoice| {
        let is_ticked = ticked.contains(&team.id);
        (team, is_ticked)
    };
    teams.into_iter().map(choice).collect()
}
