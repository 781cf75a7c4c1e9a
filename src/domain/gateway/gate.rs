//! The turn of a request on this node: so many at once of a key, of a workspace and in all, and so many in a minute of
//! a key and to a destination. Where several nodes share the limits, this one sends no more than it has leased.

use crate::{
    config::gateway::GatewaySettings,
    domain::{
        base::db::Db,
        gateway::{
            leases::{LEASE_POLL, Limited},
            slots::{AtOnce, Sender, Slot, Slots, Wait},
            windows::{RateStatus, Window},
        },
    },
    random,
};
use sea_orm::{DbBackend, DbErr};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, oneshot},
    time::Instant,
};
use uuid::Uuid;

/// The most requests at once and in a minute; 0 in a minute means no limit.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    pub at_once_per_key: u32,
    pub at_once_per_workspace: u32,
    pub at_once: u32,
    /// How many of a workspace wait for their turn.
    pub queue: usize,
    /// For how long.
    pub queue_timeout: Duration,
    pub per_minute_of_key: u32,
    /// Of a destination without a limit of its own.
    pub per_minute_to_destination: u32,
}

impl From<&GatewaySettings> for GateLimits {
    fn from(settings: &GatewaySettings) -> Self {
        Self {
            at_once_per_key: settings.at_once_per_key,
            at_once_per_workspace: settings.at_once_per_workspace,
            at_once: settings.at_once,
            queue: settings.queue,
            queue_timeout: settings.queue_timeout,
            per_minute_of_key: settings.requests_per_key,
            per_minute_to_destination: settings.requests_per_destination,
        }
    }
}

/// How many times as many requests wait in all as of one workspace.
const QUEUES: usize = 16;

/// Who sends to where.
#[derive(Clone, Copy, Debug)]
pub struct Entrant {
    pub key: Uuid,
    pub workspace: Uuid,
    /// Of the workspace.
    pub account: Uuid,
    pub destination: Uuid,
    /// Of the destination; `None` for the default.
    pub per_minute: Option<u32>,
}

/// Why a request does not have its turn.
#[derive(Debug)]
pub enum NoTurn {
    /// Too many requests in this minute.
    Rate(RateStatus),
    /// Too many at once: the limit that is full, and how many that is.
    Busy {
        policy: &'static str,
        limit: u32,
    },
    Failed(DbErr),
}

impl From<DbErr> for NoTurn {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

/// The gate of this node. Clones share their state.
#[derive(Clone)]
pub struct Gate(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub limits: GateLimits,
    /// Other nodes may have the same database.
    pub is_shared: bool,
    pub node: Uuid,
    pub(super) state: Mutex<State>,
    /// One lease at a time is asked for.
    pub leasing: AsyncMutex<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub slots: Slots,
    pub windows: HashMap<(Limited, Uuid), Window>,
}

/// A request that is being sent, until this is dropped.
#[must_use = "its turn is over when it is dropped"]
pub struct Turn {
    gate: Gate,
    sender: Sender,
    db: Db,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.db.now();
        self.gate.state().slots.leave(self.sender, &self.gate.at_once(), now);
    }
}

/// A request that waits for its turn.
struct Waiting<'a> {
    gate: &'a Gate,
    db: &'a Db,
    sender: Sender,
    id: u64,
    turn: oneshot::Receiver<()>,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut state = self.gate.state();
        // It had its turn at the very moment at which nobody waited for it any more.
        if !state.slots.stop_waiting(self.id) && self.turn.try_recv().is_ok() {
            state.slots.leave(self.sender, &self.gate.at_once(), self.db.now());
        }
    }
}

impl Gate {
    pub fn new(db: &Db, limits: GateLimits) -> Self {
        Self(Arc::new(Shared {
            limits,
            // A file of SQLite belongs to one node.
            is_shared: db.backend() == DbBackend::Postgres,
            node: random::id(db.now()),
            state: Mutex::default(),
            leasing: AsyncMutex::default(),
        }))
    }

    pub fn limits(&self) -> &GateLimits {
        &self.0.limits
    }

    /// How many are being sent.
    pub fn sending(&self) -> u64 {
        self.state().slots.sending.into()
    }

