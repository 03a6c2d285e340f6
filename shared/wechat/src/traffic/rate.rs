//! Rate limit: calls evenly spread over a period, with a burst after a pause.

use std::time::Duration;

/// Rate limiter by the virtual scheduling form of a token bucket (GCRA). Pure: the caller passes
/// the time since a fixed start.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    /// Time between calls; zero means no limit.
    interval: Duration,
    /// Time by which a burst may be ahead of the even spread.
    burst_allowance: Duration,
    /// Due time of the next call in the even spread.
    next_due: Duration,
}

impl RateLimiter {
    /// Creates a limiter for `calls` in every `span`, all of them at once after a pause of that
    /// length. 0 means no limit.
    pub fn new(calls: u32, span: Duration) -> Self {
        let every = span.checked_div(calls).unwrap_or(Duration::ZERO);
        RateLimiter {
            interval: every,
            burst_allowance: every.saturating_mul(calls.saturating_sub(1)),
            next_due: Duration::ZERO,
        }
    }

    /// Time from `now` until a call is permitted.
    pub fn delay(&self, now: Duration) -> Duration {
        self.next_due.saturating_sub(self.burst_allowance).saturating_sub(now)
    }

    /// Takes the next free slot, which is [`RateLimiter::delay`] from `now`.
    pub fn reserve(&mut self, now: Duration) {
        self.next_due = self.next_due.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_and_then_an_even_spread() {
        let mut rate = RateLimiter::new(10, Duration::from_secs(1));
        for _ in 0..10 {
            assert_eq!(rate.delay(ms(5_000)), ms(0));
            rate.reserve(ms(5_000));
        }
        assert_eq!(rate.delay(ms(5_000)), ms(100));
        rate.reserve(ms(5_000));
        assert_eq!(rate.delay(ms(5_000)), ms(200), "places in the line are given away in turn");
        assert_eq!(rate.delay(ms(5_150)), ms(50));
        assert_eq!(rate.delay(ms(9_000)), ms(0));
    }

    #[test]
    fn no_more_than_twice_the_calls_fit_into_any_span_and_the_rate_holds_over_time() {
        let mut rate = RateLimiter::new(60, Duration::from_secs(60));
        let calls = (0..600_000).step_by(100).filter(|now| {
            let free = rate.delay(ms(*now)).is_zero();
            if free {
                rate.reserve(ms(*now));
            }
            free
        });
        assert_eq!(calls.count(), 60 + 599);
    }

    #[test]
    fn nothing_is_no_limit() {
        let mut rate = RateLimiter::new(0, Duration::from_secs(1));
        for _ in 0..1_000 {
            rate.reserve(ms(1));
            assert_eq!(rate.delay(ms(1)), ms(0));
        }
    }
}
