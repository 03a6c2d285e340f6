//! Clock of the simulator: the wall clock, which tests can move forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time by which tokens, QR codes and records age. Pushes are stamped with the wall clock, because
/// their receivers compare the timestamp with their own.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicU64,
}

impl Clock {
    /// Simulated time in Unix milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        wall_ms() + self.offset_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.offset_ms.fetch_add(duration.as_millis() as u64, Ordering::Relaxed);
    }
}

/// Wall-clock time in Unix milliseconds.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
