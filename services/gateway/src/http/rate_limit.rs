//! Rate limits per address for public operations: codes and their progress.
//!
//! Each replica counts for itself. An office, or a school behind one address, is one address.

use crate::http::client_ip::ClientIp;
use crate::http::refusals::{self, Problem};
use paihao_chassis::clock::Clock;
use paihao_chassis::http::network;
use paihao_wechat::traffic::RateLimiter as TokenBucket;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const RATE_WINDOW: Duration = Duration::from_secs(60);

/// Networks of an IPv6 address that are counted, by the bits of their prefix, with the multiple of
/// an address's allowance that each has. Providers give out networks of 64, 56 and 48 bits, and the
/// owner of one has every address in it.
const COUNTED_NETWORKS: [(u32, u32); 3] = [(64, 1), (56, 2), (48, 4)];

/// Largest number of keys that are counted anew before those that were idle since are forgotten. At
/// most twice as many are kept.
const MAX_RECENT_KEYS: usize = 16_384;

/// Limits per minute; 0 is no limit. A minute's worth may come at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct RateLimitSettings {
    /// Created codes: for tickets, logins and invitations.
    pub codes_per_minute: u32,
    /// Reads of a code's image or events, and attempts to redeem its result.
    pub looks_per_minute: u32,
    /// Numbers without WeChat that kiosks behind an address give.
    pub slips_per_minute: u32,
    /// Numbers without WeChat that one kiosk gives.
    pub kiosk_slips_per_minute: u32,
}

/// Rate limiter per address, of codes, of reads and of kiosks' slips.
pub(crate) struct RateLimiter {
    codes: AddressLimiter,
    reads: AddressLimiter,
    slips: AddressLimiter,
    kiosk_slips: KeyLimiter<String>,
    clock: Arc<dyn Clock>,
}

impl RateLimiter {
    pub(crate) fn new(settings: RateLimitSettings, clock: Arc<dyn Clock>) -> Self {
        let kiosk_slips = settings.kiosk_slips_per_minute;
        RateLimiter {
            codes: AddressLimiter::new("codes", settings.codes_per_minute),
            reads: AddressLimiter::new("looks", settings.looks_per_minute),
            slips: AddressLimiter::new("slips", settings.slips_per_minute),
            kiosk_slips: KeyLimiter::new("slips", kiosk_slips, RATE_WINDOW),
            clock,
        }
    }

    /// Admits one more code for this address, or says when to come again.
    pub(crate) fn admit_code(&self, client_ip: ClientIp) -> Result<(), Problem> {
        self.codes.admit(client_ip, now(&*self.clock))
    }

    /// Admits one more read, or says when to come again.
    pub(crate) fn admit_read(&self, client_ip: ClientIp) -> Result<(), Problem> {
        self.reads.admit(client_ip, now(&*self.clock))
    }

    /// Admits one more number without WeChat at this kiosk, which has named itself, and for its
    /// address, or says when to come again.
    pub(crate) fn admit_slip(&self, client_ip: ClientIp, kiosk: &str) -> Result<(), Problem> {
        // Somebody who makes up a kiosk for each request is bounded by the address.
        let now = now(&*self.clock);
        self.slips.admit(client_ip, now)?;
        self.kiosk_slips.admit(&[(kiosk.to_owned(), 1)], now)
    }
}

/// Time since a fixed start, for a limiter.
pub(crate) fn now(clock: &dyn Clock) -> Duration {
    Duration::from_millis(clock.now_ms().max(0).unsigned_abs())
}

/// Rate limiter per address, and per network of IPv6.
pub(crate) struct AddressLimiter(KeyLimiter<(IpAddr, u32)>);

impl AddressLimiter {
    pub(crate) fn new(metric_label: &'static str, per_minute: u32) -> AddressLimiter {
        AddressLimiter(KeyLimiter::new(metric_label, per_minute, RATE_WINDOW))
    }

    /// Admits one more request of this address, or says when to come again.
    pub(crate) fn admit(&self, client_ip: ClientIp, now: Duration) -> Result<(), Problem> {
        self.0.admit(&counted_networks(client_ip), now)
    }

