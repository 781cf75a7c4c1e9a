//! Mail that one person causes to another: who may, and how much of it one address gets.

use crate::domain::{
    base::{
        conflict::{FirstStep, Prerequisite},
        limits,
        outbox::Mail,
        principal::Actor,
        refused::{Refused, UNCONFIRMED},
    },
    enforce::write::WriteScope,
};
use uuid::Uuid;

/// Refuses mail to others to somebody whose own address is not confirmed: it would come from nobody.
///
/// # Errors
/// [`Refused::Prerequisite`].
pub(in crate::domain) fn may_send(actor: &Actor) -> Result<(), Refused> {
    if actor.principal.is_verified() {
        return Ok(());
    }
    let sentence =
        "This would send e-mail in your name. Open the link in the message we sent you, then try again.";
    Err(Prerequisite {
        headline: "Confirm your address first",
        sentence: sentence.to_owned(),
        note: "",
        step: FirstStep::ConfirmAddress,
        then: None,
        reason: UNCONFIRMED,
    }
    .into())
}

/// Queues a mail of the actor to somebody else, unless its address has had too much of it within an hour: from
/// this person, or from everybody together. Returns its id in the queue; `None` if it will not be sent.
///
/// # Errors
/// [`Refused::Prerequisite`] as [`may_send`].
pub(in crate::domain) async fn queue<P>(s: &WriteScope<P>, mail: Mail) -> Result<Option<Uuid>, Refused> {
    may_send(s.actor())?;
    let sender = s.actor().principal.accountable_user().to_string();
    let budget = [
        limits::MAIL_FROM_PERSON.within(mail.recipient(), &sender),
        limits::MAIL_FROM_ANYBODY.of(mail.recipient()),
    ];
    if limits::spend_in(&s.open().tx, &budget, 1, s.now()).await?.is_err() {
        return Ok(None);
    }
    Ok(Some(mail.queue(&s.open().db, &s.open().tx, s.now()).await?))
}
