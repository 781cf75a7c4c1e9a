//! Requests of one account take turns on each worker, so that those of others never wait behind many of them: whatever
//! an account does, and however much it holds. Within the account its workspaces take turns, and in each of them its
//! people with their API keys. Who comes a hundred times waits behind themselves.

use crate::{
    domain::{
        Refused,
        base::principal::{Actor, ApiKey},
    },
    web::app::App,
};
use actix_web::{HttpMessage, HttpRequest};
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// The most requests of one person or key that wait in a workspace on a worker; more get a 503.
const MAX_WAITING: usize = 16;

thread_local! {
    /// The accounts whose requests this worker handles. A worker is one thread.
    static ACCOUNTS: RefCell<HashMap<Uuid, Account>> = RefCell::default();
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
struct Turn(Option<Uuid>);

impl Drop for Turn {
    fn drop(&mut self) {
        // At the end of the thread there is nobody to give it to.
        while let Some(account) = self.0
            && let Ok(Some(next)) = ACCOUNTS.try_with(|accounts| give_up(&mut accounts.borrow_mut(), account))
        {
            match next.send(Self(Some(account))) {
                Ok(()) => return,
                // Nobody waits for it any more: the next one has it, and not by dropping this one.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

/// The next one in line, who gets the turn; `None` if nobody waits: then it is free.
fn give_up(accounts: &mut HashMap<Uuid, Account>, account: Uuid) -> Option<Waiter> {
    let requests = accounts.get_mut(&account)?;
    let next = requests.waiting.pop();
    if next.is_none() {
        requests.running -= 1;
        if requests.running == 0 {
            accounts.remove(&account);
        }
    }
    next
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

fn line_up(line: &Line, at_once: usize) -> Place {
    ACCOUNTS.with_borrow_mut(|accounts| {
        let account = accounts.entry(line.account).or_default();
        if account.running < at_once {
            account.running += 1;
            return Place::Turn(Turn(Some(line.account)));
        }
        let (waiter, ready) = oneshot::channel();
        if account.waiting.push(&line.path, waiter) { Place::Later(ready) } else { Place::None }
    })
}

/// Waits until it is this request's turn among those of its account. It has the turn until it is answered. Nothing
/// is taken for an account that the request was not admitted to, so that no stranger is in anybody's way. Returns
/// whether it had to wait: what was admitted before that may not be any more.
///
/// # Errors
/// [`Refused::Busy`] where too many requests of the same person or key wait.
pub(in crate::web) async fn take(req: &HttpRequest, app: &App, line: Line) -> Result<bool, Refused> {
    let at_once = app.settings.requests_per_account;
    if at_once == 0 {
        return Ok(false);
    }
    let busy = Refused::Busy { retry_after_seconds: 1 };
    let (turn, waited) = match line_up(&line, at_once) {
        Place::Turn(turn) => (turn, false),
        Place::Later(ready) => match ready.await {
            Ok(turn) => (turn, true),
            Err(_) => return Err(busy),
        },
        Place::None => return Err(busy),
    };
    req.extensions_mut().insert(turn);
    Ok(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Uuid = Uuid::from_u128(1);

    /// A request of this person in this workspace, by a key if there is one.
    fn request(workspace: u128, person: u128, key: u128) -> Place {
        let path = [workspace, person, if key == 0 { person } else { key }].map(Uuid::from_u128);
        line_up(&Line { account: ACCOUNT, path }, 1)
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
    fn served(held: Turn, waiting: Vec<(&'static str, oneshot::Receiver<Turn>)>) -> Vec<&'static str> {
        let (mut order, mut waiting) = (Vec::new(), waiting);
        drop(held);
        while !waiting.is_empty() {
            let next = waiting.iter_mut().position(|(_, ready)| {
                // It is given on when it goes out of scope.
                ready.try_recv().is_ok()
            });
            order.push(waiting.remove(next.expect("somebody has the turn")).0);
        }
        ACCOUNTS.with_borrow(|accounts| assert!(accounts.is_empty()));
        order
    }

    #[test]
    fn an_account_has_its_turns_and_others_have_theirs() {
        let first = turn(request(1, 1, 0));
        let second = waits(request(1, 2, 0));
        drop(turn(line_up(&Line { account: Uuid::from_u128(2), path: [Uuid::nil(); 3] }, 1)));
        assert_eq!(served(first, vec![("second", second)]), ["second"]);
    }

    #[test]
    fn who_comes_often_waits_behind_themselves_and_only_they_are_refused() {
        let held = turn(request(1, 1, 0));
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| ("viewer", waits(request(1, 7, 0)))).collect();
        assert!(matches!(request(1, 7, 0), Place::None));
        waiting.push(("owner", waits(request(1, 1, 0))));
        let order = served(held, waiting);
        assert_eq!(order[..3], ["viewer", "owner", "viewer"]);
        assert_eq!(order.len(), MAX_WAITING + 1);
    }

    #[test]
    fn neither_many_workspaces_nor_many_keys_are_many_turns() {
        let held = turn(request(1, 1, 0));
        let mut waiting = Vec::new();
        for n in 0..4 {
            // All of one person.
            waiting.push(("key", waits(request(1, 7, 100 + n))));
        }
        waiting.push(("owner", waits(request(1, 1, 0))));
        waiting.push(("elsewhere", waits(request(2, 2, 0))));
        waiting.push(("elsewhere", waits(request(2, 2, 0))));
        let order = served(held, waiting);
        assert_eq!(order, ["key", "elsewhere", "owner", "elsewhere", "key", "key", "key"]);
    }

    #[test]
    fn who_goes_away_takes_no_turn_and_no_room() {
        let held = turn(request(1, 1, 0));
        for _ in 0..100 {
            drop(waits(request(1, 7, 0)));
        }
        let last = waits(request(1, 7, 0));
        // Whoever went away after it was given the turn gives it on.
        let gone = waits(request(1, 8, 0));
        let after = waits(request(1, 9, 0));
        drop(held);
        drop(last);
        drop(gone);
        drop(after);
        ACCOUNTS.with_borrow(|accounts| assert!(accounts.is_empty()));
    }
}
