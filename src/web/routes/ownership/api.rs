//! The ownership on offer. It goes from one person to another: a key can see that and, as an Owner,
//! take the offer back.

use crate::{
    domain::ownership::{self, Offer},
    policy::perm,
    web::{
        api::{
            body::PageBody,
            call::Said,
            reply::{Done, Found},
        },
        guard::key::Called,
        path::Target,
    },
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An offer that waits for its answer.
#[derive(Serialize, ToSchema)]
pub struct OfferBody {
    id: Uuid,
    from_member_id: Uuid,
    to_member_id: Uuid,
    /// Milliseconds since 1970.
    expires_at: i64,
}

impl From<Offer> for OfferBody {
    fn from(offer: Offer) -> Self {
        let Offer { id, from_member_id, to_member_id, expires_at, .. } = offer;
        Self { id, from_member_id, to_member_id, expires_at }
    }
}

pub async fn index(cx: Called<perm::ReadMembers>) -> Said<Found<PageBody<OfferBody>>> {
    Ok(Found(PageBody::whole(ownership::pending(&cx.scope).await?)))
}

pub async fn withdraw(cx: Called<perm::Membership, Target>) -> Said<Done> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| ownership::withdraw(s, id).await).await?;
    Ok(Done)
}
