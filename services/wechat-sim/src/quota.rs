//! Counters of an account's calls per day, minute and month.

use std::collections::HashMap;

const DAY_MS: u64 = 24 * 3600 * 1000;
const MINUTE_MS: u64 = 60 * 1000;
const BEIJING_OFFSET_MS: u64 = 8 * 3600 * 1000;

/// Counts by name, each with the period it belongs to. A day is one of Beijing.
#[derive(Debug, Default)]
pub(crate) struct CallCounter {
    used: HashMap<&'static str, (u64, u64)>,
}

impl CallCounter {
    /// Takes one of today's calls unless `limit` were taken.
    pub(crate) fn try_take_today(&mut self, name: &'static str, limit: u64, now_ms: u64) -> bool {
        self.try_take(name, limit, (now_ms + BEIJING_OFFSET_MS) / DAY_MS)
    }

    /// Takes one of this minute's calls unless `limit` were taken.
    pub(crate) fn try_take_this_minute(
        &mut self,
        name: &'static str,
        limit: u64,
        now_ms: u64,
    ) -> bool {
        self.try_take(name, limit, now_ms / MINUTE_MS)
    }

    /// Takes one of this month's calls unless `limit` were taken. A month has 30 days, for
    /// simplicity.
    pub(crate) fn try_take_this_month(
        &mut self,
        name: &'static str,
        limit: u64,
        now_ms: u64,
    ) -> bool {
        self.try_take(name, limit, (now_ms + BEIJING_OFFSET_MS) / (30 * DAY_MS))
    }

    /// Number of today's calls that were taken.
    pub(crate) fn used_today(&self, name: &'static str, now_ms: u64) -> u64 {
        let today = (now_ms + BEIJING_OFFSET_MS) / DAY_MS;
        self.used.get(name).filter(|(day, _)| *day == today).map_or(0, |(_, used)| *used)
    }

    /// Resets the calls, as the console or `clear_quota` does; the number of resets stays.
    pub(crate) fn clear_today(&mut self) {
        self.used.retain(|name, _| *name == "clears");
    }

    fn try_take(&mut self, name: &'static str, limit: u64, period: u64) -> bool {
        let used = self.used.entry(name).or_default();
        if used.0 != period {
            *used = (period, 0);
        }
        let is_free = used.1 < limit;
        used.1 += u64::from(is_free);
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        let mut quota = CallCounter::default();
        let before_midnight = 16 * 3600 * 1000 - 1;
        assert!(quota.try_take_today("a", 1, before_midnight));
        assert!(!quota.try_take_today("a", 1, before_midnight));
        assert!(quota.try_take_today("b", 1, before_midnight));
        assert!(quota.try_take_today("a", 1, before_midnight + 1));
        assert!(quota.try_take_this_minute("m", 1, 59_999));
        assert!(!quota.try_take_this_minute("m", 1, 59_999));
        assert!(quota.try_take_this_minute("m", 1, 60_000));
        assert_eq!(quota.used_today("a", before_midnight + 1), 1);
        assert_eq!(quota.used_today("b", before_midnight + 1), 0, "yesterday's");
        assert!(quota.try_take_this_month("clears", 1, 0));
        quota.clear_today();
        assert_eq!(quota.used_today("a", before_midnight + 1), 0);
        assert!(!quota.try_take_this_month("clears", 1, before_midnight));
    }
}
