//! Reading purchases.

use crate::{
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::purchases::{FIELDS, Purchase, SELECT, load},
    },
    policy::perm,
};
use uuid::Uuid;

/// Lists purchases and requests, the latest first.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::PurchaseCredits>,
    at: &Position,
) -> Result<Page<Purchase>, Refused> {
    let (mut sql, mut values) = (SELECT.to_owned(), vec![scope.now().into()]);
    let order = Order { column: "p.requested_at", is_text: false, id: "p.id", descending: true };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Purchase> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Number(row.requested_at.as_millis()), row.id)))
}

/// One purchase.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such purchase.
pub async fn get(scope: &ReadScope<perm::PurchaseCredits>, id: Uuid) -> Result<Purchase, Refused> {
    load(scope, id, scope.now()).await
}

/// The requests that wait, those that expire soonest first.
///
/// # Errors
/// The database's own.
pub async fn waiting(scope: &ReadScope<perm::PurchaseCredits>) -> Result<Vec<Purchase>, Refused> {
    let sql = format!(
        "{SELECT} AND p.status = 'pending' AND p.expires_at > $2 ORDER BY p.expires_at, p.id LIMIT 20"
    );
    Ok(scope.list(&FIELDS, &sql, vec![scope.now().into()]).await?)
}
