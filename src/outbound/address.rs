//! Which addresses are on the public internet.
//!
//! The table follows IANA's registries of special-purpose addresses for IPv4
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>) and IPv6
//! (<https://www.iana.org/assignments/iana-ipv6-special-registry>), with what is not in them: multicast, the
//! deprecated forms of IPv6 that contain an address of IPv4, and the addresses at which providers of machines tell
//! these their secrets. Of IPv6 only `2000::/3` is in use, so all else is refused without being named.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressClass {
    /// Tells a machine at a provider its secrets.
    Metadata,
    Loopback,
    /// Networks of organizations and homes.
    Private,
    /// The same of IPv6, `fc00::/7`, and `fec0::/10` before it.
    UniqueLocal,
    LinkLocal,
    /// Between a provider and its customers, `100.64.0.0/10`.
    CarrierNat,
    Unspecified,
    Multicast,
    Broadcast,
    Documentation,
    Benchmarking,
    /// An address of IPv6 that contains one of IPv4: mapped, compatible, NAT64, 6to4 or Teredo.
    Embedded,
    /// For protocols of the network itself, or for later.
    Reserved,
}

impl AddressClass {
    /// Every class, in the order of the type.
    pub const ALL: [Self; 13] = [
        Self::Metadata,
        Self::Loopback,
        Self::Private,
        Self::UniqueLocal,
        Self::LinkLocal,
        Self::CarrierNat,
        Self::Unspecified,
        Self::Multicast,
        Self::Broadcast,
        Self::Documentation,
        Self::Benchmarking,
        Self::Embedded,
        Self::Reserved,
    ];

    /// A word for metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique_local",
            Self::LinkLocal => "link_local",
            Self::CarrierNat => "carrier_nat",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Embedded => "embedded",
            Self::Reserved => "reserved",
        }
    }

    /// Whether the operator's list of allowed hosts opens it. Nothing opens metadata: a name is changed by whoever
    /// runs its zone, and the operator meant a service.
    pub fn can_be_allowed(self) -> bool {
        matches!(
            self,
            Self::Loopback
                | Self::Private
                | Self::UniqueLocal
                | Self::CarrierNat
                | Self::Documentation
                | Self::Benchmarking
        )
    }
}

impl fmt::Display for AddressClass {
    /// The end of “The host leads to an address that is …”.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "for cloud metadata",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "private (IPv6)",
            Self::LinkLocal => "link-local",
            Self::CarrierNat => "for carrier-grade NAT",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "for documentation",
            Self::Benchmarking => "for benchmarking",
            Self::Embedded => "IPv6 with an embedded IPv4 address",
            Self::Reserved => "reserved",
        })
    }
}

/// The class of an address that is not public; `None` if it is.
pub fn class(address: IpAddr) -> Option<AddressClass> {
    if METADATA.contains(&address) {
        return Some(AddressClass::Metadata);
    }
    match address {
        IpAddr::V4(address) => {
            V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, class)| *class)
        }
        IpAddr::V6(address) => {
            let named = V6.iter().find(|(network, _)| network.contains(&address)).map(|(_, class)| *class);
            named.or_else(|| (!GLOBAL_UNICAST.contains(&address)).then_some(AddressClass::Reserved))
        }
    }
}

/// Whether it is in a network of the table, for the tests of other parts.
pub fn networks() -> impl Iterator<Item = (IpNet, AddressClass)> {
    let v4 = V4.iter().map(|(network, class)| (IpNet::V4(*network), *class));
    v4.chain(V6.iter().map(|(network, class)| (IpNet::V6(*network), *class)))
}

/// Where Amazon, Google, Azure, Alibaba, Oracle, Scaleway and others tell machines and containers their secrets. Two
/// of them are in no special network.
const METADATA: [IpAddr; 9] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0], 3);

/// The first network that has an address says what it is.
const V4: [(Ipv4Net, AddressClass); 19] = [
    (v4([0, 0, 0, 0], 8), AddressClass::Unspecified),
    (v4([10, 0, 0, 0], 8), AddressClass::Private),
    (v4([100, 64, 0, 0], 10), AddressClass::CarrierNat),
    (v4([127, 0, 0, 0], 8), AddressClass::Loopback),
    (v4([169, 254, 0, 0], 16), AddressClass::LinkLocal),
    (v4([172, 16, 0, 0], 12), AddressClass::Private),
    (v4([192, 0, 0, 0], 24), AddressClass::Reserved),
    (v4([192, 0, 2, 0], 24), AddressClass::Documentation),
    // AS112, and multicast through a relay.
    (v4([192, 31, 196, 0], 24), AddressClass::Reserved),
    (v4([192, 52, 193, 0], 24), AddressClass::Reserved),
    // The relays of 6to4.
    (v4([192, 88, 99, 0], 24), AddressClass::Embedded),
    (v4([192, 168, 0, 0], 16), AddressClass::Private),
    (v4([192, 175, 48, 0], 24), AddressClass::Reserved),
    (v4([198, 18, 0, 0], 15), AddressClass::Benchmarking),
    (v4([198, 51, 100, 0], 24), AddressClass::Documentation),
    (v4([203, 0, 113, 0], 24), AddressClass::Documentation),
    (v4([224, 0, 0, 0], 4), AddressClass::Multicast),
    (v4([255, 255, 255, 255], 32), AddressClass::Broadcast),
    (v4([240, 0, 0, 0], 4), AddressClass::Reserved),
];

