//! Exponential back-off with a cap and with jitter, so that replicas do not retry in step.

use crate::entropy;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A growing delay without an end: the caller decides when to give up.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    factor: f64,
    jitter: f64,
    next: Duration,
}

impl Backoff {
    /// Creates a back-off that starts at `base` and doubles up to `cap`, each delay varied by a
    /// fifth.
    pub fn new(base: Duration, cap: Duration) -> Backoff {
        Backoff { base, cap, factor: 2.0, jitter: 0.2, next: base.min(cap) }
    }

    /// Sets the growth factor (1 or more), in place of 2.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Backoff {
        self.factor = factor.max(1.0);
        self
    }

    /// Sets the share (0 to 1) by which each delay varies, in place of 0.2.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Backoff {
        self.jitter = share;
        self
    }

    /// Returns the next delay and increases the one after it.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.next.mul_f64(self.factor).min(self.cap);
        entropy::jitter(wait, self.jitter)
    }

    /// Restarts at the base, after a success.
    pub fn reset(&mut self) {
        self.next = self.base.min(self.cap);
    }

    /// Sleeps for the next delay.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_wait()).await;
    }

    /// Sleeps for the next delay, or until `stop`; `false` if it was stopped.
    pub async fn wait_unless(&mut self, stop: &CancellationToken) -> bool {
        let wait = self.next_wait();
        stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn it_grows_to_the_cap_and_starts_again_after_a_reset() {
        let mut backoff = Backoff::new(secs(1), secs(10)).factor(3.0).jitter(0.0);
        let waits: Vec<_> = (0..5).map(|_| backoff.next_wait()).collect();
        assert_eq!(waits, [secs(1), secs(3), secs(9), secs(10), secs(10)]);
        backoff.reset();
        assert_eq!(backoff.next_wait(), secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        let started = Instant::now();
        let mut backoff = Backoff::new(secs(1000), secs(1000)).jitter(0.0);
        assert!(backoff.wait_unless(&stop).await);
        assert_eq!(started.elapsed(), secs(1000));
        stop.cancel();
        assert!(!backoff.wait_unless(&stop).await);
        assert_eq!(started.elapsed(), secs(1000));
    }
}
