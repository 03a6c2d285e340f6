//! Whether one call may be made now: a decision from what is known of one account and API.

use super::breaker::Breaker;
use super::budget::{Budget, Spent};
use super::limits::{Limit, Limits, Value};
use super::rate::Rate;
use crate::codes;
use crate::error::CallError;
use std::time::Duration;

/// How long WeChat wants to be left alone after "too many calls this minute".
const MINUTE: Duration = Duration::from_secs(60);

/// We did not call WeChat, because calling now would do harm or nothing: **the call did nothing**.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not called: {reason}")]
pub struct Busy {
    /// Why.
    pub reason: Reason,
    /// When trying again may help, at the earliest.
    pub retry_after: Duration,
}

/// Why a call was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// As many calls as allowed are on their way.
    InFlight,
    /// As many calls a second as allowed were made.
    Rate,
    /// What is left of the day's budget is kept for calls of higher value, or nothing is left.
    Budget,
    /// WeChat said that the day's calls are used up.
    DailyQuota,
    /// WeChat said that the minute's calls are used up.
    MinuteQuota,
    /// WeChat has not answered many times in a row.
    Circuit,
}

impl Reason {
    /// A word for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::InFlight => "in_flight",
            Reason::Rate => "rate",
            Reason::Budget => "budget",
            Reason::DailyQuota => "daily_quota",
            Reason::MinuteQuota => "minute_quota",
            Reason::Circuit => "circuit",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reason::InFlight => "too many calls are on their way",
            Reason::Rate => "too many calls a second",
            Reason::Budget => "the day's budget is used up, or kept for what is worth more",
            Reason::DailyQuota => "WeChat said that the day's calls are used up",
            Reason::MinuteQuota => "WeChat said that the minute's calls are used up",
            Reason::Circuit => "WeChat has not answered many times in a row",
        })
    }
}

/// A moment: since some beginning, and as Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) since: Duration,
    pub(crate) unix_ms: i64,
}

/// A call may be made, after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) after: Duration,
    /// It is the one that finds out whether WeChat answers again.
    pub(crate) probe: bool,
}

/// What is known of one account and API.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) breaker: Breaker,
    pub(crate) budget: Budget,
    rate: Rate,
    minute_stop: Duration,
    patience: Duration,
}

impl State {
    pub(crate) fn new(limit: Limit, limits: &Limits) -> Self {
        let reserve = limit.reserve_percent.unwrap_or(limits.reserve_percent);
        State {
            breaker: Breaker::new(limits.breaker),
            budget: Budget::new(limit.per_day, reserve, limits.quota_look),
            rate: Rate::new(limit.per_second, Duration::from_secs(1)),
            minute_stop: Duration::ZERO,
            patience: limits.patience,
        }
    }

    /// Whether a call may be made, without making it.
    pub(crate) fn look(&mut self, now: Moment, value: Value) -> Result<Duration, Busy> {
        let held = |reason, retry_after| Err(Busy { reason, retry_after });
        let stop = self.minute_stop.saturating_sub(now.since);
        if !stop.is_zero() {
            return held(Reason::MinuteQuota, stop);
        }
        match self.budget.ask(now.unix_ms, value) {
            Err((wait, Spent::Stopped)) => return held(Reason::DailyQuota, wait),
            Err((wait, Spent::Kept)) => return held(Reason::Budget, wait),
            Ok(()) => {}
        }
        let open = self.breaker.wait(now.since);
        if !open.is_zero() {
            return held(Reason::Circuit, open);
        }
        let after = self.rate.wait(now.since);
        if after > self.patience {
            return held(Reason::Rate, after);
        }
        Ok(after)
    }

    /// Makes a call, if it may be made.
    pub(crate) fn admit(&mut self, now: Moment, value: Value) -> Result<Admitted, Busy> {
        let after = self.look(now, value)?;
        self.rate.take(now.since);
        self.budget.take(now.unix_ms);
        Ok(Admitted { after, probe: self.breaker.begin() })
    }

