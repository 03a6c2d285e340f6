//! ID tokens of logins, and the keys that sign them.
//!
//! Keys are created when they are needed and stored in the log of staff, so that every replica has
//! the same. A new key is published a day before its first use, since sites cache the key set, and
//! an old one for a day after its last use.

use crate::identity::error::IdentityError;
use crate::identity::roster::{Roster, SigningKey};
use crate::identity::roster_log::{Author, RosterLog};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paihao_chassis::entropy;
use paihao_contracts::session::UnionId;
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

/// Validity of a token, in seconds: it is verified once, directly after the login.
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
    /// Pseudonym of the person, different at each site.
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
    /// Sites at which the member has the role: `*` is every site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sites: Option<Vec<String>>,
    /// The person's id at all accounts of one open platform, for clients that are told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unionid: Option<UnionId>,
}

/// Claims of a logout token (OpenID Connect Back-Channel Logout, 2.4).
#[derive(Debug, Serialize)]
pub(crate) struct LogoutTokenClaims {
    pub(crate) iss: String,
    /// Pseudonym of the person at the client.
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    pub(crate) events: serde_json::Value,
}

/// Kind of a token, as its header names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TokenKind {
    Id,
    Logout,
}

/// Signs a token, in the compact form of JWS.
pub(crate) async fn sign(
    roster_log: &RosterLog,
    now_ms: i64,
    kind: TokenKind,
    claims: &impl Serialize,
) -> Result<String, SignError> {
    let roster = roster_with_signing_key(roster_log, now_ms).await?;
    let key = active_key(roster.signing_keys(), now_ms).ok_or(SignError::NoUsableKey)?;
    encode_jws(key, kind, claims).ok_or_else(|| {
        tracing::error!(kid = key.kid, "cannot use a signing key of the ledger");
        SignError::NoUsableKey
    })
}

/// Returns the keys that tokens can be verified with, as a JSON Web Key Set.
pub(crate) async fn jwk_set(roster_log: &RosterLog, now_ms: i64) -> Result<JwkSet, SignError> {
    let roster = roster_with_signing_key(roster_log, now_ms).await?;
    let published = published_keys(roster.signing_keys(), now_ms);
    Ok(JwkSet { keys: published.filter_map(public_jwk).collect() })
}

/// JSON Web Key Set (RFC 7517).
#[derive(Serialize, JsonSchema)]
pub(crate) struct JwkSet {
    keys: Vec<Jwk>,
}

/// Public key on the curve P-256 (RFC 7518, 6.2.1).
#[derive(Serialize, JsonSchema)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    key_use: &'static str,
    alg: &'static str,
    kid: String,
    /// Coordinate as base64url without padding, like `y`.
    x: String,
    y: String,
}

/// Returns the roster with a key that is not too old, which is created if there is none.
async fn roster_with_signing_key(
    roster_log: &RosterLog,
    now_ms: i64,
) -> Result<Arc<Roster>, SignError> {
    let roster = roster_log.loaded().await?;
    if !needs_new_key(roster.signing_keys(), now_ms) {
        return Ok(roster);
    }
    let (kid, pkcs8) = generate_key()?;
    let change = roster_log.update("system", |roster| {
        let event = || roster_log.signing_key_made(&kid, &pkcs8);
        Ok::<_, SignError>(needs_new_key(roster.signing_keys(), now_ms).then(event))
    });
    change.await
}

/// Makes a key before the present one is too old. One that is not in use yet is the next one.
pub(crate) async fn rotate(
    roster_log: &RosterLog,
    by: Author<'_>,
    now_ms: i64,
) -> Result<Arc<Roster>, SignError> {
    let (kid, pkcs8) = generate_key()?;
    let change = roster_log.update(by, |roster| {
        let newest = usable_keys(roster.signing_keys()).next_back();
        let is_waiting = newest.is_some_and(|newest| now_ms - newest.made_at < DAY_MS);
        let event = || roster_log.signing_key_made(&kid, &pkcs8);
        Ok::<_, SignError>((!is_waiting).then(event))
    });
    change.await
}

fn usable_keys(keys: &[SigningKey]) -> impl DoubleEndedIterator<Item = &SigningKey> + Clone {
    keys.iter().filter(|key| !key.is_revoked)
}

fn needs_new_key(keys: &[SigningKey], now: i64) -> bool {
    let newest = usable_keys(keys).next_back();
    newest.is_none_or(|newest| now - newest.made_at >= SIGNING_KEY_LIFETIME_MS)
}

/// Returns the newest key that has been published for a day, or the first one of all at once. A
/// revoked key signs nothing, so the next one is used at once if there is no other.
pub(crate) fn active_key(keys: &[SigningKey], now: i64) -> Option<&SigningKey> {
    let usable = usable_keys(keys);
    usable.clone().rfind(|key| now - key.made_at >= DAY_MS).or(usable.clone().next())
}

/// Time in which a key signs, as far as it is known.
pub(crate) struct SigningPeriod {
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// True if the key that follows is made already.
    pub(crate) has_successor: bool,
}

/// Returns the time in which a usable key signs. The first of all signs at once, another one when
/// it has been published for a day.
pub(crate) fn signing_period(keys: &[SigningKey], key: &SigningKey) -> SigningPeriod {
    let mut others = usable_keys(keys);
    let is_first = others.next().is_some_and(|first| first.kid == key.kid);
    let next = usable_keys(keys).skip_while(|other| other.kid != key.kid).nth(1);
    let until = next.map_or(key.made_at + SIGNING_KEY_LIFETIME_MS, |next| next.made_at) + DAY_MS;
    let from = if is_first { key.made_at } else { key.made_at + DAY_MS };
    SigningPeriod { from, until, has_successor: next.is_some() }
}

