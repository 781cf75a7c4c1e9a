//! Adding, changing, pausing and deleting a destination.

use crate::{
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            refused::{Refused, is_duplicate},
            values::{Description, folded},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::credits::MAX_AMOUNT,
        nouns::destinations::{
            Destination, MAX_DESTINATIONS, MAX_RATE,
            events::{
                DestinationAdded, DestinationDeleted, DestinationPaused, DestinationRequestsChanged,
                DestinationResumed, DestinationUpdated,
            },
            host::{ECHO, Host},
            pattern::{HostPattern, shown},
        },
    },
    entity::destination::{self, Column},
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use url::Url;
use uuid::Uuid;

/// Adds a host, or the hosts below a domain, to those that the workspace allows.
///
/// # Errors
/// [`Refused::Invalid`] on the field `host` if it is not public and the operator doesn't allow it by that name, if it is
/// this installation's own, if the workspace already has it, or if it has [`MAX_DESTINATIONS`].
pub async fn add(
    s: &mut WriteScope<perm::ManageDestinations>,
    host: &HostPattern,
    description: &Description,
) -> Result<Recorded<Destination>, Refused> {
    if let HostPattern::Exact(host) = host
        && (host.as_str() == ECHO || !s.open().db.allows_host(host.as_str()))
    {
        host.ensure_public().map_err(invalid)?;
    }
    insert(s, host, description).await
}

/// Adds the host for which Bailiwick itself answers. Nobody can add it by its name.
///
/// # Errors
/// [`Refused::Invalid`] on the field `host` if the workspace already has it, or if it has [`MAX_DESTINATIONS`].
pub async fn add_echo(
    s: &mut WriteScope<perm::ManageDestinations>,
    description: &Description,
) -> Result<Recorded<Destination>, Refused> {
    insert(s, &HostPattern::Exact(Host::echo()), description).await
}

async fn insert(
    s: &mut WriteScope<perm::ManageDestinations>,
    host: &HostPattern,
    description: &Description,
) -> Result<Recorded<Destination>, Refused> {
    if is_own(host, s.open().db.public_url()) {
        return Err(invalid("This is the host of Bailiwick itself. Enter another one."));
    }
    if s.find::<destination::Entity>().count(s.connection()).await? >= MAX_DESTINATIONS {
        let sentence = format!("A workspace has at most {MAX_DESTINATIONS} destinations. Delete one first.");
        return Err(invalid(sentence));
    }
    let (id, principal) = (random::id(s.now()), &s.actor().principal);
    let row = destination::ActiveModel {
        id: Set(id),
        workspace_id: Set(s.workspace_id()),
        host: Set(host.to_string()),
        description: Set(description.to_string()),
        search_text: Set(search_text(&host.to_string(), description)),
        created_by: Set(principal.accountable_user()),
        created_by_key_id: Set(principal.key_id()),
        created_at: Set(s.now()),
        paused_at: Set(None),
        is_wildcard: Set(host.is_wildcard()),
        ..Default::default()
    };
    match s.open().insert(row).await {
        Err(error) if is_duplicate(&error) => {
            return Err(invalid("This workspace already has this destination."));
        }
        other => other?,
    }
    let added = Destination::load(s, id).await?;
    let (event, target) = (DestinationAdded { description: added.description.clone() }, added.target());
    Ok(Recorded::new(added, event, target))
}

fn invalid(complaint: impl Into<String>) -> Refused {
    Invalid::field("host", complaint).into()
}

/// True if the host in the public URL of this installation is meant, or one of those that are.
fn is_own(host: &HostPattern, public_url: &str) -> bool {
    let own = Url::parse(public_url).ok();
    let own = own.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.matches(own.trim_end_matches('.'))
}

/// The text that the list is searched in.
fn search_text(host: &str, description: &Description) -> String {
    folded(&format!("{host}\n{}\n{description}", shown(host)))
}

/// The changes to a destination. Fields that are `None` stay the same.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub description: Option<Description>,
    pub is_paused: Option<bool>,
    pub allows_requests: Option<bool>,
    /// Requests a minute; `Some(None)` for the default of the installation.
    pub rate: Option<Option<i64>>,
    /// Credits that a request costs; 0 for nothing.
    pub price: Option<i64>,
}

/// The result of [`update`].
#[derive(Clone, Debug)]
pub struct Changed {
    /// The destination after the change.
    pub destination: Destination,
    pub is_change: bool,
}

