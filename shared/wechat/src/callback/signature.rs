//! Whether a callback comes from WeChat, and from now.

use crate::secret::CallbackToken;
use sha1::{Digest, Sha1};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How far a callback's timestamp may be from our clock. WeChat's repeats come within 15 s; the
/// rest is for clocks that are wrong.
pub const DEFAULT_WINDOW: Duration = Duration::from_secs(300);

/// The signature of a callback: lower-case hex of SHA-1 over the three values in byte order.
pub fn signature(token: &CallbackToken, timestamp: &str, nonce: &str) -> String {
    let mut parts = [token.expose(), timestamp, nonce];
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// Whether `given` is the signature of these values; takes the same time whatever is wrong.
pub fn verify(token: &CallbackToken, timestamp: &str, nonce: &str, given: &str) -> bool {
    signature(token, timestamp, nonce).as_bytes().ct_eq(given.as_bytes()).into()
}

/// Whether a timestamp (Unix seconds, as the query has it) is within `window` of `now_ms` (Unix
/// milliseconds), in either direction. Text that is no number is not.
pub fn within_window(timestamp: &str, now_ms: i64, window: Duration) -> bool {
    if timestamp.is_empty() || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let Ok(seconds) = timestamp.parse::<i64>() else { return false };
    let off = u128::from(now_ms.abs_diff(seconds.saturating_mul(1000)));
    // A second more than the window: the timestamp has no fractions.
    off < window.as_millis() + 1000
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
        ] {
            assert_eq!(within_window(timestamp, now, DEFAULT_WINDOW), fine, "{timestamp}");
        }
    }
}
