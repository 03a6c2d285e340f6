//! Pairing of kiosks: the browser of a kiosk holds a credential, and shows a code for it until a
//! manager has entered that.
//!
//! The credential counts once the roster has its hash. The code is of no use to anybody but a
//! manager of the site, and is in the cache for as long as it works.

use bytes::Bytes;
use paihao_cache::{Cache, Unavailable};
use paihao_chassis::entropy;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::kiosk_pairing::KioskPairing;
use paihao_contracts::streams;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Validity of a code: the way from the kiosk to the manager's page.
const CODE_TTL: Duration = Duration::from_secs(600);

/// Digits of a code. A manager's slip of the pen among them meets no code of a stranger, however
/// many of those there are within the limits.
const CODE_DIGITS: usize = 8;

/// Random bytes of a credential.
const CREDENTIAL_BYTES: usize = 24;

/// Attempts to find a code that no other kiosk shows.
const MAX_ATTEMPTS: usize = 8;

/// Creates a credential for a browser.
pub(crate) fn new_credential() -> String {
    entropy::token(CREDENTIAL_BYTES)
}

/// Returns whether a cookie has the form of a credential.
pub(crate) fn is_credential(cookie: &str) -> bool {
    entropy::is_token(cookie, CREDENTIAL_BYTES)
}

/// Returns the hash of a credential, which the roster has.
pub(crate) fn hash(credential: &str) -> String {
    hex::encode(Sha256::digest(credential))
}

/// Code that a kiosk shows.
pub(crate) struct PairingCode {
    pub(crate) code: String,
    /// Unix milliseconds from which on it no longer works.
    pub(crate) expires_at: i64,
}

/// Makes a code under which a manager finds the credential of this hash.
pub(crate) async fn request(
    cache: &dyn Cache,
    site: &str,
    hash: String,
    now_ms: i64,
) -> Result<PairingCode, Unavailable> {
    let expires_at = now_ms + CODE_TTL.as_millis() as i64;
    let pairing = KioskPairing { v: 1, site: site.to_owned(), hash, expires_at };
    let stored = Bytes::from(pairing.encode());
    for _ in 0..MAX_ATTEMPTS {
        let code = new_code();
        let key = streams::kiosk_pairing_key(&code);
        if cache.put_if_absent(&key, stored.clone(), CODE_TTL).await? {
            return Ok(PairingCode { code, expires_at });
        }
    }
    Err(Unavailable("every code is in use".to_owned()))
}

/// Returns the hash of the credential for which a kiosk of the site shows this code.
pub(crate) async fn find(
    cache: &dyn Cache,
    site: &str,
    code: &str,
    now_ms: i64,
) -> Result<Option<String>, Unavailable> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != CODE_DIGITS || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let Some(stored) = cache.get(&streams::kiosk_pairing_key(&code)).await? else {
        return Ok(None);
    };
    match envelope::decode::<KioskPairing>(&stored) {
        Ok(pairing) => {
            let is_good = pairing.site == site && pairing.expires_at > now_ms;
            Ok(is_good.then_some(pairing.hash))
        }
        Err(ReadError::Newer(newer)) => Err(Unavailable(newer.to_string())),
        Err(ReadError::Malformed(_)) => Ok(None),
    }
}

/// Removes a code that has paired a kiosk.
pub(crate) async fn forget(cache: &dyn Cache, code: &str) {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if let Err(error) = cache.remove(&streams::kiosk_pairing_key(&code)).await {
        tracing::warn!(%error, "cannot remove the code of a kiosk, which ends by itself");
    }
}

fn new_code() -> String {
    let number = u64::from_be_bytes(entropy::bytes()) % 10_u64.pow(CODE_DIGITS as u32);
    format!("{number:0width$}", width = CODE_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::MemoryCache;

    #[tokio::test]
    async fn a_code_finds_its_kiosk_at_its_site_while_it_lasts() {
        let cache = MemoryCache::default();
        let made = request(&cache, "hall", "ab".to_owned(), 1000).await.unwrap();
        let (first, last) = made.code.split_at(4);
        let at = made.expires_at - 1;
        for (site, code, now_ms, found) in [
            ("hall", made.code.clone(), at, true),
            ("hall", format!("{first} {last} "), at, true),
            ("hall", made.code.clone(), made.expires_at, false),
            ("other", made.code.clone(), at, false),
            ("hall", first.to_owned(), at, false),
            ("hall", "x".repeat(CODE_DIGITS), at, false),
            ("hall", String::new(), at, false),
        ] {
            let hash = find(&cache, site, &code, now_ms).await.unwrap();
            assert_eq!(hash.as_deref(), found.then_some("ab"), "{site} {code} {now_ms}");
        }
        forget(&cache, &format!("{first} {last}")).await;
        assert_eq!(find(&cache, "hall", &made.code, at).await.unwrap(), None);
    }

    #[test]
    fn codes_have_their_digits_and_credentials_their_form() {
        for _ in 0..1000 {
            let code = new_code();
            assert_eq!((code.len(), code.parse::<u32>().is_ok()), (CODE_DIGITS, true), "{code}");
        }
        assert!(is_credential(&new_credential()) && !is_credential("x"));
        assert_ne!(new_credential(), new_credential());
    }
}
