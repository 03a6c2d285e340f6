//! How many calls in a span of time: evenly spread, with a burst after a pause.

use std::time::Duration;

/// The virtual scheduling form of a token bucket. Pure: told the time since some beginning.
#[derive(Debug, Clone)]
pub struct Rate {
    /// One call each; zero is no limit.
    every: Duration,
    /// How far ahead of the even spread a burst may be.
    slack: Duration,
    /// When the next call is due in the even spread.
    due: Duration,
}

impl Rate {
    /// `calls` in every `span`, all of them at once after a pause of that length. 0 is no limit.
    pub fn new(calls: u32, span: Duration) -> Self {
        let every = span.checked_div(calls).unwrap_or(Duration::ZERO);
        Rate { every, slack: every.saturating_mul(calls.saturating_sub(1)), due: Duration::ZERO }
    }

    /// How long from `now` until a call may be made.
    pub fn wait(&self, now: Duration) -> Duration {
        self.due.saturating_sub(self.slack).saturating_sub(now)
    }

    /// Takes the next free call, which is [`Rate::wait`] from `now`.
    pub fn take(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.every;
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
        let mut rate = Rate::new(10, Duration::from_secs(1));
        for _ in 0..10 {
            assert_eq!(rate.wait(ms(5_000)), ms(0));
            rate.take(ms(5_000));
        }
        assert_eq!(rate.wait(ms(5_000)), ms(100));
        rate.take(ms(5_000));
        assert_eq!(rate.wait(ms(5_000)), ms(200), "places in the line are given away in turn");
        assert_eq!(rate.wait(ms(5_150)), ms(50));
        assert_eq!(rate.wait(ms(9_000)), ms(0));
    }

    #[test]
    fn no_more_than_twice_the_calls_fit_into_any_span_and_the_rate_holds_over_time() {
        let mut rate = Rate::new(60, Duration::from_secs(60));
        let made = (0..600_000).step_by(100).filter(|now| {
            let free = rate.wait(ms(*now)).is_zero();
            if free {
                rate.take(ms(*now));
            }
            free
        });
        assert_eq!(made.count(), 60 + 599);
    }

    #[test]
    fn nothing_is_no_limit() {
        let mut rate = Rate::new(0, Duration::from_secs(1));
        for _ in 0..1_000 {
            rate.take(ms(1));
            assert_eq!(rate.wait(ms(1)), ms(0));
        }
    }
}
