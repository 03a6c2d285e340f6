//! Waiting until a condition holds, in place of a fixed sleep.

use std::time::{Duration, Instant};

/// Polls `condition` until it holds. Panics with `what` after `deadline` of real time, also under a
/// paused clock.
pub async fn wait_until(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < deadline, "still not after {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls without a runtime, for the harness itself.
pub(crate) fn wait_blocking(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
