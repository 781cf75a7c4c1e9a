//! Whether the client of a connection is gone, for what goes on for it meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;

/// The end of a connection's stream of requests. Clones are of the same connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Departure(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    has_happened: AtomicBool,
    notify: Notify,
}

impl Departure {
    /// Notes that nothing comes from the client any more.
    pub(crate) fn note(&self) {
        self.0.has_happened.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    /// Waits for it. It may never happen.
    pub(crate) async fn happened(&self) {
        let mut notified = std::pin::pin!(self.0.notify.notified());
        notified.as_mut().enable();
        if !self.0.has_happened.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_before_and_who_waits_after_both_learn_of_it() {
        let departure = Departure::default();
        let before = tokio::spawn({
            let departure = departure.clone();
            async move { departure.happened().await }
        });
        tokio::task::yield_now().await;
        departure.note();
        before.await.expect("it ended");
        departure.happened().await;
    }
}
