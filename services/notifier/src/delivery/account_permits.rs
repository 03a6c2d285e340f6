//! Permits per account: a limit on notices in progress, so that an account with slow or missing
//! responses from WeChat never delays another one.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Permits of all accounts.
pub(crate) struct AccountPermits {
    per_account: usize,
    in_use: Mutex<HashMap<Arc<str>, usize>>,
}

/// Permit of one account. Dropping it releases it.
pub(crate) struct Permit<'a> {
    permits: &'a AccountPermits,
    account: Arc<str>,
}

impl AccountPermits {
    /// Creates a limit of this many permits per account.
    pub(crate) fn new(each: usize) -> AccountPermits {
        AccountPermits { per_account: each, in_use: Mutex::default() }
    }

    /// Acquires a permit, if the account has one left.
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
    fn an_account_never_takes_the_permits_of_another() {
        let permits = AccountPermits::new(2);
        let (slow, fine): (Arc<str>, Arc<str>) = ("slow".into(), "fine".into());
        let held = [permits.try_acquire(&slow), permits.try_acquire(&slow)];
        assert!(held.iter().all(Option::is_some) && permits.try_acquire(&slow).is_none());
        assert!(permits.try_acquire(&fine).is_some());
        drop(held);
        assert!(permits.try_acquire(&slow).is_some());
    }
}
