//! Audit events of transfers of ownership.

use crate::{
    clock::Timestamp,
    domain::base::event::{AuditEvent, EventKind, EventRow, EventSentence, NounEvents},
};
use serde::{Deserialize, Serialize};

pub(in crate::domain) const EVENTS: NounEvents = NounEvents::new(&[
    EventKind::of::<OwnershipOffered>(),
    EventKind::of::<OwnershipOfferWithdrawn>(),
    EventKind::of::<OwnershipOfferDeclined>(),
    EventKind::of::<OwnershipHandedOver>(),
]);

/// An Owner offered the ownership to a member.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OwnershipOffered {
    pub expires_at: Timestamp,
    /// The administration of the account is offered with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_account: bool,
}

impl AuditEvent for OwnershipOffered {
    const NAME: &'static str = "ownership_offered";
    const KIND: &'static str = "ownership.offered";
    const LABEL: &'static str = "Ownership offered";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        let sentence = EventSentence::new("offered ownership to", row.target);
        match self.with_account {
            true => sentence.detail("with the administration of the account"),
            false => sentence,
        }
    }
}

/// An Owner withdrew the offer.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OwnershipOfferWithdrawn {}

impl AuditEvent for OwnershipOfferWithdrawn {
    const NAME: &'static str = "ownership_offer_withdrawn";
    const KIND: &'static str = "ownership.withdrawn";
    const LABEL: &'static str = "Ownership offer withdrawn";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("withdrew the ownership offer to", row.target)
    }
}

/// The member declined the offer.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OwnershipOfferDeclined {}

impl AuditEvent for OwnershipOfferDeclined {
    const NAME: &'static str = "ownership_offer_declined";
    const KIND: &'static str = "ownership.declined";
    const LABEL: &'static str = "Ownership offer declined";

    fn sentence(&self, row: &EventRow<'_>) -> EventSentence {
        EventSentence::new("declined the ownership offer from", row.target)
    }
}

/// The member accepted the offer: they are an Owner, and the person who offered it no longer is.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::domain) struct OwnershipHandedOver {
    /// The name of the person who offered it, with their address.
    pub from: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub from_before: Vec<String>,
    pub from_after: Vec<String>,
}

impl AuditEvent for OwnershipHandedOver {
    const NAME: &'static str = "ownership_handed_over";
    const KIND: &'static str = "ownership.handed-over";
    const LABEL: &'static str = "Ownership transferred";

    fn sentence(&self, _: &EventRow<'_>) -> EventSentence {
        let (before, after) = (self.from_before.join(", "), self.from_after.join(", "));
        EventSentence::new("accepted ownership from", &self.from)
            .before(self.before.clone())
            .after(self.after.clone())
            .detail(format!("whose roles changed from {before} to {after}"))
    }
}
