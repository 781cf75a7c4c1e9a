//! Credits that were bought, as billing sees them: lines of an invoice, and what is not paid for yet.

use crate::{
    clock::Timestamp,
    domain::{
        enforce::rows::Scoped,
        nouns::{
            billing::{cost::Month, line::Line},
            credits::book::InTransaction,
        },
    },
};
use sea_orm::{DbErr, FromQueryResult};

/// What was bought in a month, as lines of its invoice.
pub(super) async fn lines(scope: &impl Scoped, month: Month) -> Result<Vec<Line>, DbErr> {
    let sql = "SELECT 'credits' AS kind, p.name, CAST(1 AS BIGINT) AS quantity, p.price AS unit_price,
            p.decided_at AS from_at, p.decided_at AS until_at, p.price AS amount
        FROM credit_purchases p WHERE p.workspace_id = $1 AND p.status = 'bought' AND p.month = $2
        ORDER BY p.decided_at, p.id";
    scope.all(sql, vec![month.start().into()]).await
}

#[derive(FromQueryResult)]
struct Sum {
    sum: i64,
}

/// What the credits cost that were bought in a month.
pub(super) async fn total(scope: &impl Scoped, month: Month) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(p.price), 0) AS BIGINT) AS sum FROM credit_purchases p
        WHERE p.workspace_id = $1 AND p.status = 'bought' AND p.month = $2";
    let sum: Option<Sum> = scope.first(sql, vec![month.start().into()]).await?;
    Ok(sum.map_or(0, |sum| sum.sum))
}

/// What the credits cost that were bought, and are on no invoice that is paid.
pub(in crate::domain) async fn unpaid(scope: &impl Scoped) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(p.price), 0) AS BIGINT) AS sum FROM credit_purchases p
        WHERE p.workspace_id = $1 AND p.status = 'bought' AND p.paid_at IS NULL";
    let sum: Option<Sum> = scope.first(sql, Vec::new()).await?;
    Ok(sum.map_or(0, |sum| sum.sum))
}

/// Those on the invoice of a month are paid.
pub(super) async fn mark_paid<S: InTransaction>(
    s: &S,
    month: Timestamp,
    now: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE credit_purchases SET paid_at = $3 WHERE workspace_id = $1 AND status = 'bought' AND month = $2";
    s.run(sql, vec![month.into(), now.into()]).await.map(drop)
}
