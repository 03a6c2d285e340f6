//! Ledger and cache that can be away, with a gateway over them.

use crate::support::cluster::Cluster;
use crate::support::gateway::Gateway;
use crate::support::wait_until;
use async_trait::async_trait;
use paihao_cache::conformance::layer::CacheLayer;
use paihao_cache::{Cache, MemoryCache, MemoryOptions, Unavailable};
use paihao_contracts::streams::{Log, WorkQueue};
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::{
    AppendError, EnqueueOutcome, Entry, ExpectedPosition, Ledger, Position, StoredEntry, Subject,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Ledger and cache that can be away.
pub struct AwayStores {
    ledger: Arc<dyn Ledger>,
    pub cache: Arc<MemoryCache>,
    ledger_away: AtomicBool,
    cache_away: AtomicBool,
}

/// The ledger of the stores.
struct AwayLedger(Arc<AwayStores>);

/// The cache of the stores.
struct AwayCache(Arc<AwayStores>);

impl AwayStores {
    pub fn new(cluster: &Cluster) -> Arc<AwayStores> {
        Arc::new(AwayStores {
            ledger: cluster.ledger.clone(),
            cache: Arc::new(MemoryCache::new(MemoryOptions::default())),
            ledger_away: AtomicBool::new(false),
            cache_away: AtomicBool::new(false),
        })
    }

    pub fn set_away(&self, ledger: bool, cache: bool) {
        self.ledger_away.store(ledger, Ordering::SeqCst);
        self.cache_away.store(cache, Ordering::SeqCst);
    }

    fn check_ledger(&self) -> Result<(), paihao_ledger::Unavailable> {
        if self.ledger_away.load(Ordering::SeqCst) {
            Err(paihao_ledger::Unavailable("away".to_owned()))
        } else {
            Ok(())
        }
    }

    /// Starts a gateway over the stores, with the account of the hall.
    pub async fn start(self: &Arc<Self>, cluster: &Cluster) -> Gateway {
        let mut setup = cluster.account_setup();
        setup.cache = Arc::new(AwayCache(self.clone()));
        let gateway = cluster.start_over(Arc::new(AwayLedger(self.clone())), setup).await;
        gateway.engine.until_caught_up().await;
        let settings = &gateway.service.live_settings;
        wait_until("the settings are read", async || settings.caught_up()).await;
        gateway
    }
}

#[async_trait]
impl LedgerLayer for AwayLedger {
    fn inner(&self) -> &dyn Ledger {
        &*self.0.ledger
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.0.check_ledger()?;
        self.inner().append(log, subject, expect, entry).await
    }

    async fn last(
        &self,
        log: &Log,
        subject: &Subject,
    ) -> Result<Option<StoredEntry>, paihao_ledger::Unavailable> {
        self.0.check_ledger()?;
        self.inner().last(log, subject).await
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, paihao_ledger::Unavailable> {
        self.0.check_ledger()?;
        self.inner().enqueue(queue, key, entry, delay).await
    }
}

impl CacheLayer for AwayCache {
    fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable> {
        if self.0.cache_away.load(Ordering::SeqCst) {
            return Err(Unavailable("away".to_owned()));
        }
        Ok(self.0.cache.clone())
    }
}
