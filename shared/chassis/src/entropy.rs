//! Source of randomness, the only one that asks the operating system.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use uuid::Uuid;

/// Returns `N` unpredictable bytes, fit for secrets.
///
/// # Panics
/// If the operating system has no randomness to give; nothing safe could follow.
#[expect(clippy::disallowed_methods, reason = "the one place that asks for randomness")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// Returns a random (version 4) UUID.
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// Returns `n` unpredictable bytes as base64url without padding: safe in a header, a cookie and a
/// URL. 16 bytes are enough for a secret.
pub fn token(n: usize) -> String {
    let mut out = Vec::with_capacity(n.next_multiple_of(16));
    while out.len() < n {
        out.extend_from_slice(&bytes::<16>());
    }
    URL_SAFE_NO_PAD.encode(&out[..n])
}

/// Returns `n` unpredictable letters and digits, for systems that take no other characters. 32 are
/// enough for a key.
pub fn alphanumeric(n: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::with_capacity(n);
    while out.len() < n {
        // Of 64 values two are left out, so that every character is equally likely.
        let indices = bytes::<16>().map(|byte| usize::from(byte & 63));
        let drawn = indices.into_iter().filter_map(|index| ALPHABET.get(index));
        out.extend(drawn.take(n - out.len()).map(|byte| char::from(*byte)));
    }
    out
}

/// Returns true if the text has the form of [`token`]`(n)`.
pub fn is_token(text: &str, n: usize) -> bool {
    text.len() == (n * 4).div_ceil(3)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Varies a duration evenly by up to `share` of it (0 to 1) in both directions, so that replicas
/// that started together do not act together.
pub fn jitter(duration: Duration, share: f64) -> Duration {
    duration.mul_f64(1.0 + share.clamp(0.0, 1.0) * (2.0 * unit() - 1.0))
}

/// Returns true with this probability (0 to 1).
pub fn chance(probability: f64) -> bool {
    probability >= 1.0 || unit() < probability
}

/// Evenly distributed from 0 to below 1.
fn unit() -> f64 {
    // 53 bits are what an f64 holds exactly.
    (u64::from_le_bytes(bytes()) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_uuid_is_a_version_4_and_new_each_time() {
        let one = uuid();
        let other = uuid();
        assert_eq!((one.get_version_num(), one.get_variant()), (4, uuid::Variant::RFC4122));
        assert_ne!(one, other);
    }

    #[test]
    fn a_token_has_the_length_asked_for_and_travels_in_a_url() {
        for (n, length) in [(0, 0), (1, 2), (16, 22), (33, 44)] {
            let token = token(n);
            assert_eq!(token.len(), length);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        }
        assert_eq!((0..100).map(|_| token(16)).collect::<HashSet<_>>().len(), 100);
    }

    #[test]
    fn letters_and_digits_are_of_the_length_asked_for_and_all_come() {
        for n in [0, 1, 43] {
            let text = alphanumeric(n);
            assert!(text.len() == n && text.bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
        }
        assert_eq!(alphanumeric(4000).bytes().collect::<HashSet<_>>().len(), 62);
    }

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        let taken = |probability| (0..1000).filter(|_| chance(probability)).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, 1000));
        assert!((150..=350).contains(&taken(0.25)), "{}", taken(0.25));
    }

    #[test]
    fn jitter_stays_within_its_share_and_spreads() {
        let base = Duration::from_secs(100);
        let drawn: Vec<_> = (0..500).map(|_| jitter(base, 0.2)).collect();
        assert!(drawn.iter().all(|d| (80.0..=120.0).contains(&d.as_secs_f64())));
        assert!(drawn.iter().any(|d| d.as_secs_f64() < 90.0));
        assert!(drawn.iter().any(|d| d.as_secs_f64() > 110.0));
        assert_eq!(jitter(base, 0.0), base);
    }
}
