//! The client's address behind proxies.
//!
//! A header counts only as far as trusted proxies wrote it: read from the right, the first address that is no trusted
//! proxy. Only the header that the proxies are known to write is read: the other one is passed on as the client
//! sent it. What can't be read is no address at all, rather than the proxy's, which would be everybody's.

use crate::{
    config::ProxyHeader,
    visible::is_hidden,
    web::app::{App, Settings},
};
use actix_web::{
    HttpRequest,
    http::header::{self, HeaderName},
    web::Data,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

/// The client's address; `None` if it is not known.
pub(super) fn client(req: &HttpRequest) -> Option<IpAddr> {
    let settings = &req.app_data::<Data<App>>()?.settings;
    if !is_by_proxy(req, settings) {
        return Some(req.peer_addr()?.ip().to_canonical());
    }
    let mut client = None;
    for hop in hops(req, settings.proxy_header).into_iter().rev() {
        let Some(address) = address(&hop) else {
            log_once(settings, Some(&hop));
            return None;
        };
        client = Some(address);
        if !is_trusted(settings, address) {
            break;
        }
    }
    if client.is_none() {
        log_once(settings, None);
    }
    client
}

/// Whether a trusted proxy passed the request on. On a Unix socket nobody else connects.
pub(super) fn is_by_proxy(req: &HttpRequest, settings: &Settings) -> bool {
    match req.peer_addr() {
        Some(peer) => is_trusted(settings, peer.ip().to_canonical()),
        None => settings.is_unix_socket,
    }
}

fn is_trusted(settings: &Settings, address: IpAddr) -> bool {
    settings.trusted_proxies.iter().any(|network| network.0.contains(&address))
}

/// What the header says of each hop, the client first.
fn hops(req: &HttpRequest, header: ProxyHeader) -> Vec<String> {
    let name: HeaderName = match header {
        ProxyHeader::XForwardedFor => header::X_FORWARDED_FOR,
        ProxyHeader::Forwarded => header::FORWARDED,
    };
    let values = req.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all: Vec<String> = values.flat_map(|value| split(&value)).collect();
    match header {
        ProxyHeader::XForwardedFor => all,
        ProxyHeader::Forwarded => all.iter().map(|hop| forwarded_for(hop)).collect(),
    }
}

/// No address contains a comma, so one in quotes needs no care; and quotes that a client left open swallow nothing.
fn split(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|hop| !hop.is_empty()).map(str::to_owned).collect()
}

/// The parameter `for` of an element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> String {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut of = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    of.next().map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
}

/// An address as proxies write it: alone, with a port, in brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    let with_port = || Some(hop.parse::<SocketAddr>().ok()?.ip());
    hop.parse::<IpAddr>().ok().or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// Says once what is wrong with the proxy's header: it is the same for every request.
fn log_once(settings: &Settings, hop: Option<&str>) {
    static LOGGED: Once = Once::new();
    let header = settings.proxy_header.name();
    LOGGED.call_once(|| match hop {
        Some(hop) => {
            let hop: String = hop.chars().filter(|c| !is_hidden(*c)).take(60).collect();
            tracing::warn!(
                header,
                hop,
                "a trusted proxy sent an address that can't be read: it counts as unknown"
            );
        }
        None => tracing::warn!(
            header,
            "a trusted proxy sent no client address: it counts as unknown. See BAILIWICK_PROXY_HEADER."
        ),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_each_way_that_proxies_write_it() {
        for (hop, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7:4711", Some("203.0.113.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
            ("203.0.113.7:http", None),
        ] {
            assert_eq!(address(hop).map(|address| address.to_string()).as_deref(), expected, "{hop}");
        }
    }

    #[test]
    fn the_elements_of_forwarded_name_who_sent_the_request() {
        let of = |value: &str| split(value).iter().map(|hop| forwarded_for(hop)).collect::<Vec<_>>();
        assert_eq!(of("for=192.0.2.60;proto=http;by=203.0.113.43"), ["192.0.2.60"]);
        assert_eq!(
            of("For=\"[2001:db8:cafe::17]:4711\", proto=https;for=_x"),
            ["[2001:db8:cafe::17]:4711", "_x"]
        );
        assert_eq!(of("for=\"evil, for=192.0.2.60"), ["evil", "192.0.2.60"]);
        assert_eq!(of("proto=https"), [""]);
    }
}
