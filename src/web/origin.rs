//! Where a request comes from: the network address, the browser, the route.

use crate::{
    domain::base::principal::{Channel, Origin, UNKNOWN_ADDRESS},
    web::{forwarded, matched},
};
use actix_web::{HttpMessage, HttpRequest, http::header};

use std::net::IpAddr;
use uuid::Uuid;

/// Reads the origin of a request, for the audit and the rate limits.
pub(super) fn of(req: &HttpRequest) -> Origin {
    let agent = req.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    Origin {
        via: Channel::Browser,
        address: address_text(req),
        user_agent: agent.chars().filter(|c| !c.is_control()).take(200).collect(),
        route: format!("{} {}", req.method(), matched::pattern(req).unwrap_or_default()),
        attempt: None,
    }
}

/// The origin of a request by an API key.
pub(super) fn of_call(req: &HttpRequest) -> Origin {
    let attempt = req.extensions().get::<AttemptId>().map(|id| id.0);
    Origin { via: Channel::Api, attempt, ..of(req) }
}

/// The client's network address, as it is audited.
pub(super) fn address_text(req: &HttpRequest) -> String {
    known_address(req).unwrap_or_else(|| UNKNOWN_ADDRESS.to_owned())
}

/// The client's network address, as it is counted; `None` if it is not known.
pub(super) fn known_address(req: &HttpRequest) -> Option<String> {
    Some(network(forwarded::client(req)?).to_string())
}

/// One household has a /64 of IPv6 addresses to rotate through: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) if v6.is_loopback() => address,
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
    }
}

/// The idempotency attempt of this request, which the audit's origin passes on to the change.
pub(in crate::web) struct AttemptId(pub Uuid);
