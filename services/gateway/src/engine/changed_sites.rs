//! Signals from the replica of a site to the timers: the sites that have changed.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use tokio::sync::Notify;

/// Number of a site in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SiteNumber(pub(super) u32);

/// Sites that have changed since they were looked at.
#[derive(Default)]
pub(super) struct ChangedSites {
    sites: Mutex<BTreeSet<SiteNumber>>,
    wake: Notify,
}

impl ChangedSites {
    /// Asks for a look at a site.
    pub(super) fn add(&self, site: SiteNumber) {
        if self.sites.lock().insert(site) {
            self.wake.notify_one();
        }
    }

    /// Waits until a site has changed.
    pub(super) async fn notified(&self) {
        self.wake.notified().await;
    }

    /// Takes the sites that have changed.
    pub(super) fn take(&self) -> BTreeSet<SiteNumber> {
        std::mem::take(&mut self.sites.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_site_that_changes_often_is_looked_at_once() {
        let changed = ChangedSites::default();
        for site in [3, 1, 3, 3] {
            changed.add(SiteNumber(site));
        }
        changed.notified().await;
        assert_eq!(changed.take(), [1, 3].map(SiteNumber).into());
        assert_eq!(changed.take(), BTreeSet::new());
    }
}
