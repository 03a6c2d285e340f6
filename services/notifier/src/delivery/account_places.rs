//! Places of an account: so many of its notices are in progress at once, and as many wait for one
//! of them as ended within a second.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Longest wait for a place. With an attempt, it ends before the queue delivers a notice again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Time over which it is counted how many notices end. A notice for which there is no room comes
/// again after as long.
const COUNTED: Duration = Duration::from_secs(1);

/// Places of all accounts, so that one with slow or missing responses from WeChat never delays
/// another.
pub(super) struct AccountPlaces {
    /// Places of each account.
    places: usize,
    accounts: Mutex<HashMap<Arc<str>, Arc<Account>>>,
}

struct Account {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    ended: Mutex<Ended>,
}

/// Notices that ended: since this time, and in the time before.
struct Ended {
    since: Instant,
    now: usize,
    before: usize,
}

/// Place of a notice, until it is dropped.
pub(super) struct AccountPlace {
    account: Arc<Account>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for AccountPlace {
    fn drop(&mut self) {
        self.account.ended.lock().count();
    }
}

/// Notice that waits for a place.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ended {
    fn new() -> Ended {
        Ended { since: Instant::now(), now: 0, before: 0 }
    }

    fn count(&mut self) {
        self.turn();
        self.now += 1;
    }

    /// Most that ended within the counted time, of late.
    fn within(&mut self) -> usize {
        self.turn();
        self.now.max(self.before)
    }

    fn turn(&mut self) {
        let elapsed = self.since.elapsed();
        if elapsed >= COUNTED {
            let before = if elapsed < 2 * COUNTED { self.now } else { 0 };
            *self = Ended { before, ..Ended::new() };
        }
    }
}

impl AccountPlaces {
    /// So many places for each account.
    pub(super) fn new(places: usize) -> AccountPlaces {
        AccountPlaces { places, accounts: Mutex::default() }
    }

    /// Takes a place of an account. `None` if none becomes free in time, or if enough wait already:
    /// then the queue is a better place to wait.
    pub(super) async fn take(&self, name: &Arc<str>) -> Option<AccountPlace> {
        let account = self.account(name);
        let free = Arc::clone(&account.free);
        let permit = match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = Waiting(&account.waiting);
                let others = account.waiting.fetch_add(1, Ordering::Relaxed);
                // A backlog comes again all at once after a second, which has to be enough for it.
                if others >= self.places.max(account.ended.lock().within()) {
                    return None;
                }
                tokio::time::timeout(MAX_WAIT, free.acquire_owned()).await.ok()?.ok()?
            }
        };
        Some(AccountPlace { account, _permit: permit })
    }

    fn account(&self, name: &Arc<str>) -> Arc<Account> {
        let mut accounts = self.accounts.lock();
        let account = accounts.entry(name.clone()).or_insert_with(|| {
            let free = Arc::new(Semaphore::new(self.places));
            let ended = Mutex::new(Ended::new());
            Arc::new(Account { free, waiting: AtomicUsize::new(0), ended })
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

    /// Number of further notices that may wait.
    fn room(places: &AccountPlaces, name: &Arc<str>) -> usize {
        let mut waiting = Vec::new();
        loop {
            let mut next = Box::pin(places.take(name));
            match (&mut next).now_or_never() {
                None => waiting.push(next),
                Some(None) => return waiting.len(),
                Some(Some(_)) => panic!("a place is free"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_wait_as_ended_within_a_second_of_late() {
        let name = Arc::<str>::from("fast");
        for ended in [0, 1, 2, 3, 7] {
            let places = AccountPlaces::new(2);
            let held = places.take(&name).await.unwrap();
            for _ in 0..ended {
                drop(places.take(&name).await.unwrap());
            }
            let also_held = places.take(&name).await.unwrap();
            for (seconds, expected) in [(0.9, ended), (0.9, ended), (1.1, 0), (60.0, 0)] {
                tokio::time::advance(Duration::from_secs_f64(seconds)).await;
                let room = room(&places, &name);
                assert_eq!(room, expected.max(2), "{ended} ended, {seconds} s later");
            }
            drop((held, also_held));
        }
    }
}