    /// Time until one more request of this address would be admitted.
    pub(crate) fn wait(&self, client_ip: ClientIp, now: Duration) -> Duration {
        self.0.wait(&counted_networks(client_ip), now)
    }
}

/// Networks of an address that are counted, by the bits of their prefix, with the multiple of the
/// limit that each has.
fn counted_networks(ClientIp(address): ClientIp) -> Vec<((IpAddr, u32), u32)> {
    match address {
        IpAddr::V4(_) => vec![((address, 32), 1)],
        IpAddr::V6(_) => {
            let networks = COUNTED_NETWORKS.iter();
            networks.map(|(bits, multiple)| ((network(address, *bits), *bits), *multiple)).collect()
        }
    }
}

/// Rate limiter per key, bounded in memory.
pub(crate) struct KeyLimiter<K> {
    metric_label: &'static str,
    limit: u32,
    window: Duration,
    rates: Mutex<RecentRates<K>>,
}

/// Rates of the keys of late. When there are too many, those that were not used since the last time
/// are forgotten: they have most of their allowance again.
struct RecentRates<K> {
    recent: HashMap<K, TokenBucket>,
    former: HashMap<K, TokenBucket>,
}

impl<K: Eq + Hash + Clone> KeyLimiter<K> {
    /// Creates a limiter of `limit` requests in each window; 0 is no limit.
    pub(crate) fn new(metric_label: &'static str, limit: u32, window: Duration) -> KeyLimiter<K> {
        let rates = RecentRates { recent: HashMap::new(), former: HashMap::new() };
        KeyLimiter { metric_label, limit, window, rates: Mutex::new(rates) }
    }

    /// Admits a request that counts for all of these keys, each with a multiple of the limit, or
    /// says when to come again. One that is refused counts for none.
    pub(crate) fn admit(&self, keys: &[(K, u32)], now: Duration) -> Result<(), Problem> {
        if self.limit == 0 {
            return Ok(());
        }
        let mut rates = self.rates.lock();
        let wait = self.longest_wait(&mut rates, keys, now);
        if wait.is_zero() {
            for (key, multiple) in keys {
                let limit = self.limit.saturating_mul(*multiple);
                rates.rate(key, || TokenBucket::new(limit, self.window)).reserve(now);
            }
            return Ok(());
        }
        metrics::counter!("paihao_gateway_limited_total", "what" => self.metric_label).increment(1);
        Err(Problem::new(&refusals::TOO_MANY_REQUESTS).with_retry_after(wait))
    }

    /// Time until a request that counts for all of these keys would be admitted.
    pub(crate) fn wait(&self, keys: &[(K, u32)], now: Duration) -> Duration {
        if self.limit == 0 {
            return Duration::ZERO;
        }
        self.longest_wait(&mut self.rates.lock(), keys, now)
    }

    fn longest_wait(
        &self,
        rates: &mut RecentRates<K>,
        keys: &[(K, u32)],
        now: Duration,
    ) -> Duration {
        let waits = keys.iter().map(|(key, multiple)| {
            let limit = self.limit.saturating_mul(*multiple);
            rates.rate(key, || TokenBucket::new(limit, self.window)).delay(now)
        });
        waits.max().unwrap_or_default()
    }
}

