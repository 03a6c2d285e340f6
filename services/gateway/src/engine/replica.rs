//! Replicas of all sites, kept current with the ledger.

use super::changed_sites::{ChangedSites, SiteNumber};
use super::coverage::CoverageSignals;
use super::view::{DecisionObserver, SiteReplica};
use crate::codec::{self, DecodeError};
use paihao_contracts::envelope::{NewerForm, ReadError};
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_domain::Decision;
use paihao_ledger::projection::{DecodeAhead, Decoder};
use paihao_ledger::{Position, Projection, StoredEntry, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Replicas of all sites in the ledger or the settings. Entries of a site that is not in the
/// settings are applied too, so that its line is there when the site is set up. Cheap to clone.
#[derive(Clone)]
pub(super) struct Replica(Arc<Inner>);

struct Inner {
    by_subject: Mutex<BTreeMap<Subject, Arc<SiteReplica>>>,
    observer: DecisionObserver,
    partitions: Partitions,
    /// Signals of each partition.
    signals: Vec<Arc<CoverageSignals>>,
    changed: Arc<ChangedSites>,
}

/// Replicas of the sites of one partition: the projection of its ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct PartitionReplica {
    pub(super) replica: Replica,
    pub(super) partition: Partition,
}

impl Replica {
    pub(super) fn new(partitions: Partitions, observer: DecisionObserver) -> Replica {
        let changed = Arc::<ChangedSites>::default();
        let signals = |partition| Arc::new(CoverageSignals::new(partition, changed.clone()));
        let signals = partitions.all().map(signals).collect();
        let by_subject = Mutex::default();
        Replica(Arc::new(Inner { by_subject, observer, partitions, signals, changed }))
    }

    /// Returns the partitions of the ledger.
    pub(super) fn partitions(&self) -> Partitions {
        self.0.partitions
    }

    /// Returns the sites whose timers are to be looked at.
    pub(super) fn changed(&self) -> &Arc<ChangedSites> {
        &self.0.changed
    }

    /// Returns the replicas of the sites of a partition.
    pub(super) fn of(&self, partition: Partition) -> PartitionReplica {
        PartitionReplica { replica: self.clone(), partition }
    }

    /// Returns the form of a snapshot that a newer program wrote, if a site rests for want of it.
    pub(super) fn newer_snapshot(&self) -> Option<NewerForm> {
        let newer = self.0.signals.iter().find_map(|signals| signals.newer())?;
        self.sites().iter().any(|site| site.now().awaits_day).then_some(newer)
    }

    /// Returns the replicas of all sites.
    pub(super) fn sites(&self) -> Vec<Arc<SiteReplica>> {
        self.0.by_subject.lock().values().cloned().collect()
    }

    /// Returns the replica of the site with this subject.
    pub(super) fn site(&self, subject: &Subject) -> Arc<SiteReplica> {
        let mut sites = self.0.by_subject.lock();
        if let Some(site) = sites.get(subject) {
            return site.clone();
        }
        let partition = self.0.partitions.of(subject.as_str());
        let (observer, signals) =
            (self.0.observer.clone(), self.0.signals[partition.index].clone());
        // No site leaves this map, so its length names the next one.
        let id = SiteNumber(sites.len() as u32);
        let site = Arc::new(SiteReplica::new(subject.clone(), id, observer, signals));
        sites.insert(subject.clone(), site.clone());
        site
    }
}

impl PartitionReplica {
    /// Returns the signals for the writer of snapshots.
    pub(super) fn signals(&self) -> &Arc<CoverageSignals> {
        &self.replica.0.signals[self.partition.index]
    }

    /// Returns the replicas of the sites of the partition.
    pub(super) fn sites(&self) -> Vec<Arc<SiteReplica>> {
        let mut sites = self.replica.sites();
        sites.retain(|site| site.partition().index == self.partition.index);
        sites
    }

    /// Returns the replica of a site of the partition.
    pub(super) fn site(&self, subject: &Subject) -> Arc<SiteReplica> {
        self.replica.site(subject)
    }
}

/// Decoded entry of the past.
pub(super) struct DecodedEntry {
    subject: Subject,
    position: Position,
    /// `None` if the state includes it already.
    decisions: Option<Result<Vec<Decision>, DecodeError>>,
}

impl Projection for PartitionReplica {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let newer = self.site(&stored.subject).apply_entry(&stored);
        self.signals().set_followed(stored.position);
        newer.map_or(Ok(()), |newer| Err(newer.into()))
    }

    fn reset(&mut self) {
        tracing::warn!("the ledger was made anew, reading all lines again");
        self.sites().iter().for_each(|site| site.reset());
        self.signals().reset();
    }

    /// Wakes the watchers of all sites, which entries of the past do not.
    fn caught_up(&mut self) {
        self.sites().iter().for_each(|site| site.notify());
    }
}

impl DecodeAhead for PartitionReplica {
    type Decoded = DecodedEntry;

    fn decoder(&self) -> Decoder<DecodedEntry> {
        let replica = self.clone();
        Arc::new(move |stored| {
            let StoredEntry { subject, position, entry, .. } = stored;
            let is_known = replica.site(&subject).position() >= position;
            let decisions = (!is_known).then(|| codec::decode(&entry.payload));
            DecodedEntry { subject, position, decisions }
        })
    }

    fn apply_decoded(&mut self, decoded: DecodedEntry) -> Result<(), ReadError> {
        let DecodedEntry { subject, position, decisions } = decoded;
        let newer = decisions.and_then(|decisions| self.site(&subject).replay(position, decisions));
        self.signals().set_followed(position);
        newer.map_or(Ok(()), |newer| Err(newer.into()))
    }
}
