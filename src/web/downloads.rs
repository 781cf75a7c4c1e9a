//! The downloads that go on: each holds a connection and a part of its rows for as long as its client reads.

use crate::domain::Refused;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Downloads of a person or key at a time.
const OF_PRINCIPAL: usize = 2;

/// Downloads of an account at a time, on each node.
const OF_ACCOUNT: usize = 6;

/// Downloads at a time, on each node: a part of 1,000 rows each.
const OF_ALL: usize = 32;

/// What goes on, by account and by person or key. Clones share their state.
#[derive(Clone, Default)]
pub struct Downloads(Arc<Mutex<Going>>);

#[derive(Default)]
struct Going {
    all: usize,
    by: HashMap<Uuid, usize>,
}

/// The place of one download, until it is dropped.
pub(in crate::web) struct Place {
    downloads: Downloads,
    account: Uuid,
    principal: Uuid,
}

impl Downloads {
    fn going(&self) -> MutexGuard<'_, Going> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a download.
    ///
    /// # Errors
    /// [`Refused::Busy`] while too many go on.
    pub(in crate::web) fn begin(&self, account: Uuid, principal: Uuid) -> Result<Place, Refused> {
        let mut going = self.going();
        let of = |id: &Uuid| going.by.get(id).copied().unwrap_or_default();
        if going.all >= OF_ALL || of(&account) >= OF_ACCOUNT || of(&principal) >= OF_PRINCIPAL {
            return Err(Refused::Busy { retry_after_seconds: 5 });
        }
        going.all += 1;
        for id in [account, principal] {
            *going.by.entry(id).or_default() += 1;
        }
        Ok(Place { downloads: self.clone(), account, principal })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut going = self.downloads.going();
        going.all -= 1;
        for id in [self.account, self.principal] {
            if let Some(count) = going.by.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    going.by.remove(&id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places_and_each_comes_back() {
        let downloads = Downloads::default();
        let id = Uuid::from_u128;
        let mut held: Vec<Place> = Vec::new();
        for principal in 10..13 {
            for _ in 0..OF_PRINCIPAL {
                held.push(downloads.begin(id(1), id(principal)).ok().unwrap());
            }
            assert!(downloads.begin(id(1), id(principal)).is_err(), "one too many of a person");
        }
        assert!(downloads.begin(id(1), id(99)).is_err(), "one too many of an account");
        assert!(downloads.begin(id(2), id(98)).is_ok());
        held.pop();
        assert!(downloads.begin(id(1), id(99)).is_ok());
        for n in 0..OF_ALL as u128 {
            held.extend(downloads.begin(id(1_000 + n), id(2_000 + n)).ok());
        }
        assert_eq!(downloads.going().all, OF_ALL);
        drop(held);
        let going = downloads.going();
        assert!(going.all == 0 && going.by.is_empty());
    }
}
