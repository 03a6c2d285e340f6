//! Limiter of guesses: wrong keys, signatures and codes are counted, and whoever sends many waits.
//!
//! An address with too many is refused before what it sends is looked at, so that a guess that is
//! right tells nothing. Signatures are the exception: those of WeChat's pushes are always looked
//! at, and a wrong one is merely answered late.

use crate::http::client_ip::ClientIp;
use crate::http::rate_limit::{AddressLimiter, now};
use crate::http::refusals::{self, Problem};
use paihao_chassis::clock::Clock;
use paihao_wechat::traffic::RateLimiter as TokenBucket;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Time after which the answer to a wrong guess is given once there are too many.
const SLOW_ANSWER_DELAY: Duration = Duration::from_secs(1);

/// Most answers that wait at once.
const MAX_SLOW_ANSWERS: usize = 1024;

/// Time for which a key that was right is told from a guess.
const RIGHT_KEY_MEMORY: Duration = Duration::from_secs(3600);

/// Largest number of keys that are remembered as right.
const MAX_RIGHT_KEYS: usize = 4096;

/// Shortest time between two warnings about one kind of guess.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Wrong guesses a minute; 0 is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuessLimits {
    /// From one address, or network of IPv6.
    pub per_address: u32,
    /// From all addresses together.
    pub in_all: u32,
}

/// Kinds of guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Guess {
    /// Key of staff or of a program.
    Key,
    /// Signature of a callback.
    Signature,
    /// Digits of a phone, code of a kiosk, of a link, or of an authorization.
    Code,
}

impl Guess {
    fn name(self) -> &'static str {
        match self {
            Guess::Key => "key",
            Guess::Signature => "signature",
            Guess::Code => "code",
        }
    }
}

/// Limiter of guesses.
pub(crate) struct GuessLimiter {
    by_address: AddressLimiter,
    in_all: Mutex<TokenBucket>,
    /// Hashes of the keys that were right lately, with the time until which they are remembered.
    right_keys: Mutex<HashMap<[u8; 32], Instant>>,
    warnings: Mutex<HashMap<Guess, Warning>>,
    slow_answers: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Warning about a kind of guess.
#[derive(Default)]
struct Warning {
    last_at: Option<Instant>,
    /// Guesses since then.
    count: u64,
}

impl GuessLimiter {
    pub(crate) fn new(limits: GuessLimits, clock: Arc<dyn Clock>) -> GuessLimiter {
        GuessLimiter {
            by_address: AddressLimiter::new("guesses", limits.per_address),
            in_all: Mutex::new(TokenBucket::new(limits.in_all, Duration::from_secs(60))),
            right_keys: Mutex::default(),
            warnings: Mutex::default(),
            slow_answers: Semaphore::new(MAX_SLOW_ANSWERS),
            clock,
        }
    }

    /// Refuses an address that has guessed too often, or says when to come again.
    pub(crate) fn admit(&self, client_ip: ClientIp) -> Result<(), Problem> {
        match self.by_address.wait(client_ip, now(&*self.clock)) {
            Duration::ZERO => Ok(()),
            wait => Err(Problem::new(&refusals::TOO_MANY_REQUESTS).with_retry_after(wait)),
        }
    }

    /// Admits a key that was right here lately, whatever others behind its address guess; any other
    /// as [`GuessLimiter::admit`] does.
    pub(crate) fn admit_key(&self, client_ip: ClientIp, key: &[u8]) -> Result<(), Problem> {
        match self.admit(client_ip) {
            Err(_) if self.was_right(key) => Ok(()),
            admitted => admitted,
        }
    }

    /// Remembers a key that was right.
    pub(crate) fn note_right_key(&self, key: &[u8]) {
        let now = Instant::now();
        let mut keys = self.right_keys.lock();
        if keys.len() >= MAX_RIGHT_KEYS {
            keys.retain(|_, until| *until > now);
            if keys.len() >= MAX_RIGHT_KEYS {
                keys.clear();
            }
        }
        keys.insert(Sha256::digest(key).into(), now + RIGHT_KEY_MEMORY);
    }

    fn was_right(&self, key: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(key).into();
        self.right_keys.lock().get(&hash).is_some_and(|until| *until > Instant::now())
    }

