//! The stages that a request through the gateway passes, in their order.

use crate::domain::base::reason::AuditReason;

/// The workspace has no such destination, or not for this key.
pub(in crate::domain) const DESTINATION: AuditReason =
    AuditReason::new("destination", "not a destination that it may send to");

/// The host leads to an address that is not public.
pub(in crate::domain) const ADDRESS: AuditReason =
    AuditReason::new("address", "destination at an address that isn't public");

/// What a request through the gateway is checked for, or fails at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GatewayStage {
    /// The request itself: its method, its form, its size, the website that sent it.
    Request,
    /// The API key is live.
    Key,
    /// The key is an active member of the workspace.
    Membership,
    /// It holds the permission to send.
    Permission,
    /// The workspace has the host among its destinations, and the key may send to it.
    Destination,
    /// The host leads to public addresses alone.
    Address,
    /// The key and the destination have requests left in this minute.
    Rate,
    /// Few enough requests are being sent.
    Queue,
    /// The workspace has credits for the destination's price, and a test key has requests left.
    Credits,
    /// The host can be reached, and takes the request.
    Upstream,
    /// Its answer arrives, within the bounds.
    Response,
}

impl GatewayStage {
    pub const ALL: [Self; 11] = [
        Self::Request,
        Self::Key,
        Self::Membership,
        Self::Permission,
        Self::Destination,
        Self::Address,
        Self::Rate,
        Self::Queue,
        Self::Credits,
        Self::Upstream,
        Self::Response,
    ];

    /// The word in problems and in the record of traffic.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Key => "key",
            Self::Membership => "membership",
            Self::Permission => "permission",
            Self::Destination => "destination",
            Self::Address => "address",
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Credits => "credits",
            Self::Upstream => "upstream",
            Self::Response => "response",
        }
    }

    /// The stage of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }

    /// The name on pages.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Key => "Key",
            Self::Membership => "Membership",
            Self::Permission => "Permission",
            Self::Destination => "Destination",
            Self::Address => "Address",
            Self::Rate => "Rate",
            Self::Queue => "Queue",
            Self::Credits => "Credits",
            Self::Upstream => "Upstream",
            Self::Response => "Response",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_a_word_of_its_own_and_is_found_by_it() {
        for stage in GatewayStage::ALL {
            assert_eq!(GatewayStage::of_word(stage.word()), Some(stage));
        }
        assert!(GatewayStage::ALL.is_sorted());
    }
}
