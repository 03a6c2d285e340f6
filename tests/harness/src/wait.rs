//! Waiting until something becomes true, instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it says yes. Panics with `what` when it still does not
/// after `deadline` of real time, also under a paused clock.
pub async fn wait_until(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < deadline, "still not after {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The same without a runtime, for the harness itself.
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
