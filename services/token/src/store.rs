//! The stored token: read by everybody, written by whoever holds the lease, never backwards.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use std::sync::Arc;
use std::time::Duration;

/// One account's place in the cache.
#[derive(Clone)]
pub(crate) struct Store {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    key: String,
}

/// What stands there.
#[derive(Default)]
pub(crate) struct Stored {
    /// The token, unless it has expired or cannot be read.
    pub(crate) record: Option<TokenRecord>,
    /// The fence it was written under, expired or not.
    pub(crate) fence: u64,
    bytes: Option<Bytes>,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Stored,
    /// A keeper with a later lease has written: this one's time is over.
    Superseded,
}

impl Store {
    pub(crate) fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>, account: &str) -> Self {
        Store { cache, clock, key: streams::access_token_key(account) }
    }

    pub(crate) async fn read(&self) -> Result<Stored, Unavailable> {
        let found = self.cache.get(&self.key).await?;
        Ok(self.understood(found))
    }

    fn understood(&self, bytes: Option<Bytes>) -> Stored {
        let record = bytes.as_ref().and_then(|bytes| TokenRecord::decode(bytes).ok());
        let fence = record.as_ref().map_or(0, |record| record.fence);
        let now_ms = self.clock.now_ms();
        Stored { record: record.filter(|record| now_ms < record.expires_at_ms), fence, bytes }
    }

    /// Puts `record` in the place of what was read, or of what has come there since, unless that
    /// was written under a later lease.
    pub(crate) async fn write(
        &self,
        mut seen: Stored,
        record: &TokenRecord,
    ) -> Result<Written, Unavailable> {
        let left = record.expires_at_ms - self.clock.now_ms();
        let ttl = Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1_000));
        let new = Bytes::from(record.encode());
        loop {
            if seen.fence > record.fence {
                return Ok(Written::Superseded);
            }
            let expected = seen.bytes.as_deref();
            match self.cache.compare_and_set(&self.key, expected, new.clone(), ttl).await? {
                CasOutcome::Swapped => return Ok(Written::Stored),
                CasOutcome::Mismatch(found) => seen = self.understood(found),
            }
        }
    }
}
