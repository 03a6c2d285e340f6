//! Daily budget of calls by priority, synchronized with WeChat's own figures.

use super::CallPriority;
use std::time::Duration;

const DAY_MS: i64 = 24 * 3600 * 1000;
/// Offset of Beijing time: WeChat's day begins at midnight there.
const BEIJING_OFFSET_MS: i64 = 8 * 3600 * 1000;

/// Budget of one API. Pure: the caller passes the time in Unix milliseconds.
#[derive(Debug)]
pub(crate) struct DailyBudget {
    configured_limit: u64,
    /// Today's limit as WeChat reports it.
    reported_limit: Option<u64>,
    reserve_percent: u64,
    day: i64,
    used: u64,
    /// Set while WeChat reports the quota as exhausted: time of the next probing call, in Unix
    /// milliseconds.
    next_quota_probe_ms: Option<i64>,
    quota_probe_interval_ms: i64,
}

/// Reasons of the budget to hold a call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BudgetRefusal {
    /// The calls counted here have reached the share of this priority.
    Reserved,
    /// WeChat reports the quota as exhausted.
    QuotaExhausted,
}

impl DailyBudget {
    /// Creates a budget; `per_day` 0 means no limit of ours.
    pub(crate) fn new(per_day: u64, reserve_percent: u64, probe_interval: Duration) -> Self {
        DailyBudget {
            configured_limit: per_day,
            reported_limit: None,
            reserve_percent: reserve_percent.min(50),
            day: i64::MIN,
            used: 0,
            next_quota_probe_ms: None,
            quota_probe_interval_ms: i64::try_from(probe_interval.as_millis()).unwrap_or(DAY_MS),
        }
    }

    /// Permits a call of this priority, or returns the time to wait and the reason.
    pub(crate) fn check(
        &mut self,
        now_ms: i64,
        priority: CallPriority,
    ) -> Result<(), (Duration, BudgetRefusal)> {
        self.roll_day(now_ms);
        let midnight = (self.day + 1) * DAY_MS - BEIJING_OFFSET_MS;
        // A day at most, should the clock have been set back.
        let until =
            |time_ms: i64| Duration::from_millis((time_ms - now_ms).clamp(0, DAY_MS) as u64);
        if let Some(probe_ms) = self.next_quota_probe_ms.filter(|probe_ms| now_ms < *probe_ms) {
            return Err((until(probe_ms.min(midnight)), BudgetRefusal::QuotaExhausted));
        }
        match self.remaining(priority) {
            Some(0) => Err((until(midnight), BudgetRefusal::Reserved)),
            _ => Ok(()),
        }
    }

    /// Counts a call.
    pub(crate) fn record_call(&mut self, now_ms: i64) {
        self.roll_day(now_ms);
        self.used += 1;
        // While the quota is exhausted one call probes; the others continue to wait.
        if let Some(probe_ms) = &mut self.next_quota_probe_ms {
            *probe_ms = now_ms + self.quota_probe_interval_ms;
        }
    }

    /// Records that WeChat reports the quota as exhausted.
    pub(crate) fn mark_exhausted(&mut self, now_ms: i64) {
        self.roll_day(now_ms);
        self.next_quota_probe_ms = Some(now_ms + self.quota_probe_interval_ms);
    }

    /// Records that WeChat executed a call: the quota is not exhausted.
    pub(crate) fn clear_exhausted(&mut self) {
        self.next_quota_probe_ms = None;
    }

    /// Takes over WeChat's own figures; 0 as a limit means unknown. `before` is the count here when
    /// WeChat was asked: its figure may or may not include the calls made since then.
    pub(crate) fn sync_usage(&mut self, now_ms: i64, before: u64, used: u64, limit: u64) {
        self.roll_day(now_ms);
        let since = self.used.saturating_sub(before);
        self.used = used.max(self.used.min(used + since));
        self.reported_limit = Some(limit).filter(|limit| *limit > 0);
        if limit == 0 || used < limit {
            self.next_quota_probe_ms = None;
        }
    }

    /// Records that the quotas were reset.
    pub(crate) fn reset(&mut self) {
        self.used = 0;
        self.next_quota_probe_ms = None;
    }

    /// Calls made today, by our own count or WeChat's latest figure.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Today's limit, if there is one.
    pub(crate) fn limit(&self) -> Option<u64> {
        let configured = Some(self.configured_limit).filter(|limit| *limit > 0);
        configured.into_iter().chain(self.reported_limit).min()
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.next_quota_probe_ms.is_some()
    }