/// Loads the destination under the lock.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn to_change(s: &WriteScope<perm::ManageDestinations>, id: Uuid) -> Result<Destination, Refused> {
    Destination::load(s, id).await
}

/// Changes the description of a destination, its switch, rate and price of requests, pauses or resumes it.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination; [`Refused::Invalid`] on the fields
/// `requests_per_minute` and `price_credits`.
pub async fn update(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    change: &Change,
) -> Result<Recorded<Changed>, Refused> {
    let before = Destination::load(s, id).await?;
    let mut after = before.clone();
    let mut events = Vec::new();
    if let Some(description) = change.description.as_ref().filter(|new| new.as_str() != before.description) {
        after.description = description.to_string();
        let row = s.open().update::<destination::Entity>().filter(Column::Id.eq(id));
        let row = row
            .col_expr(Column::Description, Expr::value(description.as_str()))
            .col_expr(Column::SearchText, Expr::value(search_text(&before.host, description)));
        s.open().apply_to_one(row).await?;
        let (description_before, description_after) = (before.description.clone(), after.description.clone());
        let event = DestinationUpdated { description_before, description_after };
        events.push(RecordedEvent::new(event, before.target()));
    }
    events.extend(update_requests(s, &before, &mut after, change).await?);
    if let Some(is_paused) = change.is_paused.filter(|is_paused| *is_paused != before.is_paused()) {
        after.paused_at = is_paused.then_some(s.now());
        let row = s.open().update::<destination::Entity>().filter(Column::Id.eq(id));
        s.open().apply_to_one(row.col_expr(Column::PausedAt, Expr::value(after.paused_at))).await?;
        let target = before.target();
        events.push(match is_paused {
            true => RecordedEvent::new(DestinationPaused {}, target),
            false => RecordedEvent::new(DestinationResumed {}, target),
        });
    }
    let is_change = !events.is_empty();
    Ok(Recorded::many(Changed { destination: after, is_change }, events))
}

/// Changes the switch, the rate and the price of requests. Returns the event, if that changes anything.
async fn update_requests(
    s: &WriteScope<perm::ManageDestinations>,
    before: &Destination,
    after: &mut Destination,
    change: &Change,
) -> Result<Option<RecordedEvent>, Refused> {
    if change.rate.flatten().is_some_and(|rate| !(1..=MAX_RATE).contains(&rate)) {
        let sentence = format!("Enter a number from 1 to {MAX_RATE}.");
        return Err(Invalid::field("requests_per_minute", sentence).into());
    }
    if change.price.is_some_and(|price| !(0..=MAX_AMOUNT).contains(&price)) {
        let sentence = format!("Enter a whole number from 0 to {MAX_AMOUNT}.");
        return Err(Invalid::field("price_credits", sentence).into());
    }
    after.allows_requests = change.allows_requests.unwrap_or(before.allows_requests);
    after.requests_per_minute = change.rate.unwrap_or(before.requests_per_minute);
    after.price_credits = change.price.unwrap_or(before.price_credits);
    let is_other_price = before.price_credits != after.price_credits;
    let event = DestinationRequestsChanged {
        allowed_before: before.allows_requests,
        allowed_after: after.allows_requests,
        rate_before: before.requests_per_minute,
        rate_after: after.requests_per_minute,
        price_before: is_other_price.then_some(before.price_credits),
        price_after: is_other_price.then_some(after.price_credits),
    };
    let is_same = event.allowed_before == event.allowed_after && event.rate_before == event.rate_after;
    if is_same && !is_other_price {
        return Ok(None);
    }
    let row = s.open().update::<destination::Entity>().filter(Column::Id.eq(before.id));
    let row = row
        .col_expr(Column::AllowsRequests, Expr::value(after.allows_requests))
        .col_expr(Column::RequestsPerMinute, Expr::value(after.requests_per_minute))
        .col_expr(Column::PriceCredits, Expr::value(after.price_credits));
    s.open().apply_to_one(row).await?;
    Ok(Some(RecordedEvent::new(event, before.target())))
}

/// Deletes a destination, with its senders and its credential: its host is no longer one of those that the workspace allows.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn delete(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<Destination>, Refused> {
    let deleted = Destination::load(s, id).await?;
    s.open().apply_to_one(s.open().delete::<destination::Entity>().filter(Column::Id.eq(id))).await?;
    let event =
        DestinationDeleted { description: deleted.description.clone(), was_paused: deleted.is_paused() };
    let target = deleted.target();
    Ok(Recorded::new(deleted, event, target))
}
