//! ID tokens of logins, and the keys that sign them.
//!
//! Keys are made when they are needed and stand in the log of staff, so that every replica has the
//! same. A new key is published a day before it is used, so that a site that keeps the key set for
//! a while knows it; a former one for a day after its last use.

use crate::identity::error::IdentityError;
use crate::identity::roster::{Roster, SigningKey};
use crate::identity::roster_log::RosterLog;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paihao_chassis::entropy;
use paihao_contracts::staff::StaffEvent;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Time for which a key signs, in milliseconds.
const SIGNING_KEY_LIFETIME_MS: i64 = 90 * DAY_MS;

/// Validity of a token, in seconds: it is looked at once, directly after the login.
pub(crate) const ID_TOKEN_TTL_S: i64 = 300;

/// Reason why no token can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignError {
    /// The log of staff, which holds the keys, failed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No key could be made, or the one in the log cannot be used.
    #[error("there is no key that tokens can be signed with")]
    NoUsableKey,
}

/// Claims of a token.
#[derive(Debug, Serialize)]
pub(crate) struct IdTokenClaims {
    pub(crate) iss: String,
    /// Pseudonym of the person, which is another one at each site.
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    /// Time of the confirmation on the phone, in Unix seconds.
    pub(crate) auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// Name and role of a member, for clients that only staff may log in to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
}

/// Signs a token, in the compact form of JWS.
pub(crate) async fn sign(
    staff: &RosterLog,
    now_ms: i64,
    claims: &IdTokenClaims,
) -> Result<String, SignError> {
    let roster = roster_with_signing_key(staff, now_ms).await?;
    let key = active_key(roster.signing_keys(), now_ms).ok_or(SignError::NoUsableKey)?;
    encode_jws(key, claims).ok_or_else(|| {
        tracing::error!(kid = key.kid, "a signing key in the ledger cannot be used");
        SignError::NoUsableKey
    })
}

/// Returns the keys that tokens can be verified with, as a JSON Web Key Set.
pub(crate) async fn jwk_set(staff: &RosterLog, now_ms: i64) -> Result<JwkSet, SignError> {
    let roster = roster_with_signing_key(staff, now_ms).await?;
    let published = published_keys(roster.signing_keys(), now_ms);
    Ok(JwkSet { keys: published.filter_map(public_jwk).collect() })
}

/// A JSON Web Key Set (RFC 7517).
#[derive(Serialize, JsonSchema)]
pub(crate) struct JwkSet {
    keys: Vec<Jwk>,
}

/// The public half of a key on the curve P-256 (RFC 7518, 6.2.1).
#[derive(Serialize, JsonSchema)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    key_use: &'static str,
    alg: &'static str,
    kid: String,
    /// Base64url without padding, as `y`.
    x: String,
    y: String,
}

/// Returns the roster with a key that is not too old, which is made if there is none.
async fn roster_with_signing_key(staff: &RosterLog, now_ms: i64) -> Result<Arc<Roster>, SignError> {
    let roster = staff.loaded().await?;
    if !needs_new_key(roster.signing_keys(), now_ms) {
        return Ok(roster);
    }
    let (kid, pkcs8) = generate_key()?;
    let change = staff.update("system", |roster| {
        let made = || StaffEvent::SigningKeyMade { kid: kid.clone(), pkcs8: pkcs8.clone() };
        Ok::<_, SignError>(needs_new_key(roster.signing_keys(), now_ms).then(made))
    });
    change.await
}

fn needs_new_key(keys: &[SigningKey], now: i64) -> bool {
    keys.last().is_none_or(|newest| now - newest.made_at >= SIGNING_KEY_LIFETIME_MS)
}

/// Returns the newest key that has been published for a day, or the first one of all at once.
fn active_key(keys: &[SigningKey], now: i64) -> Option<&SigningKey> {
    keys.iter().rfind(|key| now - key.made_at >= DAY_MS).or(keys.first())
}

