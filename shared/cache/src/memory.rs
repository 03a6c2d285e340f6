//! Cache in the memory of one process, with bounded size.

use crate::{Cache, CasOutcome, Lease, Unavailable};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// Bounds of a [`MemoryCache`].
#[derive(Debug, Clone)]
pub struct MemoryOptions {
    /// Largest number of values, at least 1; 100,000 by default. One more evicts the value that
    /// expires first. Leases and their fencing tokens are not counted and never evicted: there is
    /// one per account, and a forgotten token would let a former holder write.
    pub max_entries: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions { max_entries: 100_000 }
    }
}

/// A cache in this process's memory. It uses Tokio's clock, so a paused runtime pauses expiry too.
#[derive(Debug)]
pub struct MemoryCache {
    max_entries: usize,
    state: Mutex<CacheState>,
}

#[derive(Debug, Default)]
struct CacheState {
    values: HashMap<String, Value>,
    /// Keys of all values, ordered by expiry.
    by_expiry: BTreeSet<(Instant, String)>,
    leases: HashMap<String, LeaseState>,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    expires: Instant,
}

#[derive(Debug)]
struct LeaseState {
    /// `None` once it was released.
    holder: Option<String>,
    expires: Instant,
    /// Kept after the lease ends, so that the next one is larger.
    fence: u64,
}

impl Default for MemoryCache {
    fn default() -> Self {
        MemoryCache::new(MemoryOptions::default())
    }
}

impl MemoryCache {
    /// Creates an empty cache.
    pub fn new(options: MemoryOptions) -> Self {
        MemoryCache { max_entries: options.max_entries.max(1), state: Mutex::default() }
    }

    /// Number of values, including expired ones that no call has removed yet.
    pub fn len(&self) -> usize {
        self.state.lock().values.len()
    }

    /// True if the cache holds no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn expiry_after(now: Instant, ttl: Duration) -> Instant {
        const MAX_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        now + ttl.min(MAX_TTL)
    }
}

impl CacheState {
    fn get_live(&self, key: &str, now: Instant) -> Option<&Bytes> {
        self.values.get(key).filter(|value| now < value.expires).map(|value| &value.bytes)
    }

    fn remove_value(&mut self, key: &str) {
        if let Some(value) = self.values.remove(key) {
            self.by_expiry.remove(&(value.expires, key.to_owned()));
        }
    }

    fn store(&mut self, key: &str, bytes: Bytes, now: Instant, expires: Instant, max: usize) {
        self.remove_value(key);
        while let Some((first, _)) = self.by_expiry.first()
            && (*first <= now || self.values.len() >= max)
        {
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.values.remove(&key);
            }
        }
        self.values.insert(key.to_owned(), Value { bytes, expires });
        self.by_expiry.insert((expires, key.to_owned()));
    }

    /// The lease, if this holder has it under this fencing token and it has not expired.
    fn held_lease(&mut self, lease: &Lease, now: Instant) -> Option<&mut LeaseState> {
        self.leases.get_mut(&lease.name).filter(|lease_state| {
            now < lease_state.expires
                && lease_state.fence == lease.fence
                && lease_state.holder.as_deref() == Some(lease.holder.as_str())
        })
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        Ok(self.state.lock().get_live(key, Instant::now()).cloned())
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable> {
        let now = Instant::now();
        self.state.lock().store(key, value, now, Self::expiry_after(now, ttl), self.max_entries);
        Ok(())
    }

    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        Ok(self.compare_and_set(key, None, value, ttl).await? == CasOutcome::Swapped)
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let found = state.get_live(key, now);
        if found.map(AsRef::as_ref) != expected {
            return Ok(CasOutcome::Mismatch(found.cloned()));
        }
        state.store(key, new, now, Self::expiry_after(now, ttl), self.max_entries);
        Ok(CasOutcome::Swapped)
    }

    async fn remove(&self, key: &str) -> Result<(), Unavailable> {
        self.state.lock().remove_value(key);
        Ok(())
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let existing = state.leases.get(name);
        if existing
            .is_some_and(|lease_state| lease_state.holder.is_some() && now < lease_state.expires)
        {
            return Ok(None);
        }
        let fence = existing.map_or(0, |lease_state| lease_state.fence) + 1;
        let holder = holder.to_owned();
        let lease_state = LeaseState {
            holder: Some(holder.clone()),
            expires: Self::expiry_after(now, ttl),
            fence,
        };
        state.leases.insert(name.to_owned(), lease_state);
        Ok(Some(Lease { name: name.to_owned(), holder, fence }))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let lease_state = state.held_lease(lease, now);
        Ok(lease_state
            .map(|lease_state| lease_state.expires = Self::expiry_after(now, ttl))
            .is_some())
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        if let Some(lease_state) = self.state.lock().held_lease(lease, Instant::now()) {
            lease_state.holder = None;
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
