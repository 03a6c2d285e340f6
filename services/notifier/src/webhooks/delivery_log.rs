//! Log of deliveries to webhooks, shared with the other notifiers and the gateways by the cache,
//! and the pauses that follow from it.
//!
//! What is lost with the cache or a notifier costs nothing but itself.

use paihao_cache::{Cache, Unavailable, update};
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::read_stored;
use paihao_contracts::streams::webhook_deliveries_key;
use paihao_contracts::webhook_deliveries::{
    DELIVERIES_RETENTION, MAX_DELIVERIES, WebhookDeliveries, WebhookDelivery,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Time between two writes of a notifier.
const SHARE_INTERVAL: Duration = Duration::from_secs(2);

/// Time between two attempts at a webhook that is paused.
const PROBE_INTERVAL_MS: i64 = 3_600_000;

/// Log of the deliveries of this notifier.
pub(super) struct DeliveryLog {
    cache: Arc<dyn Cache>,
    clock: Arc<dyn Clock>,
    hooks: Mutex<HashMap<Arc<str>, HookLog>>,
}

/// Deliveries to one webhook.
#[derive(Default)]
struct HookLog {
    /// Deliveries of this notifier that are not shared yet.
    unshared: Vec<WebhookDelivery>,
    /// Deliveries of all notifiers, as far as this one knows of them.
    known: WebhookDeliveries,
    /// Time of the last attempt while it is paused, in Unix milliseconds.
    last_probe: Option<i64>,
}

impl DeliveryLog {
    /// Creates the log.
    pub(super) fn new(cache: Arc<dyn Cache>, clock: Arc<dyn Clock>) -> DeliveryLog {
        DeliveryLog { cache, clock, hooks: Mutex::default() }
    }

    /// Starts sharing what is added.
    pub(super) fn start(self: Arc<Self>, tasks: &Tasks) {
        let stop = tasks.stop().clone();
        tasks.spawn("webhook-deliveries", async move {
            let sharing = async {
                loop {
                    tokio::time::sleep(SHARE_INTERVAL).await;
                    if let Err(error) = self.share().await {
                        tracing::debug!(%error, "cannot share the deliveries to webhooks, retrying");
                    }
                }
            };
            stop.run_until_cancelled(sharing).await;
            // The last ones; without the cache they are lost.
            let _ = self.share().await;
        });
    }

    /// Adds a delivery, and warns once of a webhook that is paused by it.
    pub(super) fn add(&self, hook: &Arc<str>, delivery: WebhookDelivery) {
        let now = self.clock.now_ms();
        let mut hooks = self.hooks.lock();
        let log = hooks.entry(hook.clone()).or_default();
        let was_paused = log.known.paused_since(now).is_some();
        log.known.add(std::slice::from_ref(&delivery));
        log.unshared.push(delivery);
        match (was_paused, log.known.paused_since(now)) {
            (false, Some(_)) => {
                tracing::warn!(hook = &**hook, "a webhook has failed for days and is paused")
            }
            (true, None) => tracing::info!(hook = &**hook, "a webhook takes messages again"),
            _ => {}
        }
    }

    /// Returns whether a webhook is paused, and no attempt is due that finds out whether it works
    /// again.
    pub(super) fn is_paused(&self, hook: &Arc<str>) -> bool {
        let now = self.clock.now_ms();
        let mut hooks = self.hooks.lock();
        let Some(log) = hooks.get_mut(hook) else { return false };
        if log.known.paused_since(now).is_none() {
            return false;
        }
        let is_probe = log.last_probe.is_none_or(|at| (now - at).abs() >= PROBE_INTERVAL_MS);
        if is_probe {
            log.last_probe = Some(now);
        }
        !is_probe
    }

    /// Shares what is not shared yet. What cannot be written is kept, as far as it is listed.
    async fn share(&self) -> Result<(), Unavailable> {
        let unshared: Vec<_> = {
            let mut hooks = self.hooks.lock();
            let taken = |(hook, log): (&Arc<str>, &mut HookLog)| {
                (hook.clone(), std::mem::take(&mut log.unshared))
            };
            hooks.iter_mut().map(taken).filter(|(_, deliveries)| !deliveries.is_empty()).collect()
        };
        let mut result = Ok(());
        for (hook, mut deliveries) in unshared {
            let written = write(&*self.cache, &hook, &deliveries).await;
            let mut hooks = self.hooks.lock();
            let Some(log) = hooks.get_mut(&hook) else { continue };
            match written {
                Ok(shared) => {
                    log.known = shared;
                    log.known.add(&log.unshared);
                }
                Err(error) => {
                    deliveries.append(&mut log.unshared);
                    deliveries.drain(..deliveries.len().saturating_sub(MAX_DELIVERIES));
                    log.unshared = deliveries;
                    result = Err(error);
                }
            }
        }
        result
    }
}

/// Adds deliveries to the shared log. Returns it.
async fn write(
    cache: &dyn Cache,
    hook: &str,
    more: &[WebhookDelivery],
) -> Result<WebhookDeliveries, Unavailable> {
    let key = webhook_deliveries_key(hook);
    let mut shared = WebhookDeliveries::default();
    let written = update(cache, &key, DELIVERIES_RETENTION, |stored| {
        let stored = read_stored(stored).map_err(|newer| Unavailable(newer.to_string()))?;
        shared = stored.unwrap_or_default();
        shared.add(more);
        Ok(shared.encode().into())
    });
    written.await?;
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_cache::MemoryCache;
    use paihao_cache::conformance::layer::CacheLayer;
    use paihao_chassis::clock::ManualClock;
    use paihao_contracts::public_event::EventId;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Cache that is away at times.
    struct FlakyCache {
        inner: Arc<MemoryCache>,
        is_away: AtomicBool,
    }

    #[async_trait::async_trait]
    impl CacheLayer for FlakyCache {
        fn inner(&self) -> Result<Arc<dyn Cache>, Unavailable> {
            if self.is_away.load(Ordering::SeqCst) {
                return Err(Unavailable("away".to_owned()));
            }
            Ok(self.inner.clone())
        }
    }

    fn delivery(at: i64) -> WebhookDelivery {
        WebhookDelivery {
            at,
            id: EventId { position: 1, index: 0 },
            kind: "day_opened".to_owned(),
            status: Some(204),
            error: None,
            duration_ms: 5,
        }
    }

    #[tokio::test]
    async fn what_was_delivered_while_the_cache_was_away_is_shared_afterwards() {
        let inner = Arc::new(MemoryCache::default());
        let cache = Arc::new(FlakyCache { inner: inner.clone(), is_away: true.into() });
        let log = DeliveryLog::new(cache.clone(), Arc::new(ManualClock::at(1_000)));
        let hooks = ["hall/crm", "hall/sign"].map(Arc::<str>::from);
        for at in [1, 2] {
            hooks.iter().for_each(|hook| log.add(hook, delivery(at)));
            assert!(log.share().await.is_err());
        }
        cache.is_away.store(false, Ordering::SeqCst);
        log.share().await.unwrap();
        for hook in &hooks {
            let stored = inner.get(&webhook_deliveries_key(hook)).await.unwrap();
            let shared: WebhookDeliveries = read_stored(stored.as_deref()).unwrap().unwrap();
            let times: Vec<_> = shared.deliveries.iter().map(|delivery| delivery.at).collect();
            assert_eq!(times, [1, 2], "{hook}");
        }
    }
}
