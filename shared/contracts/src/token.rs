//! The stored access token, and the report that WeChat refused one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An account's access token as it stands in the cache, version 1. Prints without the token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Always 1: another shape gets another number.
    pub v: u32,
    /// The token.
    pub token: String,
    /// When it was asked for, Unix milliseconds.
    pub fetched_at_ms: i64,
    /// When it dies by WeChat's word, Unix milliseconds.
    pub expires_at_ms: i64,
    /// The fence of the lease under which it was stored.
    pub fence: u64,
    /// When a new token was forced within the last 24 hours, Unix milliseconds, oldest first:
    /// WeChat counts these, so the next keeper has to know.
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

/// A report on the queue of refused tokens, version 1. Never holds the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedToken {
    /// Always 1.
    pub v: u32,
    /// Whose token it was.
    pub account: String,
    /// The fingerprint of the token that was refused.
    pub fingerprint: String,
    /// When it was refused, Unix milliseconds.
    pub refused_at_ms: i64,
}

/// What was stored is not of a shape this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError;

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored value of an unknown shape")
    }
}

impl std::error::Error for DecodeError {}

impl TokenRecord {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form. The error quotes nothing of it.
    pub fn decode(stored: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(stored).ok().filter(|r: &Self| r.v == 1).ok_or(DecodeError)
    }
}

impl RefusedToken {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and text always have a JSON form")
    }

    /// Reads a stored form.
    pub fn decode(stored: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(stored).ok().filter(|r: &Self| r.v == 1).ok_or(DecodeError)
    }
}
