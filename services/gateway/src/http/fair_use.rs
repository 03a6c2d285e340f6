//! Bounds of what costs a reading of the ledger, for each asker and for each site: one of them must
//! not take it from all others.
//!
//! Each replica counts for itself.

use crate::http::rate_limit::{self, KeyLimiter};
use crate::http::refusals::{self, Problem, ProblemKind};
use paihao_chassis::clock::Clock;
use paihao_chassis::permits::{Permit, Permits};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Advice to whoever has as much under way as one may.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Bounds of one kind of request.
#[derive(Clone, Copy)]
struct UseLimits {
    name: &'static str,
    /// Requests in a window, of one asker and about one site.
    requests: u32,
    window: Duration,
    /// Requests under way at once, of one asker and about one site.
    concurrent: usize,
    refusal: &'static ProblemKind,
}

/// Replays to webhooks: each queues up to ten thousand messages.
const REPLAYS: UseLimits = UseLimits {
    name: "replays",
    requests: 12,
    window: HOUR,
    concurrent: 1,
    refusal: &refusals::TOO_MANY_REQUESTS,
};

/// Views of the past: each replays up to three days of a site.
const PAST_VIEWS: UseLimits = UseLimits {
    name: "past_views",
    requests: 30,
    window: MINUTE,
    concurrent: 1,
    refusal: &refusals::TOO_MANY_REQUESTS,
};

/// Pages of feeds.
const FEED_PAGES: UseLimits = UseLimits {
    name: "feed_pages",
    requests: 240,
    window: MINUTE,
    concurrent: 4,
    refusal: &refusals::TOO_MANY_REQUESTS,
};

/// Streams of feeds: each follows the ledger.
const FEEDS: UseLimits = UseLimits {
    name: "feeds",
    requests: 120,
    window: MINUTE,
    concurrent: 8,
    refusal: &refusals::TOO_MANY_FEEDS,
};

/// Bounds of one replica.
pub(crate) struct FairUse {
    pub(crate) replays: UseLimiter,
    pub(crate) past_views: UseLimiter,
    pub(crate) feed_pages: UseLimiter,
    pub(crate) feeds: UseLimiter,
}

/// Bound of one kind of request.
pub(crate) struct UseLimiter {
    limits: UseLimits,
    clock: Arc<dyn Clock>,
    rates: KeyLimiter<UseKey>,
    under_way: Permits<UseKey>,
}

/// Key of a count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum UseKey {
    Asker(Arc<str>),
    Site(String),
}

/// Permit of one request, for its asker and its site.
pub(crate) type UsePermit = Permit<UseKey, 2>;

impl FairUse {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> FairUse {
        let limiter = |limits| UseLimiter::new(limits, clock.clone());
        FairUse {
            replays: limiter(REPLAYS),
            past_views: limiter(PAST_VIEWS),
            feed_pages: limiter(FEED_PAGES),
            feeds: limiter(FEEDS),
        }
    }
}

impl UseLimiter {
    fn new(limits: UseLimits, clock: Arc<dyn Clock>) -> UseLimiter {
        let rates = KeyLimiter::new(limits.name, limits.requests, limits.window);
        UseLimiter { limits, clock, rates, under_way: Permits::default() }
    }

    /// Admits a request of an asker, by their name in logs, about a site, or says when to come
    /// again.
    pub(crate) fn admit(&self, asker: &Arc<str>, site: &str) -> Result<UsePermit, Problem> {
        let keys = [UseKey::Asker(asker.clone()), UseKey::Site(site.to_owned())];
        let limited = keys.clone().map(|key| (key, self.limits.concurrent));
        let permit = self.under_way.try_acquire(limited).ok_or_else(|| {
            let name = self.limits.name;
            metrics::counter!("paihao_gateway_limited_total", "what" => name).increment(1);
            Problem::new(self.limits.refusal).with_retry_after(BUSY_RETRY_AFTER)
        })?;
        self.rates.admit(&keys.map(|key| (key, 1)), rate_limit::now(&*self.clock))?;
        Ok(permit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::clock::ManualClock;

    fn all(clock: &ManualClock) -> [UseLimiter; 4] {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let FairUse { replays, past_views, feed_pages, feeds } = FairUse::new(&clock);
        [replays, past_views, feed_pages, feeds]
    }

    #[test]
    fn neither_one_asker_nor_all_askers_of_one_site_take_it_from_others() {
        let clock = ManualClock::at(1_795_140_000_000);
        for limiter in all(&clock) {
            let UseLimits { name, requests, concurrent, refusal, .. } = limiter.limits;
            let admit = |asker: &str, site: &str| limiter.admit(&asker.into(), site);
            let held: Vec<_> =
                (0..concurrent).map(|i| admit("a", &format!("site-{i}")).unwrap()).collect();
            let refused = admit("a", "another").err().unwrap();
            assert_eq!(refused.kind().code, refusal.code, "{name}: the asker is busy");
            assert!(refused.retry_after().is_some());
            assert!(admit("b", "another").is_ok(), "{name}: somebody else");
            drop(held);
            let held: Vec<_> =
                (0..concurrent).map(|i| admit(&format!("asker-{i}"), "hall").unwrap()).collect();
            assert!(admit("c", "hall").is_err(), "{name}: the site is busy");
            assert!(admit("c", "another").is_ok());
            drop(held);

            let spend = |asker: &str, site: &str| {
                (0..2 * requests).filter(|_| admit(asker, site).is_ok()).count()
            };
            assert!(spend("greedy", "north") <= requests as usize, "{name}");
            assert!(admit("greedy", "south").is_err() && admit("other", "north").is_err());
            assert!(admit("other", "south").is_ok(), "{name}");
            assert!(limiter.under_way.are_free());
        }
    }

    #[test]
    fn what_was_refused_is_admitted_when_it_is_said() {
        let clock = ManualClock::at(1_795_140_000_000);
        for limiter in all(&clock) {
            let admit = || limiter.admit(&"a".into(), "hall");
            while admit().is_ok() {}
            let wait = admit().err().unwrap().retry_after().unwrap();
            clock.advance(Duration::from_secs(wait));
            assert!(admit().is_ok(), "{}", limiter.limits.name);
        }
    }
}
