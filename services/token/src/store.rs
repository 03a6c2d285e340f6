//! Store of an account's token in the cache. The holder of the lease writes it, and a later lease
//! supersedes an earlier one.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use std::sync::Arc;
use std::time::Duration;

/// Token store of one account.
#[derive(Clone)]
pub(crate) struct Store {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    key: String,
}

/// Content of the store.
#[derive(Default)]
pub(crate) struct StoredToken {
    /// The token, unless it has expired or cannot be read.
    pub(crate) record: Option<TokenRecord>,
    /// Fence of the lease under which it was written, expired or not.
    pub(crate) fence: u64,
    bytes: Option<Bytes>,
}

/// Outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    /// The token was stored.
    Stored,
    /// A keeper with a later lease has written before.
    Superseded,
}

impl Store {
    pub(crate) fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>, account: &str) -> Self {
        Store { cache, clock, key: streams::access_token_key(account) }
    }

    pub(crate) async fn read(&self) -> Result<StoredToken, Unavailable> {
        let found = self.cache.get(&self.key).await?;
        Ok(self.decode(found))
    }

    fn decode(&self, bytes: Option<Bytes>) -> StoredToken {
        let record = bytes.as_ref().and_then(|bytes| TokenRecord::decode(bytes).ok());
        let fence = record.as_ref().map_or(0, |record| record.fence);
        let now_ms = self.clock.now_ms();
        StoredToken { record: record.filter(|record| now_ms < record.expires_at_ms), fence, bytes }
    }

    /// Replaces the content that was read, or newer content, with `record` unless that was written
    /// under a later lease.
    pub(crate) async fn write(
        &self,
        mut current: StoredToken,
        record: &TokenRecord,
    ) -> Result<WriteOutcome, Unavailable> {
        let left = record.expires_at_ms - self.clock.now_ms();
        let ttl = Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1_000));
        let new = Bytes::from(record.encode());
        loop {
            if current.fence > record.fence {
                return Ok(WriteOutcome::Superseded);
            }
            let expected = current.bytes.as_deref();
            match self.cache.compare_and_set(&self.key, expected, new.clone(), ttl).await? {
                CasOutcome::Swapped => return Ok(WriteOutcome::Stored),
                CasOutcome::Mismatch(found) => current = self.decode(found),
            }
        }
    }
}
