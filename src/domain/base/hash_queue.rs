//! The queue in front of the cores that hash passwords. Everybody who waits belongs to a network and an account,
//! and takes turns with the others: networks with each other, and the accounts of a network. Who comes a hundred
//! times waits behind themselves, and so does who comes from a hundred networks of one customer of a provider.

use crate::domain::base::{counters::HashingState, network::wide, statements::Counter};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Of two requests that are served, one belongs to people who are known here, while there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// A session, a link from mail, or a browser that signed in to the account before.
    Known = 0,
    Stranger = 1,
}

/// Who a password is hashed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::domain) struct Party {
    lane: Lane,
    /// The wide one: see [`wide`].
    network: String,
    account: String,
}

impl Party {
    /// Somebody who has shown nothing yet.
    pub(in crate::domain) fn stranger(network: &str, account: &str) -> Self {
        Self { lane: Lane::Stranger, network: wide(network), account: account.to_owned() }
    }

    /// Somebody whose session, link or browser belongs to the account.
    pub(in crate::domain) fn known(network: &str, account: &str) -> Self {
        Self { lane: Lane::Known, ..Self::stranger(network, account) }
    }
}

/// Clones share their state.
#[derive(Clone)]
pub(in crate::domain) struct HashQueue(Arc<Inner>);

struct Inner {
    at_once: usize,
    timeout: Duration,
    timeouts: Counter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    lanes: [Turns; 2],
    /// The lane that is served next, if somebody waits in it.
    next: usize,
}

/// Those who wait in one lane: the networks in the order of their turns.
#[derive(Default)]
struct Turns {
    networks: VecDeque<String>,
    waiting: HashMap<String, VecDeque<Waiter>>,
}

struct Waiter {
    account: String,
    /// How many of its account waited in its network before it.
    round: usize,
    ready: oneshot::Sender<Permit>,
}

/// A core to hash on, given to the next in turn when dropped.
pub(in crate::domain) struct Permit(Option<HashQueue>);

impl HashQueue {
    pub(in crate::domain) fn new(at_once: usize, timeout: Duration) -> Self {
        Self(Arc::new(Inner { at_once, timeout, timeouts: Counter::default(), state: Mutex::default() }))
    }

    /// Waits for a core; `None` if that took too long.
    pub(in crate::domain) async fn acquire(&self, party: Party) -> Option<Permit> {
        let ready = {
            let mut state = self.lock();
            if state.running < self.0.at_once {
                state.running += 1;
                return Some(Permit(Some(self.clone())));
            }
            let (ready, wait) = oneshot::channel();
            state.lanes[party.lane as usize].push(party, ready);
            wait
        };
        let Ok(permit) = tokio::time::timeout(self.0.timeout, ready).await else {
            self.0.timeouts.increment();
            return None;
        };
        permit.ok()
    }

    pub(in crate::domain) fn state(&self) -> HashingState {
        let state = self.lock();
        HashingState {
            max: self.0.at_once as u64,
            running: state.running as u64,
            waiting_known: state.lanes[Lane::Known as usize].len(),
            waiting_strangers: state.lanes[Lane::Stranger as usize].len(),
            timeouts: self.0.timeouts.count(),
        }
    }

    /// Gives a core to the next in turn, or keeps it free.
    fn pass_on(&self) {
        let mut state = self.lock();
        while let Some(next) = state.pop() {
            match next.ready.send(Permit(Some(self.clone()))) {
                Ok(()) => return,
                // Nobody waits for it any more: the next one has it, and not by dropping this one.
                Err(mut permit) => drop(permit.0.take()),
            }
        }
        state.running -= 1;
    }

    /// What holds this lock computes nothing that could fail halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop(&mut self) -> Option<Waiter> {
        let first = self.next;
        self.next = 1 - first;
        self.lanes[first].pop().or_else(|| self.lanes[1 - first].pop())
    }
}

impl Turns {
    fn push(&mut self, party: Party, ready: oneshot::Sender<Permit>) {
        let Party { network, account, .. } = party;
        if !self.waiting.contains_key(&network) {
            self.networks.push_back(network.clone());
        }
        let waiting = self.waiting.entry(network).or_default();
        // Who went away takes no room.
        waiting.retain(|other| !other.ready.is_closed());
        let round = waiting.iter().filter(|other| other.account == account).count();
        let later = waiting.iter().position(|other| other.round > round).unwrap_or(waiting.len());
        waiting.insert(later, Waiter { account, round, ready });
    }

