//! Signatures and timestamps of callbacks.

use crate::secret::CallbackToken;
use sha1::{Digest, Sha1};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Largest accepted difference between a callback's timestamp and our clock. WeChat's repeats come
/// within 15 s; the rest allows for wrong clocks.
pub const DEFAULT_TIMESTAMP_WINDOW: Duration = Duration::from_secs(300);

/// Computes the signature of a callback: lower-case hex of SHA-1 over the three values in byte
/// order.
pub fn signature(token: &CallbackToken, timestamp: &str, nonce: &str) -> String {
    sha1_hex([token.expose(), timestamp, nonce])
}

/// Computes the signature that covers an encrypted body too: `encrypt` is the text of its element,
/// exactly as it is sent.
pub fn msg_signature(token: &CallbackToken, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    sha1_hex([token.expose(), timestamp, nonce, encrypt])
}

fn sha1_hex<const N: usize>(mut parts: [&str; N]) -> String {
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Checks that `given` is the signature of these values, in constant time.
pub fn verify(token: &CallbackToken, timestamp: &str, nonce: &str, received: &str) -> bool {
    constant_time_eq(&signature(token, timestamp, nonce), received)
}

/// Compares two signatures in constant time.
pub(super) fn constant_time_eq(expected: &str, received: &str) -> bool {
    expected.as_bytes().ct_eq(received.as_bytes()).into()
}

/// Digits of a timestamp, from 2001 until 2286. A signature over more or fewer of them is one over
/// parts of the nonce, too.
const TIMESTAMP_DIGITS: usize = 10;

/// True if a timestamp (Unix seconds, as in the query) is within `window` of `now_ms` (Unix
/// milliseconds), in either direction. False for a text that is not a number of ten digits.
pub fn within_window(timestamp: &str, now_ms: i64, window: Duration) -> bool {
    if timestamp.len() != TIMESTAMP_DIGITS || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let Ok(seconds) = timestamp.parse::<i64>() else { return false };
    let skew = u128::from(now_ms.abs_diff(seconds.saturating_mul(1000)));
    // One second more than the window: the timestamp has no fractions.
    skew < window.as_millis() + 1000
}

/// True if a push was created within `window` of the timestamp of its signature, both in Unix
/// seconds. WeChat repeats a push within 15 seconds. A push without a time of its own has none that
/// could differ.
pub fn created_near(created_s: i64, timestamp: &str, window: Duration) -> bool {
    let Ok(signed_s) = timestamp.parse::<i64>() else { return false };
    created_s == 0 || created_s.abs_diff(signed_s) <= window.as_secs()
}

/// Seconds by which our clock is ahead of a timestamp; `None` for a text that is not a number.
pub fn skew_s(timestamp: &str, now_ms: i64) -> Option<f64> {
    let seconds: i64 = timestamp.parse().ok()?;
    Some(now_ms.checked_sub(seconds.checked_mul(1000)?)? as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (token, timestamp, nonce, expected) in [
            ("AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
            ("AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
            ("AAAAA", "1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
            ("spamtest", "1409735669", "1320562132", "16120ec1b8dbb870f510d87ce6bc2463eae6ca1a"),
            ("test", "1410685589", "test", "f21891de399b4e33a1a93c9a7b8a8fffb5a443ff"),
        ] {
            let token = CallbackToken::new(token);
            assert_eq!(signature(&token, timestamp, nonce), expected);
            assert!(verify(&token, timestamp, nonce, expected));
            assert!(!verify(&token, timestamp, nonce, &expected.to_uppercase()));
            assert!(!verify(&token, timestamp, nonce, &expected[..39]));
            assert!(!verify(&token, nonce, "1", expected));
            assert!(!verify(&token, timestamp, nonce, ""));
        }
    }

    #[test]
    fn known_answers_over_four_parts() {
        let long = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
        for (token, timestamp, nonce, encrypt, expected) in [
            (
                "RMNlACHlV5ThzfRlVS4D4",
                "timestamp",
                "nonce",
                "encrypt",
                "8edac0945683c119ee71c9f6256d76c48aa08a96",
            ),
            ("pamtest", "1409304348", "xxxxxx", long, "82c962d39941aa48552f90ef55aa323dc620cc10"),
        ] {
            let token = CallbackToken::new(token);
            assert_eq!(msg_signature(&token, timestamp, nonce, encrypt), expected);
        }
    }

    #[test]
    fn skew_is_measured_in_seconds() {
        assert_eq!(skew_s("1700000000", 1_700_000_001_500), Some(1.5));
        assert_eq!(skew_s("1700000003", 1_700_000_000_000), Some(-3.0));
        assert_eq!(skew_s("soon", 0), None);
        assert_eq!(skew_s("9223372036854775807", 0), None);
    }

    #[test]
    fn a_push_is_created_near_its_signature() {
        let window = Duration::from_secs(300);
        for (created, near) in [
            (1_700_000_000, true),
            (1_699_999_985, true),
            (1_699_999_700, true),
            (1_699_999_699, false),
            (1_700_000_301, false),
            (0, true),
            (-1, false),
            (i64::MIN, false),
            (i64::MAX, false),
        ] {
            assert_eq!(created_near(created, "1700000000", window), near, "{created}");
        }
        assert!(!created_near(0, "soon", window));
    }

    #[test]
    fn the_window_is_as_wide_as_it_says() {
        let now = 1_700_000_000_000;
        for (timestamp, fine) in [
            ("1700000000", true),
            ("1699999700", true),
            ("1699999698", false),
            ("1700000300", true),
            ("1700000302", false),
            ("", false),
            ("-1700000000", false),
            ("+1700000000", false),
            ("1.7e9", false),
            ("99999999999999999999", false),
            ("9223372036854775807", false),
            ("01700000000", false),
            ("17000000000", false),
            ("170000000", false),
        ] {
            assert_eq!(
                within_window(timestamp, now, DEFAULT_TIMESTAMP_WINDOW),
                fine,
                "{timestamp}"
            );
        }
    }
}