    /// Calls of this priority left today; `None` means unlimited.
    pub(crate) fn remaining(&self, priority: CallPriority) -> Option<u64> {
        let limit = self.limit()?;
        let reserved = match priority {
            CallPriority::High => 0,
            CallPriority::Normal => self.reserve_percent,
            CallPriority::Low => 2 * self.reserve_percent,
        };
        let usable = limit - limit.saturating_mul(reserved) / 100;
        Some(usable.saturating_sub(self.used))
    }

    fn roll_day(&mut self, now_ms: i64) {
        let day = (now_ms + BEIJING_OFFSET_MS).div_euclid(DAY_MS);
        if day != self.day {
            self.day = day;
            self.used = 0;
            self.next_quota_probe_ms = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 12:00 in Beijing.
    const NOON: i64 = 1_795_320_000_000;
    const HOUR: i64 = 3_600_000;

    fn budget(per_day: u64) -> DailyBudget {
        DailyBudget::new(per_day, 10, Duration::from_secs(1800))
    }

    #[test]
    fn lower_priorities_stop_first() {
        let mut budget = budget(100);
        let spend = |budget: &mut DailyBudget, priority| {
            let mut calls = 0;
            while budget.check(NOON, priority).is_ok() {
                budget.record_call(NOON);
                calls += 1;
            }
            calls
        };
        assert_eq!(spend(&mut budget, CallPriority::Low), 80);
        assert_eq!(spend(&mut budget, CallPriority::Normal), 10);
        assert_eq!(spend(&mut budget, CallPriority::High), 10);
        let (wait, reason) = budget.check(NOON, CallPriority::High).unwrap_err();
        assert_eq!((wait, reason), (Duration::from_secs(12 * 3600), BudgetRefusal::Reserved));
    }

    #[test]
    fn a_day_ends_at_midnight_in_beijing() {
        let mut budget = budget(1);
        budget.record_call(NOON);
        assert!(budget.check(NOON + 12 * HOUR - 1, CallPriority::High).is_err());
        assert!(budget.check(NOON + 12 * HOUR, CallPriority::High).is_ok());
    }

    #[test]
    fn an_exhausted_quota_lasts_until_midnight_with_one_probe_in_between() {
        let mut budget = budget(0);
        budget.mark_exhausted(NOON);
        let refused = budget.check(NOON, CallPriority::High);
        assert_eq!(refused, Err((Duration::from_secs(1800), BudgetRefusal::QuotaExhausted)));
        assert!(budget.check(NOON + HOUR / 2 - 1, CallPriority::High).is_err());
        assert!(budget.check(NOON + HOUR / 2, CallPriority::High).is_ok(), "one looks");
        budget.record_call(NOON + HOUR / 2);
        assert!(budget.check(NOON + HOUR / 2, CallPriority::High).is_err(), "and only one");
        budget.mark_exhausted(NOON + HOUR / 2 + 80);
        assert!(budget.check(NOON + HOUR, CallPriority::High).is_err(), "it still holds");
        assert!(budget.check(NOON + 12 * HOUR, CallPriority::Low).is_ok(), "a new day");
        budget.mark_exhausted(NOON + 12 * HOUR);
        budget.clear_exhausted();
        assert!(
            budget.check(NOON + 12 * HOUR, CallPriority::Low).is_ok(),
            "cleared in the console"
        );
        budget.mark_exhausted(NOON + 12 * HOUR);
        budget.reset();
        assert!(budget.check(NOON + 12 * HOUR, CallPriority::Low).is_ok(), "cleared by us");
    }

    #[test]
    fn wechats_figures_count_more_than_ours() {
        let mut budget = budget(100_000);
        budget.sync_usage(NOON, 0, 999, 1_000);
        assert_eq!((budget.used(), budget.limit()), (999, Some(1_000)));
        assert!(
            budget.check(NOON, CallPriority::Normal).is_err()
                && budget.check(NOON, CallPriority::High).is_ok()
        );
        budget.sync_usage(NOON, 999, 5, 10_000_000);
        assert_eq!(budget.limit(), Some(100_000), "but an operator's lower cap stays");
        budget.sync_usage(NOON, 5, 5, 0);
        assert_eq!(budget.remaining(CallPriority::High), Some(99_995));
    }

    #[test]
    fn calls_made_while_wechat_was_asked_are_not_forgotten() {
        for reported in 0..=2 {
            let mut budget = budget(100);
            budget.record_call(NOON);
            budget.record_call(NOON);
            budget.sync_usage(NOON, 0, reported, 100);
            assert_eq!(budget.used(), 2, "WeChat said {reported}, two were made meanwhile");
        }
        let mut budget = budget(100);
        (0..9).for_each(|_| budget.record_call(NOON));
        budget.sync_usage(NOON, 8, 0, 100);
        assert_eq!(budget.used(), 1, "set back in the console, and one made meanwhile");
    }
}
