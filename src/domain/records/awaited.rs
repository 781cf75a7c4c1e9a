//! Rows of users whom a service entered: members whom nobody can sign in as, until the person with their address
//! accepts. They have no claim on the address.

use crate::{
    domain::{
        base::{conflict::Conflict, refused::Refused},
        enforce::{rows::Scoped, transaction::Transaction, workspace::roles},
        records::{
            entries,
            members::{MemberOrigin, MemberRecord, join_as},
        },
    },
    entity::{member, member_role, team_member},
    policy::Holdings,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter, sea_query::Expr};
use uuid::Uuid;

/// What a user whom a service entered is as `users.email`: no address, so that it takes nobody's.
pub(in crate::domain) fn no_address(id: Uuid) -> String {
    format!("awaited:{}", id.simple())
}

/// What somebody reads whose membership that waits for them was suspended.
pub(in crate::domain) const SUSPENDED: Conflict = Conflict::new(
    "membership-suspended",
    "Your membership in this workspace is suspended. Ask an Owner or Admin of the workspace to reactivate it.",
);

/// The membership of a user whom a service entered.
#[derive(Clone, Debug, FromQueryResult)]
pub(in crate::domain) struct Awaited {
    pub member_id: Uuid,
    pub user_id: Uuid,
    status: String,
    external_id: Option<String>,
    added_by: Option<Uuid>,
}

/// The membership of this workspace that waits for the person with this address, be it active or suspended.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn find(scope: &impl Scoped, email: &str) -> Result<Option<Awaited>, Refused> {
    let sql = "SELECT m.id AS member_id, m.user_id, m.status, m.external_id, m.invited_by AS added_by
        FROM users p JOIN members m ON m.user_id = p.id AND m.workspace_id = $1
        WHERE p.awaited_email = $2 ORDER BY m.id LIMIT 1";
    Ok(scope.first(sql, vec![email.into()]).await?)
}

/// What stays when another row takes the place of such a membership.
pub(in crate::domain) struct KeptIds {
    user_id: Uuid,
    external_id: Option<String>,
}

/// A membership that waited, and in whose place another one is.
pub(in crate::domain) struct Absorbed {
    pub ids: KeptIds,
    /// As it was.
    pub member: MemberRecord,
}

/// Ends the membership that waits for the person with this address, who becomes a member in another way: by somebody
/// who holds this, and so could remove it. They must have confirmed the address.
///
/// # Errors
/// [`SUSPENDED`]; [`Refused::Ceiling`] for one that whoever takes the person in may not remove.
pub(in crate::domain) async fn absorb(
    open: &Transaction,
    email: &str,
    by: &Holdings,
) -> Result<Option<Absorbed>, Refused> {
    let Some(awaited) = find(open, email).await? else { return Ok(None) };
    if awaited.status != "active" {
        return Err(SUSPENDED.into());
    }
    let all = roles::load(open).await?;
    let member = MemberRecord::load(open, &all, awaited.member_id).await?;
    by.may_manage(&member.holdings())?;
    entries::end(open, awaited.member_id, awaited.user_id).await?;
    Ok(Some(Absorbed { ids: KeptIds { user_id: awaited.user_id, external_id: awaited.external_id }, member }))
}

/// Gives a new membership the ids by which services know it.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn keep_ids(
    open: &Transaction,
    member: Uuid,
    ids: Option<KeptIds>,
) -> Result<(), Refused> {
    use member::Column;
    let Some(ids) = ids else { return Ok(()) };
    let row = open.update::<member::Entity>().filter(Column::Id.eq(member));
    let row = row.col_expr(Column::ExternalId, Expr::value(ids.external_id));
    open.apply_to_one(row.col_expr(Column::ProvisionedAs, Expr::value(ids.user_id))).await
}

/// Makes the person the member that waited for them: with its id, its roles, its teams and its external id.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn accept(
    open: &Transaction,
    awaited: Awaited,
    user: Uuid,
) -> Result<(), Refused> {
    use team_member::Column;
    let id = awaited.member_id;
    let own = open.find::<member_role::Entity>().filter(member_role::Column::MemberId.eq(id));
    let roles: Vec<Uuid> = own.all(&open.tx).await?.into_iter().map(|row| row.role_id).collect();
    let teams = open.find::<team_member::Entity>().filter(Column::MemberId.eq(id)).all(&open.tx).await?;
    entries::end(open, id, awaited.user_id).await?;
    let origin = MemberOrigin::Service(awaited.added_by.unwrap_or(user));
    join_as(open, id, user, origin, &roles).await?;
    for team in teams {
        let row = team_member::ActiveModel {
            workspace_id: Set(team.workspace_id),
            team_id: Set(team.team_id),
            member_id: Set(id),
            is_lead: Set(team.is_lead),
            joined_at: Set(team.joined_at),
        };
        open.insert(row).await?;
    }
    keep_ids(open, id, Some(KeptIds { user_id: awaited.user_id, external_id: awaited.external_id })).await
}
