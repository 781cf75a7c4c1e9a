//! Requests that are being sent on this node, and those that wait for it: plain state, without time or database.

use crate::clock::Timestamp;
use std::collections::{HashMap, VecDeque};
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

/// The most requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AtOnce {
    pub key: u32,
    pub workspace: u32,
    pub node: u32,
    /// Other nodes share the limits of keys and workspaces: what is not leased can't be used here.
    pub is_shared: bool,
}

impl AtOnce {
    /// The part of the node, or of those that wait, that one account may have while others send or wait.
    pub(super) fn share(all: u32) -> u32 {
        all.div_ceil(4)
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub key: Uuid,
    pub workspace: Uuid,
    pub account: Uuid,
}

/// What an account sends on this node, and what of it waits.
#[derive(Clone, Copy, Debug, Default)]
struct AccountUse {
    sending: u32,
    waiting: u32,
}

/// What a key or a workspace sends at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub in_use: u32,
    /// The most that were in use since the lease was last renewed.
    pub peak: u32,
    /// How many this node may send at once.
    pub leased: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// Nothing is to be leased before, as other nodes have all of it.
    pub denied_until: Option<Instant>,
}

/// What a request that can't be sent yet waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For others to end.
    ForOthers,
    /// The node may lease more for the key or the workspace.
    ForLease,
}

struct Waiter {
    id: u64,
    sender: Sender,
    turn: oneshot::Sender<()>,
}

#[derive(Default)]
pub(super) struct Slots {
    pub sending: u32,
    pub keys: HashMap<Uuid, Slot>,
    pub workspaces: HashMap<Uuid, Slot>,
    /// Those that send or wait.
    accounts: HashMap<Uuid, AccountUse>,
    waiting: VecDeque<Waiter>,
    waiting_of: HashMap<Uuid, usize>,
    last_id: u64,
}

impl Slots {
    /// Lets the request be sent now, if it can be.
    ///
    /// # Errors
    /// What it waits for.
    pub(super) fn enter(&mut self, sender: Sender, at_once: &AtOnce, now: Timestamp) -> Result<(), Wait> {
        let has_earlier = self.waiting.iter().any(|waiter| waiter.sender.key == sender.key);
        if has_earlier {
            return Err(Wait::ForOthers);
        }
        self.enter_now(sender, at_once, now)
    }

    fn enter_now(&mut self, sender: Sender, at_once: &AtOnce, now: Timestamp) -> Result<(), Wait> {
        if self.has_its_share(sender, at_once) {
            return Err(Wait::ForOthers);
        }
        let key = self.keys.entry(sender.key).or_default();
        let workspace = self.workspaces.entry(sender.workspace).or_default();
        if self.sending >= at_once.node || key.in_use >= at_once.key || workspace.in_use >= at_once.workspace
        {
            return Err(Wait::ForOthers);
        }
        if at_once.is_shared && !(key.has_room(now) && workspace.has_room(now)) {
            return Err(Wait::ForLease);
        }
        key.take();
        workspace.take();
        self.sending += 1;
        self.accounts.entry(sender.account).or_default().sending += 1;
        Ok(())
    }

    /// Whether the account sends as much as it may. While it is alone a share stays free, so that others find room when
    /// they come.
    pub(super) fn has_its_share(&self, sender: Sender, at_once: &AtOnce) -> bool {
        let sending = self.accounts.get(&sender.account).map_or(0, |of| of.sending);
        self.is_beyond_share(sender.account, sending, self.sending, at_once.node)
    }

    /// Whether an account that has so many of these places, of which so many are taken, gets no more.
    fn is_beyond_share(&self, account: Uuid, has: u32, taken: u32, places: u32) -> bool {
        let share = AtOnce::share(places);
        let is_alone = self.accounts.keys().all(|other| *other == account);
        has >= share && !(is_alone && taken < places - share)
    }

    /// The account has one fewer that is sent, or that waits.
    fn release(&mut self, account: Uuid, release: impl FnOnce(&mut AccountUse)) {
        if let Some(of) = self.accounts.get_mut(&account) {
            release(of);
            if of.sending == 0 && of.waiting == 0 {
                self.accounts.remove(&account);
            }
        }
    }

    /// A request is over: who waits has their turn.
    pub(super) fn leave(&mut self, sender: Sender, at_once: &AtOnce, now: Timestamp) {
        self.undo(sender);
        self.pump(at_once, now);
    }

