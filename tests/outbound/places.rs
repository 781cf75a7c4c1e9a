//! Where it never connects to.

use super::{client, failure, get, read, settings};
use crate::support::{
    product::{AddressClass, Failure, Outbound, OutboundSettings, OwnAddresses, class, networks},
    *,
};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::net::TcpListener;

const GENERATED: usize = 10_000;

/// Counts whoever connects to any address of this machine.
struct Trap {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Trap {
    async fn open() -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut listeners = vec![listener];
        // A machine may have no IPv6.
        listeners.extend(TcpListener::bind(("::1", port)).await);
        for listener in listeners {
            let counted = Arc::clone(&connections);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The same numbers in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// An address of a network that is refused, each network as often as any other.
    fn refused(&mut self) -> IpAddr {
        let networks: Vec<_> = networks().collect();
        let (network, _) = networks[self.below(networks.len())];
        match network {
            ipnet::IpNet::V4(network) => {
                let random = u32::try_from(self.next() >> 32).unwrap() & u32::from(network.hostmask());
                Ipv4Addr::from(u32::from(network.network()) | random).into()
            }
            ipnet::IpNet::V6(network) => {
                let random = (u128::from(self.next()) << 64) | u128::from(self.next());
                Ipv6Addr::from(u128::from(network.network()) | (random & u128::from(network.hostmask())))
                    .into()
            }
        }
    }

    /// An address in one of the ways in which it can be written.
    fn notation(&mut self, address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) => self.notation_v4(address),
            IpAddr::V6(address) => {
                let parts = address.segments();
                match self.below(4) {
                    0 => address.to_string(),
                    1 => format!("[{address}]"),
                    2 => parts.map(|part| format!("{part:04X}")).join(":"),
                    _ => format!("[{}]", parts.map(|part| format!("{part:x}")).join(":")),
                }
            }
        }
    }

    fn notation_v4(&mut self, address: Ipv4Addr) -> String {
        let number = u32::from(address);
        let [a, b, c, d] = address.octets();
        match self.below(14) {
            0 => address.to_string(),
            1 => format!("{address}."),
            2 => number.to_string(),
            3 => format!("0x{number:x}"),
            4 => format!("0X{number:08X}"),
            5 => format!("0{number:o}"),
            6 => format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
            7 => format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
            8 => format!("{a}.{}", number & 0x00ff_ffff),
            9 => format!("{a}.{b}.{}", number & 0xffff),
            10 => format!("0x{a:x}.{b}.0{c:o}.{d}"),
            11 => format!("[::ffff:{address}]"),
            // Digits of full width, and the full stop of another script.
            12 => address.to_string().chars().map(wide).collect(),
            _ => address.to_string().chars().map(|one| format!("%{:02x}", u32::from(one))).collect(),
        }
    }
}

fn wide(character: char) -> char {
    match character {
        '.' => '。',
        digit => char::from_u32(u32::from(digit) - u32::from('0') + u32::from('０')).unwrap(),
    }
}

/// A client whose requests would end in the trap, wherever on this machine they lead.
fn into(trap: &Trap, upstream: &Upstream) -> Outbound {
    Outbound::new(OutboundSettings { port: trap.port, allowed: Vec::new(), ..settings(upstream) }).unwrap()
}

#[tokio::test]
async fn ten_thousand_hosts_and_addresses_of_refused_classes_are_connected_to_not_once() {
    let (trap, upstream) = (Trap::open().await, Upstream::open(&[]).await);
    let outbound = into(&trap, &upstream);
    let mut numbers = Numbers(13);
    let public: [IpAddr; 2] = ["1.1.1.1".parse().unwrap(), "2606:4700:4700::1111".parse().unwrap()];
    for at in 0..GENERATED {
        let address = numbers.refused();
        let is_named = at % 4 == 0;
        let host = if is_named {
            let name = format!("host{at}.example.net");
            // Alone, after public ones, before them; and a second lookup would find them alone.
            let answer = match numbers.below(3) {
                0 => vec![address],
                1 => vec![public[0], public[1], address],
                _ => vec![address, public[1], public[0]],
            };
            upstream.dns.put(&name, vec![answer, public.to_vec()]);
            name
        } else {
            numbers.notation(address)
        };
        let failure = failure(get(&outbound, &host, "/").await);
        let Failure::Address { class: named, .. } = &failure else {
            panic!("{host} ({address}) is refused as {failure:?}");
        };
        let expected = class(address).unwrap();
        // An address of IPv4 in one of IPv6 is refused as such.
        assert!(*named == expected || *named == AddressClass::Embedded, "{host} ({address}) is {named:?}");
        assert!(!failure.sentence().contains(&address.to_string()), "{failure}");
        if is_named {
            assert_eq!(upstream.dns.lookups(&host), 1, "{host}");
        }
    }
    assert_eq!((outbound.counts().connections(), trap.connections()), (0, 0));
    let refused: u64 = outbound.counts().refusals().map(|(_, count)| count).sum();
    assert_eq!(refused, GENERATED as u64);
    // The trap is where they would have ended.
    tokio::net::TcpStream::connect(("127.0.0.1", trap.port)).await.unwrap();
    until("the trap counts nothing", async || trap.connections() == 1).await;
}

