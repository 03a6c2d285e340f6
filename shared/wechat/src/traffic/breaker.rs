//! Whether calling is worth it at all: after failures in a row nothing is called for a while, and
//! then one call is let through to find out.

use std::time::Duration;

/// When to give up for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row after which nothing is called for a while; 0 is never.
    pub failures: u32,
    /// How long the first while is; it doubles each time.
    pub open: Duration,
    /// The longest while.
    pub longest: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        let (open, longest) = (Duration::from_secs(2), Duration::from_secs(30));
        BreakerRules { failures: 10, open, longest }
    }
}

/// Pure: told the time since some beginning.
#[derive(Debug)]
pub(crate) struct Breaker {
    rules: BreakerRules,
    circuit: Circuit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
        times: u32,
    },
    /// One call is on its way to find out.
    HalfOpen {
        times: u32,
    },
}

impl Breaker {
    pub(crate) fn new(rules: BreakerRules) -> Self {
        Breaker { rules, circuit: Circuit::Closed { failures: 0 } }
    }

    /// How long until a call is worth trying; zero is now.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        match self.circuit {
            Circuit::Closed { .. } => Duration::ZERO,
            Circuit::Open { until, .. } => until.saturating_sub(now),
            // It will be known by then, most likely.
            Circuit::HalfOpen { .. } => self.rules.open.max(Duration::from_millis(1)),
        }
    }

    /// A call begins for which [`Breaker::wait`] was zero; whether it is the one that finds out.
    pub(crate) fn begin(&mut self) -> bool {
        let Circuit::Open { times, .. } = self.circuit else { return false };
        self.circuit = Circuit::HalfOpen { times };
        true
    }

    /// A call ended; `probe` as [`Breaker::begin`] said. Calls that began before the circuit opened
    /// change nothing.
    pub(crate) fn end(&mut self, now: Duration, probe: bool, good: bool) {
        self.circuit = match self.circuit {
            Circuit::Closed { .. } if good => Circuit::Closed { failures: 0 },
            Circuit::Closed { failures } => {
                let failures = failures + 1;
                match self.rules.failures {
                    0 => Circuit::Closed { failures: 0 },
                    most if failures >= most => self.opened(now, 0),
                    _ => Circuit::Closed { failures },
                }
            }
            Circuit::HalfOpen { .. } if probe && good => Circuit::Closed { failures: 0 },
            Circuit::HalfOpen { times } if probe => self.opened(now, times + 1),
            other => other,
        };
    }

    /// The call that was to find out was given up: another may.
    pub(crate) fn abandon(&mut self, now: Duration) {
        if let Circuit::HalfOpen { times } = self.circuit {
            self.circuit = Circuit::Open { until: now, times };
        }
    }

    /// 0 closed, 1 half open, 2 open; for a gauge.
    pub(crate) fn level(&self) -> f64 {
        match self.circuit {
            Circuit::Closed { .. } => 0.0,
            Circuit::HalfOpen { .. } => 1.0,
            Circuit::Open { .. } => 2.0,
        }
    }

    fn opened(&self, now: Duration, times: u32) -> Circuit {
        let open = self.rules.open.saturating_mul(1 << times.min(20)).min(self.rules.longest);
        Circuit::Open { until: now + open, times }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failing(breaker: &mut Breaker, now: Duration, times: u32) {
        for _ in 0..times {
            assert_eq!(breaker.wait(now), s(0));
            let probe = breaker.begin();
            breaker.end(now, probe, false);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_among_them_does_not() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(1), 9);
        breaker.end(s(1), false, true);
        failing(&mut breaker, s(1), 10);
        assert_eq!((breaker.wait(s(1)), breaker.wait(s(2)), breaker.level()), (s(2), s(1), 2.0));
        // Those that were under way end now, well or badly.
        breaker.end(s(2), false, true);
        breaker.end(s(2), false, false);
        assert_eq!(breaker.wait(s(2)), s(1));
    }

    #[test]
    fn one_call_finds_out_and_the_next_while_is_longer() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(0), 10);
        let mut now = s(2);
        for open in [4, 8, 16, 30, 30] {
            assert_eq!(breaker.wait(now), s(0));
            assert!(breaker.begin());
            assert!(!breaker.wait(now).is_zero(), "the others wait for the one");
            breaker.end(now, false, true);
            assert!(!breaker.wait(now).is_zero(), "a call from before proves nothing");
            breaker.end(now, true, false);
            assert_eq!(breaker.wait(now), s(open));
            now += s(open);
        }
        assert!(breaker.begin());
        breaker.end(now, true, true);
        assert_eq!((breaker.wait(now), breaker.level()), (s(0), 0.0));
        failing(&mut breaker, now, 10);
        assert_eq!(breaker.wait(now), s(2), "and all begins anew");
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_room_for_another() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(0), 10);
        assert!(breaker.begin());
        breaker.abandon(s(3));
        assert_eq!(breaker.wait(s(3)), s(0));
        assert!(breaker.begin());
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut breaker = Breaker::new(BreakerRules { failures: 0, ..BreakerRules::default() });
        failing(&mut breaker, s(0), 100);
    }
}
