//! Mail that one person causes to another: who may, and how much of it one address gets.

use crate::{
    clock::Timestamp,
    domain::{
        base::{
            conflict::{FirstStep, Prerequisite},
            db::Db,
            limits,
            mail_choice::{MailChoice, recipient},
            outbox::{Mail, MailTemplate},
            principal::Actor,
            refused::{Refused, UNCONFIRMED},
        },
        enforce::write::WriteScope,
    },
};
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

/// Refuses mail to others to somebody whose own address is not confirmed: it would come from nobody.
///
/// # Errors
/// [`Refused::Prerequisite`].
pub(in crate::domain) fn may_send(actor: &Actor) -> Result<(), Refused> {
    confirmed(
        actor,
        "This would send e-mail in your name. Open the link in the message we sent you, then try again.",
    )
}

/// Refuses what costs something to somebody whose address is not confirmed: no invoice would reach them.
///
/// # Errors
/// [`Refused::Prerequisite`].
pub(in crate::domain) fn may_owe(actor: &Actor) -> Result<(), Refused> {
    confirmed(actor, "This would be on an invoice. Open the link in the message we sent you, then try again.")
}

fn confirmed(actor: &Actor, sentence: &str) -> Result<(), Refused> {
    if actor.principal.is_verified() {
        return Ok(());
    }
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

/// Queues mail to a person about what the actor did, if they want mail of this kind: nothing to the actor themselves, nothing
/// from somebody whose own address is not confirmed, and no more than an address gets of that within an hour.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn notify<P>(
    s: &WriteScope<P>,
    to: Uuid,
    choice: MailChoice,
    mail: &impl MailTemplate,
) -> Result<(), Refused> {
    let by = &s.actor().principal;
    if to == by.accountable_user() || !by.is_verified() {
        return Ok(());
    }
    notify_from(&s.open().db, &s.open().tx, s.now(), by.accountable_user(), to, choice, mail).await
}

/// [`notify`], for what this user did outside of a handle on a workspace.
///
/// # Errors
/// The database's own.
pub(in crate::domain) async fn notify_from(
    db: &Db,
    tx: &DatabaseTransaction,
    now: Timestamp,
    from: Uuid,
    to: Uuid,
    choice: MailChoice,
    mail: &impl MailTemplate,
) -> Result<(), Refused> {
    let Some(address) = recipient(tx, to, choice).await? else { return Ok(()) };
    let budget =
        [limits::NOTICES_FROM_PERSON.within(&address, &from.to_string()), limits::NOTICES.of(&address)];
    if limits::spend_in(tx, &budget, 1, now).await?.is_ok() {
        Mail::new(&address, mail).of_choice(choice, to).queue(db, tx, now).await?;
    }
    Ok(())
}
