//! `Idempotency-Key` of a request, and the command id and fingerprint that come of it.

use crate::http::refusals::{self, Problem};
use axum::http::HeaderMap;
use paihao_chassis::entropy;
use paihao_domain::CommandId;
use sha2::{Digest, Sha256};

/// Longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The key, if the request came with one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()));
    Ok(Some(key.ok_or(&refusals::MALFORMED_IDEMPOTENCY_KEY)?))
}

/// Command id of a request: derived from its sender and the key, or random without a key.
pub(crate) fn command_id(sender: &str, key: Option<&str>) -> CommandId {
    match key {
        Some(key) => derived_command_id(format!("{sender}\0{key}")),
        None => CommandId(entropy::bytes()),
    }
}

/// Command id derived from a text that identifies the command: equal at every replica.
pub(crate) fn derived_command_id(text: impl AsRef<[u8]>) -> CommandId {
    let hash = Sha256::digest(text);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    CommandId(id)
}

/// Fingerprint of a request, which tells a repeat from another request with the same key.
pub(crate) fn fingerprint(action: &str, body: &[u8]) -> u64 {
    let hash = Sha256::new().chain_update(action).chain_update([0]).chain_update(body);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(first)
}
