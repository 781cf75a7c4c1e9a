//! How far an exchange has come, seen from both of its directions.

use crate::outbound::{
    failure::{Failure, Phase},
    limits::Limits,
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How far an exchange has come.
pub(in crate::outbound) struct Progress {
    state: Mutex<State>,
    /// When the whole exchange must be over.
    pub whole: Instant,
}

struct State {
    /// When a byte of the request last moved.
    moved: Instant,
    is_sent: bool,
    /// The body was asked for: there is a connection. Until then the steps to it have times of their own.
    has_begun: bool,
    /// Whoever sends the request is being waited for, and not the host.
    waits_for_body: bool,
    /// Why the request's body ended early.
    failure: Option<Failure>,
}

impl Progress {
    pub fn new(whole: Duration, is_sent: bool) -> Self {
        let now = Instant::now();
        let state = State { moved: now, is_sent, has_begun: false, waits_for_body: false, failure: None };
        Self { state: Mutex::new(state), whole: now + whole }
    }

    /// A part of the request's body was taken to be sent, perhaps the last one.
    pub fn moved(&self, is_sent: bool) {
        let mut state = self.state();
        (state.moved, state.is_sent, state.waits_for_body) = (Instant::now(), is_sent, false);
        state.has_begun = true;
    }

    /// The next part of the request's body is not there yet.
    pub fn waits_for_body(&self) {
        let mut state = self.state();
        if !state.waits_for_body {
            (state.moved, state.waits_for_body) = (Instant::now(), true);
            state.has_begun = true;
        }
    }

    /// The request's body ended early.
    pub fn fail(&self, failure: Failure) {
        self.state().failure = Some(failure);
    }

    /// Why the request's body ended early, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Ends when the head of the answer is late.
    pub async fn is_late(&self, limits: &Limits) -> Phase {
        loop {
            let (until, phase) = self.deadline(limits);
            if until <= Instant::now() {
                return phase;
            }
            // What has not begun may begin meanwhile, and is then late sooner.
            sleep_until(until.min(Instant::now() + limits.idle)).await;
        }
    }

    fn deadline(&self, limits: &Limits) -> (Instant, Phase) {
        let state = self.state();
        let (until, phase) = match (state.is_sent, state.waits_for_body) {
            (true, _) => (state.moved + limits.head, Phase::Head),
            (false, true) => (state.moved + limits.idle, Phase::Body),
            (false, false) if !state.has_begun => (self.whole, Phase::Whole),
            (false, false) => (state.moved + limits.idle, Phase::Idle),
        };
        if self.whole <= until { (self.whole, Phase::Whole) } else { (until, phase) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
