//! Back-off of followers and workers.

use std::time::Duration;

const INITIAL_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Delay after `failures` failures in a row (1 or more): 100 ms, doubled each time up to 5 s,
/// reduced by up to half of it, according to `salt`, so that not all clients return at the same
/// moment.
pub(crate) fn delay_after(failures: usize, salt: u64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    let full = INITIAL_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
    let mixed = (salt ^ failures as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    full - full.mul_f64(mixed as f64 / f64::from(u32::MAX) / 2.0)
}

/// Counter of the failures in a row of one follower or worker, which logs only the first.
pub(crate) struct Backoff {
    failures: usize,
    salt: u64,
}

impl Backoff {
    pub(crate) fn new(salt: u64) -> Self {
        Backoff { failures: 0, salt }
    }

    /// Records a success.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Records a failure. Returns true if it is the first in a row, and the delay.
    pub(crate) fn record_failure(&mut self) -> (bool, Duration) {
        self.failures += 1;
        (self.failures == 1, delay_after(self.failures, self.salt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_differ() {
        for salt in [0, 1, 77, u64::MAX] {
            for failures in 1..100 {
                let wait = delay_after(failures, salt);
                assert!(wait >= INITIAL_DELAY / 2 && wait <= MAX_DELAY, "{failures} {wait:?}");
            }
            assert!(delay_after(50, salt) >= MAX_DELAY / 2);
        }
        assert_ne!(delay_after(5, 1), delay_after(5, 2));
    }
}
