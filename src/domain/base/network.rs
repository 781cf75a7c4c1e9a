//! Networks, as limits count them: by the text of an address, in which an IPv6 address is cut to its /64
//! already (see `web::origin`).

use ipnet::Ipv6Net;
use std::net::IpAddr;

/// The wider network of an address, as far as one customer of a provider can rotate through it: a /48 of IPv6. An
/// IPv4 address stands for itself, because its neighbours are other people. So does the text of an address
/// that is not known.
pub(in crate::domain) fn wide(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) if !v6.is_loopback() => Ipv6Net::new_assert(v6, 48).trunc().to_string(),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::wide;

    #[test]
    fn who_has_many_networks_is_one() {
        assert_eq!(wide("2001:db8:1:2::"), wide("2001:db8:1:ffff::"));
        assert_ne!(wide("2001:db8:1:2::"), wide("2001:db8:2:2::"));
        assert_ne!(wide("203.0.113.7"), wide("203.0.113.8"));
        assert_eq!(wide("unknown"), "unknown");
    }
}
