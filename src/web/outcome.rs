//! What became of a request, for the log and the metrics: who was admitted to what, or at which stage it was refused.

use crate::{
    domain::{Refused, base::principal::Principal},
    web::access::Requirement,
};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, http::StatusCode};
use std::fmt;
use uuid::Uuid;

/// Who made a request. An id and no name: names stay in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalId {
    User(Uuid),
    ApiKey(Uuid),
    Support(Uuid),
}

impl PrincipalId {
    /// The credential that it comes with.
    pub(in crate::web) const fn credential(self) -> &'static str {
        match self {
            Self::User(_) => "session",
            Self::ApiKey(_) => "api_key",
            Self::Support(_) => "support_access",
        }
    }
}

impl From<&Principal> for PrincipalId {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::User(person) => Self::User(person.user_id),
            Principal::ApiKey(key) => Self::ApiKey(key.id),
            Principal::Support(visitor) => Self::Support(visitor.grant_id),
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::Support(id) => write!(f, "support:{id}"),
        }
    }
}

/// What a request was admitted to: a workspace, an account, the principal's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) struct AdmittedTo(pub &'static str);

/// Notes that this principal was admitted. Requests that need no admission are not noted.
pub(in crate::web) fn admitted(req: &HttpRequest, requirement: Requirement, by: PrincipalId) {
    let to = match requirement {
        Requirement::Public => return,
        Requirement::SignedIn => "user",
        Requirement::Key => "api_key",
        Requirement::Member(_) => "workspace",
        Requirement::Account => "account",
    };
    req.extensions_mut().insert(AdmittedTo(to));
    identified(req, by);
}

/// Notes who it is, admitted or not.
pub(in crate::web) fn identified(req: &HttpRequest, principal: PrincipalId) {
    req.extensions_mut().insert(principal);
}

/// The stage at which a request was refused: the steps of the admission, then the rules, then what the server could
/// not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Route,
    CrossSite,
    FormToken,
    Credential,
    Membership,
    Suspension,
    Permission,
    AccountAdmin,
    Prerequisite,
    Ceiling,
    Rule,
    Destination,
    Address,
    Conflict,
    Gone,
    Version,
    Input,
    RateLimit,
    Busy,
    Upstream,
    ClientGone,
    Failure,
}

impl Stage {
    pub const ALL: [Self; 22] = [
        Self::Route,
        Self::CrossSite,
        Self::FormToken,
        Self::Credential,
        Self::Membership,
        Self::Suspension,
        Self::Permission,
        Self::AccountAdmin,
        Self::Prerequisite,
        Self::Ceiling,
        Self::Rule,
        Self::Destination,
        Self::Address,
        Self::Conflict,
        Self::Gone,
        Self::Version,
        Self::Input,
        Self::RateLimit,
        Self::Busy,
        Self::Upstream,
        Self::ClientGone,
        Self::Failure,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::CrossSite => "cross_site",
            Self::FormToken => "form_token",
            Self::Credential => "credential",
            Self::Membership => "membership",
            Self::Suspension => "suspension",
            Self::Permission => "permission",
            Self::AccountAdmin => "account_admin",
            Self::Prerequisite => "prerequisite",
            Self::Ceiling => "ceiling",
            Self::Rule => "rule",
            Self::Destination => "destination",
            Self::Address => "address",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::Version => "version",
            Self::Input => "input",
            Self::RateLimit => "rate_limit",
            Self::Busy => "busy",
            Self::Upstream => "upstream",
            Self::ClientGone => "client_gone",
            Self::Failure => "failure",
        }
    }

    pub(in crate::web) fn of(refused: &Refused) -> Self {
        match refused {
            Refused::Unauthenticated => Self::Credential,
            Refused::NotFound => Self::Membership,
            Refused::Suspended(_) => Self::Suspension,
            Refused::Forbidden(_) => Self::Permission,
            Refused::NotAdmin(_) => Self::AccountAdmin,
            Refused::Ceiling(_) => Self::Ceiling,
            Refused::Prerequisite(_) => Self::Prerequisite,
            Refused::NotAllowed(_) => Self::Rule,
            Refused::Conflict(_) | Refused::DetailedConflict(_) => Self::Conflict,
            Refused::Gone(_) => Self::Gone,
            Refused::PreconditionFailed => Self::Version,
            Refused::Invalid(_) => Self::Input,
            Refused::RateLimited { .. } | Refused::NoCredit(_) => Self::RateLimit,
            Refused::Busy { .. } => Self::Busy,
            Refused::Failed(_) if refused.outage().is_some() => Self::Busy,
            Refused::Failed(_) => Self::Failure,
        }
    }

    /// The stage of a response that no [`Refused`] caused: `None` if nothing was refused.
    fn of_status(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            status if status < 400 => None,
            401 => Some(Self::Credential),
            // The forms that are out of date.
            403 => Some(Self::FormToken),
            404 | 405 => Some(Self::Route),
            409 => Some(Self::Conflict),
            410 => Some(Self::Gone),
            412 => Some(Self::Version),
            429 => Some(Self::RateLimit),
            503 => Some(Self::Busy),
            500.. => Some(Self::Failure),
            _ => Some(Self::Input),
        }
    }
}

/// Notes in the response at which stage its request was refused.
pub(in crate::web) fn refused(response: &mut HttpResponse, refused: &Refused) {
    refused_at(response, Stage::of(refused));
}

pub(in crate::web) fn refused_at(response: &mut HttpResponse, stage: Stage) {
    response.extensions_mut().insert(stage);
}

/// The answer of a destination, which refuses nothing whatever its status.
struct PassedOn;

/// Notes that the response is the answer of a destination.
pub(in crate::web) fn passed(response: &mut HttpResponse) {
    response.extensions_mut().insert(PassedOn);
}

/// The stage at which the request of this response was refused; `None` if it was not.
pub(in crate::web) fn stage<B>(response: &HttpResponse<B>) -> Option<Stage> {
    if response.extensions().get::<PassedOn>().is_some() {
        return None;
    }
    let noted = response.extensions().get::<Stage>().copied();
    noted.or_else(|| Stage::of_status(response.status()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_stage_is_listed_under_a_word_of_its_own() {
        let words: BTreeSet<&str> = Stage::ALL.iter().map(|stage| stage.word()).collect();
        assert_eq!(words.len(), Stage::ALL.len());
        let last = Stage::ALL.last().map(|stage| *stage as usize);
        assert_eq!(last, Some(Stage::ALL.len() - 1), "a stage is missing in the list");
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }

    #[test]
    fn a_response_is_refused_where_its_status_says_so() {
        let at = |status: u16| Stage::of_status(StatusCode::from_u16(status).expect("a status"));
        for status in [200, 201, 204, 303, 304, 399] {
            assert_eq!(at(status), None, "{status}");
        }
        for status in [400, 408, 413, 415, 422] {
            assert_eq!(at(status), Some(Stage::Input), "{status}");
        }
        assert_eq!(
            (at(404), at(500), at(503)),
            (Some(Stage::Route), Some(Stage::Failure), Some(Stage::Busy))
        );
    }
}
