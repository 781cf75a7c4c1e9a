//! Requests of one account take turns, so that those of others never wait behind many of them: whatever an account
//! does, and however much it holds. An account that is alone has the whole node; beside others it has half of the
//! workers, and after a request that kept its worker busy for long its turn ends later: nothing else was handled
//! there meanwhile. Within the account its workspaces take turns, and in each of them its people with their API keys.
//! Who comes a hundred times waits behind themselves.

use crate::domain::{
    Refused,
    base::principal::{Actor, ApiKey},
};
use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use std::{
    cell::Cell,
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// The most requests of one person or key that wait in a workspace; more get a 503.
const MAX_WAITING: usize = 16;

/// How long after its last request an account counts as active.
const ACTIVE: Duration = Duration::from_secs(30);

/// How long a request may keep its worker busy without a pause after it.
const SHORT: Duration = Duration::from_micros(500);

/// How many times longer the pause is than what is beyond [`SHORT`]: so seldom do others meet such requests.
const PAUSE_FACTOR: u32 = 20;

const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The turns of all accounts on this node. Clones share their state.
#[derive(Clone)]
pub struct Turns(Arc<Shared>);

struct Shared {
    /// Requests of an account at a time while no other one is active; 0 means no limit.
    alone: usize,
    /// Requests of an account at a time while others are active.
    beside_others: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: HashMap<Uuid, Account>,
    /// The account that came last, and the last other one, each with the time of its last request.
    recent: [Option<(Uuid, Instant)>; 2],
}

impl State {
    /// Notes that the account is active.
    fn note(&mut self, account: Uuid, now: Instant) {
        if self.recent[0].is_none_or(|(last, _)| last != account) {
            self.recent[1] = self.recent[0];
        }
        self.recent[0] = Some((account, now));
    }

    /// Whether another account is active.
    fn has_others(&self, account: Uuid, now: Instant) -> bool {
        let is_active = |&(other, at): &(Uuid, Instant)| other != account && now.duration_since(at) < ACTIVE;
        self.recent.iter().flatten().any(is_active)
    }
}

/// Where a request lines up.
pub struct Line {
    account: Uuid,
    /// The workspace, the person who is accountable, and the person or the key.
    path: [Uuid; 3],
}

impl Line {
    /// Where a member's requests about their workspace line up.
    pub(in crate::web) fn of(actor: &Actor) -> Self {
        let Actor { principal, workspace, .. } = actor;
        Self {
            account: workspace.account_id,
            path: [workspace.id, principal.accountable_user(), principal.id()],
        }
    }

    /// Where requests about a key in a workspace line up.
    pub(in crate::web) fn of_key(key: &ApiKey, workspace: Uuid) -> Self {
        Self { account: key.account_id, path: [workspace, key.shown_to, key.id] }
    }

    /// Where requests about an account line up, beside those about its workspaces.
    pub(in crate::web) fn of_account(account: Uuid, person: Uuid, principal: Uuid) -> Self {
        Self { account, path: [account, person, principal] }
    }
}

/// The requests of an account.
#[derive(Default)]
struct Account {
    /// How many are handled.
    running: usize,
    waiting: Rotation,
}

type Waiter = oneshot::Sender<Turn>;

/// Those who wait: the lines in the order of their turns, or, at the end of the path, the requests in theirs.
#[derive(Default)]
struct Rotation {
    order: VecDeque<Uuid>,
    lines: HashMap<Uuid, Rotation>,
    requests: VecDeque<Waiter>,
}

impl Rotation {
    /// Lines up, if there is room.
    fn push(&mut self, path: &[Uuid], waiter: Waiter) -> bool {
        let Some((first, rest)) = path.split_first() else {
            // Who went away takes no room.
            self.requests.retain(|other| !other.is_closed());
            let has_room = self.requests.len() < MAX_WAITING;
            if has_room {
                self.requests.push_back(waiter);
            }
            return has_room;
        };
        if !self.lines.contains_key(first) {
            self.order.push_back(*first);
        }
        self.lines.entry(*first).or_default().push(rest, waiter)
    }

    /// The first of the line whose turn it is; then it is the turn of the next one.
    fn pop(&mut self) -> Option<Waiter> {
        while let Some(first) = self.order.pop_front() {
            let Some(line) = self.lines.get_mut(&first) else { continue };
            let waiter = line.pop();
            if line.order.is_empty() && line.requests.is_empty() {
                self.lines.remove(&first);
            } else {
                self.order.push_back(first);
            }
            if waiter.is_some() {
                return waiter;
            }
        }
        self.requests.pop_front()
    }
}

/// A turn of an account, given to the next one in line when dropped.
struct Turn(Option<(Turns, Uuid)>);

impl Turn {
    /// How long the turn lasts beyond a request that kept its worker busy for so long. An account that is alone is in
    /// nobody's way.
    fn pause(&self, busy: Duration) -> Duration {
        let Some((turns, account)) = &self.0 else { return Duration::ZERO };
        if turns.state().has_others(*account, Instant::now()) {
            (busy.saturating_sub(SHORT) * PAUSE_FACTOR).min(MAX_PAUSE)
        } else {
            Duration::ZERO
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some((turns, account)) = self.0.take() else { return };
        while let Some(next) = turns.give_up(account) {
            match next.send(Self(Some((turns.clone(), account)))) {
                Ok(()) => return,
                // Nobody waits for it any more: the next one has it, and not by dropping this one.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

/// How long a request has kept its worker busy.
#[derive(Clone, Default)]
struct Busy(Rc<Cell<Duration>>);

impl Busy {
    /// Adds what polling the work takes.
    async fn measure<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let start = Instant::now();
            let polled = work.as_mut().poll(cx);
            self.0.set(self.0.get() + start.elapsed());
            polled
        })
        .await
    }
}

/// Middleware: measures how long a request keeps its worker busy, which is what others on it wait for.
pub(crate) async fn measure<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let busy = Busy::default();
    req.extensions_mut().insert(busy.clone());
    busy.measure(next.call(req)).await
}

/// The turn of a request that is being handled.
struct Handled {
    turn: Option<Turn>,
    busy: Busy,
}

impl Drop for Handled {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let pause = turn.pause(self.busy.0.get());
        if !pause.is_zero() {
            actix_web::rt::spawn(async move {
                tokio::time::sleep(pause).await;
                drop(turn);
            });
        }
    }
}

/// What a request gets.
enum Place {
    /// It is its turn.
    Turn(Turn),
    /// It waits.
    Later(oneshot::Receiver<Turn>),
    /// Too many of the same person or key wait.
    None,
}

impl Turns {
    /// `per_worker` is how many requests of an account each worker handles at a time while no other account is active;
    /// 0 means no limit.
    pub fn new(per_worker: usize, workers: usize) -> Self {
        let alone = per_worker.saturating_mul(workers);
        let beside_others = (workers / 2).clamp(1, alone.max(1));
        Self(Arc::new(Shared { alone, beside_others, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests of the account are handled at a time.
    fn at_once(&self, state: &State, account: Uuid, now: Instant) -> usize {
        if state.has_others(account, now) { self.0.beside_others } else { self.0.alone }
    }

    fn line_up(&self, line: &Line, now: Instant) -> Place {
        let mut state = self.state();
        state.note(line.account, now);
        let at_once = self.at_once(&state, line.account, now);
        let account = state.accounts.entry(line.account).or_default();
        if account.running < at_once {
            account.running += 1;
            return Place::Turn(Turn(Some((self.clone(), line.account))));
        }
        let (waiter, ready) = oneshot::channel();
        if account.waiting.push(&line.path, waiter) { Place::Later(ready) } else { Place::None }
    }

    /// The next one in line, who gets the turn; `None` if it is free, because nobody waits or because another account
    /// has become active.
    fn give_up(&self, account: Uuid) -> Option<Waiter> {
        let mut state = self.state();
        let at_once = self.at_once(&state, account, Instant::now());
        let requests = state.accounts.get_mut(&account)?;
        let next = if requests.running > at_once { None } else { requests.waiting.pop() };
        if next.is_none() {
            requests.running -= 1;
            if requests.running == 0 {
                state.accounts.remove(&account);
            }
        }
        next
    }
}

/// Waits until it is this request's turn among those of its account. It has the turn until it is answered. Nothing
/// is taken for an account that the request was not admitted to, so that no stranger is in anybody's way. Returns
/// whether it had to wait: what was admitted before that may not be any more.
///
/// # Errors
/// [`Refused::Busy`] where too many requests of the same person or key wait.
pub(in crate::web) async fn take(req: &HttpRequest, turns: &Turns, line: Line) -> Result<bool, Refused> {
    if turns.0.alone == 0 {
        return Ok(false);
    }
    let busy = Refused::Busy { retry_after_seconds: 1 };
    let (turn, waited) = match turns.line_up(&line, Instant::now()) {
        Place::Turn(turn) => (turn, false),
        Place::Later(ready) => match ready.await {
            Ok(turn) => (turn, true),
            Err(_) => return Err(busy),
        },
        Place::None => return Err(busy),
    };
    let busy = req.extensions().get::<Busy>().cloned().unwrap_or_default();
    req.extensions_mut().insert(Handled { turn: Some(turn), busy });
    Ok(waited)
}

/// How long a part of a download waits before it lines up again, where too many requests of the same person wait.
const LINE_UP_AGAIN: Duration = Duration::from_millis(100);

/// Does a part of a download, which goes on after its request was answered, in a turn of its own among the requests of
/// its account.
pub(in crate::web) async fn in_turn<T>(
    turns: &Turns,
    line: impl Fn() -> Line,
    work: impl Future<Output = T>,
) -> T {
    let mut turn = None;
    while turn.is_none() && turns.0.alone > 0 {
        match turns.line_up(&line(), Instant::now()) {
            Place::Turn(own) => turn = Some(own),
            Place::Later(ready) => turn = ready.await.ok(),
            Place::None => tokio::time::sleep(LINE_UP_AGAIN).await,
        }
    }
    let handled = Handled { turn, busy: Busy::default() };
    handled.busy.measure(work).await
}

/// Ends the turn of a request before its response: what it does from here on waits for somebody else.
pub(in crate::web) fn give_back(req: &HttpRequest) {
    drop(req.extensions_mut().remove::<Handled>());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Uuid = Uuid::from_u128(1);

    /// A request of this person in this workspace, by a key if there is one.
    fn request(turns: &Turns, workspace: u128, person: u128, key: u128) -> Place {
        let path = [workspace, person, if key == 0 { person } else { key }].map(Uuid::from_u128);
        turns.line_up(&Line { account: ACCOUNT, path }, Instant::now())
    }

    /// A request of another account.
    fn of_other(turns: &Turns, now: Instant) -> Place {
        turns.line_up(&Line { account: Uuid::from_u128(2), path: [Uuid::nil(); 3] }, now)
    }

    fn turn(place: Place) -> Turn {
        let Place::Turn(turn) = place else { panic!("it is nobody's turn") };
        turn
    }

    fn waits(place: Place) -> oneshot::Receiver<Turn> {
        let Place::Later(ready) = place else { panic!("it does not wait") };
        ready
    }

    /// The names of those who wait, in the order in which they are served.
    fn served(
        turns: &Turns,
        held: Turn,
        waiting: Vec<(&'static str, oneshot::Receiver<Turn>)>,
    ) -> Vec<&'static str> {
        let (mut order, mut waiting) = (Vec::new(), waiting);
        drop(held);
        while !waiting.is_empty() {
            let next = waiting.iter_mut().position(|(_, ready)| {
                // It is given on when it goes out of scope.
                ready.try_recv().is_ok()
            });
            order.push(waiting.remove(next.expect("somebody has the turn")).0);
        }
        assert!(turns.state().accounts.is_empty());
        order
    }

    #[test]
    fn an_account_has_its_turns_and_others_have_theirs() {
        let turns = Turns::new(1, 1);
        let first = turn(request(&turns, 1, 1, 0));
        let second = waits(request(&turns, 1, 2, 0));
        drop(turn(of_other(&turns, Instant::now())));
        assert_eq!(served(&turns, first, vec![("second", second)]), ["second"]);
    }

    #[test]
    fn who_comes_often_waits_behind_themselves_and_only_they_are_refused() {
        let turns = Turns::new(1, 1);
        let held = turn(request(&turns, 1, 1, 0));
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| ("viewer", waits(request(&turns, 1, 7, 0)))).collect();
        assert!(matches!(request(&turns, 1, 7, 0), Place::None));
        waiting.push(("owner", waits(request(&turns, 1, 1, 0))));
        let order = served(&turns, held, waiting);
        assert_eq!(order[..3], ["viewer", "owner", "viewer"]);
        assert_eq!(order.len(), MAX_WAITING + 1);
    }

    #[test]
    fn neither_many_workspaces_nor_many_keys_are_many_turns() {
        let turns = Turns::new(1, 1);
        let held = turn(request(&turns, 1, 1, 0));
        let mut waiting = Vec::new();
        for n in 0..4 {
            // All of one person.
            waiting.push(("key", waits(request(&turns, 1, 7, 100 + n))));
        }
        waiting.push(("owner", waits(request(&turns, 1, 1, 0))));
        waiting.push(("elsewhere", waits(request(&turns, 2, 2, 0))));
        waiting.push(("elsewhere", waits(request(&turns, 2, 2, 0))));
        let order = served(&turns, held, waiting);
        assert_eq!(order, ["key", "elsewhere", "owner", "elsewhere", "key", "key", "key"]);
    }

    #[test]
    fn who_kept_a_worker_busy_beside_others_pauses() {
        let turns = Turns::new(1, 1);
        let long = SHORT + Duration::from_millis(2);
        let held = turn(request(&turns, 1, 1, 0));
        assert_eq!(held.pause(long), Duration::ZERO, "it is alone");
        drop(turn(of_other(&turns, Instant::now())));
        assert_eq!(held.pause(long), Duration::from_millis(40));
        assert_eq!(held.pause(SHORT), Duration::ZERO);
        assert_eq!(held.pause(Duration::from_secs(9)), MAX_PAUSE);
    }

    #[actix_web::test]
    async fn after_the_pause_it_is_the_turn_of_the_next_one() {
        let turns = Turns::new(1, 1);
        drop(turn(of_other(&turns, Instant::now())));
        let busy = Busy(Rc::new(Cell::new(SHORT + Duration::from_millis(1))));
        let handled = Handled { turn: Some(turn(request(&turns, 1, 1, 0))), busy };
        let next = waits(request(&turns, 1, 1, 0));
        drop(handled);
        next.await.expect("its turn");
    }

    #[test]
    fn who_goes_away_takes_no_turn_and_no_room() {
        let turns = Turns::new(1, 1);
        let held = turn(request(&turns, 1, 1, 0));
        for _ in 0..100 {
            drop(waits(request(&turns, 1, 7, 0)));
        }
        let last = waits(request(&turns, 1, 7, 0));
        // Whoever went away after it was given the turn gives it on.
        let gone = waits(request(&turns, 1, 8, 0));
        let after = waits(request(&turns, 1, 9, 0));
        drop(held);
        drop(last);
        drop(gone);
        drop(after);
        assert!(turns.state().accounts.is_empty());
    }

    #[test]
    fn an_account_that_is_alone_has_all_workers_and_beside_others_half_of_them() {
        let turns = Turns::new(2, 4);
        let long_ago = Instant::now().checked_sub(ACTIVE).expect("the machine has been on for a while");
        drop(turn(of_other(&turns, long_ago)));
        let mut held: Vec<_> = (0..8).map(|_| turn(request(&turns, 1, 1, 0))).collect();
        let ninth = waits(request(&turns, 1, 1, 0));
        drop(turn(of_other(&turns, Instant::now())));
        // What runs is finished; of those who wait, each has to wait until two are left.
        let mut waiting = [ninth, waits(request(&turns, 1, 1, 0))];
        held.truncate(2);
        assert!(waiting.iter_mut().all(|ready| ready.try_recv().is_err()));
        held.pop();
        let _next = waiting[0].try_recv().expect("its turn");
        assert!(waiting[1].try_recv().is_err());
    }
}
