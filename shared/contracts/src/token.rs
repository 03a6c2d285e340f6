//! Stored access token, the report of a token that WeChat refused, and a failure to fetch one.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Record of an account's access token in the cache, version 1. Debug output hides the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Always 1: another form gets another number.
    pub v: u32,
    /// The token.
    pub token: String,
    /// Time of the request to WeChat, in Unix milliseconds.
    pub fetched_at_ms: i64,
    /// Expiry as announced by WeChat, in Unix milliseconds.
    pub expires_at_ms: i64,
    /// Fencing token of the lease under which the record was stored.
    pub fence: u64,
    /// Times of forced refreshes within the last 24 hours, in Unix milliseconds, oldest first.
    /// WeChat limits them, so the next keeper has to know.
    #[serde(default)]
    pub forced_at_ms: Vec<i64>,
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("fetched_at_ms", &self.fetched_at_ms)
            .field("expires_at_ms", &self.expires_at_ms)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// Time for which a failed fetch is told.
pub const TOKEN_FAILURE_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// Newest failure to fetch a token of an account, in the cache until a fetch succeeds. For its
/// owner, who corrects what is wrong with the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFailure {
    /// Always 1.
    pub v: u32,
    /// Time of the failure, in Unix milliseconds.
    pub at_ms: i64,
    /// Name of the reason, as in metrics: `wrong_secret`, `address_not_listed`, `unreachable`.
    pub reason: String,
    /// WeChat's words, which name the address that is not listed. They hold no secret.
    pub detail: String,
}

/// Report on the queue of refused tokens, version 1. It never holds the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedToken {
    /// Always 1.
    pub v: u32,
    /// Account of the token.
    pub account: String,
    /// Fingerprint of the refused token.
    pub fingerprint: String,
    /// Time of the refusal, in Unix milliseconds.
    pub refused_at_ms: i64,
}

impl TokenRecord {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}

impl TokenFailure {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}

impl RefusedToken {
    /// Encodes the stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }
}
