//! Invitations: from the offer to the membership.
//!
//! [`send`] makes them, [`redeem`] takes them up, [`list`] shows them, [`bulk`] changes many at once; what
//! all of them need is here.

pub mod bulk;
mod list;
mod redeem;
mod send;

pub use list::{Filter, Listed, Listing, list, review};
pub use redeem::{Offer, accept, decline, look, look_as};
pub use send::{Batch, MOST_AT_ONCE, Outcome, Sent, resend, send};

pub(super) use send::spend;

use super::{
    Conflict, Event, Recorded, Refused, Target, TargetKind, roles,
    scope::{ReadScope, Scoped, Transaction, WriteScope},
};
use crate::{clock::DAY, entity::invitation, policy::perm};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, UpdateMany, sea_query::Expr};
use uuid::Uuid;

/// How long an invitation can be accepted, in milliseconds.
pub const LIFETIME: i64 = 7 * DAY;

#[derive(FromQueryResult)]
struct Existing {
    email: String,
    status: String,
    message: String,
    roles: Option<String>,
}

/// The invitation of this workspace with this id, whatever its state.
async fn existing(scope: &impl Scoped, id: Uuid) -> Result<Existing, Refused> {
    let sql = "SELECT i.email, i.message, i.status,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles
        FROM invitations i WHERE i.workspace_id = $1 AND i.id = $2";
    scope.first(sql, vec![id.into()]).await?.ok_or(Refused::Hidden)
}

/// One invitation, for the page that asks whether to withdraw it. Answers its address.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::NotPending`].
pub async fn address(scope: &ReadScope<perm::CancelInvitations>, id: Uuid) -> Result<String, Refused> {
    let invitation = existing(scope, id).await?;
    if invitation.status != "pending" {
        return Err(scope.refuse(Conflict::NotPending).await);
    }
    Ok(invitation.email)
}

/// Withdraws a pending invitation. Answers its address.
///
/// # Errors
/// [`Refused::Hidden`], [`Conflict::NotPending`].
pub async fn cancel(
    s: &mut WriteScope<perm::CancelInvitations>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let all = s.actor().all_roles.clone();
    let invitation = existing(s, id).await?;
    if close(s.open(), id, "cancelled").await? != 1 {
        return Err(Conflict::NotPending.into());
    }
    let names = roles::names(&all.joined(invitation.roles.as_deref().unwrap_or_default()));
    let target = Target::new(TargetKind::Invitation, id, invitation.email.clone());
    Ok(Recorded::new(invitation.email, Event::InvitationCancelled { roles: names }, target))
}

/// Ends a pending invitation. Of twenty at once, one sees a row.
async fn close(open: &Transaction, id: Uuid, status: &str) -> Result<u64, Refused> {
    let row = open.update::<invitation::Entity>().filter(invitation::Column::Id.eq(id));
    Ok(open.apply(ended(row, status, open.now)).await?)
}

/// Puts an end to those of these invitations that are pending.
pub(in crate::domain) fn ended(
    some: UpdateMany<invitation::Entity>,
    status: &str,
    now: i64,
) -> UpdateMany<invitation::Entity> {
    use invitation::Column;
    some.filter(Column::Status.eq("pending"))
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::EndedAt, Expr::value(now))
}
