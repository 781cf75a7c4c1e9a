//! Adding, describing, pausing and deleting a destination.

use crate::{
    domain::{
        base::{
            event::{Recorded, RecordedEvent},
            invalid::Invalid,
            refused::{Refused, is_duplicate},
            values::{Description, folded},
        },
        enforce::{rows::Scoped, write::WriteScope},
        nouns::destinations::{
            Destination, MAX_DESTINATIONS,
            events::{
                DestinationAdded, DestinationDeleted, DestinationPaused, DestinationResumed,
                DestinationUpdated,
            },
            host::{Host, displayed},
        },
    },
    entity::destination::{self, Column},
    policy::perm,
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use url::Url;
use uuid::Uuid;

/// Adds a host to those that the workspace allows.
///
/// # Errors
/// [`Refused::Invalid`] on the field `host` if it is this installation's own, if the workspace already has
/// it, or if it has [`MAX_DESTINATIONS`].
pub async fn add(
    s: &mut WriteScope<perm::ManageDestinations>,
    host: &Host,
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
        search_text: Set(search_text(host.as_str(), description)),
        created_by: Set(principal.accountable_user()),
        created_by_key_id: Set(principal.key_id()),
        created_at: Set(s.now()),
        paused_at: Set(None),
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

/// True if the host is the one in the public URL of this installation.
fn is_own(host: &Host, public_url: &str) -> bool {
    let own = Url::parse(public_url).ok();
    let own = own.as_ref().and_then(Url::host_str).unwrap_or_default();
    own.trim_end_matches('.') == host.as_str()
}

/// The text that the list is searched in.
fn search_text(host: &str, description: &Description) -> String {
    folded(&format!("{host}\n{}\n{description}", displayed(host)))
}

/// The changes to a destination. Fields that are `None` stay the same.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub description: Option<Description>,
    pub is_paused: Option<bool>,
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

/// Changes the description of a destination, pauses or resumes it.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
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

/// Deletes a destination: its host is no longer one of those that the workspace allows.
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