    /// How many wait. Who went away does not.
    fn len(&self) -> u64 {
        let waiting =
            |of: &VecDeque<Waiter>| of.iter().filter(|waiter| !waiter.ready.is_closed()).count() as u64;
        self.waiting.values().map(waiting).sum()
    }

    /// The first of the network whose turn it is; then it is the turn of the next one.
    fn pop(&mut self) -> Option<Waiter> {
        let network = self.networks.pop_front()?;
        let mut waiting = self.waiting.remove(&network)?;
        let waiter = waiting.pop_front();
        if !waiting.is_empty() {
            self.waiting.insert(network.clone(), waiting);
            self.networks.push_back(network);
        }
        waiter
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn settled() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Lines up with a name, and is written down when served.
    fn line_up(queue: &HashQueue, party: Party, name: &'static str, served: &Arc<Mutex<Vec<&'static str>>>) {
        let (queue, served) = (queue.clone(), served.clone());
        tokio::spawn(async move {
            let _permit = queue.acquire(party).await.expect("a core");
            served.lock().expect("a lock").push(name);
            settled().await;
        });
    }

    #[tokio::test]
    async fn who_comes_often_waits_behind_themselves_and_people_who_are_known_have_every_second_turn() {
        let queue = HashQueue::new(1, LONG);
        let held = queue.acquire(Party::stranger("n0", "a")).await.expect("a free core");
        let served = Arc::default();
        for account in ["a", "b", "c"] {
            for _ in 0..3 {
                line_up(&queue, Party::stranger("flood", account), "flood", &served);
            }
        }
        settled().await;
        line_up(&queue, Party::stranger("flood", "neighbour"), "neighbour", &served);
        line_up(&queue, Party::stranger("home", "victim"), "stranger", &served);
        line_up(&queue, Party::known("flood", "victim"), "known", &served);
        settled().await;
        drop(held);
        while served.lock().expect("a lock").len() < 12 {
            settled().await;
        }
        let order = served.lock().expect("a lock").clone();
        assert_eq!(order[..4], ["known", "flood", "stranger", "flood"]);
        assert_eq!(order.iter().position(|name| *name == "neighbour"), Some(5), "{order:?}");
        settled().await;
        assert_eq!(queue.lock().running, 0);
    }

    #[tokio::test]
    async fn who_comes_from_many_networks_of_one_provider_has_one_turn_among_others() {
        let queue = HashQueue::new(1, LONG);
        let held = queue.acquire(Party::stranger("n0", "a")).await.expect("a free core");
        let served = Arc::default();
        for n in 0..90 {
            line_up(&queue, Party::stranger(&format!("2001:db8:1:{n:x}::"), "victim"), "flood", &served);
        }
        settled().await;
        line_up(&queue, Party::stranger("2001:db8:1:ffff::", "neighbour"), "neighbour", &served);
        line_up(&queue, Party::stranger("203.0.113.7", "victim"), "stranger", &served);
        settled().await;
        drop(held);
        while served.lock().expect("a lock").len() < 92 {
            settled().await;
        }
        let order = served.lock().expect("a lock").clone();
        assert_eq!(order[..3], ["flood", "stranger", "neighbour"]);
    }

    #[tokio::test]
    async fn who_goes_away_takes_no_turn_and_no_room() {
        let queue = HashQueue::new(1, LONG);
        let own = || Party::stranger("n1", "a@example.com");
        let held = queue.acquire(own()).await.expect("a free core");
        for _ in 0..100 {
            let queue = queue.clone();
            let task = tokio::spawn(async move { queue.acquire(own()).await.is_some() });
            settled().await;
            task.abort();
            settled().await;
        }
        let waiting = queue.lock().lanes[Lane::Stranger as usize].waiting["n1"].len();
        assert!(waiting <= 1, "{waiting}");
        drop(held);
        assert_eq!(queue.lock().running, 0);
        assert!(queue.acquire(own()).await.is_some());
    }
}