/// The same of IPv6.
const V6: [(Ipv6Net, AddressClass); 22] = [
    (v6([0, 0, 0], 128), AddressClass::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), AddressClass::Loopback),
    // Mapped, translated and compatible.
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), AddressClass::Embedded),
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96), AddressClass::Embedded),
    (v6([0, 0, 0], 96), AddressClass::Embedded),
    // NAT64, with the well-known prefix and with local ones.
    (v6([0x64, 0xff9b, 0], 96), AddressClass::Embedded),
    (v6([0x64, 0xff9b, 1], 48), AddressClass::Embedded),
    // To be discarded, and the prefix for dummies.
    (v6([0x100, 0, 0], 48), AddressClass::Reserved),
    // Teredo, before the other protocols of 2001::/23: AMT, ORCHID, drones.
    (v6([0x2001, 0, 0], 32), AddressClass::Embedded),
    (v6([0x2001, 2, 0], 48), AddressClass::Benchmarking),
    (v6([0x2001, 0, 0], 23), AddressClass::Reserved),
    (v6([0x2001, 0xdb8, 0], 32), AddressClass::Documentation),
    // 6to4.
    (v6([0x2002, 0, 0], 16), AddressClass::Embedded),
    // AS112.
    (v6([0x2620, 0x4f, 0x8000], 48), AddressClass::Reserved),
    (v6([0x3fff, 0, 0], 20), AddressClass::Documentation),
    // The 6bone, given back.
    (v6([0x3ffe, 0, 0], 16), AddressClass::Reserved),
    // Identifiers of SRv6.
    (v6([0x5f00, 0, 0], 16), AddressClass::Reserved),
    (v6([0xfc00, 0, 0], 7), AddressClass::UniqueLocal),
    (v6([0xfe80, 0, 0], 10), AddressClass::LinkLocal),
    (v6([0xfec0, 0, 0], 10), AddressClass::UniqueLocal),
    (v6([0xff00, 0, 0], 8), AddressClass::Multicast),
    (v6([0x4000, 0, 0], 2), AddressClass::Reserved),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// A network of IPv6 by the first three parts of its address.
const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<AddressClass> {
        class(text.parse().unwrap_or_else(|_| panic!("{text} is no address")))
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001:80e::200e",
            "2620:fe::fe",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn each_special_address_has_its_class() {
        for (texts, expected) in [
            (&["0.0.0.0", "0.1.2.3", "::"][..], AddressClass::Unspecified),
            (&["127.0.0.1", "127.255.255.255", "::1"], AddressClass::Loopback),
            (&["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"], AddressClass::Private),
            (&["fc00::1", "fd12:3456::1", "fec0::1", "feff::1"], AddressClass::UniqueLocal),
            (&["169.254.0.1", "fe80::1", "febf::1"], AddressClass::LinkLocal),
            (&["100.64.0.1", "100.127.255.255"], AddressClass::CarrierNat),
            (&["224.0.0.1", "239.255.255.255", "ff02::1"], AddressClass::Multicast),
            (&["255.255.255.255"], AddressClass::Broadcast),
            (
                &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
                AddressClass::Documentation,
            ),
            (&["198.18.0.1", "198.19.255.255", "2001:2::1"], AddressClass::Benchmarking),
            (
                &[
                    "::ffff:8.8.8.8",
                    "::ffff:0:8.8.8.8",
                    "::8.8.8.8",
                    "64:ff9b::8.8.8.8",
                    "64:ff9b:1::1",
                    "2001::1",
                    "2002:0808:0808::1",
                    "192.88.99.1",
                ],
                AddressClass::Embedded,
            ),
            (
                &[
                    "240.0.0.1",
                    "192.0.0.1",
                    "100::1",
                    "2001:10::1",
                    "2001:20::1",
                    "5f00::1",
                    "4000::1",
                    "e000::1",
                ],
                AddressClass::Reserved,
            ),
            (
                &["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
                AddressClass::Metadata,
            ),
        ] {
            for text in texts {
                assert_eq!(of(text), Some(expected), "{text}");
            }
        }
    }

    #[test]
    fn both_ends_of_each_network_are_refused() {
        for (network, _) in networks() {
            for address in [network.network(), network.broadcast()] {
                assert!(class(address).is_some(), "{address} of {network}");
            }
        }
    }

    #[test]
    fn each_class_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> =
            AddressClass::ALL.iter().map(|one| one.word()).collect();
        assert_eq!(words.len(), AddressClass::ALL.len());
    }
}
