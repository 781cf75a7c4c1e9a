//! The removal from one workspace, with what was sent.

use crate::{
    domain::{
        base::{event::Recorded, refused::Refused},
        enforce::{read::ReadScope, write::WriteScope},
        nouns::{
            administration::{Asked, ask_together, count_request},
            members::{end_with, write_with_keys},
            offboarding::{
                options::Removal,
                take_over::{TakenOver, take_over},
            },
        },
    },
    policy::perm,
};
use uuid::Uuid;

/// The result of [`remove`].
#[derive(Clone, Debug)]
pub struct Removed {
    pub name: String,
    /// How many API keys were revoked.
    pub keys: usize,
    pub taken_over: TakenOver,
    /// What became of the request for the administration, if there was one.
    pub asked: Option<Asked>,
}

/// Removes a member, with what depends on them.
///
/// # Errors
/// As [`members::remove_with`](crate::domain::nouns::members::remove_with); to take over what they sent,
/// [`Refused::Forbidden`] without the permission to invite; [`Ceiling::OwnerOnly`](crate::policy::Ceiling::OwnerOnly) and
/// [`Refused::NotAllowed`] if the actor may not ask for the administration.
pub async fn remove(
    scope: ReadScope<perm::RemoveMembers>,
    id: Uuid,
    removal: Removal,
) -> Result<Removed, Refused> {
    let counted = if removal.asks { Some(count_request(&scope).await) } else { None };
    let remove = async |s: &mut WriteScope<perm::RemoveMembers>| {
        let (taken_over, mut events) = take_over(s, id, removal.offers).await?.into_parts();
        let ((name, keys), more) = end_with(s, id, removal.keys).await?.into_parts();
        events.extend(more);
        let mut asked = None;
        if let Some(within_limit) = counted {
            let (answer, more) = ask_together(s, within_limit).await?.into_parts();
            events.extend(more);
            asked = Some(answer);
        }
        Ok::<_, Refused>(Recorded::many(Removed { name, keys, taken_over, asked }, events))
    };
    write_with_keys(scope, id, removal.keys, remove).await
}
