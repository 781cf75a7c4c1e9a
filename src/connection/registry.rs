//! The connections of this program: how many each network has, and how many clients leave responses unread.

use crate::domain::{
    Counter,
    base::counters::{Entered, Level},
};
use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// How long a client may take to read a part of what waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// [`PATIENCE`] while more than [`MANY_UNREAD`] clients leave responses unread.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

const MANY_UNREAD: usize = 512;

/// How much longer than between two requests a connection stays open while nothing is read or written and no request is
/// being handled. The HTTP library ends it before; but a body that was refused, and never ends, has no other deadline.
const IDLE_GRACE: Duration = Duration::from_secs(5);

/// The connections of this program. Clones share their state.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    /// The most connections from one network; 0 means no limit.
    max_per_network: usize,
    /// Many people share these.
    exempt: Vec<IpNet>,
    /// How long a connection stays open while nothing happens.
    idle_timeout: Duration,
    /// How many each network has, and each wider one: by address and length of the prefix.
    by_network: Mutex<HashMap<IpNet, usize>>,
    /// Clients that leave responses unread.
    unread: AtomicUsize,
    open: Level,
    refused: Counter,
}

impl Connections {
    /// `keep_alive` is how long a connection stays open between two requests.
    pub fn new(max_per_network: usize, exempt: Vec<IpNet>, keep_alive: Duration) -> Self {
        Self(Arc::new(Shared {
            max_per_network,
            exempt,
            idle_timeout: keep_alive + IDLE_GRACE,
            by_network: Mutex::default(),
            unread: AtomicUsize::default(),
            open: Level::default(),
            refused: Counter::default(),
        }))
    }

    /// How many are open.
    pub fn open(&self) -> u64 {
        self.0.open.now()
    }

    /// How many were refused since the start, because their network had too many.
    pub fn refused(&self) -> u64 {
        self.0.refused.count()
    }

    /// Counts a connection as open, until what is returned is dropped.
    pub(super) fn enter(&self) -> Entered {
        self.0.open.enter()
    }

    /// Counts one that was refused.
    pub(super) fn note_refusal(&self) {
        self.0.refused.increment();
    }

    /// How long a connection stays open while nothing happens.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.0.idle_timeout
    }

    /// A place for a connection from this address; `None` if its network has too many.
    pub(super) fn place_for(&self, peer: IpAddr) -> Option<Place> {
        let max = self.0.max_per_network;
        let mut place = Place::without_limit(self);
        if max == 0 || self.0.exempt.iter().any(|network| network.contains(&peer)) {
            return Some(place);
        }
        let networks = networks(peer);
        let mut by_network = self.0.by_network.lock().ok()?;
        let is_full = |(network, factor): &(IpNet, usize)| {
            by_network.get(network).is_some_and(|count| *count >= max.saturating_mul(*factor))
        };
        if networks.iter().any(is_full) {
            return None;
        }
        for (network, _) in networks {
            *by_network.entry(network).or_default() += 1;
            place.networks.push(network);
        }
        Some(place)
    }

    /// How long one more client may leave its response unread.
    fn patience(&self) -> Duration {
        match self.0.unread.load(Ordering::Relaxed) {
            ..MANY_UNREAD => PATIENCE,
            _ => SHORT_PATIENCE,
        }
    }
}

/// How many times the connections of one network all networks of one customer of a provider may have together.
const WIDE_FACTOR: usize = 4;

/// The networks that an address counts for, each with how many times the connections of one network it may have. A
/// household has a /64 of IPv6, a customer of a provider up to a /48.
fn networks(address: IpAddr) -> Vec<(IpNet, usize)> {
    let prefixes: &[(u8, usize)] = match address {
        IpAddr::V6(v6) if !v6.is_loopback() => &[(64, 1), (48, WIDE_FACTOR)],
        IpAddr::V6(_) => &[(128, 1)],
        IpAddr::V4(_) => &[(32, 1)],
    };
    let network = |&(length, factor): &(u8, usize)| {
        // All of these lengths are valid.
        let network = IpNet::new(address, length).unwrap_or_else(|_| address.into());
        (network.trunc(), factor)
    };
    prefixes.iter().map(network).collect()
}

/// A connection that counts for its networks, until it is dropped.
pub(super) struct Place {
    connections: Connections,
    networks: Vec<IpNet>,
}

impl Place {
    /// One that counts for no network.
    pub(super) fn without_limit(connections: &Connections) -> Self {
        Self { connections: connections.clone(), networks: Vec::new() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.networks.is_empty() {
            return;
        }
        let Ok(mut by_network) = self.connections.0.by_network.lock() else { return };
        for network in &self.networks {
            match by_network.get_mut(network) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(by_network.remove(network)),
            }
        }
    }
}

/// A response that the client does not read.
pub(super) struct Unread {
    connections: Connections,
    pub(super) deadline: Pin<Box<Sleep>>,
    /// The bytes that it has read since.
    pub(super) progress: usize,
}

impl Unread {
    pub(super) fn new(connections: &Connections) -> Self {
        let deadline = Box::pin(sleep(connections.patience()));
        connections.0.unread.fetch_add(1, Ordering::Relaxed);
        Self { connections: connections.clone(), deadline, progress: 0 }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.connections.0.unread.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_networks_of_one_provider_have_a_bounded_number_of_connections_too() {
        let connections = Connections::new(2, Vec::new(), Duration::from_secs(75));
        let place = |address: &str| connections.place_for(address.parse().expect("an address"));
        let mut held: Vec<Place> = Vec::new();
        for n in 0..4 {
            let address = format!("2001:db8:1:{n}::7");
            held.extend([place(&address), place(&address)].into_iter().flatten());
            assert!(place(&address).is_none(), "a third one from one network");
        }
        assert_eq!(held.len(), 8);
        assert!(place("2001:db8:1:ffff::1").is_none(), "a ninth one from one provider's customer");
        // Others are not concerned.
        let others = [place("2001:db8:2::1"), place("203.0.113.7"), place("203.0.113.8"), place("::1")];
        assert!(others.iter().all(Option::is_some));
        held.pop();
        assert!(place("2001:db8:1:ffff::1").is_some(), "a place that was given up is free");
        drop((held, others));
        assert!(connections.0.by_network.lock().expect("a lock").is_empty());
    }
}
