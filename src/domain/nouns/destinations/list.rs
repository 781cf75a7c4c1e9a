//! Reading destinations.

use crate::{
    domain::{
        base::{
            paging::{Cursor, Key, Order, Page, Position},
            refused::Refused,
            sql::like,
            values::folded,
        },
        enforce::{read::ReadScope, rows::Scoped},
        nouns::destinations::{
            Destination, FIELDS, SELECT,
            credential::{self, Credential},
            senders::Senders,
        },
    },
    policy::perm,
};
use sea_orm::Value;
use uuid::Uuid;

/// Which destinations to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the host, in ASCII or Unicode, or of the description. Empty for all destinations.
    pub text: String,
    pub is_paused: Option<bool>,
}

/// Lists destinations, by host.
///
/// # Errors
/// [`Refused::Invalid`] for a page link of another list.
pub async fn list(
    scope: &ReadScope<perm::ReadDestinations>,
    filter: &Filter,
    at: &Position,
) -> Result<Page<Destination>, Refused> {
    let (mut sql, mut values): (String, Vec<Value>) = (SELECT.to_owned(), Vec::new());
    if !filter.text.is_empty() {
        values.push(like(&folded(&filter.text)).into());
        sql.push_str(" AND d.search_text LIKE $2 ESCAPE '!'");
    }
    match filter.is_paused {
        Some(true) => sql.push_str(" AND d.paused_at IS NOT NULL"),
        Some(false) => sql.push_str(" AND d.paused_at IS NULL"),
        None => {}
    }
    let order = Order { column: "d.host", is_text: true, id: "", descending: false };
    order.append_to(&mut sql, &mut values, at)?;
    let rows: Vec<Destination> = scope.list(&FIELDS, &sql, values).await?;
    Ok(Page::from_rows(rows, at, |row| Cursor::new(Key::Text(row.host.clone()), row.id)))
}

/// A destination with everything that its page shows.
pub struct DestinationDetail {
    pub destination: Destination,
    pub senders: Senders,
    pub credential: Option<Credential>,
}

/// One destination, with its senders and what is known of its credential.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn detail(
    scope: &ReadScope<perm::ReadDestinations>,
    id: Uuid,
) -> Result<DestinationDetail, Refused> {
    let destination = Destination::load(scope, id).await?;
    let senders = Senders::load(scope, &destination).await?;
    let credential = credential::of(scope, &destination, scope.now()).await?;
    Ok(DestinationDetail { destination, senders, credential })
}

/// One destination.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn get(scope: &ReadScope<perm::ReadDestinations>, id: Uuid) -> Result<Destination, Refused> {
    Destination::load(scope, id).await
}

/// Loads the destination to delete, for the confirmation page.
///
/// # Errors
/// As [`get`].
pub async fn to_delete(
    scope: &ReadScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Destination, Refused> {
    Destination::load(scope, id).await
}
