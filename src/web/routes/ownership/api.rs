//! Ownership offers. They are between people: a key can see a pending offer and, as an Owner, withdraw it.

use crate::{
    clock::Timestamp,
    domain::nouns::ownership::{self, Offer},
    policy::perm,
    web::{
        api::{
            body::{PageBody, Query},
            call::ApiResult,
            part::Part,
            reply::{NoContent, Ok200},
        },
        guard::key::ApiRequest,
        path::Target,
    },
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A pending ownership offer.
#[derive(Serialize, ToSchema)]
pub struct OfferBody {
    id: Uuid,
    from_member_id: Uuid,
    to_member_id: Uuid,
    /// Milliseconds since 1970.
    expires_at: Timestamp,
}

impl From<Offer> for OfferBody {
    fn from(offer: Offer) -> Self {
        let Offer { id, from_member_id, to_member_id, expires_at, .. } = offer;
        Self { id, from_member_id, to_member_id, expires_at }
    }
}

pub async fn index(cx: ApiRequest<perm::ReadMembers, Query<Part>>) -> ApiResult<Ok200<PageBody<OfferBody>>> {
    let offers = ownership::pending(&cx.scope).await?;
    Ok(Ok200(cx.input.0.of(offers, |offer: &OfferBody| offer.id.to_string())?))
}

pub async fn withdraw(cx: ApiRequest<perm::Membership, Target>) -> ApiResult<NoContent> {
    let Target(id) = cx.input;
    cx.scope.write(async |s| ownership::withdraw(s, id).await).await?;
    Ok(NoContent)
}
