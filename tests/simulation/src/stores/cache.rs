//! Simulated cache: the port over the cache in memory, reached over a link.

use crate::link::{Link, NoAnswer};
use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use paihao_cache::{Cache, CasOutcome, Lease, MemoryCache, Unavailable};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Cache server, which can lose everything.
#[derive(Default)]
pub struct CacheServer {
    memory: Mutex<Arc<MemoryCache>>,
    was_lost: AtomicBool,
}

impl CacheServer {
    /// Loses every value and every lease.
    pub fn lose_everything(&self) {
        *self.memory.lock() = Arc::default();
        self.was_lost.store(true, Ordering::Relaxed);
    }

    /// Returns true if it has ever lost everything.
    pub fn was_lost(&self) -> bool {
        self.was_lost.load(Ordering::Relaxed)
    }

    fn memory(&self) -> Arc<MemoryCache> {
        self.memory.lock().clone()
    }
}

impl From<NoAnswer> for Unavailable {
    fn from(error: NoAnswer) -> Unavailable {
        Unavailable(error.to_string())
    }
}

/// Cache of one process.
pub struct SimulatedCache {
    server: Arc<CacheServer>,
    link: Link,
}

impl SimulatedCache {
    /// Creates the cache of a process over its link.
    pub fn new(server: Arc<CacheServer>, link: Link) -> SimulatedCache {
        SimulatedCache { server, link }
    }

    /// Has the server do something in memory, which it does at once.
    async fn call<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&MemoryCache) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let server = self.server.clone();
        let done = move || {
            let memory = server.memory();
            work(&memory).now_or_never().expect("a cache in memory does not wait")
        };
        self.link.call(done).await?
    }
}

#[async_trait]
impl Cache for SimulatedCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        let key = key.to_owned();
        self.call(async move |memory| memory.get(&key).await).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable> {
        let key = key.to_owned();
        self.call(async move |memory| memory.put(&key, value, ttl).await).await
    }

    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let key = key.to_owned();
        self.call(async move |memory| memory.put_if_absent(&key, value, ttl).await).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        let (key, expected) = (key.to_owned(), expected.map(<[u8]>::to_vec));
        self.call(async move |memory| {
            memory.compare_and_set(&key, expected.as_deref(), new, ttl).await
        })
        .await
    }

    async fn remove(&self, key: &str) -> Result<(), Unavailable> {
        let key = key.to_owned();
        self.call(async move |memory| memory.remove(&key).await).await
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.call(async move |memory| memory.acquire(&name, &holder, ttl).await).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable> {
        let lease = lease.clone();
        self.call(async move |memory| memory.renew(&lease, ttl).await).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        let lease = lease.clone();
        self.call(async move |memory| memory.release(&lease).await).await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.call(async |memory| memory.check().await).await
    }
}
