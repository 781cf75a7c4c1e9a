//! What the client did since the start.

use crate::outbound::{address::AddressClass, failure::Failure};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the client did since the start.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    refused: [AtomicU64; AddressClass::ALL.len()],
    own: AtomicU64,
}

impl Counts {
    pub(in crate::outbound) fn connecting(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::outbound) fn refused(&self, failure: &Failure) {
        let count = match failure {
            Failure::Address { class, .. } => self.refused.get(*class as usize),
            Failure::OwnAddress => Some(&self.own),
            _ => None,
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Connections that were opened, or tried to.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests that were refused for where they lead to, by a word for why.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let classes = AddressClass::ALL.iter().zip(&self.refused);
        let classes = classes.map(|(class, count)| (class.word(), count.load(Ordering::Relaxed)));
        classes.chain([("own_address", self.own.load(Ordering::Relaxed))])
    }
}
