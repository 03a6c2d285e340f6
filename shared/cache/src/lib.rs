//! The cache port: what is shared for a while and may be lost.
//!
//! Access tokens, scan sessions and claims live here, each with an expiry. [`MemoryCache`] holds
//! them inside one process; `paihao-cache-redis` among many. Both pass the suite in
//! [`conformance`]. Losing all of it costs work, never a ticket.

mod memory;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use memory::{MemoryCache, MemoryOptions};

use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// The cache cannot be reached, or did not answer. Trying again later may help.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cache is unavailable: {0}")]
pub struct Unavailable(pub String);

/// What a compare-and-set did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CasOutcome {
    /// The value was replaced.
    Swapped,
    /// Something else was there, and still is: `None` if nothing.
    Mismatch(Option<Bytes>),
}

/// The right to do something alone, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is the right to.
    pub name: String,
    /// Who holds it; unique to this holder.
    pub holder: String,
    /// Larger than the fence of every earlier lease of this name, also across expiry. A write that
    /// carries it can be told from one by a slow former holder.
    pub fence: u64,
}

/// A cache shared by every replica. Cheap to share; callable from many tasks at once.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The value, unless it is absent or expired.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable>;

    /// Stores a value for `ttl`, over whatever was there.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable>;

    /// Stores a value if nothing is there, and says whether it did.
    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable>;

    /// Stores `new` for `ttl` if exactly `expected` (`None`: nothing) is there.
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable>;

    /// Removes a value; absent is fine.
    async fn remove(&self, key: &str) -> Result<(), Unavailable>;

    /// Takes the lease `name` for `ttl` if it is free; `None` if somebody holds it (the holder
    /// itself included: it renews instead).
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable>;

    /// Holds on for `ttl` from now; `false` if the lease is no longer this one's.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable>;

    /// Gives the lease up; a lease already lost is fine.
    async fn release(&self, lease: &Lease) -> Result<(), Unavailable>;

    /// Whether the cache answers; asked by readiness.
    async fn check(&self) -> Result<(), Unavailable>;
}
