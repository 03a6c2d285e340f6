//! Permits counted by key: so many at once for an address, a site, an account or everybody.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// Permits in use, by key. Clones count together.
#[derive(Debug)]
pub struct Permits<K>(Counts<K>);

/// Permit that counts for `N` keys. Dropping it releases it.
#[derive(Debug)]
pub struct Permit<K: Eq + Hash, const N: usize = 1> {
    counts: Counts<K>,
    keys: [K; N],
}

impl<K> Default for Permits<K> {
    fn default() -> Self {
        Permits(Arc::default())
    }
}

impl<K> Clone for Permits<K> {
    fn clone(&self) -> Self {
        Permits(self.0.clone())
    }
}

impl<K: Eq + Hash + Clone> Permits<K> {
    /// Acquires a permit for these keys, each with the most permits that it may have. `None` if one
    /// of them has as many; then nothing is counted.
    pub fn try_acquire<const N: usize>(&self, limited: [(K, usize); N]) -> Option<Permit<K, N>> {
        let mut counts = self.0.lock();
        let has_room = |(key, limit): &(K, usize)| counts.get(key).copied().unwrap_or(0) < *limit;
        if !limited.iter().all(has_room) {
            return None;
        }
        let keys = limited.map(|(key, _)| key);
        for key in &keys {
            *counts.entry(key.clone()).or_default() += 1;
        }
        Some(Permit { counts: self.0.clone(), keys })
    }

    /// Returns `true` if no permit is in use.
    pub fn are_free(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl<K: Eq + Hash, const N: usize> Drop for Permit<K, N> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        for key in &self.keys {
            match counts.get_mut(key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(counts.remove(key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_takes_the_permits_of_another_and_nothing_stays() {
        let permits = Permits::default();
        let both = |one, other| permits.try_acquire([(one, 2), (other, 3)]);
        let held = [both("a", "all").unwrap(), both("a", "all").unwrap()];
        assert!(both("a", "all").is_none(), "a has two");
        let other = both("b", "all").unwrap();
        assert!(both("c", "all").is_none(), "all have three");
        assert!(permits.try_acquire([("c", 1)]).is_some(), "a refusal counted nothing");
        drop(held);
        assert!(both("a", "all").is_some());
        drop(other);
        assert!(permits.are_free());
        assert!(permits.try_acquire([("a", 0)]).is_none());
    }
}
