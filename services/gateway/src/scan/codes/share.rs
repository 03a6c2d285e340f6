//! Shares of WeChat's day of codes for those who are not known, spread over the day.
//!
//! WeChat makes a number of codes a day for an account, and whoever opens a page has one made. But
//! codes differ in worth: staff have to log in whatever the public does. So what strangers ask for
//! has a share of the day for each worth, in the cache, by which all replicas count together.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::session::ScanPurpose;
use paihao_contracts::streams;
use paihao_wechat::CallPriority;
use parking_lot::Mutex as SyncMutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Time whose part of a share may come at once, such as when a hall opens.
const BURST: Duration = Duration::from_secs(2 * 3600);

/// Attempts to count a code while other replicas count theirs.
const MAX_ATTEMPTS: usize = 16;

/// Advice to whoever asked in a moment in which every replica was counting.
const CONTENTION_DELAY: Duration = Duration::from_secs(1);

/// Worth of a code, by who asks for it and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeWorth {
    /// Ticket, for anybody who opens a page.
    Stranger,
    /// Ticket, at a kiosk that the site has paired, or for staff.
    Known,
    /// Login, which only a browser that nobody knows asks for.
    Login,
    /// Invitation, which a manager asks for.
    Invitation,
}

/// Percentages of a day's codes; 0 is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct CodeShareSettings {
    /// For tickets of strangers.
    pub strangers_percent: u32,
    /// For logins.
    pub logins_percent: u32,
}

impl CodeWorth {
    /// Worth of a session's code for somebody who is not known.
    pub(crate) fn of_public(purpose: &ScanPurpose) -> CodeWorth {
        match purpose {
            ScanPurpose::Ticket { .. } => CodeWorth::Stranger,
            ScanPurpose::Login(_) => CodeWorth::Login,
            ScanPurpose::Invitation(_) => CodeWorth::Invitation,
        }
    }

    /// Priority of the call that makes the code.
    pub(crate) fn priority(self) -> CallPriority {
        match self {
            CodeWorth::Stranger | CodeWorth::Known => CallPriority::Normal,
            CodeWorth::Login | CodeWorth::Invitation => CallPriority::High,
        }
    }

    /// Percentage and name of the share that the code is counted in, if it has one.
    fn share(self, settings: CodeShareSettings) -> Option<(u32, &'static str)> {
        let (percent, name) = match self {
            CodeWorth::Stranger => (settings.strangers_percent, "strangers"),
            CodeWorth::Login => (settings.logins_percent, "logins"),
            CodeWorth::Known | CodeWorth::Invitation => return None,
        };
        (percent > 0).then_some((percent, name))
    }
}

/// Reason why a code is not made.
#[derive(Debug)]
pub(crate) enum ShareError {
    /// The share is used up for so long.
    UsedUp(Duration),
    /// The cache does not answer.
    Cache(Unavailable),
}

/// Counts of the shares.
pub(crate) struct CodeShares {
    settings: CodeShareSettings,
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    counts: SyncMutex<HashMap<String, Arc<Mutex<Option<Bytes>>>>>,
}

impl CodeShares {
    pub(crate) fn new(
        settings: CodeShareSettings,
        cache: Arc<dyn Cache>,
        clock: Arc<dyn Clock>,
    ) -> CodeShares {
        CodeShares { settings, cache, clock, counts: SyncMutex::default() }
    }

    /// Counts a code of an account that may have `daily_limit` codes made today.
    pub(crate) async fn admit(
        &self,
        account: &str,
        worth: CodeWorth,
        daily_limit: Option<u64>,
    ) -> Result<(), ShareError> {
        let (Some((percent, name)), Some(limit)) = (worth.share(self.settings), daily_limit) else {
            return Ok(());
        };
        let share = (limit.saturating_mul(percent.into()) / 100).max(1);
        let interval_us = u64::try_from(DAY.as_micros()).unwrap_or(u64::MAX) / share;
        let key = streams::code_share_key(account, name);
        let count = self.counts.lock().entry(key.clone()).or_default().clone();
        // One request of this replica at a time, so that only replicas compete.
        let mut stored = count.lock().await;
        for _ in 0..MAX_ATTEMPTS {
            let now_us = self.clock.now_ms().max(0).unsigned_abs().saturating_mul(1000);
            let due_us =
                advance(parse(stored.as_deref()), now_us, interval_us).map_err(|wait| {
                    metrics::counter!("paihao_gateway_limited_total", "what" => name).increment(1);
                    ShareError::UsedUp(wait)
                })?;
            let next = Bytes::from(due_us.to_string());
            let swapped = self.cache.compare_and_set(&key, stored.as_deref(), next.clone(), DAY);
            match swapped.await.map_err(ShareError::Cache)? {
                CasOutcome::Swapped => {
                    *stored = Some(next);
                    return Ok(());
                }
                CasOutcome::Mismatch(newer) => *stored = newer,
            }
        }
        Err(ShareError::UsedUp(CONTENTION_DELAY))
    }
}

