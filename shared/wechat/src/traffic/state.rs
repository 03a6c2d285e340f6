//! Admission of a call, decided from the state of one account and API.

use super::breaker::Breaker;
use super::budget::{BudgetRefusal, DailyBudget};
use super::limits::{CallPriority, Limit, Limits};
use super::rate::RateLimiter;
use crate::codes;
use crate::error::CallError;
use std::time::Duration;

/// Pause after WeChat reports too many calls in this minute.
const MINUTE_QUOTA_PAUSE: Duration = Duration::from_secs(60);

/// Error of a call that was not made, because it would do harm or nothing. **It had no effect.**
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not called: {reason}")]
pub struct Throttled {
    /// Reason.
    pub reason: ThrottleReason,
    /// Earliest time at which a retry may succeed, from now.
    pub retry_after: Duration,
}

/// Reasons to throttle a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The limit of concurrent calls is reached.
    InFlight,
    /// The limit of calls per second is reached.
    Rate,
    /// The rest of the day's budget is reserved for higher priorities, or nothing is left.
    Budget,
    /// WeChat reports the day's quota as exhausted.
    DailyQuota,
    /// WeChat reports the minute's quota as exhausted.
    MinuteQuota,
    /// The circuit is open: WeChat has failed many times in a row.
    Circuit,
}

impl ThrottleReason {
    /// Label for metrics.
    pub fn name(self) -> &'static str {
        match self {
            ThrottleReason::InFlight => "in_flight",
            ThrottleReason::Rate => "rate",
            ThrottleReason::Budget => "budget",
            ThrottleReason::DailyQuota => "daily_quota",
            ThrottleReason::MinuteQuota => "minute_quota",
            ThrottleReason::Circuit => "circuit",
        }
    }
}

impl std::fmt::Display for ThrottleReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ThrottleReason::InFlight => "too many calls are on their way",
            ThrottleReason::Rate => "too many calls a second",
            ThrottleReason::Budget => "the day's budget is used up, or kept for what is worth more",
            ThrottleReason::DailyQuota => "WeChat said that the day's calls are used up",
            ThrottleReason::MinuteQuota => "WeChat said that the minute's calls are used up",
            ThrottleReason::Circuit => "WeChat has not answered many times in a row",
        })
    }
}

/// A moment: time since a fixed start, and Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimiterTime {
    pub(crate) elapsed: Duration,
    pub(crate) unix_ms: i64,
}

/// Permission to make a call after a delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) delay: Duration,
    /// True if the call is the probe of the circuit breaker.
    pub(crate) probe: bool,
}

/// Limiter state of one account and API.
#[derive(Debug)]
pub(crate) struct LimiterState {
    pub(crate) breaker: Breaker,
    pub(crate) budget: DailyBudget,
    rate: RateLimiter,
    minute_quota_until: Duration,
    max_wait: Duration,
}

impl LimiterState {
    pub(crate) fn new(limit: Limit, limits: &Limits) -> Self {
        let reserve = limit.reserve_percent.unwrap_or(limits.reserve_percent);
        LimiterState {
            breaker: Breaker::new(limits.breaker),
            budget: DailyBudget::new(limit.per_day, reserve, limits.quota_probe_interval),
            rate: RateLimiter::new(limit.per_second, Duration::from_secs(1)),
            minute_quota_until: Duration::ZERO,
            max_wait: limits.max_wait,
        }
    }

    /// Checks whether a call is permitted, without counting it.
    pub(crate) fn check(
        &mut self,
        now: LimiterTime,
        priority: CallPriority,
    ) -> Result<Duration, Throttled> {
        let throttled = |reason, retry_after| Err(Throttled { reason, retry_after });
        let pause = self.minute_quota_until.saturating_sub(now.elapsed);
        if !pause.is_zero() {
            return throttled(ThrottleReason::MinuteQuota, pause);
        }
        match self.budget.check(now.unix_ms, priority) {
            Err((wait, BudgetRefusal::QuotaExhausted)) => {
                return throttled(ThrottleReason::DailyQuota, wait);
            }
            Err((wait, BudgetRefusal::Reserved)) => return throttled(ThrottleReason::Budget, wait),
            Ok(()) => {}
        }
        let circuit_wait = self.breaker.retry_in(now.elapsed);
        if !circuit_wait.is_zero() {
            return throttled(ThrottleReason::Circuit, circuit_wait);
        }
        let delay = self.rate.delay(now.elapsed);
        if delay > self.max_wait {
            return throttled(ThrottleReason::Rate, delay);
        }
        Ok(delay)
    }

    /// Counts a call if it is permitted.
    pub(crate) fn admit(
        &mut self,
        now: LimiterTime,
        priority: CallPriority,
    ) -> Result<Admission, Throttled> {
        let delay = self.check(now, priority)?;
        self.rate.reserve(now.elapsed);
        self.budget.record_call(now.unix_ms);
        Ok(Admission { delay, probe: self.breaker.start_call() })
    }

