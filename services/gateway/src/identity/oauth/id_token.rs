//! Signed tokens of logins, and the keys that they are signed with.
//!
//! Keys are made when they are needed, stand among what is known of staff, and are therefore the
//! same at every replica. A new one is published a day before it is used, so that a site that keeps
//! the key set for a while knows it; a former one for a day after its last use.

use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::roster::{Roster, SigningKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paihao_chassis::entropy;
use paihao_contracts::staff::StaffEvent;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3600 * 1000;

/// A key is used so long.
const SIGNING_KEY_LIFETIME_MS: i64 = 90 * DAY_MS;

/// A token is good for so many seconds: long enough to be looked at.
pub(crate) const ID_TOKEN_TTL_S: i64 = 300;

/// What a token says.
#[derive(Debug, Serialize)]
pub(crate) struct IdTokenClaims {
    pub(crate) iss: String,
    /// The person, under a name that only this site knows them by.
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    /// When they confirmed on their phone.
    pub(crate) auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// Of those who work here, where only they may log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
}

/// A signed token, in the compact form of JWS.
pub(crate) async fn sign(door: &AppState, claims: &IdTokenClaims) -> Result<String, Problem> {
    let roster = roster_with_signing_key(door).await?;
    let now = door.clock.now_ms();
    let key = active_key(roster.signing_keys(), now).ok_or(&refusals::LEDGER_UNAVAILABLE)?;
    encode_jws(key, claims).ok_or_else(|| {
        tracing::error!(kid = key.kid, "a signing key in the ledger cannot be used");
        Problem::new(&refusals::LEDGER_UNAVAILABLE)
    })
}

/// The keys with which tokens can be checked, as a JSON Web Key Set.
pub(crate) async fn jwk_set(door: &AppState) -> Result<JwkSet, Problem> {
    let roster = roster_with_signing_key(door).await?;
    let now = door.clock.now_ms();
    Ok(JwkSet { keys: published_keys(roster.signing_keys(), now).filter_map(public_jwk).collect() })
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

/// Who works here, with a key that is not about to be too old.
async fn roster_with_signing_key(door: &AppState) -> Result<std::sync::Arc<Roster>, Problem> {
    let now = door.clock.now_ms();
    let roster = door.roster.loaded().await?;
    if !needs_new_key(roster.signing_keys(), now) {
        return Ok(roster);
    }
    let (kid, pkcs8) = generate_key()?;
    let change = door.roster.update("system", |roster| {
        let made = || StaffEvent::SigningKeyMade { kid: kid.clone(), pkcs8: pkcs8.clone() };
        Ok(needs_new_key(roster.signing_keys(), now).then(made))
    });
    change.await
}

fn needs_new_key(keys: &[SigningKey], now: i64) -> bool {
    keys.last().is_none_or(|newest| now - newest.made_at >= SIGNING_KEY_LIFETIME_MS)
}

/// The newest that has been published for a day; the first one of all at once.
fn active_key(keys: &[SigningKey], now: i64) -> Option<&SigningKey> {
    keys.iter().rfind(|key| now - key.made_at >= DAY_MS).or(keys.first())
}

/// All but those whose successor has been in use for a day.
fn published_keys(keys: &[SigningKey], now: i64) -> impl Iterator<Item = &SigningKey> {
    let over = move |place: usize| {
        keys.get(place + 1).is_some_and(|next| now - next.made_at >= 2 * DAY_MS)
    };
    keys.iter().enumerate().filter(move |(place, _)| !over(*place)).map(|(_, key)| key)
}

fn generate_key() -> Result<(String, String), Problem> {
    // The library makes keys with chance of its own asking, from the same operating system.
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let made = made.map_err(|_| {
        tracing::error!("no signing key could be made");
        Problem::new(&refusals::LEDGER_UNAVAILABLE)
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

/// The public half: the point of the curve, without the mark that it is not compressed.
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
