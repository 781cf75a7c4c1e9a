//! Rows of invitations.

use crate::{
    clock::Timestamp,
    domain::{
        base::{limits, refused::Refused},
        enforce::{read::ReadScope, rows::Scoped, transaction::Transaction},
        records::mail,
    },
    entity::invitation,
};
use sea_orm::{ColumnTrait, QueryFilter, UpdateMany, sea_query::Expr};
use uuid::Uuid;

/// Ends a pending invitation. Of twenty requests at once, one affects a row.
pub(in crate::domain) async fn close(open: &Transaction, id: Uuid, status: &str) -> Result<u64, Refused> {
    let row = open.update::<invitation::Entity>().filter(invitation::Column::Id.eq(id));
    Ok(open.apply(ended(row, status, open.now)).await?)
}

/// A statement that ends the pending ones among the given invitations.
pub(in crate::domain) fn ended(
    some: UpdateMany<invitation::Entity>,
    status: &str,
    now: Timestamp,
) -> UpdateMany<invitation::Entity> {
    use invitation::Column;
    some.filter(Column::Status.eq("pending"))
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::EndedAt, Expr::value(now))
}

/// Counts mail to strangers against the limit of the person who causes it.
///
/// # Errors
/// [`Refused::Prerequisite`] to somebody whose address is not confirmed, [`Refused::RateLimited`].
pub(in crate::domain) async fn spend<P: crate::policy::Access>(
    scope: &ReadScope<P>,
    addresses: usize,
) -> Result<(), Refused> {
    if let Err(refused) = mail::may_send(scope.actor()) {
        return Err(scope.refuse(refused).await);
    }
    let cost = i64::try_from(addresses).unwrap_or(i64::MAX);
    let sender = scope.actor().principal.accountable_user().to_string();
    limits::INVITE.check(scope.db(), &sender).await?;
    limits::INVITE.spend(scope.db(), &sender, cost).await
}
