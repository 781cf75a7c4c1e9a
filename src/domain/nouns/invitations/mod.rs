//! Invitations: from the offer to the membership.
//!
//! [`mod@send`] creates and sends them, [`judge`] says before what would become of them, [`mod@accept`] accepts or
//! declines them, [`mod@list`] lists them, [`bulk`] changes many at once. This file has what all of them need.

pub mod accept;
pub mod batch;
pub mod bulk;
pub mod events;
pub mod judge;
pub mod list;
pub mod mail;
mod parse;
pub mod send;

pub(in crate::domain) use crate::domain::records::invitations::spend;
pub use crate::domain::records::offered_teams::MAX_TEAMS;
use crate::{
    clock::{DAY, Timestamp},
    domain::{
        base::{conflict::Conflict, event::Recorded, limits, refused::Refused, role},
        enforce::{read::ReadScope, rows::Scoped, write::WriteScope},
        nouns::invitations::events::{InvitationCancelled, target},
        records::{invitations::close, mail::may_send},
    },
    policy::perm,
};
pub use accept::{Offer, UNKNOWN_LINK, accept, decline, get, get_as};
pub use batch::{Batch, Invited, MAX_BATCH, Outcome, Sent};
pub use judge::{Previewed, preview};
pub use list::{Filter, Invitation, Listing, list, review};
use sea_orm::FromQueryResult;
pub use send::{resend, send};
use uuid::Uuid;

/// How long an invitation can be accepted, in milliseconds.
pub const LIFETIME: i64 = 7 * DAY;

pub const NOT_PENDING: Conflict =
    Conflict::new("not-pending", "This invitation is no longer pending, so it can't be changed.");

/// It is sent again by inviting the address anew.
pub const ACCESS_OVER: Conflict = Conflict::new(
    "access-over",
    "The access that this invitation offers has ended. Cancel it, then invite this address again.",
);

#[derive(FromQueryResult)]
struct Existing {
    email: String,
    status: String,
    message: String,
    roles: Option<String>,
    access_until: Option<Timestamp>,
}

/// The invitation of this workspace with this id, whatever its state.
async fn existing(scope: &impl Scoped, id: Uuid) -> Result<Existing, Refused> {
    let sql = "SELECT i.email, i.message, i.status, i.access_until,
            (SELECT string_agg(r.slug, ' ') FROM invitation_roles ir
                JOIN roles r ON r.workspace_id = ir.workspace_id AND r.id = ir.role_id
                WHERE ir.workspace_id = i.workspace_id AND ir.invitation_id = i.id) AS roles
        FROM invitations i WHERE i.workspace_id = $1 AND i.id = $2";
    scope.first(sql, vec![id.into()]).await?.ok_or(Refused::NotFound)
}

/// Returns the address of an invitation, for the page that confirms its cancellation.
///
/// # Errors
/// [`Refused::NotFound`], [`NOT_PENDING`].
pub async fn address(scope: &ReadScope<perm::CancelInvitations>, id: Uuid) -> Result<String, Refused> {
    let invitation = existing(scope, id).await?;
    if invitation.status != "pending" {
        return Err(scope.refuse(NOT_PENDING).await);
    }
    Ok(invitation.email)
}

/// Cancels a pending invitation. Returns its address.
///
/// # Errors
/// [`Refused::NotFound`], [`NOT_PENDING`].
pub async fn cancel(
    s: &mut WriteScope<perm::CancelInvitations>,
    id: Uuid,
) -> Result<Recorded<String>, Refused> {
    let all = s.actor().all_roles.clone();
    let invitation = existing(s, id).await?;
    if close(s.open(), id, "cancelled").await? != 1 {
        return Err(NOT_PENDING.into());
    }
    let names = role::names(&all.parse_slugs(invitation.roles.as_deref().unwrap_or_default()));
    let target = target(id, &invitation.email);
    Ok(Recorded::new(invitation.email, InvitationCancelled { roles: names }, target))
}

/// Counts addresses that somebody looks up before inviting them: a preview says who is a member.
async fn spend_preview(scope: &ReadScope<perm::InviteMembers>, addresses: usize) -> Result<(), Refused> {
    if let Err(refused) = may_send(scope.actor()) {
        return Err(scope.refuse(refused).await);
    }
    let cost = i64::try_from(addresses).unwrap_or(i64::MAX);
    let sender = scope.actor().principal.accountable_user().to_string();
    limits::PREVIEW.spend(scope.db(), &sender, cost).await
}
