//! Layer over a cache: a test overrides the methods it cares for, the others go through.

use crate::{Cache, CasOutcome, Lease, Unavailable};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Cache in front of another one.
#[async_trait]
pub trait CacheLayer: Send + Sync + 'static {
    /// Cache behind the layer, or the reason why it cannot be reached.
    fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable>;

    /// Stands for [`Cache::get`].
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        self.inner()?.get(key).await
    }

    /// Stands for [`Cache::compare_and_set`].
    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        self.inner()?.compare_and_set(key, expected, new, ttl).await
    }

    /// Stands for [`Cache::acquire`].
    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        self.inner()?.acquire(name, holder, ttl).await
    }
}

#[async_trait]
impl<L: CacheLayer> Cache for L {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        CacheLayer::get(self, key).await
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable> {
        self.inner()?.put(key, value, ttl).await
    }

    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        self.inner()?.put_if_absent(key, value, ttl).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        CacheLayer::compare_and_set(self, key, expected, new, ttl).await
    }

    async fn remove(&self, key: &str) -> Result<(), Unavailable> {
        self.inner()?.remove(key).await
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        CacheLayer::acquire(self, name, holder, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable> {
        self.inner()?.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        self.inner()?.release(lease).await
    }

    async fn time(&self) -> Result<Option<i64>, Unavailable> {
        self.inner()?.time().await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.inner()?.check().await
    }
}