    /// How many wait.
    pub fn waiting(&self) -> u64 {
        self.state().slots.waiting() as u64
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn at_once(&self) -> AtOnce {
        let limits = &self.0.limits;
        AtOnce {
            key: limits.at_once_per_key,
            workspace: limits.at_once_per_workspace,
            node: limits.at_once,
            is_shared: self.0.is_shared,
        }
    }

    /// Waits for the request's turn.
    ///
    /// # Errors
    /// [`NoTurn::Busy`] where too many wait already, or it waited for too long.
    pub async fn enter(&self, db: &Db, entrant: &Entrant) -> Result<Turn, NoTurn> {
        let sender = Sender { key: entrant.key, workspace: entrant.workspace, account: entrant.account };
        let at_once = self.at_once();
        let turn = || Turn { gate: self.clone(), sender, db: db.clone() };
        let entered = self.state().slots.enter(sender, &at_once, db.now());
        match entered {
            Ok(()) => return Ok(turn()),
            Err(Wait::ForLease) => {
                self.lease_slots(db, sender).await?;
                if self.state().slots.enter(sender, &at_once, db.now()).is_ok() {
                    return Ok(turn());
                }
            }
            Err(Wait::ForOthers) => {}
        }
        let limits = &self.0.limits;
        let place = self.state().slots.wait(sender, limits.queue, limits.queue.saturating_mul(QUEUES));
        let Some((id, turned)) = place else { return Err(self.busy(sender)) };
        let mut waiting = Waiting { gate: self, db, sender, id, turn: turned, is_over: false };
        let deadline = Instant::now() + limits.queue_timeout;
        loop {
            let poll = match self.0.is_shared {
                true => deadline.min(Instant::now() + LEASE_POLL),
                false => deadline,
            };
            match tokio::time::timeout_at(poll, &mut waiting.turn).await {
                Ok(Ok(())) => {
                    waiting.is_over = true;
                    return Ok(turn());
                }
                Ok(Err(_)) => return Err(self.busy(sender)),
                Err(_) if Instant::now() >= deadline => return Err(self.busy(sender)),
                Err(_) => {
                    self.lease_slots(db, sender).await?;
                    self.state().slots.pump(&at_once, db.now());
                }
            }
        }
    }

    /// The limit that is full.
    fn busy(&self, sender: Sender) -> NoTurn {
        let state = self.state();
        let limits = &self.0.limits;
        let in_use = |slot: Option<&Slot>| slot.map_or(0, |slot| slot.in_use);
        if in_use(state.slots.keys.get(&sender.key)) >= limits.at_once_per_key {
            return NoTurn::Busy { policy: "key", limit: limits.at_once_per_key };
        }
        if in_use(state.slots.workspaces.get(&sender.workspace)) >= limits.at_once_per_workspace {
            return NoTurn::Busy { policy: "workspace", limit: limits.at_once_per_workspace };
        }
        match () {
            () if state.slots.sending >= limits.at_once => {
                NoTurn::Busy { policy: "node", limit: limits.at_once }
            }
            () if state.slots.has_its_share(sender, &self.at_once()) => {
                NoTurn::Busy { policy: "account", limit: AtOnce::share(limits.at_once) }
            }
            // Other nodes send what the key may.
            () => NoTurn::Busy { policy: "key", limit: limits.at_once_per_key },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        clock::{Clock, MINUTE, Timestamp},
        config::Config,
    };
    use std::{
        future::{Future, poll_fn},
        task::Poll,
    };

    pub(in crate::domain::gateway) async fn gate(settings: GatewaySettings) -> (Gate, Db, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("gate.db").display());
        let clock = Clock::manual(Timestamp::from_millis(1_000 * MINUTE));
        let config = Config::for_tests(url, folder.path());
        let db = Db::open(&config, String::new(), clock).await.expect("a database");
        (Gate::new(&db, GateLimits::from(&settings)), db, folder)
    }

    pub(in crate::domain::gateway) fn entrant(
        key: u128,
        destination: u128,
        per_minute: Option<u32>,
    ) -> Entrant {
        let [key, workspace, account, destination] = [key, 1, 1, destination].map(Uuid::from_u128);
        Entrant { key, workspace, account, destination, per_minute }
    }

    #[tokio::test]
    async fn who_waits_for_too_long_or_behind_too_many_is_turned_away() {
        let settings = GatewaySettings {
            at_once_per_key: 1,
            queue: 1,
            queue_timeout: Duration::from_millis(50),
            ..GatewaySettings::default()
        };
        let (gate, db, _folder) = gate(settings).await;
        let one = entrant(1, 1, None);
        let turn = gate.enter(&db, &one).await.expect("a turn");
        let (first, second) = tokio::join!(gate.enter(&db, &one), gate.enter(&db, &one));
        for refused in [first, second] {
            assert!(matches!(refused, Err(NoTurn::Busy { policy: "key", limit: 1 })));
        }
        assert_eq!((gate.sending(), gate.waiting()), (1, 0));
        let (next, ()) = tokio::join!(gate.enter(&db, &one), async { drop(turn) });
        let next = next.expect("the turn that was given up");
        // Another key does not wait for it.
        let other = gate.enter(&db, &entrant(2, 1, None)).await.expect("a turn");
        drop((next, other));
        gate.renew(&db).await.expect("renewed");
        assert!(gate.state().slots.keys.is_empty() && gate.state().slots.workspaces.is_empty());
    }

    #[tokio::test]
    async fn who_is_gone_while_it_waits_takes_no_turn() {
        let (gate, db, _folder) =
            gate(GatewaySettings { at_once_per_key: 1, ..GatewaySettings::default() }).await;
        let one = entrant(1, 1, None);
        let turn = gate.enter(&db, &one).await.expect("a turn");
        {
            let mut waits = std::pin::pin!(gate.enter(&db, &one));
            let is_pending = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await;
            assert!(is_pending);
            assert_eq!(gate.waiting(), 1);
            // Its turn comes at the very moment at which nobody waits any more.
            drop(turn);
        }
        assert_eq!((gate.sending(), gate.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_key_that_has_sent_nothing_yet_has_its_turn_when_another_ends() {
        let (gate, db, _folder) =
            gate(GatewaySettings { at_once_per_workspace: 1, ..GatewaySettings::default() }).await;
        let (one, two) = (entrant(1, 1, None), entrant(2, 1, None));
        let turn = gate.enter(&db, &one).await.expect("a turn");
        let mut waits = std::pin::pin!(gate.enter(&db, &two));
        let is_pending = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await;
        assert!(is_pending);
        drop(turn);
        drop(waits.await.expect("a turn"));
    }
}
