//! What Stripe sent, each message once. A message changes nothing but when something is looked at again, so neither their
//! order matters nor whether one is lost.

use crate::domain::base::{db::Db, sql::Sql};
use sea_orm::DbErr;

/// A message whose signature was checked, and what it is about.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    /// Ids at Stripe, which may be those of others.
    pub invoice: Option<&'a str>,
    pub customer: Option<&'a str>,
    /// The page that the customer completed.
    pub session: Option<&'a str>,
}

/// Notes a message, and has what it is about looked at. Returns whether it came for the first time.
///
/// # Errors
/// The database's own. Then it is sent again.
pub async fn take(db: &Db, hint: &Hint<'_>) -> Result<bool, DbErr> {
    let now = db.now();
    let tx = db.begin().await?;
    let sql =
        "INSERT INTO provider_events (id, kind, received_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    let is_new = tx.run(sql, vec![hint.id.into(), hint.kind.into(), now.into()]).await? == 1;
    if is_new {
        if let Some(invoice) = hint.invoice {
            let sql = "UPDATE provider_invoices SET due_at = $2
                WHERE provider_id = $1 AND status IN ('waiting', 'open', 'closed')";
            tx.run(sql, vec![invoice.into(), now.into()]).await?;
        }
        if let Some(customer) = hint.customer {
            // Somebody may have opened several pages, of which the last one is known.
            let sql = "UPDATE provider_customers SET due_at = $2, session = COALESCE($3, session) WHERE customer = $1";
            tx.run(sql, vec![customer.into(), now.into(), hint.session.into()]).await?;
        }
    }
    tx.commit().await?;
    Ok(is_new)
}
