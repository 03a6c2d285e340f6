//! How many notices of each account are worked on at once, so that an account that WeChat answers
//! slowly, or not at all, never takes the places of another.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The places of all accounts.
pub(crate) struct Shares {
    each: usize,
    taken: Mutex<HashMap<Arc<str>, usize>>,
}

/// One place; dropping it gives it back.
pub(crate) struct Place<'a> {
    shares: &'a Shares,
    account: Arc<str>,
}

impl Shares {
    /// So many places for each account.
    pub(crate) fn new(each: usize) -> Shares {
        Shares { each, taken: Mutex::default() }
    }

    /// A place, if the account has one left.
    pub(crate) fn take(&self, account: &Arc<str>) -> Option<Place<'_>> {
        let mut taken = self.taken.lock();
        let count = taken.entry(account.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Place { shares: self, account: account.clone() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock();
        if let Some(count) = taken.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_never_takes_anothers_places() {
        let shares = Shares::new(2);
        let (slow, fine): (Arc<str>, Arc<str>) = ("slow".into(), "fine".into());
        let held = [shares.take(&slow), shares.take(&slow)];
        assert!(held.iter().all(Option::is_some) && shares.take(&slow).is_none());
        assert!(shares.take(&fine).is_some());
        drop(held);
        assert!(shares.take(&slow).is_some());
    }
}
