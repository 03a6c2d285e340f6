//! Rate limits per address for public operations: codes and their progress.
//!
//! Each replica counts for itself. An office, or a school behind one address, is one address.

use crate::http::client_ip::ClientIp;
use crate::http::refusals::{self, Problem};
use paihao_chassis::clock::Clock;
use paihao_wechat::traffic::RateLimiter as TokenBucket;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

const RATE_WINDOW: Duration = Duration::from_secs(60);

/// Number of counted addresses or kiosks from which on idle ones are removed.
const PRUNE_THRESHOLD: usize = 4096;

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
    codes: KeyLimiter<IpAddr>,
    reads: KeyLimiter<IpAddr>,
    slips: KeyLimiter<IpAddr>,
    kiosk_slips: KeyLimiter<String>,
    clock: Arc<dyn Clock>,
}

/// Rate limiter per address, or per kiosk.
struct KeyLimiter<K> {
    metric_label: &'static str,
    per_minute: u32,
    rates: Mutex<HashMap<K, (TokenBucket, Duration)>>,
}

impl RateLimiter {
    pub(crate) fn new(settings: RateLimitSettings, clock: Arc<dyn Clock>) -> Self {
        RateLimiter {
            codes: KeyLimiter::new("codes", settings.codes_per_minute),
            reads: KeyLimiter::new("looks", settings.looks_per_minute),
            slips: KeyLimiter::new("slips", settings.slips_per_minute),
            kiosk_slips: KeyLimiter::new("slips", settings.kiosk_slips_per_minute),
            clock,
        }
    }

    /// Admits one more code for this address, or says when to come again.
    pub(crate) fn admit_code(&self, client_ip: ClientIp) -> Result<(), Problem> {
        self.codes.admit(network_prefix(client_ip.0), self.now())
    }

    /// Admits one more read, or says when to come again.
    pub(crate) fn admit_read(&self, client_ip: ClientIp) -> Result<(), Problem> {
        self.reads.admit(network_prefix(client_ip.0), self.now())
    }

    /// Admits one more number without WeChat at this kiosk, which has named itself, and for its
    /// address, or says when to come again.
    pub(crate) fn admit_slip(&self, client_ip: ClientIp, kiosk: &str) -> Result<(), Problem> {
        // Somebody who makes up a kiosk for each request is bounded by the address.
        self.slips.admit(network_prefix(client_ip.0), self.now())?;
        self.kiosk_slips.admit(kiosk.to_owned(), self.now())
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.clock.now_ms().max(0).unsigned_abs())
    }
}

impl<K: Eq + Hash> KeyLimiter<K> {
    fn new(metric_label: &'static str, per_minute: u32) -> KeyLimiter<K> {
        KeyLimiter { metric_label, per_minute, rates: Mutex::default() }
    }

    fn admit(&self, key: K, now: Duration) -> Result<(), Problem> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut rates = self.rates.lock();
        if rates.len() >= PRUNE_THRESHOLD {
            // A key that was idle for a minute has its full allowance again.
            rates.retain(|_, (_, last)| now.saturating_sub(*last) < RATE_WINDOW);
        }
        let fresh = || (TokenBucket::new(self.per_minute, RATE_WINDOW), now);
        let (rate, last) = rates.entry(key).or_insert_with(fresh);
        let wait = rate.delay(now);
        if wait.is_zero() {
            rate.reserve(now);
            *last = now;
            return Ok(());
        }
        metrics::counter!("paihao_gateway_limited_total", "what" => self.metric_label).increment(1);
        Err(Problem::new(&refusals::TOO_MANY_REQUESTS).with_retry_after(wait))
    }
}

/// Network of an IPv6 address: its owner has all of them.
pub(crate) fn network_prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
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
        let codes = |text| limits.admit_code(client_ip(text)).is_ok();
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

        for host in ["1::1", "1::2", "1::3"] {
            assert!(codes(host));
        }
        assert!(!codes("1::4") && codes("1:0:0:1::4"), "a network is one address");
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