/// Returns all keys but those whose successor has been in use for a day.
fn published_keys(keys: &[SigningKey], now: i64) -> impl Iterator<Item = &SigningKey> {
    let over = move |place: usize| {
        keys.get(place + 1).is_some_and(|next| now - next.made_at >= 2 * DAY_MS)
    };
    keys.iter().enumerate().filter(move |(place, _)| !over(*place)).map(|(_, key)| key)
}

fn generate_key() -> Result<(String, String), SignError> {
    // The library draws the randomness for keys itself, from the same operating system.
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let made = made.map_err(|_| {
        tracing::error!("no signing key could be made");
        SignError::NoUsableKey
    })?;
    Ok((entropy::token(9), URL_SAFE_NO_PAD.encode(made)))
}

fn key_pair(key: &SigningKey) -> Option<EcdsaKeyPair> {
    let der = URL_SAFE_NO_PAD.decode(&key.pkcs8).ok()?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).ok()
}

fn encode_jws(key: &SigningKey, claims: &IdTokenClaims) -> Option<String> {
    let part = |value: Vec<u8>| URL_SAFE_NO_PAD.encode(value);
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid });
    let claims = serde_json::to_vec(claims).ok()?;
    let text = format!("{}.{}", part(header.to_string().into_bytes()), part(claims));
    let signature = key_pair(key)?.sign(&SystemRandom::new(), text.as_bytes()).ok()?;
    Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Returns the public half: the point of the curve, without the byte that says that it is not
/// compressed.
fn public_jwk(key: &SigningKey) -> Option<Jwk> {
    let pair = key_pair(key)?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    let (kty, crv, kid) = ("EC", "P-256", key.kid.clone());
    Some(Jwk { kty, crv, key_use: "sig", alg: "ES256", kid, x, y })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    fn key(kid: &str, made_at: i64) -> SigningKey {
        SigningKey { kid: kid.into(), pkcs8: generate_key().unwrap().1, made_at }
    }

    fn kids<'a>(keys: impl Iterator<Item = &'a SigningKey>) -> Vec<&'a str> {
        keys.map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn a_token_is_checked_with_what_is_published_and_with_nothing_else() {
        let (ours, other) = (key("a", 0), key("b", 0));
        let claims = IdTokenClaims {
            iss: "https://queue.example.com".into(),
            sub: "s".into(),
            aud: "intranet".into(),
            iat: 1,
            exp: 301,
            auth_time: 1,
            nonce: None,
            name: None,
            role: None,
        };
        let token = encode_jws(&ours, &claims).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let checks = |key: &SigningKey, text: &str| {
            let public = public_jwk(key).unwrap();
            let half = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
            let point = [vec![4], half(&public.x), half(&public.y)].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(text.as_bytes(), &signature).is_ok()
        };
        assert!(checks(&ours, text));
        assert!(!checks(&other, text) && !checks(&ours, &format!("{text}x")));
        let claims = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["aud"],
            "intranet"
        );
        assert!(
            !serde_json::to_string(&public_jwk(&ours).unwrap())
                .unwrap()
                .contains(&ours.pkcs8[60..])
        );
    }

    #[test]
    fn a_new_key_is_published_before_it_is_used_and_the_former_one_after() {
        let keys = [key("a", 0), key("b", SIGNING_KEY_LIFETIME_MS)];
        assert!(needs_new_key(&[], 0) && !needs_new_key(&keys[..1], SIGNING_KEY_LIFETIME_MS - 1));
        assert!(
            needs_new_key(&keys[..1], SIGNING_KEY_LIFETIME_MS)
                && !needs_new_key(&keys, SIGNING_KEY_LIFETIME_MS)
        );
        assert_eq!(active_key(&keys[..1], 0).unwrap().kid, "a", "the first one at once");
        for (now, used, told) in [
            (SIGNING_KEY_LIFETIME_MS, "a", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + DAY_MS - 1, "a", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + DAY_MS, "b", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + 2 * DAY_MS, "b", vec!["b"]),
        ] {
            assert_eq!(active_key(&keys, now).unwrap().kid, used, "{now}");
            assert_eq!(kids(published_keys(&keys, now)), told, "{now}");
        }
    }
}