/// What is allowed leads to this machine, so that it is seen whether a connection follows the answer that was looked at.
#[tokio::test]
async fn an_answer_that_flips_between_two_lookups_is_looked_up_once_for_a_connection() {
    let upstream = Upstream::at([127, 0, 0, 2].into(), &["api.example.com"]).await;
    let trap = TcpListener::bind(("127.0.0.1", upstream.address.port())).await.unwrap();
    let outbound = client(&upstream);
    for refused in ["0.0.0.0", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1"] {
        upstream.dns.flip("api.example.com", &[&["127.0.0.2"], &[refused], &["127.0.0.2", refused]]);
        upstream.answer(|_| Reply::new(200, &[("connection", "close")], b"ok").and_close());
        let answer = get(&outbound, "api.example.com", "/").await.unwrap();
        assert_eq!(answer.peer, IpAddr::from([127, 0, 0, 2]));
        assert_eq!(read(answer).await.unwrap(), b"ok");
        assert_eq!(upstream.dns.lookups("api.example.com"), 1);
        let before = (upstream.connections(), outbound.counts().connections());
        for lookups in [2, 3] {
            assert!(failure(get(&outbound, "api.example.com", "/").await).is_address(), "{refused}");
            assert_eq!(upstream.dns.lookups("api.example.com"), lookups);
        }
        assert_eq!((upstream.connections(), outbound.counts().connections()), before);
    }
    let trapped = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(trapped.is_err(), "0.0.0.0 leads to the trap");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nothing_follows_it() {
    let upstream = Upstream::open(&["api.example.com", "other.example.com"]).await;
    let trap = Trap::open().await;
    let outbound = client(&upstream);
    let port = upstream.address.port();
    for status in [301, 302, 303, 307, 308] {
        for location in [
            format!("https://127.0.0.1:{}/", trap.port),
            "https://169.254.169.254/latest/meta-data".to_owned(),
            format!("https://other.example.com:{port}/"),
            "/elsewhere".to_owned(),
        ] {
            upstream.take_requests();
            let sent = location.clone();
            upstream.answer(move |_| Reply::new(status, &[("location", &sent)], b"moved"));
            let answer = get(&outbound, "api.example.com", "/").await.unwrap();
            assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (status, &*location));
            assert_eq!(read(answer).await.unwrap(), b"moved");
            assert_eq!(upstream.take_requests().len(), 1);
        }
    }
    assert_eq!((trap.connections(), outbound.counts().connections()), (0, 1));
}

#[tokio::test]
async fn what_leads_back_to_this_node_is_refused_and_nothing_is_sent() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let other: SocketAddr = ([127, 0, 0, 1], 1).into();
    for (own, is_own) in [
        (OwnAddresses { listening: vec![upstream.address], public: None }, true),
        (
            OwnAddresses { listening: vec![([0, 0, 0, 0], upstream.address.port()).into()], public: None },
            true,
        ),
        (
            OwnAddresses {
                listening: vec![],
                public: Some(("API.example.com".into(), upstream.address.port())),
            },
            true,
        ),
        (OwnAddresses { listening: vec![other], public: Some(("www.example.com".into(), 443)) }, false),
    ] {
        let outbound = Outbound::new(OutboundSettings { own: own.clone(), ..settings(&upstream) }).unwrap();
        let before = upstream.connections();
        let answer = get(&outbound, "api.example.com", "/").await;
        assert_eq!(matches!(answer, Err(Failure::OwnAddress)), is_own, "{own:?}");
        assert_eq!(upstream.connections() - before, usize::from(!is_own));
    }
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_refused_in_words() {
    let upstream = Upstream::open(&["api.example.com"]).await;
    let outbound = client(&upstream);
    upstream.dns.set("empty.example.net", &[]);
    for host in ["unknown.example.net", "empty.example.net", "a b", ""] {
        assert!(matches!(failure(get(&outbound, host, "/").await), Failure::Resolve(_)), "{host}");
    }
    assert_eq!(outbound.counts().connections(), 0);
}
