//! `Idempotency-Key` of a request.

use crate::http::refusals::{self, Problem};
use axum::http::HeaderMap;

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The key, if the request came with one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()));
    Ok(Some(key.ok_or(&refusals::MALFORMED_IDEMPOTENCY_KEY)?))
}
