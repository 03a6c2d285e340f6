//! Authorization codes, which another site exchanges for a token, once.

use crate::codec::record_mac::RecordMac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::entropy;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::login::AuthorizationGrant;
use paihao_contracts::streams;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Validity of a code.
const CODE_TTL: Duration = Duration::from_secs(60);

/// Value that replaces the grant of a used code until the code expires.
const USED_MARKER: &[u8] = b"used";

/// Lengths of a verifier (RFC 7636, 4.1): a shorter one can be guessed from its challenge.
const VERIFIER_CHARS: std::ops::RangeInclusive<usize> = 43..=128;

/// Reason why a code is not exchanged for its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RedeemError {
    /// The code is unknown, used or expired, or was given for another client, redirect or verifier.
    #[error("the code is not good, or was used")]
    InvalidGrant,
    /// The cache did not answer.
    #[error("the cache did not answer")]
    CacheUnavailable,
}

/// Issues a code for a grant.
pub(crate) async fn issue(
    cache: &dyn Cache,
    mac: &RecordMac,
    grant: &AuthorizationGrant,
) -> Result<String, Unavailable> {
    let code = entropy::token(24);
    let record = serde_json::to_vec(grant).expect("string keys only");
    let key = cache_key(&code);
    cache.put(&key, mac.sign(&key, &record), CODE_TTL).await?;
    Ok(code)
}

/// Returns the grant of a code, to the client that it was issued for and that knows the verifier.
/// Any attempt, right or wrong, uses the code up. A grant that no gateway wrote is none.
pub(crate) async fn redeem(
    cache: &dyn Cache,
    mac: &RecordMac,
    code: &str,
    client: &str,
    redirect: &str,
    verifier: &str,
) -> Result<AuthorizationGrant, RedeemError> {
    let unavailable = |error: Unavailable| {
        tracing::warn!(%error, "cannot read an authorization code");
        RedeemError::CacheUnavailable
    };
    let key = cache_key(code);
    let stored = cache.get(&key).await.map_err(unavailable)?.ok_or(RedeemError::InvalidGrant)?;
    // A newer replica can redeem it: it must not be used up here.
    let grant = match envelope::decode::<AuthorizationGrant>(&stored) {
        Err(ReadError::Newer(newer)) => {
            tracing::warn!(%newer, "cannot read an authorization code");
            return Err(RedeemError::CacheUnavailable);
        }
        decoded => decoded,
    };
    let used = Bytes::from_static(USED_MARKER);
    let swap = cache.compare_and_set(&key, Some(&stored), used, CODE_TTL).await;
    let is_first = matches!(swap.map_err(unavailable)?, CasOutcome::Swapped);
    let grant = grant.map_err(|_| RedeemError::InvalidGrant)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let is_verified = bool::from(challenge.as_bytes().ct_eq(grant.challenge.as_bytes()));
    let is_verified = is_verified && is_verifier(verifier);
    let is_same_client = grant.client == client && grant.redirect == redirect;
    let is_ours = mac.accepts(&key, &stored);
    if is_first && is_ours && is_verified && is_same_client {
        Ok(grant)
    } else {
        Err(RedeemError::InvalidGrant)
    }
}

fn is_verifier(text: &str) -> bool {
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    VERIFIER_CHARS.contains(&text.len()) && text.bytes().all(is_unreserved)
}

fn cache_key(code: &str) -> String {
    streams::authorization_code_key(&hex::encode(Sha256::digest(code)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::{MemoryCache, MemoryOptions};

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn mac() -> RecordMac {
        RecordMac::new([7; 32], true)
    }

    fn grant() -> AuthorizationGrant {
        AuthorizationGrant {
            v: 1,
            client: "intranet".into(),
            redirect: "https://intranet.example.com/back".into(),
            // The pair that RFC 7636 gives in its appendix B.
            challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(),
            nonce: None,
            subject: "ab".into(),
            member: None,
            at: 0,
            unionid: None,
        }
    }

    #[tokio::test]
    async fn a_verifier_is_as_long_as_the_standard_says_and_has_its_characters() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let of_length = |length: usize| ("a".repeat(length), (43..=128).contains(&length));
        let lengths = [1, 16, 42, 43, 44, 127, 128, 129, 4096].map(of_length);
        let characters = ['-', '.', '_', '~', '9', 'Z', '+', '/', '=', ' ', 'é', '\0'].map(|c| {
            let is_unreserved = c.is_ascii_alphanumeric() || "-._~".contains(c);
            (format!("{}{c}", "a".repeat(60)), is_unreserved)
        });
        for (verifier, is_good) in lengths.into_iter().chain(characters) {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
            let grant = AuthorizationGrant { challenge, ..grant() };
            let code = issue(&cache, &mac(), &grant).await.unwrap();
            let redeemed =
                redeem(&cache, &mac(), &code, "intranet", &grant.redirect, &verifier).await;
            assert_eq!(redeemed.is_ok(), is_good, "{} characters: {verifier:.70}", verifier.len());
        }
    }

    #[tokio::test]
    async fn a_code_is_good_once_for_its_site_its_address_and_its_verifier() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let redirect = grant().redirect;
        for (client, redirect, verifier) in [
            ("other", &*redirect, VERIFIER),
            ("intranet", "https://intranet.example.com/", VERIFIER),
            ("intranet", &redirect, "another-verifier-of-at-least-forty-three-chars"),
            ("intranet", &redirect, ""),
        ] {
            let code = issue(&cache, &mac(), &grant()).await.unwrap();
            let refused =
                redeem(&cache, &mac(), &code, client, redirect, verifier).await.unwrap_err();
            assert_eq!(refused, RedeemError::InvalidGrant);
            // A wrong attempt uses it up: nobody guesses twice.
            assert!(
                redeem(&cache, &mac(), &code, "intranet", &grant().redirect, VERIFIER)
                    .await
                    .is_err()
            );
        }
        let code = issue(&cache, &mac(), &grant()).await.unwrap();
        let taken = redeem(&cache, &mac(), &code, "intranet", &redirect, VERIFIER).await.unwrap();
        assert_eq!(taken, grant());
        assert!(
            redeem(&cache, &mac(), &code, "intranet", &redirect, VERIFIER).await.is_err(),
            "once"
        );
        assert!(redeem(&cache, &mac(), "guess", "intranet", &redirect, VERIFIER).await.is_err());
    }

    #[tokio::test]
    async fn a_grant_that_somebody_else_wrote_is_good_for_nobody() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let redirect = grant().redirect;
        let stranger = RecordMac::new([8; 32], true);
        let forged = serde_json::to_vec(&grant()).unwrap();
        let own = issue(&cache, &mac(), &grant()).await.unwrap();
        let copied = cache.get(&cache_key(&own)).await.unwrap().unwrap();
        for (code, record) in [
            ("bare", Bytes::from(forged.clone())),
            ("foreign", stranger.sign(&cache_key("foreign"), &forged)),
            ("copied", copied),
        ] {
            cache.put(&cache_key(code), record, CODE_TTL).await.unwrap();
            let taken = redeem(&cache, &mac(), code, "intranet", &redirect, VERIFIER).await;
            assert_eq!(taken.unwrap_err(), RedeemError::InvalidGrant, "{code}");
        }
        assert!(redeem(&cache, &mac(), &own, "intranet", &redirect, VERIFIER).await.is_ok());
    }
}
