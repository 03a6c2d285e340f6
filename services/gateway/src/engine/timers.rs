//! Timers of all sites: one task that proposes what is due by time alone.
//!
//! It looks at a site when the state, the settings or the clock has changed, and at the next time
//! at which a command may be due. It does so at every replica, and one of the decisions is
//! appended.

use super::changed_sites::SiteNumber;
use super::registry::{SiteHandles, SiteRegistry};
use super::site_worker::{MIN_TIMER_GAP, SiteWorker};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Interval of the looks at a site whose ledger is still being read.
const CATCH_UP_INTERVAL: Duration = Duration::from_secs(1);

/// Timers of all sites.
pub(super) struct SiteTimers {
    registry: Arc<SiteRegistry>,
    /// Workers by number, of these handles.
    workers: BTreeMap<SiteNumber, Arc<SiteWorker>>,
    handles: SiteHandles,
    schedule: Schedule,
    clock: Option<watch::Receiver<i64>>,
}

/// Times of the next looks.
#[derive(Default)]
struct Schedule {
    by_site: BTreeMap<SiteNumber, Instant>,
    in_order: BTreeSet<(Instant, SiteNumber)>,
}

impl Schedule {
    /// Replaces the time of the next look at a site.
    fn set(&mut self, site: SiteNumber, next: Instant) {
        if let Some(former) = self.by_site.insert(site, next) {
            self.in_order.remove(&(former, site));
        }
        self.in_order.insert((next, site));
    }

    /// Time of the next look at any site.
    fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(next, _)| *next)
    }

    /// Takes the sites whose time has come.
    fn take_due(&mut self, now: Instant) -> Vec<SiteNumber> {
        let mut due = Vec::new();
        while let Some((_, site)) = self.in_order.first().copied().filter(|(next, _)| *next <= now)
        {
            self.in_order.pop_first();
            self.by_site.remove(&site);
            due.push(site);
        }
        due
    }
}

impl SiteTimers {
    pub(super) fn new(registry: Arc<SiteRegistry>) -> SiteTimers {
        let clock = registry.context.clock.adjustments();
        SiteTimers {
            registry,
            workers: BTreeMap::new(),
            handles: SiteHandles::default(),
            schedule: Schedule::default(),
            clock,
        }
    }

    /// Runs until the engine closes.
    pub(super) async fn run(mut self) {
        let closed = self.registry.context.closed.clone();
        let _ = closed.run_until_cancelled(self.run_rounds()).await;
    }

    async fn run_rounds(&mut self) {
        let changed = self.registry.replica.changed().clone();
        loop {
            let next = self.schedule.next();
            let is_set = tokio::select! {
                () = sleep_until(next) => false,
                () = changed.notified() => false,
                () = clock_set(&mut self.clock) => true,
            };
            self.update_workers();
            if is_set {
                let now = Instant::now();
                self.workers.keys().for_each(|site| self.schedule.set(*site, now));
            }
            self.look(changed.take());
            // What changes meanwhile is looked at together.
            tokio::time::sleep(MIN_TIMER_GAP).await;
        }
    }

    /// Looks at the sites that have changed and at those whose time has come.
    fn look(&mut self, changed: BTreeSet<SiteNumber>) {
        let due = self.schedule.take_due(Instant::now());
        let sites: BTreeSet<_> = changed.into_iter().chain(due).collect();
        for site in sites {
            // A site that is not in the settings has no timers.
            if let Some(worker) = self.workers.get(&site) {
                let follower = self.registry.context.followers.of(worker.replica.partition());
                // What is not read yet may be done already. The end of catching up wakes the site.
                let wait =
                    if follower.caught_up() { worker.run_timers() } else { CATCH_UP_INTERVAL };
                self.schedule.set(site, Instant::now() + wait);
            }
        }
    }

    fn update_workers(&mut self) {
        let handles = self.registry.handles.read().clone();
        if !Arc::ptr_eq(&handles, &self.handles) {
            let workers = handles.values().map(|worker| (worker.replica.id, worker.clone()));
            self.workers = workers.collect();
            self.handles = handles;
        }
    }
}

async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next).await,
        None => std::future::pending().await,
    }
}

/// Waits until the clock is set.
async fn clock_set(clock: &mut Option<watch::Receiver<i64>>) {
    let Some(clock) = clock else { return std::future::pending().await };
    if clock.changed().await.is_err() {
        // The clock can no longer be set.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_site_has_one_next_look() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        let [a, b] = [0, 1].map(SiteNumber);
        schedule.set(a, at(30));
        schedule.set(b, at(20));
        schedule.set(a, at(10));
        assert_eq!((schedule.next(), schedule.take_due(at(9))), (Some(at(10)), vec![]));
        schedule.set(a, at(40));
        assert_eq!(schedule.take_due(at(20)), [b]);
        assert_eq!(schedule.take_due(at(40)), [a]);
        assert_eq!(schedule.next(), None);
    }
}