    /// Records the success or the error of a call.
    pub(crate) fn record_outcome(
        &mut self,
        now: LimiterTime,
        probe: bool,
        error: Option<&CallError>,
    ) {
        let responded = match error {
            None => {
                self.budget.clear_exhausted();
                true
            }
            Some(CallError::Refused(refusal)) => {
                match refusal.code {
                    codes::DAILY_QUOTA => self.budget.mark_exhausted(now.unix_ms),
                    codes::MINUTE_QUOTA => {
                        self.minute_quota_until = now.elapsed + MINUTE_QUOTA_PAUSE
                    }
                    _ => {}
                }
                refusal.code != codes::BUSY
            }
            Some(_) => false,
        };
        self.breaker.finish_call(now.elapsed, probe, responded);
    }

    /// Records that the quotas were reset.
    pub(crate) fn reset(&mut self) {
        self.budget.reset();
        self.minute_quota_until = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeScope, lookup};
    use crate::error::Refusal;

    const NOON: i64 = 1_795_320_000_000;

    fn at(seconds: u64) -> LimiterTime {
        let ms = i64::try_from(seconds).unwrap() * 1000;
        LimiterTime { elapsed: Duration::from_secs(seconds), unix_ms: NOON + ms }
    }

    fn state(per_second: u32, per_day: u64) -> LimiterState {
        let limit = Limit { in_flight: 0, per_second, per_day, reserve_percent: None };
        LimiterState::new(limit, &Limits::default())
    }

    fn refused(code: i64) -> CallError {
        let row = lookup(code, CodeScope::Call);
        let name = row.name;
        let meaning = row.class;
        CallError::Refused(Refusal { code, name, class: meaning, sentence: String::new() })
    }

    fn reason(state: &mut LimiterState, now: LimiterTime) -> Option<ThrottleReason> {
        state.check(now, CallPriority::Normal).err().map(|throttled| throttled.reason)
    }

    #[test]
    fn a_call_waits_a_little_for_its_turn_and_is_throttled_beyond_that() {
        let mut state = state(2, 0);
        let admissions: Vec<_> = (0..5).map(|_| state.admit(at(0), CallPriority::High)).collect();
        let waits: Vec<_> = admissions.iter().map(|m| m.map(|m| m.delay.as_millis())).collect();
        let throttled =
            Throttled { reason: ThrottleReason::Rate, retry_after: Duration::from_millis(1_500) };
        assert_eq!(waits, [Ok(0), Ok(0), Ok(500), Ok(1_000), Err(throttled)]);
        assert_eq!(state.budget.used(), 4, "what is held back costs nothing");
    }

    #[test]
    fn a_minutes_quota_is_waited_out() {
        let mut state = state(0, 0);
        state.record_outcome(at(10), false, Some(&refused(45011)));
        assert_eq!(reason(&mut state, at(69)), Some(ThrottleReason::MinuteQuota));
        assert_eq!(reason(&mut state, at(70)), None);
        state.record_outcome(at(70), false, Some(&refused(45011)));
        state.reset();
        assert_eq!(reason(&mut state, at(70)), None);
    }

    #[test]
    fn a_days_quota_stops_the_day() {
        let mut state = state(0, 0);
        state.record_outcome(at(10), false, Some(&refused(45009)));
        assert_eq!(reason(&mut state, at(1_000)), Some(ThrottleReason::DailyQuota));
        assert_eq!(reason(&mut state, at(12 * 3600)), None, "midnight");
    }

    #[test]
    fn no_answers_and_busy_ones_open_the_circuit_and_refusals_do_not() {
        for (error, opens) in [
            (CallError::TimedOut, true),
            (CallError::Unreachable("x".into()), true),
            (CallError::Garbled("x".into()), true),
            (refused(-1), true),
            (refused(47003), false),
            (refused(43004), false),
            (refused(40001), false),
        ] {
            let mut state = state(0, 0);
            for _ in 0..10 {
                state.record_outcome(at(1), false, Some(&error));
            }
            let expected = opens.then_some(ThrottleReason::Circuit);
            assert_eq!(reason(&mut state, at(1)), expected, "{error}");
        }
    }

    #[test]
    fn a_call_may_have_a_reserve_of_its_own() {
        let limit = Limit { in_flight: 0, per_second: 0, per_day: 100, reserve_percent: Some(50) };
        let mut state = LimiterState::new(limit, &Limits::default());
        for _ in 0..50 {
            state.admit(at(0), CallPriority::Normal).unwrap();
        }
        assert_eq!(reason(&mut state, at(0)), Some(ThrottleReason::Budget));
        assert!(state.check(at(0), CallPriority::High).is_ok());
    }

    #[test]
    fn an_exhausted_budget_differs_from_a_reported_quota() {
        let mut state = state(0, 1);
        state.admit(at(0), CallPriority::High).unwrap();
        assert_eq!(reason(&mut state, at(0)), Some(ThrottleReason::Budget));
        let throttled = state.check(at(0), CallPriority::High).unwrap_err();
        assert_eq!(throttled.retry_after, Duration::from_secs(12 * 3600));
    }
}
