//! Types for WeChat's ids and secrets, whose output hides sensitive values.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Fingerprint of a token, safe to publish: the first 16 bytes of its SHA-256, in hex.
pub fn fingerprint(token: &str) -> String {
    hex::encode(&Sha256::digest(token.as_bytes())[..16])
}

/// An access token. Prints as its fingerprint.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct AccessToken(SecretString);

impl AccessToken {
    /// Wraps a token from WeChat or the cache.
    pub fn new(token: impl Into<String>) -> Self {
        AccessToken(SecretString::from(token.into()))
    }

    /// The token itself, for a request or the cache and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Fingerprint for logs, comparisons and messages: 32 hex digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.expose())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken({})", self.fingerprint())
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for AccessToken {}

/// Secret of an Official Account, with which tokens are fetched. Prints as `***`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct AppSecret(SecretString);

impl AppSecret {
    /// Wraps a secret from the configuration.
    pub fn new(secret: impl Into<String>) -> Self {
        AppSecret(SecretString::from(secret.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for AppSecret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for AppSecret {}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(***)")
    }
}

/// Token that signs callbacks, as entered in WeChat's console. Prints as `***`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct CallbackToken(SecretString);

impl CallbackToken {
    /// Wraps a callback token from the configuration.
    pub fn new(token: impl Into<String>) -> Self {
        CallbackToken(SecretString::from(token.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for CallbackToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for CallbackToken {}

impl fmt::Debug for CallbackToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackToken(***)")
    }
}

/// Public id of an Official Account (`wx…`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(pub String);

/// Openid: a person as one Official Account knows them. Prints as `***`, since it is personal data.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpenId(String);

impl OpenId {
    /// Wraps an openid from WeChat.
    pub fn new(openid: impl Into<String>) -> Self {
        OpenId(openid.into())
    }

    /// The openid itself, for a request, a reply or the ledger.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenId(***)")
    }
}

/// Unionid: a person at all accounts of one open platform. Prints as `***`, as personal data does.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnionId(String);

impl UnionId {
    /// Wraps a unionid from WeChat.
    pub fn new(unionid: impl Into<String>) -> Self {
        UnionId(unionid.into())
    }

    /// The unionid itself, for the one who was promised it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnionId(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_prints() {
        let token = AccessToken::new("43_verysecret");
        let all = format!(
            "{token:?} {:?} {:?} {:?} {:?} {:#?}",
            AppSecret::new("appsecretvalue"),
            CallbackToken::new("callbacktokenvalue"),
            OpenId::new("oPersonalData"),
            UnionId::new("oUnitedData"),
            token,
        );
        for secret in
            ["verysecret", "appsecretvalue", "callbacktokenvalue", "oPersonalData", "oUnitedData"]
        {
            assert!(!all.contains(secret), "{all}");
        }
        assert!(all.contains(&token.fingerprint()));
    }

    #[test]
    fn a_fingerprint_is_the_head_of_a_sha256() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223");
    }
}
