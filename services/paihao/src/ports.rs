//! Opening of the stores; the only module that knows the adapters of ledger and cache.

use crate::clock_references;
use crate::config::{Cache as CacheConfig, CacheKind, Config, Ledger as LedgerConfig, LedgerKind};
use crate::operator_key;
use anyhow::Context;
use bytes::Bytes;
use paihao_cache::{Cache, MemoryCache, MemoryOptions};
use paihao_cache_redis::{RedisCache, RedisOptions};
use paihao_chassis::backoff::Backoff;
use paihao_chassis::checked_clock::CheckedClock;
use paihao_chassis::clock::{Clock, SystemClock};
use paihao_chassis::sealing::Keyring;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{HISTORY, LEDGER_MARKER_TTL, Log, ledger_marker_key};
use paihao_ledger::Ledger;
use paihao_ledger::backup::{BackupSource, RestoreTarget};
use paihao_ledger_nats::{ConnectError, NatsBackup, NatsLedger, NatsOptions, NatsRestore};
use paihao_ledger_sqlite::{SqliteBackup, SqliteLedger, SqliteOptions, SqliteRestore};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Stores and clock that every role uses.
#[derive(Clone)]
pub struct Ports {
    /// Logs and work queues.
    pub ledger: Arc<dyn Ledger>,
    /// Access tokens, scan sessions and send windows.
    pub cache: Arc<dyn Cache>,
    /// Source of the time: this machine's clock, compared with the stores'.
    pub clock: Arc<CheckedClock>,
    /// Operator's keys, which seal the secrets in the ledger; `None` without any.
    pub keyring: Option<Arc<Keyring>>,
}

impl Ports {
    /// Opens the stores that the configuration names. Retries until their servers can be reached.
    pub async fn open(config: &Config) -> anyhow::Result<Ports> {
        let cache = open_cache(&config.cache)?;
        let opened = Arc::default();
        let references = clock_references::of(config, &opened, &cache)?;
        let max_skew = Duration::from_secs(config.clock.max_skew_seconds);
        let clock = CheckedClock::new(Arc::new(SystemClock), max_skew, references);
        let clock = Arc::new(clock);
        let ledger = open_ledger(&config.ledger, &*cache, &clock).await?;
        let ledger = opened.get_or_init(|| ledger).clone();
        // Nothing is decided by a clock that has not been compared.
        clock.compare_all().await;
        let keyring = operator_key::load(config, &ledger).await?;
        Ok(Ports { ledger, cache, clock, keyring })
    }

    /// Waits until what was given back to the ledger has reached it, for at most 2 s.
    pub async fn close(&self) {
        let closed = tokio::time::timeout(Duration::from_secs(2), self.ledger.close());
        if closed.await.is_err() {
            tracing::warn!("messages fetched ahead were not given back in time, they come later");
        }
    }
}

async fn open_ledger(
    config: &LedgerConfig,
    cache: &dyn Cache,
    clock: &Arc<CheckedClock>,
) -> anyhow::Result<Arc<dyn Ledger>> {
    match config.kind {
        LedgerKind::Sqlite => {
            if let Some(folder) = config.file.parent().filter(|f| !f.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            }
            let dates = clock.clone();
            let ages = clock.clone();
            let options = SqliteOptions {
                retention_overrides: vec![history_log(config)],
                max_bytes: limit_bytes(config.max_file_mb),
                age_clock: Arc::new(move || ages.confirmed_ms()),
                ..SqliteOptions::new(Arc::new(move || dates.now_ms()))
            };
            let ledger = SqliteLedger::open(&config.file, options)
                .with_context(|| format!("cannot open the ledger {}", config.file.display()))?;
            Ok(Arc::new(ledger))
        }
        LedgerKind::Nats => {
            let marker = ledger_marker_key(&config.namespace);
            // Without the cache the server's other streams tell whether there was a ledger.
            let was_there = cache.get(&marker).await.ok().flatten().is_some();
            let options = NatsOptions { must_exist: was_there, ..nats_options(config) };
            let ledger = connect_with_retry(options).await.context("cannot use the ledger")?;
            if let Err(error) =
                cache.put(&marker, Bytes::from_static(b"1"), LEDGER_MARKER_TTL).await
            {
                tracing::debug!(%error, "cannot note in the cache that there is a ledger");
            }
            Ok(Arc::new(ledger))
        }
    }
}

