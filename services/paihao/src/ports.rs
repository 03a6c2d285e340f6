//! Picks the stores: the only place that knows which ledger and which cache there are.

use crate::config::{Cache as CacheConfig, CacheKind, Config, Ledger as LedgerConfig, LedgerKind};
use anyhow::Context;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_cache_redis::{RedisCache, RedisOptions};
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_ledger::Ledger;
use paihao_ledger_sqlite::{SqliteLedger, SqliteOptions};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// What every role stands on.
#[derive(Clone)]
pub struct Ports {
    /// The message store.
    pub ledger: Arc<dyn Ledger>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// Opens what the configuration names. A NATS server that is not there yet is waited for by
    /// the caller, who tries again.
    pub async fn open(config: &Config) -> anyhow::Result<Ports> {
        Ok(Ports {
            ledger: ledger(&config.ledger).await?,
            cache: cache(&config.cache)?,
            clock: Arc::new(SystemClock),
        })
    }
}

async fn ledger(config: &LedgerConfig) -> anyhow::Result<Arc<dyn Ledger>> {
    match config.kind {
        LedgerKind::Sqlite => {
            if let Some(folder) = config.file.parent().filter(|f| !f.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            }
            let options = SqliteOptions::new(Arc::new(|| SystemClock.now_ms()));
            let ledger = SqliteLedger::open(&config.file, options)
                .with_context(|| format!("cannot open the ledger {}", config.file.display()))?;
            Ok(Arc::new(ledger))
        }
        LedgerKind::Nats => anyhow::bail!("being built"),
    }
}

fn cache(config: &CacheConfig) -> anyhow::Result<Arc<dyn Cache>> {
    match config.kind {
        CacheKind::Memory => {
            Ok(Arc::new(MemoryCache::new(MemoryOptions { max_entries: config.max_entries })))
        }
        CacheKind::Redis => {
            let options = RedisOptions {
                password: config.password.as_ref().map(|p| SecretString::from(p.expose())),
                namespace: config.namespace.clone(),
                timeout: Duration::from_millis(config.timeout_ms),
                ..RedisOptions::at(&*config.url)
            };
            Ok(Arc::new(RedisCache::connect(options).context("cannot use the cache")?))
        }
    }
}
