//! Running a future within the context of another runtime.

use std::{future::poll_fn, pin::pin};
use tokio::runtime::Handle;

/// Polls a future where it is awaited, within the context of `runtime`: sockets that it opens, timers and
/// tasks that it starts belong to that runtime, and outlive the one whose thread polls it.
pub(in crate::domain) async fn on<F: Future>(runtime: &Handle, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _entered = runtime.enter();
        future.as_mut().poll(context)
    })
    .await
}
