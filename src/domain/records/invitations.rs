//! Rows of invitations.

use crate::{
    clock::Timestamp,
    domain::{
        base::{limits, refused::Refused},
        enforce::{read::ReadScope, rows::Scoped, transaction::Transaction},
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
pub(in crate::domain) async fn spend<P: crate::policy::Access>(
    scope: &ReadScope<P>,
    addresses: usize,
) -> Result<(), Refused> {
    let principal = &scope.actor().principal;
    let limit = if principal.is_verified() { limits::INVITE } else { limits::INVITE_UNVERIFIED };
    let cost = i64::try_from(addresses).unwrap_or(i64::MAX);
    limit.spend(scope.db(), &principal.accountable_user().to_string(), cost).await
}
