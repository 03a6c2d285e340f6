//! Waiting until a condition holds, in place of a fixed sleep.

use std::time::{Duration, Instant};

/// Polls `condition` until it holds. Panics with `what` after `deadline` of real time, also under a
/// paused clock.
pub async fn wait_until(
    description: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < deadline, "still not after {deadline:?}: {description}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Polls without a runtime, for the harness itself.
pub(crate) fn wait_blocking(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
