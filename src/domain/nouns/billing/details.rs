//! The name of a workspace and the contact of its billing, as Stripe has them: it is told when one of them changes.

use crate::{clock::Timestamp, domain::nouns::credits::book::InTransaction};
use sea_orm::DbErr;

/// Stripe is to be told what this transaction changes, as soon as it is committed.
pub(in crate::domain) async fn changed<S: InTransaction>(s: &S, now: Timestamp) -> Result<(), DbErr> {
    let sql = "UPDATE provider_customers SET details_at = $2, due_at = $2 WHERE workspace_id = $1";
    s.run(sql, vec![now.into()]).await.map(drop)
}