    /// A call ended, so or with this error.
    pub(crate) fn ended(&mut self, now: Moment, probe: bool, error: Option<&CallError>) {
        let answered = match error {
            None => {
                self.budget.carried_out();
                true
            }
            Some(CallError::Refused(refusal)) => {
                match refusal.code {
                    codes::DAILY_QUOTA => self.budget.stop(now.unix_ms),
                    codes::MINUTE_QUOTA => self.minute_stop = now.since + MINUTE,
                    _ => {}
                }
                refusal.code != codes::BUSY
            }
            Some(_) => false,
        };
        self.breaker.end(now.since, probe, answered);
    }

    /// The quotas were set back.
    pub(crate) fn clear(&mut self) {
        self.budget.clear();
        self.minute_stop = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{Place, lookup};
    use crate::error::Refusal;

    const NOON: i64 = 1_795_320_000_000;

    fn at(seconds: u64) -> Moment {
        let ms = i64::try_from(seconds).unwrap() * 1000;
        Moment { since: Duration::from_secs(seconds), unix_ms: NOON + ms }
    }

    fn state(per_second: u32, per_day: u64) -> State {
        let limit = Limit { in_flight: 0, per_second, per_day, reserve_percent: None };
        State::new(limit, &Limits::default())
    }

    fn refused(code: i64) -> CallError {
        let row = lookup(code, Place::Call);
        let (name, meaning) = (row.name, row.meaning);
        CallError::Refused(Refusal { code, name, meaning, sentence: String::new() })
    }

    fn reason(state: &mut State, now: Moment) -> Option<Reason> {
        state.look(now, Value::Normal).err().map(|busy| busy.reason)
    }

    #[test]
    fn a_call_waits_a_little_for_its_turn_and_is_held_back_beyond_that() {
        let mut state = state(2, 0);
        let made: Vec<_> = (0..5).map(|_| state.admit(at(0), Value::High)).collect();
        let waits: Vec<_> = made.iter().map(|m| m.map(|m| m.after.as_millis())).collect();
        let held = Busy { reason: Reason::Rate, retry_after: Duration::from_millis(1_500) };
        assert_eq!(waits, [Ok(0), Ok(0), Ok(500), Ok(1_000), Err(held)]);
        assert_eq!(state.budget.used(), 4, "what is held back costs nothing");
    }

    #[test]
    fn a_minutes_quota_is_waited_out() {
        let mut state = state(0, 0);
        state.ended(at(10), false, Some(&refused(45011)));
        assert_eq!(reason(&mut state, at(69)), Some(Reason::MinuteQuota));
        assert_eq!(reason(&mut state, at(70)), None);
        state.ended(at(70), false, Some(&refused(45011)));
        state.clear();
        assert_eq!(reason(&mut state, at(70)), None);
    }

    #[test]
    fn a_days_quota_stops_the_day() {
        let mut state = state(0, 0);
        state.ended(at(10), false, Some(&refused(45009)));
        assert_eq!(reason(&mut state, at(1_000)), Some(Reason::DailyQuota));
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
                state.ended(at(1), false, Some(&error));
            }
            let expected = opens.then_some(Reason::Circuit);
            assert_eq!(reason(&mut state, at(1)), expected, "{error}");
        }
    }

    #[test]
    fn a_call_may_have_a_reserve_of_its_own() {
        let limit = Limit { in_flight: 0, per_second: 0, per_day: 100, reserve_percent: Some(50) };
        let mut state = State::new(limit, &Limits::default());
        for _ in 0..50 {
            state.admit(at(0), Value::Normal).unwrap();
        }
        assert_eq!(reason(&mut state, at(0)), Some(Reason::Budget));
        assert!(state.look(at(0), Value::High).is_ok());
    }

    #[test]
    fn a_budget_that_is_used_up_is_told_from_wechats_word() {
        let mut state = state(0, 1);
        state.admit(at(0), Value::High).unwrap();
        assert_eq!(reason(&mut state, at(0)), Some(Reason::Budget));
        let busy = state.look(at(0), Value::High).unwrap_err();
        assert_eq!(busy.retry_after, Duration::from_secs(12 * 3600));
    }
}
