//! What must be true of a destination and of a test key before something is sent, in the order in which it is asked. The
//! gateway asks it of a request, and decisions ask it for proxies that send requests themselves.

use crate::domain::base::{conflict::Conflict, gateway_stage::DESTINATION};

/// What a destination allows to a member.
#[derive(Clone, Copy, Debug)]
pub struct DestinationState {
    pub is_paused: bool,
    pub allows_requests: bool,
    /// The member may send to it: everybody may, or it is one of those who may.
    pub is_sender: bool,
}

/// Why nothing is sent to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationProblem {
    /// The workspace has no such destination.
    Unknown,
    /// It is paused.
    Paused,
    /// Requests are switched off.
    NoRequests,
    /// It is narrowed to some senders, and the key is none of them.
    NotASender,
}

impl DestinationProblem {
    /// The first that there is of a destination, or of none.
    pub fn of(destination: Option<DestinationState>) -> Option<Self> {
        let Some(DestinationState { is_paused, allows_requests, is_sender }) = destination else {
            return Some(Self::Unknown);
        };
        match () {
            () if is_paused => Some(Self::Paused),
            () if !allows_requests => Some(Self::NoRequests),
            () if !is_sender => Some(Self::NotASender),
            () => None,
        }
    }

    /// What is audited.
    pub(super) const fn conflict(self) -> Conflict {
        let sentence = match self {
            Self::Unknown => "This workspace has no such destination.",
            Self::Paused => "This destination is paused.",
            Self::NoRequests => "Requests to this destination are switched off.",
            Self::NotASender => "Only some roles and keys may send to this destination.",
        };
        Conflict::new("destination", sentence).with_audit_reason(DESTINATION)
    }

    /// What happened, in a sentence.
    pub const fn sentence(self) -> &'static str {
        self.conflict().sentence
    }
}

/// What is said of a test key that [`is_used_up`].
pub const USED_UP: &str = "This test key has sent all of its requests.";

/// Whether a key with so many requests left has none; `None` for any number.
pub fn is_used_up(requests_left: Option<i64>) -> bool {
    requests_left.is_some_and(|left| left <= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let of = |is_paused, allows_requests, is_sender| {
            DestinationProblem::of(Some(DestinationState { is_paused, allows_requests, is_sender }))
        };
        assert_eq!(DestinationProblem::of(None), Some(DestinationProblem::Unknown));
        assert_eq!(of(true, false, false), Some(DestinationProblem::Paused));
        assert_eq!(of(false, false, false), Some(DestinationProblem::NoRequests));
        assert_eq!(of(false, true, false), Some(DestinationProblem::NotASender));
        assert_eq!(of(false, true, true), None);
        assert!(is_used_up(Some(0)) && is_used_up(Some(-1)) && !is_used_up(Some(1)) && !is_used_up(None));
    }
}
