//! Rows of ownership offers.

use crate::{
    clock::Timestamp,
    domain::{
        base::refused::Refused,
        enforce::{rows::Scoped, transaction::Transaction, write::WriteScope},
    },
    entity::ownership_offer,
};
use sea_orm::{ColumnTrait, QueryFilter, UpdateMany, sea_query::Expr};
use uuid::Uuid;

/// Withdraws the offers of a member who is no longer an active Owner, so that they are not valid again if the
/// member becomes an Owner again.
pub(in crate::domain) async fn end_offers_of<P>(s: &WriteScope<P>, member: Uuid) -> Result<(), Refused> {
    end_offers_in(s.open(), member).await
}

/// [`end_offers_of`], in this transaction.
pub(in crate::domain) async fn end_offers_in(open: &Transaction, member: Uuid) -> Result<(), Refused> {
    let theirs = open.update::<ownership_offer::Entity>();
    let theirs = theirs.filter(ownership_offer::Column::FromMemberId.eq(member));
    open.apply(ended(theirs, "cancelled", open.now)).await?;
    Ok(())
}

/// A statement that ends the pending ones among the given offers.
pub(in crate::domain) fn ended(
    some: UpdateMany<ownership_offer::Entity>,
    status: &str,
    now: Timestamp,
) -> UpdateMany<ownership_offer::Entity> {
    use ownership_offer::Column;
    some.filter(Column::Status.eq("pending"))
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::EndedAt, Expr::value(now))
}