impl<K: Eq + Hash + Clone> RecentRates<K> {
    fn rate(&mut self, key: &K, fresh: impl FnOnce() -> TokenBucket) -> &mut TokenBucket {
        if !self.recent.contains_key(key) && self.recent.len() >= MAX_RECENT_KEYS {
            self.former = std::mem::take(&mut self.recent);
        }
        let former = &mut self.former;
        let kept = || former.remove(key).unwrap_or_else(fresh);
        self.recent.entry(key.clone()).or_insert_with(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::clock::ManualClock;

    #[test]
    fn each_address_has_a_minutes_worth_and_then_waits() {
        let clock = ManualClock::at(1_795_140_000_000);
        let settings = RateLimitSettings { codes_per_minute: 3, ..RateLimitSettings::default() };
        let limits = RateLimiter::new(settings, Arc::new(clock.clone()));
        let client_ip = |text: &str| ClientIp(text.parse().unwrap());
        let codes = |text: &str| limits.admit_code(client_ip(text)).is_ok();
        assert_eq!([codes("10.0.0.1"), codes("10.0.0.1"), codes("10.0.0.1")], [true; 3]);
        assert!(!codes("10.0.0.1") && codes("10.0.0.2"), "each for itself");
        let refused = limits.admit_code(client_ip("10.0.0.1")).unwrap_err();
        assert_eq!((refused.kind().code, refused.retry_after()), ("too_many_requests", Some(20)));
        clock.advance(Duration::from_secs(20));
        assert!(codes("10.0.0.1") && !codes("10.0.0.1"), "as was said");
        assert!(
            (0..1000).all(|_| limits.admit_read(client_ip("10.0.0.1")).is_ok()),
            "0 is no limit"
        );

        assert!((0..3).all(|host| codes(&format!("1::{host}"))));
        assert!(!codes("1::4") && codes("1:0:0:1::4"), "a network is one address");
    }

    #[test]
    fn the_owner_of_a_network_of_ipv6_has_no_more_than_a_few_addresses() {
        let admitted = |network: &dyn Fn(u32) -> String| {
            let clock = ManualClock::at(1_795_140_000_000);
            let settings =
                RateLimitSettings { codes_per_minute: 10, ..RateLimitSettings::default() };
            let limits = RateLimiter::new(settings, Arc::new(clock));
            (0..10_000)
                .filter(|i| limits.admit_code(ClientIp(network(*i).parse().unwrap())).is_ok())
                .count()
        };
        assert_eq!(admitted(&|i| format!("2001:db8:1:aa00::{i:x}")), 10, "/64");
        assert_eq!(admitted(&|i| format!("2001:db8:1:aa{:02x}::1", i % 256)), 20, "/56");
        assert_eq!(admitted(&|i| format!("2001:db8:1:{i:x}::1")), 40, "/48");
        assert_eq!(admitted(&|i| format!("2001:db8:{i:x}::1")), 10_000, "10000 networks");
        assert_eq!(admitted(&|i| format!("10.0.{}.{}", i / 256, i % 256)), 10_000);
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_in_memory_and_frees_nobody_who_goes_on() {
        let clock = ManualClock::at(1_795_140_000_000);
        let settings = RateLimitSettings { codes_per_minute: 3, ..RateLimitSettings::default() };
        let limits = RateLimiter::new(settings, Arc::new(clock));
        let mut admitted = 0;
        for i in 0..200_000_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + i));
            limits.admit_code(ClientIp(address)).unwrap();
            if i % 1000 == 0 {
                let greedy = ClientIp("203.0.113.9".parse().unwrap());
                admitted += usize::from(limits.admit_code(greedy).is_ok());
            }
        }
        let rates = limits.codes.0.rates.lock();
        assert!(rates.recent.len() + rates.former.len() <= 2 * MAX_RECENT_KEYS);
        assert_eq!(admitted, 3);
    }

    #[test]
    fn a_kiosk_and_an_address_each_have_a_bound_of_slips() {
        let clock = ManualClock::at(1_795_140_000_000);
        let settings = RateLimitSettings {
            slips_per_minute: 5,
            kiosk_slips_per_minute: 2,
            ..RateLimitSettings::default()
        };
        let limits = RateLimiter::new(settings, Arc::new(clock.clone()));
        let slip = |address: &str, kiosk: &str| {
            limits.admit_slip(ClientIp(address.parse().unwrap()), kiosk).is_ok()
        };
        assert!(slip("10.0.0.1", "east") && slip("10.0.0.1", "east") && !slip("10.0.0.1", "east"));
        assert!(slip("10.0.0.1", "west"), "another kiosk of the hall");
        assert!(slip("10.0.0.1", "made-up") && !slip("10.0.0.1", "made-up-too"));
        assert!(slip("10.0.0.2", "north"), "another hall");
        clock.advance(Duration::from_secs(30));
        assert!(slip("10.0.0.1", "east") && !slip("10.0.0.1", "east"));
    }
}
