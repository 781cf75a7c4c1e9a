//! Rows of users whom a service entered: members whom nobody can sign in as, until the person with their address
//! accepts. They have no claim on the address.

use crate::{
    domain::{
        base::{conflict::Conflict, refused::Refused, source::Source},
        enforce::{rows::Scoped, transaction::Transaction, workspace::roles},
        records::{
            entries,
            given_roles::Gift,
            members::{MemberOrigin, MemberRecord, join_as, set_access_until},
        },
    },
    entity::{member, member_role, resource, team_member},
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
    member_id: Uuid,
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
    Ok(Some(Absorbed { ids: KeptIds::of(awaited), member }))
}

impl KeptIds {
    fn of(awaited: Awaited) -> Self {
        Self { member_id: awaited.member_id, user_id: awaited.user_id, external_id: awaited.external_id }
    }
}

/// Gives a new membership the ids by which services know it, and the resources that belong to the one before.
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
    if ids.member_id != member {
        let owned = open.update::<resource::Entity>().filter(resource::Column::OwnerId.eq(ids.member_id));
        open.apply(owned.col_expr(resource::Column::OwnerId, Expr::value(member))).await?;
    }
    let row = open.update::<member::Entity>().filter(Column::Id.eq(member));
    let row = row.col_expr(Column::ExternalId, Expr::value(ids.external_id));
    open.apply_to_one(row.col_expr(Column::ProvisionedAs, Expr::value(ids.user_id))).await
}

/// Makes the person the member that waited for them: with its id, its roles, its teams, its external id, and until when
/// all of that lasts.
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
    let answers = awaited.added_by.unwrap_or(user);
    let given = |row: member_role::Model| {
        let (source, by) = (Source::parse(&row.source), row.given_by.unwrap_or(answers));
        (row.role_id, Gift { source, by, ends_at: row.ends_at })
    };
    let roles: Vec<(Uuid, Gift)> = own.all(&open.tx).await?.into_iter().map(given).collect();
    let row = open.find::<member::Entity>().filter(member::Column::Id.eq(id));
    let row = row.one(&open.tx).await?.ok_or(Refused::NotFound)?;
    let teams = open.find::<team_member::Entity>().filter(Column::MemberId.eq(id)).all(&open.tx).await?;
    entries::end(open, id, awaited.user_id).await?;
    join_as(open, id, user, MemberOrigin::Service(answers), &roles).await?;
    if row.access_until.is_some() {
        set_access_until(open, id, row.access_until, row.access_set_by).await?;
    }
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
    keep_ids(open, id, Some(KeptIds::of(awaited))).await
}
