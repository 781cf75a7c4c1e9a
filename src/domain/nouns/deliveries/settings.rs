//! Turning events of a destination on, changing them, rotating their secret, and turning them off.

use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{
            conflict::{CHANGED, Conflict},
            event::Recorded,
            event_groups::EventGroups,
            invalid::Invalid,
            refused::Refused,
        },
        enforce::{receivers::MAX_RECEIVERS, rows::Scoped, write::WriteScope},
        nouns::deliveries::{
            endpoint::{Endpoint, StopReason},
            events::{EventSecretRotated, EventsChanged, EventsTurnedOff, EventsTurnedOn, EventsVouchedFor},
            hold::send_now,
            path::EventPath,
            secret::SigningSecret,
        },
    },
    entity::{destination, event_endpoint},
    policy::{Permission, perm},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, FromQueryResult, QueryFilter, sea_query::Expr};
use uuid::Uuid;

/// How long messages are signed with both secrets after a rotation, in milliseconds.
pub const OVERLAP: i64 = DAY;

/// Never, as the moment when something is due.
pub(super) const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

pub const EVENTS_ARE_OFF: Conflict = Conflict::new(
    "events-off",
    "Events aren't turned on for this destination. Nothing was changed. Turn them on first.",
);

/// Which events a destination receives, and where.
#[derive(Clone, Debug)]
pub struct EventSettings {
    pub path: EventPath,
    pub groups: EventGroups,
}

/// The result of [`set`] and [`rotate`].
#[derive(Clone, Debug)]
pub struct Saved {
    /// As it is now.
    pub endpoint: Endpoint,
    /// A new secret, to be shown once.
    pub secret: Option<SigningSecret>,
    pub is_change: bool,
}

