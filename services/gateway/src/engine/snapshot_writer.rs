//! Writer of snapshots: stores the state of each site when it is due, beside the workers and never
//! in their way.

use super::coverage::{Coverage, CoverageSignals};
use super::registry::SiteRegistry;
use super::replica::PartitionReplica;
use super::snapshot_log::{StoreError, Stored, store_floor, store_snapshot};
use super::view::SiteReplica;
use paihao_chassis::entropy;
use paihao_contracts::commit::SiteFacts;
use paihao_domain::Day;
use paihao_ledger::{AppendError, Follower, Position, Subject};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time between two looks for snapshots that are due. It varies, so that of several replicas one
/// comes first, and the others find its snapshot.
const CHECK_INTERVAL: Duration = Duration::from_secs(15);
/// Share by which that time varies.
const CHECK_JITTER: f64 = 0.5;

/// Shortest time between two floors.
const FLOOR_INTERVAL: Duration = Duration::from_secs(60);

/// Longest time for the snapshots at the end of the process.
const LAST_SNAPSHOTS_TIMEOUT: Duration = Duration::from_secs(3);

/// Writer of the snapshots of the sites of a partition.
pub(super) struct SnapshotWriter {
    registry: Arc<SiteRegistry>,
    replica: PartitionReplica,
    signals: Arc<CoverageSignals>,
    /// Newest floor that this replica knows to be stored.
    floor: Position,
    next_floor: Instant,
    /// Times since which sites have been absent from the settings.
    absent_since: BTreeMap<Subject, Instant>,
}

impl SnapshotWriter {
    pub(super) fn new(registry: Arc<SiteRegistry>, replica: PartitionReplica) -> SnapshotWriter {
        let signals = replica.signals().clone();
        SnapshotWriter {
            registry,
            replica,
            signals,
            floor: Position::START,
            next_floor: Instant::now(),
            absent_since: BTreeMap::new(),
        }
    }

    /// Runs until `closed`, and then stores what is not covered yet: a shop may stay off for long.
    pub(super) async fn run(mut self, follower: Follower<()>, closed: CancellationToken) {
        tokio::select! {
            () = follower.until_caught_up() => {}
            () = closed.cancelled() => return,
        }
        loop {
            tokio::select! {
                () = self.signals.wake.notified() => {}
                () = tokio::time::sleep(entropy::jitter(CHECK_INTERVAL, CHECK_JITTER)) => {}
                () = closed.cancelled() => break,
            }
            self.retire_absent_sites().await;
            self.store_where(Coverage::is_due).await;
            if self.next_floor <= Instant::now() {
                self.store_floor().await;
            }
        }
        let last = async {
            self.store_where(|coverage, _| coverage.is_behind()).await;
            self.store_floor().await;
        };
        if tokio::time::timeout(LAST_SNAPSHOTS_TIMEOUT, last).await.is_err() {
            tracing::warn!("the process ends before every site has a new snapshot");
        }
    }

    /// Stores a snapshot of every site that the condition selects.
    async fn store_where(&self, is_selected: impl Fn(&Coverage, Option<Day>) -> bool) {
        let sites = self.replica.sites().into_iter();
        let is_due = |site: &Arc<SiteReplica>| {
            // Read before the lock: an entry is applied in the opposite order.
            let snapshot = site.now();
            !snapshot.unreadable && is_selected(&site.coverage.lock(), snapshot.site.day())
        };
        let due: Vec<_> = sites.filter(is_due).collect();
        if due.is_empty() {
            return;
        }
        let facts = self.facts();
        for site in due {
            self.store(&site, facts.get(&site.subject).cloned()).await;
        }
    }

    /// Empties the sites that have been absent from the settings for the retention of the ledger
    /// and have no entry in it. Without their snapshot they would have left with their entries.
    async fn retire_absent_sites(&mut self) {
        let settings = self.facts();
        self.absent_since.retain(|subject, _| !settings.contains_key(subject));
        let log = self.replica.partition.ledger;
        for site in self.replica.sites() {
            if settings.contains_key(&site.subject) || site.now().site.day().is_none() {
                continue;
            }
            let since = self.absent_since.entry(site.subject.clone()).or_insert_with(Instant::now);
            if log.retention.is_none_or(|retention| since.elapsed() < retention) {
                continue;
            }
            if let Ok(None) = self.registry.ledger.last(&log, &site.subject).await {
                tracing::info!(subject = site.subject.as_str(), "a retired site leaves");
                site.reset();
            }
        }
    }

    /// Facts of the sites in the settings.
    fn facts(&self) -> BTreeMap<Subject, SiteFacts> {
        let handles = self.registry.handles.read().clone();
        let settings = handles.values().map(|handle| handle.settings());
        settings.map(|settings| (settings.subject.clone(), settings.facts.clone())).collect()
    }

    async fn store(&self, site: &SiteReplica, facts: Option<SiteFacts>) {
        let (uncovered, void) = {
            let mut coverage = site.coverage.lock();
            (coverage.take_uncovered(), coverage.void)
        };
        let (ledger, partition) = (&*self.registry.ledger, &self.replica.partition);
        let stored =
            store_snapshot(ledger, partition, &site.subject, facts, site.now(), void).await;
        let mut coverage = site.coverage.lock();
        let subject = site.subject.as_str();
        match stored {
            Ok(Stored::Written(stored, bytes)) => {
                metrics::counter!("paihao_snapshots_total").increment(1);
                metrics::histogram!("paihao_snapshot_bytes").record(bytes as f64);
                coverage.set_stored(stored);
            }
            Ok(Stored::Known(stored)) => coverage.set_stored(stored),
            // Another replica was faster; the next look finds its snapshot.
            Err(StoreError::Append(AppendError::Conflict { .. })) => coverage.put_back(uncovered),
            Err(StoreError::Append(AppendError::Unavailable(error))) => {
                tracing::warn!(subject, %error, "cannot store a snapshot, retrying later");
                coverage.put_back(uncovered);
            }
            Err(error) => {
                tracing::error!(subject, %error, "cannot store a snapshot");
                coverage.postpone(uncovered);
            }
        }
    }

    /// Stores the position up to which all sites are covered.
    async fn store_floor(&mut self) {
        let followed = self.signals.followed();
        let sites = self.replica.sites();
        let floors = sites.iter().map(|site| site.coverage.lock().floor(followed));
        let floor = floors.min().unwrap_or(followed);
        let is_void = self.signals.take_reset();
        if floor == self.floor && !is_void {
            return;
        }
        self.next_floor = Instant::now() + FLOOR_INTERVAL;
        match store_floor(&*self.registry.ledger, &self.replica.partition, floor, is_void).await {
            Ok(()) => self.floor = floor,
            Err(error) => {
                tracing::warn!(%error, "cannot store the floor of the snapshots, retrying later");
                self.signals.put_reset_back(is_void);
            }
        }
    }
}
