//! Circuit breaker for calls. After failures in a row it rejects all calls for a while, then lets
//! one through as a probe.

use std::time::Duration;

/// Parameters of the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open the circuit; 0 disables the breaker.
    pub failure_threshold: u32,
    /// Duration of the first opening; it doubles with each further one.
    pub open_duration: Duration,
    /// Longest duration of an opening.
    pub max_open_duration: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        let open = Duration::from_secs(2);
        let longest = Duration::from_secs(30);
        BreakerRules { failure_threshold: 10, open_duration: open, max_open_duration: longest }
    }
}

/// State of a circuit breaker. Pure: the caller passes the time since a fixed start.
#[derive(Debug)]
pub struct Breaker {
    rules: BreakerRules,
    circuit: CircuitState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CircuitState {
    Closed {
        failures: u32,
    },
    Open {
        until: Duration,
        times: u32,
    },
    /// A probe is in flight.
    HalfOpen {
        times: u32,
    },
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(rules: BreakerRules) -> Self {
        Breaker { rules, circuit: CircuitState::Closed { failures: 0 } }
    }

    /// Time until a call is permitted; zero means now.
    pub fn retry_in(&self, now: Duration) -> Duration {
        match self.circuit {
            CircuitState::Closed { .. } => Duration::ZERO,
            CircuitState::Open { until, .. } => until.saturating_sub(now),
            // The result of the probe is probably known by then.
            CircuitState::HalfOpen { .. } => self.rules.open_duration.max(Duration::from_millis(1)),
        }
    }

    /// Starts a call for which [`Breaker::retry_in`] was zero. Returns true if the call is the
    /// probe.
    pub fn start_call(&mut self) -> bool {
        let CircuitState::Open { times, .. } = self.circuit else { return false };
        self.circuit = CircuitState::HalfOpen { times };
        true
    }

    /// Records the end of a call; `probe` is the result of [`Breaker::start_call`]. Calls that
    /// began before the circuit opened have no effect.
    pub fn finish_call(&mut self, now: Duration, probe: bool, succeeded: bool) {
        self.circuit = match self.circuit {
            CircuitState::Closed { .. } if succeeded => CircuitState::Closed { failures: 0 },
            CircuitState::Closed { failures } => {
                let failures = failures + 1;
                match self.rules.failure_threshold {
                    0 => CircuitState::Closed { failures: 0 },
                    most if failures >= most => self.open_state(now, 0),
                    _ => CircuitState::Closed { failures },
                }
            }
            CircuitState::HalfOpen { .. } if probe && succeeded => {
                CircuitState::Closed { failures: 0 }
            }
            CircuitState::HalfOpen { times } if probe => self.open_state(now, times + 1),
            other => other,
        };
    }

    /// Records that the probe was cancelled: another call may probe.
    pub fn abandon_probe(&mut self, now: Duration) {
        if let CircuitState::HalfOpen { times } = self.circuit {
            self.circuit = CircuitState::Open { until: now, times };
        }
    }

    /// Value for a gauge: 0 closed, 1 half open, 2 open.
    pub fn gauge_value(&self) -> f64 {
        match self.circuit {
            CircuitState::Closed { .. } => 0.0,
            CircuitState::HalfOpen { .. } => 1.0,
            CircuitState::Open { .. } => 2.0,
        }
    }

    fn open_state(&self, now: Duration, times: u32) -> CircuitState {
        let open = self
            .rules
            .open_duration
            .saturating_mul(1 << times.min(20))
            .min(self.rules.max_open_duration);
        CircuitState::Open { until: now + open, times }
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
            assert_eq!(breaker.retry_in(now), s(0));
            let probe = breaker.start_call();
            breaker.finish_call(now, probe, false);
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_among_them_does_not() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(1), 9);
        breaker.finish_call(s(1), false, true);
        failing(&mut breaker, s(1), 10);
        assert_eq!(
            (breaker.retry_in(s(1)), breaker.retry_in(s(2)), breaker.gauge_value()),
            (s(2), s(1), 2.0)
        );
        // Calls in flight end now, successfully or not.
        breaker.finish_call(s(2), false, true);
        breaker.finish_call(s(2), false, false);
        assert_eq!(breaker.retry_in(s(2)), s(1));
    }

    #[test]
    fn a_failed_probe_doubles_the_opening() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(0), 10);
        let mut now = s(2);
        for open in [4, 8, 16, 30, 30] {
            assert_eq!(breaker.retry_in(now), s(0));
            assert!(breaker.start_call());
            assert!(!breaker.retry_in(now).is_zero(), "the others wait for the one");
            breaker.finish_call(now, false, true);
            assert!(!breaker.retry_in(now).is_zero(), "a call from before proves nothing");
            breaker.finish_call(now, true, false);
            assert_eq!(breaker.retry_in(now), s(open));
            now += s(open);
        }
        assert!(breaker.start_call());
        breaker.finish_call(now, true, true);
        assert_eq!((breaker.retry_in(now), breaker.gauge_value()), (s(0), 0.0));
        failing(&mut breaker, now, 10);
        assert_eq!(breaker.retry_in(now), s(2), "and all begins anew");
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_room_for_another() {
        let mut breaker = Breaker::new(BreakerRules::default());
        failing(&mut breaker, s(0), 10);
        assert!(breaker.start_call());
        breaker.abandon_probe(s(3));
        assert_eq!(breaker.retry_in(s(3)), s(0));
        assert!(breaker.start_call());
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut breaker =
            Breaker::new(BreakerRules { failure_threshold: 0, ..BreakerRules::default() });
        failing(&mut breaker, s(0), 100);
    }
}