/// Time in Unix microseconds at which the next code is due in an even spread, after one more. The
/// error is the time until there may be one.
fn advance(due_us: u64, now_us: u64, interval_us: u64) -> Result<u64, Duration> {
    let day_us = u64::try_from(DAY.as_micros()).unwrap_or(u64::MAX);
    let burst_us = u64::try_from(BURST.as_micros()).unwrap_or(u64::MAX).max(interval_us);
    // A count from further ahead was written by a wrong clock.
    let due_us = if due_us > now_us.saturating_add(day_us) { now_us } else { due_us.max(now_us) };
    let next_us = due_us.saturating_add(interval_us);
    match next_us.checked_sub(now_us.saturating_add(burst_us)) {
        None | Some(0) => Ok(next_us),
        Some(wait_us) => Err(Duration::from_micros(wait_us)),
    }
}

fn parse(stored: Option<&[u8]>) -> u64 {
    let text = stored.and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::MemoryCache;
    use paihao_chassis::clock::ManualClock;

    const SETTINGS: CodeShareSettings =
        CodeShareSettings { strangers_percent: 50, logins_percent: 10 };

    /// Replicas that share a cache and a clock.
    fn replicas(count: usize) -> (Vec<CodeShares>, ManualClock) {
        let clock = ManualClock::at(1_795_140_000_000);
        let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
        let shares = || CodeShares::new(SETTINGS, cache.clone(), Arc::new(clock.clone()));
        ((0..count).map(|_| shares()).collect(), clock)
    }

    async fn flood(shares: &[CodeShares], worth: CodeWorth, requests: usize) -> usize {
        let mut admitted = 0;
        for index in 0..requests {
            let replica = &shares[index % shares.len()];
            admitted += usize::from(replica.admit("shop", worth, Some(10_000)).await.is_ok());
        }
        admitted
    }

    #[tokio::test]
    async fn a_flood_of_a_whole_day_gets_its_share_however_many_replicas_there_are() {
        for count in [1, 3] {
            let (shares, clock) = replicas(count);
            let mut admitted = Vec::new();
            for _ in 0..24 {
                admitted.push(flood(&shares, CodeWorth::Stranger, 600).await);
                clock.advance(Duration::from_secs(3600));
            }
            let first_hour = 5_000 * 2 / 24;
            assert!(admitted[0].abs_diff(first_hour) <= 2, "{admitted:?}");
            assert!(
                admitted[1..].iter().all(|hour| hour.abs_diff(5_000 / 24) <= 2),
                "{admitted:?}"
            );
        }
    }

    #[tokio::test]
    async fn each_worth_is_counted_for_itself_and_the_known_are_not_counted() {
        let (shares, _) = replicas(2);
        assert!(flood(&shares, CodeWorth::Stranger, 2_000).await < 2_000);
        let refused = shares[0].admit("shop", CodeWorth::Stranger, Some(10_000)).await;
        assert!(matches!(refused, Err(ShareError::UsedUp(wait)) if wait < Duration::from_secs(18)));
        assert_eq!(flood(&shares, CodeWorth::Login, 50).await, 50, "staff log in");
        assert_eq!(flood(&shares, CodeWorth::Invitation, 2_000).await, 2_000);
        assert_eq!(flood(&shares, CodeWorth::Known, 2_000).await, 2_000);
        assert!(shares[0].admit("other", CodeWorth::Stranger, Some(10_000)).await.is_ok());
        assert!(shares[0].admit("shop", CodeWorth::Stranger, None).await.is_ok(), "no limit");
    }

    #[test]
    fn a_count_of_a_wrong_clock_keeps_nobody_out_for_long() {
        let now = 1_795_140_000_000_000;
        let year = 365 * 24 * 3600 * 1_000_000;
        for due in [0, now - year, now, now + year] {
            assert!(advance(due, now, 1_000_000).is_ok(), "{due}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

        /// Never more than the share and its burst in any day, and never less over a day's flood.
        #[test]
        fn no_day_has_more_than_its_share_and_the_burst(
            share in 1_u64..2_000,
            gaps in proptest::collection::vec(0_u64..2_000_000_000, 1..400),
        ) {
            let day = 24 * 3600 * 1_000_000;
            let interval = day / share;
            let (mut due, mut now, mut admitted) = (0, 1_795_140_000_000_000, Vec::new());
            for gap in gaps {
                now += gap;
                if let Ok(next) = advance(due, now, interval) {
                    due = next;
                    admitted.push(now);
                }
            }
            let bound = share + share / 12 + 2;
            for (index, first) in admitted.iter().enumerate() {
                let within = admitted[index..].iter().take_while(|at| **at - first < day).count();
                proptest::prop_assert!(within as u64 <= bound, "{} of {}", within, bound);
            }
        }
    }
}
