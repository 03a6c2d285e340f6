//! Store of an account's token in the cache. The holder of the lease writes it, and a later lease
//! supersedes an earlier one.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for which a token is stored, whatever clock dated it.
const MAX_TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

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

/// Reason why the store is not read or written.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The cache did not answer.
    Unavailable(Unavailable),
    /// A newer program keeps the token, and only such a one may replace it.
    Newer(NewerForm),
}

impl StoreError {
    /// Returns the form of the token, if a newer program keeps it.
    pub(crate) fn newer(&self) -> Option<NewerForm> {
        match self {
            StoreError::Newer(newer) => Some(*newer),
            StoreError::Unavailable(_) => None,
        }
    }
}

impl From<Unavailable> for StoreError {
    fn from(error: Unavailable) -> StoreError {
        StoreError::Unavailable(error)
    }
}

impl From<NewerForm> for StoreError {
    fn from(newer: NewerForm) -> StoreError {
        StoreError::Newer(newer)
    }
}

impl Store {
    pub(crate) fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>, account: &str) -> Self {
        Store { cache, clock, key: streams::access_token_key(account) }
    }

    pub(crate) async fn read(&self) -> Result<StoredToken, StoreError> {
        let found = self.cache.get(&self.key).await?;
        Ok(self.decode(found)?)
    }

    fn decode(&self, bytes: Option<Bytes>) -> Result<StoredToken, NewerForm> {
        let record: Option<TokenRecord> = match bytes.as_deref().map(envelope::decode) {
            Some(Ok(record)) => Some(record),
            Some(Err(ReadError::Newer(newer))) => return Err(newer),
            Some(Err(ReadError::Malformed(_))) | None => None,
        };
        let fence = record.as_ref().map_or(0, |record| record.fence);
        let now_ms = self.clock.now_ms();
        let record = record.filter(|record| now_ms < record.expires_at_ms);
        Ok(StoredToken { record, fence, bytes })
    }

    /// Replaces the content that was read, or newer content, with `record` unless that was written
    /// under a later lease.
    pub(crate) async fn write(
        &self,
        mut current: StoredToken,
        record: &TokenRecord,
    ) -> Result<WriteOutcome, StoreError> {
        let left = record.expires_at_ms - self.clock.now_ms();
        let ttl = Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1_000));
        let ttl = ttl.min(MAX_TOKEN_TTL);
        let new = Bytes::from(record.encode());
        loop {
            if current.fence > record.fence {
                return Ok(WriteOutcome::Superseded);
            }
            let expected = current.bytes.as_deref();
            match self.cache.compare_and_set(&self.key, expected, new.clone(), ttl).await? {
                CasOutcome::Swapped => return Ok(WriteOutcome::Stored),
                CasOutcome::Mismatch(found) => current = self.decode(found)?,
            }
        }
    }
}