/// Opens the configured ledger to back it up, also while processes use it.
pub(crate) async fn backup_source(config: &LedgerConfig) -> anyhow::Result<Box<dyn BackupSource>> {
    Ok(match config.kind {
        LedgerKind::Sqlite => Box::new(SqliteBackup::open(&config.file)?),
        LedgerKind::Nats => Box::new(NatsBackup::connect(nats_options(config)).await?),
    })
}

/// Returns the configured ledger, which is to be empty, as the target of a restore.
pub(crate) fn restore_target(
    config: &LedgerConfig,
    discard_partial: bool,
) -> Box<dyn RestoreTarget> {
    match config.kind {
        LedgerKind::Sqlite => Box::new(SqliteRestore::new(&config.file)),
        LedgerKind::Nats => {
            let now_ms = || SystemClock.now_ms();
            Box::new(NatsRestore::new(nats_options(config), discard_partial, now_ms))
        }
    }
}

/// Bytes of a limit of the configuration; `None` for 0.
pub(crate) fn limit_bytes(megabytes: u64) -> Option<u64> {
    (megabytes > 0).then(|| megabytes.saturating_mul(1 << 20))
}

/// Log of the history with the retention of the configuration.
fn history_log(config: &LedgerConfig) -> Log {
    let retention = Duration::from_secs(u64::from(config.history_days) * 24 * 3600);
    Log { retention: Some(retention), ..HISTORY }
}

/// Connection options for NATS.
pub(crate) fn nats_options(config: &LedgerConfig) -> NatsOptions {
    NatsOptions {
        url: config.url.clone(),
        namespace: config.namespace.clone(),
        replicas: config.replicas,
        partitions: Partitions::new(config.partitions).unwrap_or(Partitions::ONE),
        retention_overrides: vec![history_log(config)],
        max_bytes: max_stream_bytes(config),
        user: (!config.user.is_empty()).then(|| config.user.clone()),
        password: config.password.as_ref().map(|p| SecretString::from(p.expose())),
        tls_ca: file(&config.tls_ca),
        tls_certificate: file(&config.tls_certificate),
        tls_key: file(&config.tls_key),
        timeout: Duration::from_millis(config.timeout_ms),
        begin_empty: config.begin_empty,
        ..NatsOptions::default()
    }
}

/// Limits of the streams by the names of their logs and queues.
fn max_stream_bytes(config: &LedgerConfig) -> BTreeMap<String, u64> {
    let limits = config.max_stream_mb.iter();
    limits.filter_map(|(name, mb)| Some((name.clone(), limit_bytes(*mb)?))).collect()
}

/// File that a setting names; `None` if it is empty.
fn file(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

/// Connection options for Redis; `None` if the cache is in memory.
pub(crate) fn redis_options(config: &CacheConfig) -> Option<RedisOptions> {
    (config.kind == CacheKind::Redis).then(|| RedisOptions {
        password: config.password.as_ref().map(|p| SecretString::from(p.expose())),
        tls_ca: file(&config.tls_ca),
        tls_certificate: file(&config.tls_certificate),
        tls_key: file(&config.tls_key),
        namespace: config.namespace.clone(),
        timeout: Duration::from_millis(config.timeout_ms),
        ..RedisOptions::new(&*config.url)
    })
}

/// Connects to NATS, retrying while it is unreachable, since services start in any order. Every
/// other error ends the attempt.
async fn connect_with_retry(options: NatsOptions) -> Result<NatsLedger, ConnectError> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut warned = false;
    loop {
        match NatsLedger::connect(options.clone()).await {
            Err(error @ ConnectError::Unreachable(_)) => {
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "cannot reach NATS, retrying");
                }
                backoff.wait().await;
            }
            result => return result,
        }
    }
}

fn open_cache(config: &CacheConfig) -> anyhow::Result<Arc<dyn Cache>> {
    match redis_options(config) {
        None => Ok(Arc::new(MemoryCache::new(MemoryOptions { max_entries: config.max_entries }))),
        Some(options) => {
            Ok(Arc::new(RedisCache::connect(options).context("cannot use the cache")?))
        }
    }
}
