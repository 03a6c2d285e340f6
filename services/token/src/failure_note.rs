//! Note of the newest failed fetch in the cache, for the owner of the account.

use paihao_cache::Cache;
use paihao_contracts::streams::token_failure_key;
use paihao_contracts::token::{TOKEN_FAILURE_RETENTION, TokenFailure};
use paihao_wechat::CallError;
use std::time::Duration;
use tokio::time::timeout;

/// Time limit for writing a note, which delays the keeper.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// Notes a failed fetch. A cache that does not answer loses the note and nothing else.
pub(crate) async fn put(cache: &dyn Cache, account: &str, error: &CallError, at_ms: i64) {
    let failure =
        TokenFailure { v: 1, at_ms, reason: error.outcome().to_owned(), detail: error.to_string() };
    let key = token_failure_key(account);
    let noted = cache.put(&key, failure.encode().into(), TOKEN_FAILURE_RETENTION);
    let _ = timeout(NOTE_TIMEOUT, noted).await;
}

/// Removes the note after a fetch that succeeded.
pub(crate) async fn remove(cache: &dyn Cache, account: &str) {
    let key = token_failure_key(account);
    let _ = timeout(NOTE_TIMEOUT, cache.remove(&key)).await;
}
