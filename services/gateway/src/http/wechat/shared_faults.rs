//! Counts of callback faults over all gateways, in the cache.
//!
//! A gateway adds its own in batches, so that a flood of forged callbacks is one write a second.
//! Counts that are lost with the cache or a gateway cost nothing but themselves.

use super::fault::CallbackFaults;
use crate::http::state::AppState;
use paihao_cache::{Cache, Unavailable, update};
use paihao_chassis::Tasks;
use paihao_contracts::callback_faults::{CallbackFaultCounts, FAULT_RETENTION, FaultCount};
use paihao_contracts::envelope::read_stored;
use paihao_contracts::streams::callback_faults_key;
use std::time::Duration;

/// Shortest time between two additions of a gateway to the counts.
const SHARE_INTERVAL: Duration = Duration::from_secs(1);

/// Starts sharing the faults of this gateway.
pub(crate) fn start(state: AppState, tasks: &Tasks) {
    let stop = tasks.stop().clone();
    tasks.spawn("callback-faults", async move {
        let sharing = async {
            loop {
                state.callback_faults.unshared.notified().await;
                tokio::time::sleep(SHARE_INTERVAL).await;
                if let Err(error) = share(&state).await {
                    tracing::debug!(%error, "cannot share the faults of callbacks, retrying");
                    state.callback_faults.unshared.notify_one();
                }
            }
        };
        stop.run_until_cancelled(sharing).await;
    });
}

/// Adds the faults that are not shared yet to those of all gateways.
async fn share(state: &AppState) -> Result<(), Unavailable> {
    for (account, faults) in state.callback_faults.unshared() {
        add(&*state.cache, &account, &faults, state.clock.now_ms()).await?;
        state.callback_faults.mark_shared(&account, &faults);
    }
    Ok(())
}

async fn add(
    cache: &dyn Cache,
    account: &str,
    faults: &[(&'static str, FaultCount)],
    now_ms: i64,
) -> Result<(), Unavailable> {
    update(cache, &callback_faults_key(account), FAULT_RETENTION, |stored| {
        let mut counts = decode(stored)?;
        counts.forget_old(now_ms);
        for (code, count) in faults {
            counts.add(code, *count);
        }
        Ok(counts.encode().into())
    })
    .await
}

/// Decodes counts. Those of a newer gateway are left to it; what no program can read is replaced.
fn decode(stored: Option<&[u8]>) -> Result<CallbackFaultCounts, Unavailable> {
    let counts = read_stored(stored).map_err(|newer| Unavailable(newer.to_string()))?;
    Ok(counts.unwrap_or_default())
}

/// Returns the faults of an account over all gateways. `Err` has those of this gateway alone that
/// are not shared yet, while the cache does not answer.
pub(crate) async fn counts(
    state: &AppState,
    account: &str,
) -> Result<CallbackFaultCounts, CallbackFaultCounts> {
    let own = &state.callback_faults;
    let stored = async { decode(state.cache.get(&callback_faults_key(account)).await?.as_deref()) };
    let (shared, is_complete) = match stored.await {
        Ok(counts) => (counts, true),
        Err(error) => {
            tracing::warn!(%error, "cannot read the faults of callbacks");
            (CallbackFaultCounts::default(), false)
        }
    };
    let counts = with_unshared(shared, own, account, state.clock.now_ms());
    if is_complete { Ok(counts) } else { Err(counts) }
}

fn with_unshared(
    mut counts: CallbackFaultCounts,
    own: &CallbackFaults,
    account: &str,
    now_ms: i64,
) -> CallbackFaultCounts {
    counts.forget_old(now_ms);
    for (code, count) in own.unshared().remove(account).unwrap_or_default() {
        counts.add(code, count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use paihao_cache::{MemoryCache, MemoryOptions};

    const NOW_MS: i64 = 1_795_384_474_000;

    async fn stored(cache: &MemoryCache) -> CallbackFaultCounts {
        decode(cache.get(&callback_faults_key("shop")).await.unwrap().as_deref()).unwrap()
    }

    #[tokio::test]
    async fn the_faults_of_several_gateways_add_up_and_end_a_day_after_the_last() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let day_ms = FAULT_RETENTION.as_millis() as i64;
        let at = |code, at| [(code, FaultCount::one(at))];
        add(&cache, "shop", &at("wrong_signature", NOW_MS), NOW_MS).await.unwrap();
        add(&cache, "shop", &at("wrong_signature", NOW_MS + 2), NOW_MS + 2).await.unwrap();
        let both = FaultCount { count: 2, since: NOW_MS, last_at: NOW_MS + 2 };
        assert_eq!(stored(&cache).await.faults["wrong_signature"], both);
        let later = NOW_MS + day_ms + 3;
        add(&cache, "shop", &at("stale_callback", later), later).await.unwrap();
        let left: Vec<_> = stored(&cache).await.faults.into_keys().collect();
        assert_eq!(left, ["stale_callback"]);
    }

    #[tokio::test]
    async fn counts_of_a_newer_gateway_are_left_to_it() {
        let cache = MemoryCache::new(MemoryOptions::default());
        let newer = Bytes::from_static(br#"{"v":2,"by":[]}"#);
        let key = callback_faults_key("shop");
        cache.put(&key, newer.clone(), FAULT_RETENTION).await.unwrap();
        let one = [("wrong_signature", FaultCount::one(NOW_MS))];
        assert!(add(&cache, "shop", &one, NOW_MS).await.is_err());
        assert_eq!(cache.get(&key).await.unwrap(), Some(newer));
    }
}
