//! How many notices of each account are worked on at once, so that an account that WeChat answers
//! slowly, or not at all, never takes the places of another.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The places of all accounts.
pub(crate) struct AccountPermits {
    per_account: usize,
    in_use: Mutex<HashMap<Arc<str>, usize>>,
}

/// One place; dropping it gives it back.
pub(crate) struct Permit<'a> {
    permits: &'a AccountPermits,
    account: Arc<str>,
}

impl AccountPermits {
    /// So many places for each account.
    pub(crate) fn new(each: usize) -> AccountPermits {
        AccountPermits { per_account: each, in_use: Mutex::default() }
    }

    /// A place, if the account has one left.
    pub(crate) fn try_acquire(&self, account: &Arc<str>) -> Option<Permit<'_>> {
        let mut taken = self.in_use.lock();
        let count = taken.entry(account.clone()).or_default();
        if *count >= self.per_account {
            return None;
        }
        *count += 1;
        Some(Permit { permits: self, account: account.clone() })
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut taken = self.permits.in_use.lock();
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
        let shares = AccountPermits::new(2);
        let (slow, fine): (Arc<str>, Arc<str>) = ("slow".into(), "fine".into());
        let held = [shares.try_acquire(&slow), shares.try_acquire(&slow)];
        assert!(held.iter().all(Option::is_some) && shares.try_acquire(&slow).is_none());
        assert!(shares.try_acquire(&fine).is_some());
        drop(held);
        assert!(shares.try_acquire(&slow).is_some());
    }
}
