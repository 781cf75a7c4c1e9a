//! The secret that is sent to a destination in one header: write-only, sealed, bound to the host.
//!
//! Only [`unseal`] opens it, to send it. In a rotation the value before is kept for a while, in case the new one doesn't
//! work: it is not sent, but can be brought back.

use crate::{
    clock::{HOUR, Timestamp},
    domain::{
        base::{conflict::Conflict, db::Db, event::Recorded, invalid::Invalid, refused::Refused},
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::destinations::{
            Destination,
            credential_text::{CredentialHeader, CredentialValue},
            events::{
                DestinationCredentialRemoved, DestinationCredentialReplaced, DestinationCredentialRestored,
                DestinationCredentialSet, DestinationPreviousCredentialDeleted,
            },
        },
    },
    entity::destination_credential::{self, Column, Entity},
    policy::{Access, perm},
    random,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, FromQueryResult, QueryFilter, sea_query::Expr};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// The longest that the value before is kept, in milliseconds.
pub const MAX_KEPT: i64 = 7 * 24 * HOUR;

pub const NO_PREVIOUS: Conflict = Conflict::new(
    "no-previous-credential",
    "There is no previous credential any more. Replace the current one by entering the value again.",
);

/// A credential of a destination, without its value.
#[derive(Clone, Debug)]
pub struct Credential {
    pub header_name: String,
    /// The name of the person or key that stored it.
    pub creator: String,
    pub created_at: Timestamp,
    /// The one before it, while it can be brought back.
    pub previous: Option<Previous>,
}

/// A credential that was replaced and is kept for a while.
#[derive(Clone, Debug)]
pub struct Previous {
    pub header_name: String,
    pub creator: String,
    pub created_at: Timestamp,
    /// When it is deleted.
    pub ends_at: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    header_name: String,
    creator: String,
    created_at: Timestamp,
    ends_at: Option<Timestamp>,
}

/// The current row, and the one before it.
#[derive(Default)]
struct Stored {
    current: Option<Row>,
    previous: Option<(Row, Timestamp)>,
}

async fn load(scope: &impl Scoped, destination: Uuid, now: Timestamp) -> Result<Stored, Refused> {
    let sql = "SELECT c.id, c.header_name, COALESCE(k.name, u.name) AS creator, c.created_at, c.ends_at
        FROM destination_credentials c JOIN users u ON u.id = c.created_by
            LEFT JOIN api_keys k ON k.id = c.created_by_key_id
        WHERE c.workspace_id = $1 AND c.destination_id = $2 AND (c.ends_at IS NULL OR c.ends_at > $3)
        ORDER BY c.created_at";
    let rows: Vec<Row> = scope.all(sql, vec![destination.into(), now.into()]).await?;
    let mut stored = Stored::default();
    for row in rows {
        match row.ends_at {
            None => stored.current = Some(row),
            Some(ends_at) => stored.previous = Some((row, ends_at)),
        }
    }
    Ok(stored)
}

/// The credential of a destination, if it has one.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn get<P: Access>(
    scope: &ReadScope<P>,
    id: Uuid,
) -> Result<(Destination, Option<Credential>), Refused> {
    let destination = Destination::load(scope, id).await?;
    let credential = of(scope, &destination, scope.now()).await?;
    Ok((destination, credential))
}

/// The credential of a destination that was loaded. Most have none, and then nothing is read.
pub(super) async fn of(
    scope: &impl Scoped,
    destination: &Destination,
    now: Timestamp,
) -> Result<Option<Credential>, Refused> {
    if destination.credential_header.is_none() {
        return Ok(None);
    }
    let stored = load(scope, destination.id, now).await?;
    let previous = stored.previous.map(|(row, ends_at)| Previous {
        header_name: row.header_name,
        creator: row.creator,
        created_at: row.created_at,
        ends_at,
    });
    Ok(stored.current.map(|row| Credential {
        header_name: row.header_name,
        creator: row.creator,
        created_at: row.created_at,
        previous,
    }))
}

/// What a sealed value is bound to: it can't be opened for another workspace, destination or host.
fn bound_to(workspace: Uuid, destination: Uuid, host: &str) -> String {
    format!("destination_credentials {workspace} {destination} {host}")
}

/// Opens the value that the admission to send has read, to send it to this host.
///
/// # Errors
/// [`DbErr::Custom`] if it was sealed under another secret or for another host, or altered.
pub(in crate::domain) fn unseal(
    db: &Db,
    workspace: Uuid,
    destination: Uuid,
    host: &str,
    sealed: &str,
) -> Result<SecretString, DbErr> {
    db.sealer().open_for(&bound_to(workspace, destination, host), sealed).map(SecretString::from)
}

/// A credential to store.
pub struct NewCredential {
    pub header: CredentialHeader,
    pub value: CredentialValue,
    /// How long the one that it replaces is kept, in milliseconds; 0 to delete that at once.
    pub keep_previous: i64,
}

