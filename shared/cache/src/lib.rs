//! The cache port: shared state with an expiry, which may be lost.
//!
//! Access tokens, scan sessions and leases are kept here. [`MemoryCache`] keeps them inside one
//! process; `paihao-cache-redis` shares them among many. Both pass the suite in `conformance`.
//! Losing all of it costs work, never a ticket.

mod memory;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use memory::{MemoryCache, MemoryOptions};

use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// Error for a cache that cannot be reached or did not answer. A later retry may succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cache is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Value to store for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheValue {
    /// Key of the value.
    pub key: String,
    /// Bytes that the cache does not interpret.
    pub value: Bytes,
    /// Time after which it is absent.
    pub ttl: Duration,
}

/// Result of a compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CasOutcome {
    /// The value was replaced.
    Swapped,
    /// Another value was found and kept: `None` if there was none.
    Mismatch(Option<Bytes>),
}

/// The exclusive right to an activity, for a limited time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of the activity.
    pub name: String,
    /// Holder; unique among all holders.
    pub holder: String,
    /// Fencing token, larger than that of every earlier lease of this name, across expiry too. It
    /// distinguishes a write from one by a slow former holder.
    pub fence: u64,
}

/// A cache shared by every replica. Cheap to share; callable from many tasks at once.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// Returns the value; `None` if it is absent or expired.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable>;

    /// Stores a value for `ttl`, replacing any other.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable>;

    /// Stores values in their order, each for its time, in one request where the cache has such a
    /// one. After an error some of them may be there.
    async fn put_all(&self, values: Vec<CacheValue>) -> Result<(), Unavailable> {
        for CacheValue { key, value, ttl } in values {
            self.put(&key, value, ttl).await?;
        }
        Ok(())
    }

    /// Stores a value if there is none; true if it did.
    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable>;

    /// Stores `new` for `ttl` if the present value is exactly `expected` (`None`: no value).
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable>;

    /// Removes a value, if there is one.
    async fn remove(&self, key: &str) -> Result<(), Unavailable>;

    /// Acquires the lease `name` for `ttl` if it is free; `None` if it is held (by the same holder
    /// too: a holder renews instead).
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable>;

    /// Extends the lease to `ttl` from now; `false` if it is no longer held.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable>;

    /// Releases the lease, if it is still held.
    async fn release(&self, lease: &Lease) -> Result<(), Unavailable>;

    /// Returns the time of the cache's own clock in Unix milliseconds, at some moment between
    /// request and response. `None` if it has no clock but this machine's.
    async fn time(&self) -> Result<Option<i64>, Unavailable> {
        Ok(None)
    }

    /// Checks that the cache answers, for readiness.
    async fn check(&self) -> Result<(), Unavailable>;
}

/// Most attempts of an update; others change the same value.
const MAX_UPDATE_ATTEMPTS: usize = 10;

/// Replaces a value by what `edit` makes of it, and once more if another has replaced it meanwhile.
pub async fn update<E: From<Unavailable>>(
    cache: &dyn Cache,
    key: &str,
    ttl: Duration,
    mut edit: impl FnMut(Option<&[u8]>) -> Result<Bytes, E>,
) -> Result<(), E> {
    let mut stored = cache.get(key).await?;
    for _ in 0..MAX_UPDATE_ATTEMPTS {
        let new = edit(stored.as_deref())?;
        match cache.compare_and_set(key, stored.as_deref(), new, ttl).await? {
            CasOutcome::Swapped => return Ok(()),
            CasOutcome::Mismatch(newer) => stored = newer,
        }
    }
    Err(Unavailable("others change it all the time".to_owned()).into())
}
