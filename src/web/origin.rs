//! Where a request comes from: the network address, the browser, the route.

use crate::{
    domain::base::principal::{Channel, Origin},
    web::{app::App, matched},
};
use actix_web::{
    HttpMessage, HttpRequest,
    http::header,
    web::{self},
};

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

/// The client's network address, as it is audited and counted.
pub(super) fn address_text(req: &HttpRequest) -> String {
    address(req).map_or_else(|| "unknown".to_owned(), |address| address.to_string())
}

/// The client's address. X-Forwarded-For counts only as far as trusted proxies wrote it: read from
/// the right, the first address that is no trusted proxy.
fn address(req: &HttpRequest) -> Option<IpAddr> {
    let mut address = canonical(req.peer_addr()?.ip());
    let app = req.app_data::<web::Data<App>>()?;
    let is_trusted =
        |address: IpAddr| app.settings.trusted_proxies.iter().any(|net| net.0.contains(&address));
    let values: Vec<_> = req
        .headers()
        .get_all(header::X_FORWARDED_FOR)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let mut hops = values.iter().flat_map(|value| value.split(',')).rev();
    while is_trusted(address) {
        match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(hop)) => address = canonical(hop),
            _ => break,
        }
    }
    Some(network(address))
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
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
