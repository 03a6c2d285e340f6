//! Places of an account: so many of its notices are in progress at once, and as many wait for one
//! of them.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest wait for a place. With an attempt, it ends before the queue delivers a notice again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Places of all accounts, so that one with slow or missing responses from WeChat never delays
/// another.
pub(super) struct AccountPlaces {
    /// Places of each account, and most notices that wait for one.
    places: usize,
    accounts: Mutex<HashMap<Arc<str>, Arc<Account>>>,
}

struct Account {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Notice that waits for a place.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AccountPlaces {
    /// So many places for each account.
    pub(super) fn new(places: usize) -> AccountPlaces {
        AccountPlaces { places, accounts: Mutex::default() }
    }

    /// Takes a place of an account, until the result is dropped. `None` if none becomes free in
    /// time, or if enough wait already: then the queue is a better place to wait.
    pub(super) async fn take(&self, name: &Arc<str>) -> Option<OwnedSemaphorePermit> {
        let account = self.account(name);
        let free = Arc::clone(&account.free);
        if let Ok(place) = Arc::clone(&free).try_acquire_owned() {
            return Some(place);
        }
        let waiting = Waiting(&account.waiting);
        if account.waiting.fetch_add(1, Ordering::Relaxed) >= self.places {
            return None;
        }
        let place = tokio::time::timeout(MAX_WAIT, free.acquire_owned()).await;
        drop(waiting);
        place.ok()?.ok()
    }

    fn account(&self, name: &Arc<str>) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        let account = accounts.entry(name.clone()).or_insert_with(|| {
            let free = Arc::new(Semaphore::new(self.places));
            Arc::new(Account { free, waiting: AtomicUsize::new(0) })
        });
        Arc::clone(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn as_many_wait_as_there_are_places_and_no_account_takes_those_of_another() {
        let places = AccountPlaces::new(2);
        let [slow, other] = ["slow", "other"].map(Arc::<str>::from);
        let held = [places.take(&slow).await.unwrap(), places.take(&slow).await.unwrap()];
        let waiting = [Box::pin(places.take(&slow)), Box::pin(places.take(&slow))];
        let [mut first, mut second] = waiting;
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        assert!(places.take(&slow).now_or_never().unwrap().is_none(), "enough wait");
        assert!(places.take(&other).now_or_never().unwrap().is_some());
        drop(held);
        assert!(first.await.is_some() && second.await.is_some());
        // Whoever gave up waiting left its room.
        let held = [places.take(&slow).await.unwrap(), places.take(&slow).await.unwrap()];
        assert!(places.take(&slow).await.is_none(), "not in time");
        let again = places.take(&slow);
        assert!(again.now_or_never().is_none(), "it may wait");
        drop(held);
    }
}
