//! Changing many invitations at once: the change of one, for each of them, in one transaction. If
//! the rules forbid it for one of them, none is changed.

use crate::{
    domain::{
        base::{event::Recorded, refused::Refused, selection::Selection},
        enforce::{read::ReadScope, write::WriteScope},
        nouns::invitations::{
            ACCESS_OVER, NOT_PENDING,
            batch::{Outcome, Sent},
            cancel as cancel_one, existing,
            send::{may_mail, renew},
        },
    },
    policy::perm,
};
use uuid::Uuid;

/// Sends each of them again, with new links. Those that have ended stay as they are.
///
/// # Errors
/// As [`super::resend`], for any of them.
pub async fn resend(
    scope: ReadScope<perm::InviteMembers>,
    selection: &Selection,
) -> Result<Vec<Sent>, Refused> {
    let ids: Vec<Uuid> = selection.iter().collect();
    let ids = may_mail(&scope, &ids).await?;
    scope
        .write(async |s| {
            let mut each = Vec::new();
            for id in ids {
                each.push(match renew(s, id).await {
                    Err(Refused::Conflict(NOT_PENDING | ACCESS_OVER)) => {
                        let email = existing(s, id).await?.email;
                        Recorded::unchanged(Sent { email, outcome: Outcome::NotPending })
                    }
                    renewed => renewed?,
                });
            }
            Ok(Recorded::together(each))
        })
        .await
}

/// One invitation of a selection, and whether it was cancelled. An invitation that has ended is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    pub email: String,
    pub was_pending: bool,
}

/// Cancels each of them. Those that have ended stay as they are.
///
/// # Errors
/// As [`super::cancel`], for any of them.
pub async fn cancel(
    s: &mut WriteScope<perm::CancelInvitations>,
    selection: &Selection,
) -> Result<Recorded<Vec<Cancelled>>, Refused> {
    let mut each = Vec::new();
    for id in selection.iter() {
        each.push(match cancel_one(s, id).await {
            Ok(done) => done.map(|email| Cancelled { email, was_pending: true }),
            Err(Refused::Conflict(NOT_PENDING)) => {
                let email = existing(s, id).await?.email;
                Recorded::unchanged(Cancelled { email, was_pending: false })
            }
            Err(refused) => return Err(refused),
        });
    }
    Ok(Recorded::together(each))
}
