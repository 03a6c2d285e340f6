//! Send windows that have just opened, in the memory of this replica until they are stored.
//!
//! Those that open while others are being stored are stored in one request. Nothing waits for it,
//! and a window that is lost with this replica costs a template message in place of a text.

use paihao_cache::{Cache, CacheValue};
use paihao_chassis::Tasks;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// Most windows that wait: those of a second, for which the cache may not answer.
const MAX_WAITING: usize = 10_000;

/// Windows that wait, in their order.
#[derive(Default)]
pub(crate) struct OpenWindows {
    waiting: Mutex<Vec<CacheValue>>,
    opened: Notify,
    /// Held while windows are being stored.
    storing: tokio::sync::Mutex<()>,
}

/// Starts storing windows.
pub(crate) fn start(windows: Arc<OpenWindows>, cache: Arc<dyn Cache>, tasks: &Tasks) {
    let stop = tasks.stop().clone();
    tasks.spawn("send-windows", async move {
        while stop.run_until_cancelled(windows.opened.notified()).await.is_some() {
            windows.store(&*cache).await;
        }
    });
}

impl OpenWindows {
    /// Adds a window, unless the cache has fallen behind.
    pub(super) fn add(&self, window: CacheValue) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_WAITING {
            return;
        }
        waiting.push(window);
        if waiting.len() == 1 {
            self.opened.notify_one();
        }
    }

    async fn store(&self, cache: &dyn Cache) {
        let _storing = self.storing.lock().await;
        let windows = std::mem::take(&mut *self.waiting.lock());
        if let Err(error) = cache.put_all(windows).await {
            tracing::debug!(%error, "cannot store send windows");
        }
    }

    /// Drops the windows with these keys. After it none of them is stored any more.
    pub(super) async fn discard(&self, keys: &[String]) {
        self.waiting.lock().retain(|window| !keys.contains(&window.key));
        drop(self.storing.lock().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use paihao_cache::MemoryCache;
    use std::time::Duration;

    fn window(i: usize) -> CacheValue {
        let value = Bytes::from(i.to_string());
        CacheValue { key: format!("window/{i}"), value, ttl: Duration::from_secs(60) }
    }

    async fn stored(cache: &MemoryCache, i: usize) -> bool {
        cache.get(&window(i).key).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn all_but_the_discarded_ones_are_stored_once() {
        for count in [1, 2, 100] {
            for discarded in [0, count / 2, count - 1] {
                let (windows, cache) = (OpenWindows::default(), MemoryCache::default());
                (0..count).for_each(|i| windows.add(window(i)));
                windows.discard(&[window(discarded).key]).await;
                windows.store(&cache).await;
                for i in 0..count {
                    assert_eq!(stored(&cache, i).await, i != discarded, "{i} of {count}");
                }
                cache.remove(&window(count - 1).key).await.unwrap();
                windows.store(&cache).await;
                assert!(!stored(&cache, count - 1).await, "a window is stored once");
            }
        }
    }

    #[tokio::test]
    async fn the_first_of_those_that_wait_wakes_the_writer_and_too_many_are_left_out() {
        let (windows, cache) = (OpenWindows::default(), MemoryCache::default());
        for _ in 0..2 {
            (0..=MAX_WAITING).for_each(|i| windows.add(window(i)));
            windows.opened.notified().await;
            windows.store(&cache).await;
            assert!(stored(&cache, MAX_WAITING - 1).await && !stored(&cache, MAX_WAITING).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_stored_behind_a_discard() {
        let windows = OpenWindows::default();
        let storing = windows.storing.lock().await;
        let discard = windows.discard(&[]);
        let waited = tokio::time::timeout(Duration::from_secs(1), discard).await;
        assert!(waited.is_err(), "what is being stored comes first");
        drop(storing);
        windows.discard(&[]).await;
    }
}
