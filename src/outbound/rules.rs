//! Where requests may lead.

use crate::{
    config::outbound::{AllowedHost, plain_host},
    outbound::{address::class, failure::Failure},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where this installation itself is.
#[derive(Clone, Debug, Default)]
pub struct OwnAddresses {
    /// Host and port of the public URL.
    pub public: Option<(String, u16)>,
    /// Where this node listens.
    pub listening: Vec<SocketAddr>,
}

/// Where requests may lead.
#[derive(Debug)]
pub(in crate::outbound) struct Rules {
    pub allowed: Vec<AllowedHost>,
    /// Of a host that is not among these.
    pub port: u16,
    pub own: OwnAddresses,
}

/// A host and port that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbound) struct Place {
    /// A name in ASCII or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// The operator allows it wherever it is.
    pub is_allowed: bool,
}

impl Rules {
    /// The place of this host. An address in any notation is judged as the address that it is.
    ///
    /// # Errors
    /// What is wrong with the host, without a look at what it leads to.
    pub fn place(&self, host: &str) -> Result<Place, Failure> {
        let host = plain_host(host).filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Failure::Resolve("This is no name of a host.".into()))?;
        let allowed = self.allowed.iter().find(|allowed| allowed.host == host);
        let port = allowed.map_or(self.port, AllowedHost::port);
        let place = Place { host, port, is_allowed: allowed.is_some() };
        if self.own.public.as_ref().is_some_and(|(own, own_port)| {
            *own == place.host && (!place.is_allowed || *own_port == place.port)
        }) {
            return Err(Failure::OwnAddress);
        }
        match place.host.parse() {
            Ok(address) if !place.is_allowed => match class(address) {
                Some(class) => Err(Failure::Address { class, address }),
                None => {
                    Err(Failure::Resolve("Requests are sent to names of hosts, not to addresses.".into()))
                }
            },
            _ => Ok(place),
        }
    }

    /// Looks at every address that the host leads to.
    ///
    /// # Errors
    /// [`Failure::Address`], [`Failure::OwnAddress`], and [`Failure::Resolve`] if there is none.
    pub fn check(&self, place: &Place, addresses: &[IpAddr]) -> Result<(), Failure> {
        if addresses.is_empty() {
            return Err(Failure::Resolve("The host's name has no address.".into()));
        }
        for address in addresses {
            match class(*address) {
                Some(class) if !(place.is_allowed && class.can_be_allowed()) => {
                    return Err(Failure::Address { class, address: *address });
                }
                _ => {}
            }
        }
        let is_own = |address: &IpAddr| self.is_own(SocketAddr::new(*address, place.port), place.is_allowed);
        if addresses.iter().any(is_own) { Err(Failure::OwnAddress) } else { Ok(()) }
    }

    /// Whether this node is there. What the operator allows may be another program of this machine.
    fn is_own(&self, address: SocketAddr, is_allowed: bool) -> bool {
        let is_listening = self.own.listening.iter().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip()
                    || (own.ip().is_unspecified() && is_of_this_machine(address.ip())))
        });
        is_listening || (!is_allowed && is_of_this_machine(address.ip()))
    }
}

/// Whether a connection to this address would stay on this machine: then it comes from the same address. The system
/// says so without sending anything.
fn is_of_this_machine(address: IpAddr) -> bool {
    if address.is_loopback() {
        return true;
    }
    let any = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 443))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::address::AddressClass;

    fn rules(allowed: &[&str]) -> Rules {
        Rules {
            allowed: allowed.iter().map(|host| host.parse().expect("a host")).collect(),
            port: 443,
            own: OwnAddresses {
                public: Some(("access.example.com".into(), 443)),
                listening: vec![SocketAddr::from(([127, 0, 0, 1], 8000))],
            },
        }
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn an_address_is_refused_in_any_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "１２７.0.0.1",
            "127.0.0.1.",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]",
            "0",
            "%31%32%37.0.0.1",
        ] {
            let place = rules(&[]).place(host);
            assert!(matches!(place, Err(Failure::Address { .. })), "{host}: {place:?}");
        }
        for host in ["8.8.8.8", "134744072", "[2606:4700::1]", "", ".", "a b", "a/b", "user@host", "host:443"]
        {
            assert!(matches!(rules(&[]).place(host), Err(Failure::Resolve(_))), "{host}");
        }
    }

    #[test]
    fn one_address_that_is_not_public_is_enough() {
        let rules = rules(&[]);
        let place = rules.place("api.example.net").expect("a name");
        assert_eq!(place, Place { host: "api.example.net".into(), port: 443, is_allowed: false });
        assert_eq!(rules.check(&place, &addresses(&["1.1.1.1", "2606:4700::1111"])), Ok(()));
        for mixed in [&["1.1.1.1", "10.0.0.1"], &["::1", "1.1.1.1"], &["1.1.1.1", "::ffff:1.1.1.1"]] {
            assert!(rules.check(&place, &addresses(mixed)).is_err_and(|failure| failure.is_address()));
        }
        assert!(matches!(rules.check(&place, &[]), Err(Failure::Resolve(_))));
    }

    #[test]
    fn what_the_operator_allows_may_be_private_but_tells_no_secrets() {
        let rules = rules(&["api.internal:8443", "127.0.0.1:8000"]);
        let place = rules.place("api.internal").expect("allowed");
        assert_eq!((place.port, place.is_allowed), (8443, true));
        assert_eq!(rules.check(&place, &addresses(&["10.0.0.1", "fd00::1", "127.0.0.1"])), Ok(()));
        for refused in ["169.254.169.254", "169.254.1.1", "0.0.0.0", "224.0.0.1", "fd00:ec2::254"] {
            let checked = rules.check(&place, &addresses(&["10.0.0.1", refused]));
            assert!(matches!(checked, Err(Failure::Address { .. })), "{refused}");
        }
        let own = rules.place("127.0.0.1").expect("allowed");
        assert_eq!(rules.check(&own, &addresses(&["127.0.0.1"])), Err(Failure::OwnAddress));
    }

    #[test]
    fn the_installation_itself_is_no_destination() {
        for host in ["access.example.com", "ACCESS.example.com."] {
            assert_eq!(rules(&[]).place(host), Err(Failure::OwnAddress));
        }
        assert_eq!(rules(&["access.example.com"]).place("access.example.com"), Err(Failure::OwnAddress));
        assert!(rules(&["access.example.com:8443"]).place("access.example.com").is_ok());
        assert!(is_of_this_machine(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(class(IpAddr::V4(Ipv4Addr::LOCALHOST)), Some(AddressClass::Loopback));
    }
}