    /// Gives everybody their turn who can have it, in the order in which they came.
    pub(super) fn pump(&mut self, at_once: &AtOnce, now: Timestamp) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain_mut(|waiter| {
            if self.sending >= at_once.node || self.enter_now(waiter.sender, at_once, now).is_err() {
                return true;
            }
            let (turn, _) = oneshot::channel();
            let turn = std::mem::replace(&mut waiter.turn, turn);
            self.waits_no_more(waiter.sender);
            if turn.send(()).is_err() {
                // It is gone, and `stop_waiting` finds nothing any more.
                self.undo(waiter.sender);
            }
            false
        });
        self.waiting = waiting;
    }

    fn undo(&mut self, sender: Sender) {
        self.sending = self.sending.saturating_sub(1);
        let slots = [self.keys.get_mut(&sender.key), self.workspaces.get_mut(&sender.workspace)];
        for slot in slots.into_iter().flatten() {
            slot.in_use = slot.in_use.saturating_sub(1);
        }
        self.release(sender.account, |of| of.sending = of.sending.saturating_sub(1));
    }

    fn waits_no_more(&mut self, sender: Sender) {
        forget(&mut self.waiting_of, sender.workspace);
        self.release(sender.account, |of| of.waiting = of.waiting.saturating_sub(1));
    }

    /// Lets the request wait; `None` if too many of its workspace, of its account, or of all, do.
    pub(super) fn wait(
        &mut self,
        sender: Sender,
        of_workspace: usize,
        of_all: usize,
    ) -> Option<(u64, oneshot::Receiver<()>)> {
        let of_account = self.accounts.get(&sender.account).map_or(0, |of| of.waiting);
        let all = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let places = u32::try_from(of_all).unwrap_or(u32::MAX);
        if self.is_beyond_share(sender.account, of_account, all, places) {
            return None;
        }
        let waiting = self.waiting_of.entry(sender.workspace).or_default();
        if *waiting >= of_workspace || self.waiting.len() >= of_all {
            if *waiting == 0 {
                self.waiting_of.remove(&sender.workspace);
            }
            return None;
        }
        *waiting += 1;
        self.accounts.entry(sender.account).or_default().waiting += 1;
        self.last_id += 1;
        let (turn, turned) = oneshot::channel();
        self.waiting.push_back(Waiter { id: self.last_id, sender, turn });
        Some((self.last_id, turned))
    }

    /// Whether the request waited still; now it does not any more.
    pub(super) fn stop_waiting(&mut self, id: u64) -> bool {
        let Some(at) = self.waiting.iter().position(|waiter| waiter.id == id) else { return false };
        if let Some(waiter) = self.waiting.remove(at) {
            self.waits_no_more(waiter.sender);
        }
        true
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets who sends nothing and has no lease.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        self.keys.retain(|_, slot| slot.in_use > 0 || (slot.leased > 0 && slot.expires_at > now));
        self.workspaces.retain(|_, slot| slot.in_use > 0 || (slot.leased > 0 && slot.expires_at > now));
    }
}

fn forget(waiting_of: &mut HashMap<Uuid, usize>, workspace: Uuid) {
    match waiting_of.get_mut(&workspace) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(waiting_of.remove(&workspace)),
    }
}

impl Slot {
    pub(super) fn has_room(&self, now: Timestamp) -> bool {
        self.in_use < self.leased && now < self.expires_at
    }

    fn take(&mut self) {
        self.in_use += 1;
        self.peak = self.peak.max(self.in_use);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const AT_ONCE: AtOnce = AtOnce { key: 2, workspace: 3, node: 4, is_shared: true };

    fn sender(key: u128, workspace: u128) -> Sender {
        let [key, workspace, account] = [key, workspace, workspace].map(Uuid::from_u128);
        Sender { key, workspace, account }
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000)
    }

    /// All of each limit is leased.
    fn slots() -> Slots {
        let mut slots = Slots::default();
        let whole = |leased| Slot { leased, expires_at: Timestamp::from_millis(i64::MAX), ..Slot::default() };
        for id in 1..=9 {
            slots.keys.insert(Uuid::from_u128(id), whole(AT_ONCE.key));
            slots.workspaces.insert(Uuid::from_u128(id), whole(AT_ONCE.workspace));
        }
        slots
    }

    #[test]
    fn keys_workspaces_and_the_node_have_so_many_at_once() {
        let mut slots = slots();
        let mut enter = |key, workspace| slots.enter(sender(key, workspace), &AT_ONCE, now());
        assert_eq!((enter(1, 1), enter(1, 1)), (Ok(()), Ok(())));
        assert_eq!(enter(1, 1), Err(Wait::ForOthers), "a key has two");
        assert_eq!((enter(2, 1), enter(3, 1)), (Ok(()), Err(Wait::ForOthers)), "a workspace has three");
        assert_eq!((enter(4, 2), enter(5, 3)), (Ok(()), Err(Wait::ForOthers)), "the node has four");
    }

