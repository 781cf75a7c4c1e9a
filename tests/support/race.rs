//! Many at once.

use futures_util::future::join_all;
use std::future::Future;

/// Runs `act(0)` … `act(n - 1)` at once and returns their results in order.
///
/// Each is begun before any is waited for, so what `act` does first all leaves within the same
/// moment: prepare outside. Requests are truly at once only on connections of their own, already
/// open: make the clients with [`super::Client::twins`].
pub async fn race<F, T>(n: usize, act: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    join_all((0..n).map(act)).await
}

#[tokio::test]
async fn all_begin_before_one_ends_and_results_keep_their_order() {
    let everyone = tokio::sync::Barrier::new(20);
    // Would wait for ever if they ran one after another.
    let results = race(20, async |i| {
        everyone.wait().await;
        i
    })
    .await;
    assert_eq!(results, (0..20).collect::<Vec<_>>());
}
