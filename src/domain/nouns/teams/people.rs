//! Adding people to a team, removing them, and appointing its leads.

use crate::{
    domain::{
        base::{event::Recorded, refused::Refused, selection::Selection},
        enforce::{rows::Scoped, write::WriteScope},
        nouns::{
            members::{MemberRecord, notify_of_roles},
            teams::{
                Team,
                events::{TeamLeadChanged, TeamMemberAdded, TeamMemberRemoved},
            },
        },
    },
    entity::team_member,
    policy::perm,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DeleteMany, QueryFilter, UpdateMany, sea_query::Expr};
use uuid::Uuid;

/// The result of a change to a member of a team.
#[derive(Clone, Debug)]
pub struct TeamMemberChange {
    pub team: String,
    pub name: String,
    /// False if nothing had to change.
    pub is_change: bool,
}

/// Adds members to a team: all of them or none. Members who are already in it stay.
///
/// # Errors
/// [`Refused::NotFound`] for the team or a member, [`Refused::Forbidden`] for someone who may not edit the
/// team, [`Refused::Ceiling`] if the actor may not assign the team's roles to one of them.
pub async fn add(
    s: &mut WriteScope<perm::Membership>,
    id: Uuid,
    selection: &Selection,
) -> Result<Recorded<Vec<TeamMemberChange>>, Refused> {
    let team = Team::load_to_edit(s, id).await?;
    let all = s.actor().all_roles.clone();
    let mut each = Vec::new();
    for member in selection.iter() {
        let member = MemberRecord::load(s, &all, member).await?;
        if member.user_id.is_none() {
            return Err(Refused::NotAllowed(
                "Only people can be in teams. Assign roles to the key directly.",
            ));
        }
        let is_change = !is_in(s, id, member.id).await?;
        let changed = TeamMemberChange { team: team.name.clone(), name: member.name.clone(), is_change };
        if !is_change {
            each.push(Recorded::unchanged(changed));
            continue;
        }
        member.not_behind_key(s.actor())?;
        team.may_add(s.actor(), &member.holdings())?;
        let row = team_member::ActiveModel {
            workspace_id: Set(s.workspace_id()),
            team_id: Set(id),
            member_id: Set(member.id),
            is_lead: Set(false),
            joined_at: Set(s.now()),
        };
        s.open().insert(row).await?;
        notify(s, &member).await?;
        let event = TeamMemberAdded { team: team.name.clone(), roles: team.role_names() };
        each.push(Recorded::new(changed, event, member.target()));
    }
    Ok(Recorded::together(each))
}

/// Removes a member from a team.
///
/// # Errors
/// [`Refused::NotFound`] for the team, or for someone who is not in it, [`Refused::Forbidden`] for someone
/// who may not edit the team, [`Refused::Ceiling`] if the actor may not revoke its roles from them.
pub async fn remove(
    s: &mut WriteScope<perm::Membership>,
    id: Uuid,
    member: Uuid,
) -> Result<Recorded<TeamMemberChange>, Refused> {
    let team = Team::load_to_edit(s, id).await?;
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, member).await?;
    // The membership is checked first: the ceiling must disclose nothing about other members.
    if !is_in(s, id, member.id).await? {
        return Err(Refused::NotFound);
    }
    member.not_behind_key(s.actor())?;
    team.may_change_membership(s.actor(), &member.holdings())?;
    let row: DeleteMany<team_member::Entity> = s.open().delete();
    let row = row.filter(team_member::Column::TeamId.eq(id));
    s.open().apply_to_one(row.filter(team_member::Column::MemberId.eq(member.id))).await?;
    notify(s, &member).await?;
    let event = TeamMemberRemoved { team: team.name.clone(), roles: team.role_names() };
    let changed = TeamMemberChange { team: team.name, name: member.name.clone(), is_change: true };
    Ok(Recorded::new(changed, event, member.target()))
}

/// Tells a member if the change of the team changed their roles. `before` is the member as they were.
async fn notify(s: &WriteScope<perm::Membership>, before: &MemberRecord) -> Result<(), Refused> {
    let all = s.actor().all_roles.clone();
    let (before_names, after) = (before.role_names(), MemberRecord::load(s, &all, before.id).await?);
    match after.role_names() {
        same if same == before_names => Ok(()),
        names => notify_of_roles(s, before, &before_names, &names).await,
    }
}

/// Makes a member of a team a lead, or no longer a lead. A lead is bound by the ceiling like everybody else,
/// so only the permission is checked.
///
/// # Errors
/// [`Refused::NotFound`] for the team, or for someone who is not in it.
pub async fn appoint(
    s: &mut WriteScope<perm::UpdateTeams>,
    id: Uuid,
    member: Uuid,
    is_lead: bool,
) -> Result<Recorded<TeamMemberChange>, Refused> {
    let team = Team::load(s, s.actor(), id).await?;
    let all = s.actor().all_roles.clone();
    let member = MemberRecord::load(s, &all, member).await?;
    if !is_in(s, id, member.id).await? {
        return Err(Refused::NotFound);
    }
    member.not_behind_key(s.actor())?;
    let row: UpdateMany<team_member::Entity> = s.open().update();
    let row = row
        .filter(team_member::Column::TeamId.eq(id))
        .filter(team_member::Column::MemberId.eq(member.id))
        .filter(team_member::Column::IsLead.ne(is_lead))
        .col_expr(team_member::Column::IsLead, Expr::value(is_lead));
    let is_change = s.open().apply(row).await? > 0;
    let changed = TeamMemberChange { team: team.name.clone(), name: member.name.clone(), is_change };
    if !is_change {
        return Ok(Recorded::unchanged(changed));
    }
    let event = TeamLeadChanged { team: team.name, is_lead };
    Ok(Recorded::new(changed, event, member.target()))
}

async fn is_in(scope: &impl Scoped, team: Uuid, member: Uuid) -> Result<bool, Refused> {
    use team_member::Column;
    let row = scope.find::<team_member::Entity>().filter(Column::TeamId.eq(team));
    let row = row.filter(Column::MemberId.eq(member)).one(scope.connection()).await?;
    Ok(row.is_some())
}
