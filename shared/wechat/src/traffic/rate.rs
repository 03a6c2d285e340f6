//! How many calls in a span of time: evenly spread, with a burst after a pause.

use std::time::Duration;

/// The virtual scheduling form of a token bucket. Pure: told the time since some beginning.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    /// One call each; zero is no limit.
    interval: Duration,
    /// How far ahead of the even spread a burst may be.
    burst_allowance: Duration,
    /// When the next call is due in the even spread.
    next_due: Duration,
}

impl RateLimiter {
    /// `call_count` in every `span`, all of them at once after a pause of that length. 0 is no limit.
    pub fn new(calls: u32, span: Duration) -> Self {
        let every = span.checked_div(calls).unwrap_or(Duration::ZERO);
        RateLimiter {
            interval: every,
            burst_allowance: every.saturating_mul(calls.saturating_sub(1)),
            next_due: Duration::ZERO,
        }
    }

    /// How long from `now` until a call may be made.
    pub fn delay(&self, now: Duration) -> Duration {
        self.next_due.saturating_sub(self.burst_allowance).saturating_sub(now)
    }

    /// Takes the next free call, which is [`RateLimiter::delay`] from `now`.
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
        let made = (0..600_000).step_by(100).filter(|now| {
            let free = rate.delay(ms(*now)).is_zero();
            if free {
                rate.reserve(ms(*now));
            }
            free
        });
        assert_eq!(made.count(), 60 + 599);
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
