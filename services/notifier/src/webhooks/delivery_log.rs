//! Log of deliveries to webhooks, shared with the other notifiers and the gateways by the cache,
//! and the pauses that follow from it.
//!
//! What is lost with the cache or a notifier costs nothing but itself.

use bytes::Bytes;
use paihao_cache::{Cache, CasOutcome, Unavailable};
use paihao_chassis::Tasks;
use paihao_chassis::clock::Clock;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::streams::webhook_deliveries_key;
use paihao_contracts::webhook_deliveries::{
    DELIVERIES_RETENTION, WebhookDeliveries, WebhookDelivery,
};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Time between two writes of a notifier.
const SHARE_INTERVAL: Duration = Duration::from_secs(2);

/// Most attempts of one write; others write to the same log.
const MAX_CAS_ATTEMPTS: usize = 10;

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

    async fn share(&self) -> Result<(), Unavailable> {
        let unshared: Vec<_> = {
            let mut hooks = self.hooks.lock();
            let taken = |(hook, log): (&Arc<str>, &mut HookLog)| {
                (hook.clone(), std::mem::take(&mut log.unshared))
            };
            hooks.iter_mut().map(taken).filter(|(_, deliveries)| !deliveries.is_empty()).collect()
        };
        for (hook, deliveries) in unshared {
            let shared = write(&*self.cache, &hook, &deliveries).await?;
            if let Some(log) = self.hooks.lock().get_mut(&hook) {
                log.known = shared;
                log.known.add(&log.unshared);
            }
        }
        Ok(())
    }
}

/// Adds deliveries to the shared log. Returns it.
async fn write(
    cache: &dyn Cache,
    hook: &str,
    more: &[WebhookDelivery],
) -> Result<WebhookDeliveries, Unavailable> {
    let key = webhook_deliveries_key(hook);
    let mut found = cache.get(&key).await?;
    for _ in 0..MAX_CAS_ATTEMPTS {
        let mut deliveries = match found.as_deref().map(envelope::decode::<WebhookDeliveries>) {
            Some(Ok(deliveries)) => deliveries,
            Some(Err(ReadError::Newer(newer))) => return Err(Unavailable(newer.to_string())),
            Some(Err(ReadError::Malformed(_))) | None => WebhookDeliveries::default(),
        };
        deliveries.add(more);
        let changed = Bytes::from(deliveries.encode());
        match cache.compare_and_set(&key, found.as_deref(), changed, DELIVERIES_RETENTION).await? {
            CasOutcome::Swapped => return Ok(deliveries),
            CasOutcome::Mismatch(newer) => found = newer,
        }
    }
    Err(Unavailable("others change it all the time".to_owned()))
}