    /// Counts a guess that was wrong. Returns at once, or after a while if there were too many.
    pub(crate) async fn note_wrong(&self, guess: Guess, client_ip: ClientIp) {
        metrics::counter!("paihao_gateway_wrong_guesses_total", "what" => guess.name())
            .increment(1);
        let now = now(&*self.clock);
        let is_frequent = self.by_address.admit(client_ip, now).is_err();
        let is_frequent_in_all = {
            let mut rate = self.in_all.lock();
            let is_used_up = !rate.delay(now).is_zero();
            if !is_used_up {
                rate.reserve(now);
            }
            is_used_up
        };
        self.warn(guess, client_ip);
        if (is_frequent || is_frequent_in_all)
            && let Ok(_place) = self.slow_answers.try_acquire()
        {
            tokio::time::sleep(SLOW_ANSWER_DELAY).await;
        }
    }

    fn warn(&self, guess: Guess, client_ip: ClientIp) {
        let now = Instant::now();
        let mut warnings = self.warnings.lock();
        let warning = warnings.entry(guess).or_default();
        warning.count += 1;
        if warning.last_at.is_none_or(|at| now - at >= WARNING_INTERVAL) {
            let count = std::mem::take(&mut warning.count);
            warning.last_at = Some(now);
            let (what, from) = (guess.name(), client_ip.masked());
            tracing::warn!(what, count, from, "wrong guesses of a secret");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_chassis::clock::ManualClock;

    fn limiter(per_address: u32, in_all: u32) -> (GuessLimiter, ManualClock) {
        let clock = ManualClock::at(1_795_140_000_000);
        let limits = GuessLimits { per_address, in_all };
        (GuessLimiter::new(limits, Arc::new(clock.clone())), clock)
    }

    fn address(text: &str) -> ClientIp {
        ClientIp(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_guesses_is_refused_for_a_while_and_nobody_else() {
        let (guesses, clock) = limiter(3, 0);
        for _ in 0..3 {
            guesses.admit(address("10.0.0.1")).unwrap();
            guesses.note_wrong(Guess::Key, address("10.0.0.1")).await;
        }
        let refused = guesses.admit(address("10.0.0.1")).unwrap_err();
        assert_eq!((refused.kind().code, refused.retry_after()), ("too_many_requests", Some(20)));
        assert!(guesses.admit(address("10.0.0.2")).is_ok());
        clock.advance(Duration::from_secs(20));
        assert!(guesses.admit(address("10.0.0.1")).is_ok(), "as was said");
        // A network of IPv6 is one address.
        for host in 1..=3 {
            guesses.note_wrong(Guess::Code, address(&format!("2001:db8::{host}"))).await;
        }
        assert!(guesses.admit(address("2001:db8::9")).is_err());
        assert!(guesses.admit(address("2001:db8:0:1::9")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_was_right_goes_on_behind_an_address_of_guesses() {
        let (guesses, _) = limiter(1, 0);
        guesses.note_right_key(b"right");
        guesses.note_wrong(Guess::Key, address("10.0.0.1")).await;
        assert!(guesses.admit_key(address("10.0.0.1"), b"right").is_ok());
        assert!(guesses.admit_key(address("10.0.0.1"), b"other").is_err());
        assert!(guesses.admit_key(address("10.0.0.2"), b"other").is_ok());
        tokio::time::advance(RIGHT_KEY_MEMORY).await;
        assert!(guesses.admit_key(address("10.0.0.1"), b"right").is_err(), "for an hour");
        for key in 0..2 * MAX_RIGHT_KEYS {
            guesses.note_right_key(&key.to_be_bytes());
        }
        assert!(guesses.right_keys.lock().len() <= MAX_RIGHT_KEYS);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_late_beyond_the_limit_of_an_address_and_of_all() {
        let waited = async |guesses: &GuessLimiter, from: &str| {
            let start = Instant::now();
            guesses.note_wrong(Guess::Signature, address(from)).await;
            start.elapsed()
        };
        let (guesses, _) = limiter(1, 0);
        assert_eq!(waited(&guesses, "10.0.0.1").await, Duration::ZERO);
        assert_eq!(waited(&guesses, "10.0.0.1").await, SLOW_ANSWER_DELAY);
        assert_eq!(waited(&guesses, "10.0.0.2").await, Duration::ZERO);
        let (guesses, _) = limiter(0, 2);
        for (host, expected) in [(1, Duration::ZERO), (2, Duration::ZERO), (3, SLOW_ANSWER_DELAY)] {
            assert_eq!(waited(&guesses, &format!("10.0.0.{host}")).await, expected);
        }
        assert!(guesses.admit(address("10.0.0.9")).is_ok(), "nobody is refused for others");
        let (unlimited, _) = limiter(0, 0);
        for _ in 0..100 {
            assert_eq!(waited(&unlimited, "10.0.0.1").await, Duration::ZERO);
        }
    }
}