/// Stores the credential of a destination, in place of the one that it has.
///
/// # Errors
/// [`Refused::NotFound`]; [`Refused::Invalid`] on the field `header_name` for a wildcard, and on `keep_previous`.
pub async fn set(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
    new: &NewCredential,
) -> Result<Recorded<Destination>, Refused> {
    let destination = Destination::load(s, id).await?;
    if destination.is_wildcard {
        // Whoever gets a name below the domain would be sent the secret.
        let sentence = "A credential is sent to one exact host, and this destination is a wildcard. Add the host itself as a destination, and store the credential there.";
        return Err(Invalid::field("header_name", sentence).into());
    }
    if !(0..=MAX_KEPT).contains(&new.keep_previous) {
        return Err(
            Invalid::field("keep_previous", "The previous value can be kept for at most 7 days.").into()
        );
    }
    let current = load(s, id, s.now()).await?.current;
    delete_previous_rows(s, id).await?;
    if let Some(before) = &current {
        let keeps = new.keep_previous > 0;
        match keeps {
            true => {
                let ends_at = Some(s.now() + new.keep_previous);
                let row = s.open().update::<Entity>().filter(Column::Id.eq(before.id));
                s.open().apply_to_one(row.col_expr(Column::EndsAt, Expr::value(ends_at))).await?;
            }
            false => delete_row(s, before.id).await?,
        }
    }
    let row_id = random::id(s.now());
    let place = bound_to(s.workspace_id(), id, &destination.host);
    let sealed = s.open().db.sealer().seal_for(&place, new.value.secret().expose_secret())?;
    let principal = &s.actor().principal;
    let row = destination_credential::ActiveModel {
        id: Set(row_id),
        workspace_id: Set(s.workspace_id()),
        destination_id: Set(id),
        header_name: Set(new.header.to_string()),
        sealed: Set(sealed),
        created_by: Set(principal.accountable_user()),
        created_by_key_id: Set(principal.key_id()),
        created_at: Set(s.now()),
        ends_at: Set(None),
    };
    s.open().insert(row).await?;
    let (target, header_name) = (destination.target(), new.header.to_string());
    Ok(match current {
        None => Recorded::new(destination, DestinationCredentialSet { header_name }, target),
        Some(before) => {
            let kept_seconds = new.keep_previous / 1_000;
            let event = DestinationCredentialReplaced {
                header_before: before.header_name,
                header_after: header_name,
                kept_seconds,
            };
            Recorded::new(destination, event, target)
        }
    })
}

/// Brings the previous credential back. The current one is deleted.
///
/// # Errors
/// [`Refused::NotFound`], [`NO_PREVIOUS`].
pub async fn restore(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<Destination>, Refused> {
    let destination = Destination::load(s, id).await?;
    let stored = load(s, id, s.now()).await?;
    let Some((previous, _)) = stored.previous else { return Err(NO_PREVIOUS.into()) };
    if let Some(current) = stored.current {
        delete_row(s, current.id).await?;
    }
    let row = s.open().update::<Entity>().filter(Column::Id.eq(previous.id));
    s.open().apply_to_one(row.col_expr(Column::EndsAt, Expr::value(None::<Timestamp>))).await?;
    let (event, target) =
        (DestinationCredentialRestored { header_name: previous.header_name }, destination.target());
    Ok(Recorded::new(destination, event, target))
}

/// Deletes the previous credential before its time. Returns the destination, and whether there was one.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn delete_previous(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<(Destination, bool)>, Refused> {
    let destination = Destination::load(s, id).await?;
    let Some((previous, _)) = load(s, id, s.now()).await?.previous else {
        return Ok(Recorded::unchanged((destination, false)));
    };
    delete_previous_rows(s, id).await?;
    let (event, target) =
        (DestinationPreviousCredentialDeleted { header_name: previous.header_name }, destination.target());
    Ok(Recorded::new((destination, true), event, target))
}

/// Removes the credential of a destination, also the previous one. Returns the destination, and whether it had one.
///
/// # Errors
/// [`Refused::NotFound`] where this workspace has no such destination.
pub async fn remove(
    s: &mut WriteScope<perm::ManageDestinations>,
    id: Uuid,
) -> Result<Recorded<(Destination, bool)>, Refused> {
    let destination = Destination::load(s, id).await?;
    let Some(current) = load(s, id, s.now()).await?.current else {
        return Ok(Recorded::unchanged((destination, false)));
    };
    let rows = s.open().delete::<Entity>().filter(Column::DestinationId.eq(id));
    s.open().apply(rows).await?;
    let (event, target) =
        (DestinationCredentialRemoved { header_name: current.header_name }, destination.target());
    Ok(Recorded::new((destination, true), event, target))
}

async fn delete_row(s: &WriteScope<perm::ManageDestinations>, row: Uuid) -> Result<(), Refused> {
    s.open().apply_to_one(s.open().delete::<Entity>().filter(Column::Id.eq(row))).await
}

async fn delete_previous_rows(s: &WriteScope<perm::ManageDestinations>, id: Uuid) -> Result<(), Refused> {
    let rows = s.open().delete::<Entity>().filter(Column::DestinationId.eq(id));
    s.open().apply(rows.filter(Column::EndsAt.is_not_null())).await?;
    Ok(())
}