/// Turns events on, or changes what is sent and where. Another path has a new secret, since whoever reads it need not be
/// who knows the old one. Whoever saves answers for the events from then on, and events that were stopped are sent
/// again.
///
/// # Errors
/// [`Refused::Forbidden`] for who may not see the record: what is sent is what it shows. [`Refused::Invalid`] for a
/// wildcard, and where too many destinations receive events.
pub async fn set(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    new: &EventSettings,
) -> Result<Recorded<Saved>, Refused> {
    s.require(Permission::ReadAudit).await?;
    let before = Endpoint::load(s, id).await?;
    if before.is_wildcard {
        let sentence = "A wildcard stands for many hosts. Add the one that receives events as a destination.";
        return Err(Invalid::field("path", sentence).into());
    }
    if !before.is_on {
        ensure_not_too_many(s).await?;
    }
    let voucher = s.actor().voucher;
    let is_same = before.path == new.path.as_str() && before.groups == new.groups;
    let is_vouched_for = before.accountable_user_id == Some(voucher) && before.stopped.is_none();
    if before.is_on && is_same && is_vouched_for {
        return Ok(Recorded::unchanged(Saved { endpoint: before, secret: None, is_change: false }));
    }
    let row = s.open().update::<destination::Entity>().filter(destination::Column::Id.eq(id));
    let row = row
        .col_expr(destination::Column::ReceivesEvents, Expr::value(true))
        .col_expr(destination::Column::EventPath, Expr::value(Some(new.path.to_string())))
        .col_expr(destination::Column::EventKinds, Expr::value(Some(new.groups.to_string())));
    s.open().apply_to_one(row).await?;
    let needs_secret = !before.is_on || before.path != new.path.as_str();
    let secret = if needs_secret { Some(replace(s, id, voucher, !before.is_on).await?) } else { None };
    if !needs_secret {
        vouch(s, id, voucher).await?;
    }
    let after = Endpoint::load(s, id).await?;
    let target = after.target();
    let saved = Saved { endpoint: after, secret, is_change: true };
    let (path, kinds) = (new.path.to_string(), new.groups.words());
    Ok(match (before.is_on, is_same) {
        (false, _) => Recorded::new(saved, EventsTurnedOn { path, kinds }, target),
        (true, false) => {
            let event = EventsChanged {
                path_before: before.path,
                path_after: path,
                kinds_before: before.groups.words(),
                kinds_after: kinds,
            };
            Recorded::new(saved, event, target)
        }
        (true, true) => {
            let event = EventsVouchedFor { were_stopped: before.stopped.is_some() };
            Recorded::new(saved, event, target)
        }
    })
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn ensure_not_too_many(s: &WriteScope<perm::ManageDestinations>) -> Result<(), Refused> {
    let sql = "SELECT COUNT(*) AS count FROM destinations WHERE workspace_id = $1 AND receives_events";
    let count: Option<Count> = s.first(sql, Vec::new()).await?;
    if count.is_none_or(|count| count.count < MAX_RECEIVERS) {
        return Ok(());
    }
    let sentence = format!(
        "At most {MAX_RECEIVERS} destinations of a workspace receive events. Turn them off for another one first."
    );
    Err(Invalid::field("path", sentence).into())
}

/// Gives the destination a new secret, and a new start.
async fn replace(
    s: &WriteScope<perm::ManageDestinations>,
    id: Uuid,
    voucher: Uuid,
    is_new: bool,
) -> Result<SigningSecret, Refused> {
    let secret = SigningSecret::new();
    let sealed = secret.seal(&s.open().db, id)?;
    if is_new {
        let row = event_endpoint::ActiveModel {
            destination_id: Set(id),
            workspace_id: Set(s.workspace_id()),
            secret: Set(sealed),
            secret_created_at: Set(s.now()),
            old_secret: Set(None),
            old_secret_ends_at: Set(None),
            accountable_user_id: Set(voucher),
            stopped_at: Set(None),
            stop_reason: Set(None),
            failing_since: Set(None),
            last_success_at: Set(None),
            not_before: Set(Timestamp::default()),
            next_probe_at: Set(None),
            next_due_at: Set(NEVER),
            leased_until: Set(Timestamp::default()),
            mailed_at: Set(None),
        };
        s.open().insert(row).await?;
        return Ok(secret);
    }
    let sql = "UPDATE event_endpoints SET secret = $3, secret_created_at = $4, old_secret = NULL,
            old_secret_ends_at = NULL, failing_since = NULL
        WHERE workspace_id = $1 AND destination_id = $2";
    s.run(sql, vec![id.into(), sealed.into(), s.now().into()]).await?;
    vouch(s, id, voucher).await?;
    Ok(secret)
}

/// Makes a user answer for the events, which are sent again if they were stopped.
async fn vouch(s: &WriteScope<perm::ManageDestinations>, id: Uuid, voucher: Uuid) -> Result<(), Refused> {
    let sql = "UPDATE event_endpoints SET accountable_user_id = $3, stopped_at = NULL, stop_reason = NULL,
            next_probe_at = NULL
        WHERE workspace_id = $1 AND destination_id = $2";
    s.run(sql, vec![id.into(), voucher.into()]).await?;
    send_now(s, id).await?;
    Ok(())
}

/// Gives a destination another secret for the same path. Messages are signed with the old one too for a day, or no
/// longer. `version` is that of the form, so that a page that is loaded again creates no further secret.
///
/// # Errors
/// [`Refused::Forbidden`] for who may not see the record: with the secret, events can be made up for the receiver.
/// [`EVENTS_ARE_OFF`]; [`CHANGED`] for another version.
pub async fn rotate(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    version: Option<&str>,
    keeps_old: bool,
) -> Result<Recorded<Saved>, Refused> {
    s.require(Permission::ReadAudit).await?;
    let before = Endpoint::load(s, id).await?;
    if !before.is_on {
        return Err(EVENTS_ARE_OFF.into());
    }
    if version.is_some_and(|version| version != before.version()) {
        return Err(CHANGED.into());
    }
    let secret = SigningSecret::new();
    let sealed = secret.seal(&s.open().db, id)?;
    let overlap_ends_at = keeps_old.then(|| s.now() + OVERLAP);
    let old = if keeps_old { "secret" } else { "NULL" };
    let sql = format!(
        "UPDATE event_endpoints SET old_secret = {old}, old_secret_ends_at = $5, secret = $3, secret_created_at = $4
        WHERE workspace_id = $1 AND destination_id = $2"
    );
    s.run(&sql, vec![id.into(), sealed.into(), s.now().into(), overlap_ends_at.into()]).await?;
    let endpoint = Endpoint::load(s, id).await?;
    let target = endpoint.target();
    let saved = Saved { endpoint, secret: Some(secret), is_change: true };
    Ok(Recorded::new(saved, EventSecretRotated { overlap_ends_at }, target))
}

/// Turns events off. Messages that were not delivered are dropped, with the secret.
///
/// # Errors
/// [`EVENTS_ARE_OFF`].
pub async fn turn_off(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<Endpoint>, Refused> {
    let before = Endpoint::load(s, id).await?;
    if !before.is_on {
        return Err(EVENTS_ARE_OFF.into());
    }
    let row = s.open().update::<destination::Entity>().filter(destination::Column::Id.eq(id));
    s.open().apply_to_one(row.col_expr(destination::Column::ReceivesEvents, Expr::value(false))).await?;
    let sql = "DELETE FROM event_endpoints WHERE workspace_id = $1 AND destination_id = $2";
    s.run(sql, vec![id.into()]).await?;
    let sql = "DELETE FROM event_deliveries WHERE workspace_id = $1 AND destination_id = $2
        AND status IN ('waiting', 'held')";
    let dropped = s.run(sql, vec![id.into()]).await?;
    let target = before.target();
    Ok(Recorded::new(before, EventsTurnedOff { dropped }, target))
}

impl Endpoint {
    /// Nothing may be sent to it, whatever anybody asks for: nobody who may see it answers for it.
    pub(super) fn lacks_authority(&self) -> bool {
        matches!(self.stopped, Some((_, StopReason::Authority)))
    }
}