/// Returns all keys but those that were revoked or whose successor has been in use for a day.
pub(crate) fn published_keys(keys: &[SigningKey], now: i64) -> impl Iterator<Item = &SigningKey> {
    let usable: Vec<_> = usable_keys(keys).collect();
    let successors = usable.clone().into_iter().skip(1).map(Some).chain([None]);
    usable.into_iter().zip(successors).filter_map(move |(key, next)| {
        let is_retired = next.is_some_and(|next| now - next.made_at >= 2 * DAY_MS);
        (!is_retired).then_some(key)
    })
}

fn generate_key() -> Result<(String, String), SignError> {
    // The library takes the randomness of keys from the operating system itself.
    let generated =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let pkcs8 = generated.map_err(|_| {
        tracing::error!("cannot generate a signing key");
        SignError::NoUsableKey
    })?;
    Ok((entropy::token(9), URL_SAFE_NO_PAD.encode(pkcs8)))
}

fn key_pair(key: &SigningKey) -> Option<EcdsaKeyPair> {
    let der = URL_SAFE_NO_PAD.decode(&key.pkcs8).ok()?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).ok()
}

fn encode_jws(key: &SigningKey, kind: TokenKind, claims: &impl Serialize) -> Option<String> {
    let part = |value: Vec<u8>| URL_SAFE_NO_PAD.encode(value);
    let typ = match kind {
        TokenKind::Id => "JWT",
        TokenKind::Logout => "logout+jwt",
    };
    let header = json!({ "alg": "ES256", "typ": typ, "kid": key.kid });
    let payload = serde_json::to_vec(claims).ok()?;
    let text = format!("{}.{}", part(header.to_string().into_bytes()), part(payload));
    let signature = key_pair(key)?.sign(&SystemRandom::new(), text.as_bytes()).ok()?;
    Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Returns the public key: the point of the curve, without the byte that marks it as uncompressed.
fn public_jwk(key: &SigningKey) -> Option<Jwk> {
    let pair = key_pair(key)?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
    let [x, y] = [x, y].map(|half| URL_SAFE_NO_PAD.encode(half));
    Some(Jwk { kty: "EC", crv: "P-256", key_use: "sig", alg: "ES256", kid: key.kid.clone(), x, y })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    fn key(kid: &str, made_at: i64) -> SigningKey {
        let pkcs8 = generate_key().unwrap().1;
        SigningKey { kid: kid.into(), pkcs8, made_at, is_revoked: false }
    }

    fn kids<'a>(keys: impl Iterator<Item = &'a SigningKey>) -> Vec<&'a str> {
        keys.map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn a_token_is_checked_with_what_is_published_and_with_nothing_else() {
        let own = key("a", 0);
        let other = key("b", 0);
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
            sites: None,
            unionid: None,
        };
        let token = encode_jws(&own, TokenKind::Id, &claims).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verifies = |key: &SigningKey, text: &str| {
            let public = public_jwk(key).unwrap();
            let half = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
            let point = [vec![4], half(&public.x), half(&public.y)].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(text.as_bytes(), &signature).is_ok()
        };
        assert!(verifies(&own, text));
        assert!(!verifies(&other, text) && !verifies(&own, &format!("{text}x")));
        let claims = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&claims).unwrap()["aud"],
            "intranet"
        );
        assert!(
            !serde_json::to_string(&public_jwk(&own).unwrap()).unwrap().contains(&own.pkcs8[60..])
        );
    }

    #[test]
    fn a_revoked_key_neither_signs_nor_verifies_and_another_takes_its_place_at_once() {
        // Of up to three keys, a week apart, any may be revoked.
        let week = 7 * DAY_MS;
        let made: Vec<_> = (0..3).map(|n| key(&n.to_string(), n * week)).collect();
        for revoked in 0..8_u8 {
            for count in 0..=3_usize {
                for days in 0..40 {
                    let now = days * DAY_MS;
                    let keys = made.iter().take(count).enumerate().map(|(n, key)| SigningKey {
                        is_revoked: revoked & (1 << n) != 0,
                        ..key.clone()
                    });
                    let keys: Vec<_> = keys.filter(|key| key.made_at <= now).collect();
                    let is_left = keys.iter().any(|key| !key.is_revoked);
                    let active = active_key(&keys, now);
                    assert_eq!(active.is_some(), is_left);
                    assert_eq!(needs_new_key(&keys, now), !is_left);
                    let published: Vec<_> = published_keys(&keys, now).collect();
                    assert!(published.iter().all(|key| !key.is_revoked));
                    if let Some(active) = active {
                        assert!(published.contains(&active), "what signs can be verified");
                    }
                }
            }
        }
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
        for (now, used, published) in [
            (SIGNING_KEY_LIFETIME_MS, "a", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + DAY_MS - 1, "a", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + DAY_MS, "b", vec!["a", "b"]),
            (SIGNING_KEY_LIFETIME_MS + 2 * DAY_MS, "b", vec!["b"]),
        ] {
            assert_eq!(active_key(&keys, now).unwrap().kid, used, "{now}");
            assert_eq!(kids(published_keys(&keys, now)), published, "{now}");
        }
    }
}
