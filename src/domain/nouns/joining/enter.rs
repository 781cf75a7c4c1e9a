//! What joining by a link and by a domain have in common.

use crate::{
    domain::{
        base::{
            conflict::{Conflict, FirstStep, Prerequisite},
            event::RecordedEvent,
            principal::Person,
            refused::{Refused, UNCONFIRMED},
        },
        enforce::{rows::Scoped, transaction::Transaction},
        nouns::{
            joining::events::LEFT_BEFORE,
            members::{add::ALREADY_MEMBER, events::MembershipReplaced},
        },
        records::{
            accounts, awaited,
            invitations::ended,
            inviters::InviterId,
            members::{self, BEHIND_KEY, MemberOrigin},
            offered_teams::{self, OfferedTeam},
        },
    },
    entity::{former_member, invitation, member},
    policy::Holdings,
};
use sea_orm::{ColumnTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

pub const LEFT: Conflict = Conflict::new(
    "left-before",
    "You were a member of this workspace before. To come back, ask someone there to invite you.",
)
.with_audit_reason(LEFT_BEFORE);

/// What somebody gets who joins, and by whom.
pub(super) struct Entry<'a> {
    pub account: Uuid,
    pub inviter: InviterId,
    pub inviter_holdings: &'a Holdings,
    pub roles: Vec<Uuid>,
    pub teams: &'a [OfferedTeam],
}

/// Refuses somebody whose address is not confirmed: anybody could have typed it.
///
/// # Errors
/// [`Refused::Prerequisite`].
pub(super) fn is_confirmed(person: &Person) -> Result<(), Refused> {
    if person.is_verified {
        return Ok(());
    }
    Err(Prerequisite {
        headline: "Confirm your address first",
        sentence: format!("Open the link in the message we sent to {}, then try again.", person.email),
        note: "",
        step: FirstStep::ConfirmAddress,
        then: None,
        reason: UNCONFIRMED,
    }
    .into())
}

/// Refuses somebody who is a member, or was one: whoever was removed does not come back without somebody's will. And
/// whoever knows the secret of the key that answers for the offer, whom that key may not invite either.
///
/// # Errors
/// [`ALREADY_MEMBER`], [`LEFT`], [`Refused::NotAllowed`].
pub(super) async fn is_new(open: &Transaction, person: &Person, inviter: InviterId) -> Result<(), Refused> {
    let present = open.find::<member::Entity>().filter(member::Column::UserId.eq(person.user_id));
    if present.one(&open.tx).await?.is_some() {
        return Err(ALREADY_MEMBER.into());
    }
    let former =
        open.find::<former_member::Entity>().filter(former_member::Column::UserId.eq(person.user_id));
    match former.one(&open.tx).await? {
        Some(_) => Err(LEFT.into()),
        None if inviter.key.is_some() && inviter.user == person.user_id => {
            Err(Refused::NotAllowed(BEHIND_KEY))
        }
        None => Ok(()),
    }
}

/// Makes the person a member. Returns the record of what ended for it.
///
/// # Errors
/// [`SUSPENDED`](awaited::SUSPENDED) and [`Refused::Ceiling`] for a membership that a service entered and that stays.
pub(super) async fn enter(
    open: &Transaction,
    person: &Person,
    entry: &Entry<'_>,
) -> Result<Option<RecordedEvent>, Refused> {
    // The person has confirmed the address.
    let absorbed = awaited::absorb(open, &person.email, entry.inviter_holdings).await?;
    let replaced = absorbed.as_ref().map(|absorbed| MembershipReplaced::recorded(&absorbed.member));
    let origin = MemberOrigin::Invitation(entry.inviter.user);
    let id = members::join(open, person.user_id, origin, &entry.roles).await?;
    offered_teams::join(open, id, entry.teams).await?;
    awaited::keep_ids(open, id, absorbed.map(|absorbed| absorbed.ids)).await?;
    accounts::add_person(&open.tx, entry.account, person.user_id, false, open.now).await?;
    // The link of a pending invitation then says so and leads to the workspace.
    use invitation::Column;
    let waiting = open.update::<invitation::Entity>().filter(Column::Email.eq(person.email.as_str()));
    let waiting = waiting.filter(Column::ExpiresAt.gt(open.now)).filter(Expr::cust("status = 'pending'"));
    open.apply(ended(waiting, "accepted", open.now)).await?;
    Ok(replaced)
}