    #[test]
    fn who_waits_has_their_turn_in_order_and_holds_up_no_other_key() {
        let mut slots = slots();
        for _ in 0..2 {
            slots.enter(sender(1, 1), &AT_ONCE, now()).expect("room");
        }
        let (_, mut first) = slots.wait(sender(1, 1), 2, 9).expect("a place");
        let (second_id, second) = slots.wait(sender(1, 1), 2, 9).expect("a place");
        assert!(slots.wait(sender(1, 1), 2, 9).is_none(), "two of a workspace wait");
        assert!(slots.wait(sender(7, 7), 2, 2).is_none(), "two of all wait");
        assert_eq!(slots.enter(sender(2, 1), &AT_ONCE, now()), Ok(()));
        slots.leave(sender(1, 1), &AT_ONCE, now());
        assert_eq!(first.try_recv(), Ok(()));
        assert_eq!(slots.waiting(), 1);
        // Who is gone gets no turn.
        drop(second);
        assert!(slots.stop_waiting(second_id));
        slots.leave(sender(1, 1), &AT_ONCE, now());
        assert_eq!((slots.sending, slots.waiting()), (2, 0));
        assert!(slots.waiting_of.is_empty());
    }

    #[test]
    fn an_account_leaves_room_for_others_and_has_a_quarter_beside_them() {
        const WIDE: AtOnce = AtOnce { key: 99, workspace: 99, node: 8, is_shared: true };
        let whole = Slot { leased: 99, expires_at: Timestamp::from_millis(i64::MAX), ..Slot::default() };
        let mut slots = Slots::default();
        for id in 1..=9 {
            slots.keys.insert(Uuid::from_u128(id), whole);
            slots.workspaces.insert(Uuid::from_u128(id), whole);
        }
        for _ in 0..6 {
            slots.enter(sender(1, 1), &WIDE, now()).expect("room while it is alone");
        }
        assert_eq!(slots.enter(sender(1, 1), &WIDE, now()), Err(Wait::ForOthers), "the rest is for others");
        // Of eight that may wait it has two, and six while no other account waits or sends.
        let waiting: Vec<_> = (0..7).filter_map(|_| slots.wait(sender(1, 1), 9, 8)).collect();
        assert_eq!(waiting.len(), 6);
        for _ in 0..2 {
            slots.enter(sender(2, 2), &WIDE, now()).expect("room of its own");
        }
        assert!(slots.wait(sender(2, 2), 9, 8).is_some(), "it may wait");
        assert!(slots.wait(sender(1, 1), 9, 8).is_none());
        // The first gets nothing more until it has less than a quarter.
        for left in [5, 4, 3, 2] {
            slots.leave(sender(1, 1), &WIDE, now());
            assert_eq!(slots.accounts[&Uuid::from_u128(1)].sending, left);
        }
        slots.leave(sender(1, 1), &WIDE, now());
        assert_eq!(slots.accounts[&Uuid::from_u128(1)].sending, 2, "one that waited took the place");
        for id in 1..=8 {
            slots.stop_waiting(id);
        }
        for account in [1, 1, 2, 2] {
            slots.leave(sender(account, account), &WIDE, now());
        }
        assert!(slots.accounts.is_empty() && slots.sending == 0, "{:?}", slots.accounts);
    }

    #[test]
    fn nobody_is_sent_beyond_what_is_leased_or_after_it_ended() {
        let mut slots = Slots::default();
        assert_eq!(slots.enter(sender(1, 1), &AT_ONCE, now()), Err(Wait::ForLease));
        let leased = Slot { leased: 1, expires_at: now() + 10, ..Slot::default() };
        slots.keys.insert(Uuid::from_u128(1), leased);
        slots.workspaces.insert(Uuid::from_u128(1), leased);
        assert_eq!(slots.enter(sender(1, 1), &AT_ONCE, now() + 10), Err(Wait::ForLease));
        assert_eq!(slots.enter(sender(1, 1), &AT_ONCE, now()), Ok(()));
        assert_eq!(slots.enter(sender(1, 1), &AT_ONCE, now()), Err(Wait::ForLease));
        slots.leave(sender(1, 1), &AT_ONCE, now());
        slots.tidy(now() + 10);
        assert!(slots.keys.is_empty() && slots.workspaces.is_empty());
    }
}
