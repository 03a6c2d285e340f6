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
    pub(crate) fn new(per_account: usize) -> AccountPermits {
        AccountPermits { per_account, in_use: Mutex::default() }
    }

    /// Acquires a permit, if the account has one left.
    pub(crate) fn try_acquire(&self, account: &Arc<str>) -> Option<Permit<'_>> {
        let mut in_use = self.in_use.lock();
        let count = in_use.entry(account.clone()).or_default();
        if *count >= self.per_account {
            return None;
        }
        *count += 1;
        Some(Permit { permits: self, account: account.clone() })
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut in_use = self.permits.in_use.lock();
        if let Some(count) = in_use.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(&self.account);
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
        let (slow, fast): (Arc<str>, Arc<str>) = ("slow".into(), "fine".into());
        let slow_permits = [permits.try_acquire(&slow), permits.try_acquire(&slow)];
        assert!(slow_permits.iter().all(Option::is_some) && permits.try_acquire(&slow).is_none());
        assert!(permits.try_acquire(&fast).is_some());
        drop(slow_permits);
        assert!(permits.try_acquire(&slow).is_some());
    }
}
