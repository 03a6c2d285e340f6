//! Replicas of all sites, kept current with the ledger.

use super::changed_sites::SiteNumber;
use super::coverage::CoverageSignals;
use super::view::{DecisionObserver, SiteReplica};
use crate::codec::{self, DecodeError};
use paihao_contracts::envelope::{NewerForm, ReadError};
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
    signals: Arc<CoverageSignals>,
}

impl Replica {
    pub(super) fn new(observer: DecisionObserver) -> Replica {
        let signals = Arc::default();
        Replica(Arc::new(Inner { by_subject: Mutex::default(), observer, signals }))
    }

    /// Returns the signals for the writer of snapshots.
    pub(super) fn signals(&self) -> &Arc<CoverageSignals> {
        &self.0.signals
    }

    /// Returns the form of a snapshot that a newer program wrote, if a site rests for want of it.
    pub(super) fn newer_snapshot(&self) -> Option<NewerForm> {
        let newer = self.0.signals.newer()?;
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
        let (observer, signals) = (self.0.observer.clone(), self.0.signals.clone());
        // No site leaves this map, so its length names the next one.
        let id = SiteNumber(sites.len() as u32);
        let site = Arc::new(SiteReplica::new(subject.clone(), id, observer, signals));
        sites.insert(subject.clone(), site.clone());
        site
    }
}

/// Decoded entry of the past.
pub(super) struct DecodedEntry {
    subject: Subject,
    position: Position,
    /// `None` if the state includes it already.
    decisions: Option<Result<Vec<Decision>, DecodeError>>,
}

impl Projection for Replica {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let newer = self.site(&stored.subject).apply_entry(&stored);
        self.0.signals.set_followed(stored.position);
        newer.map_or(Ok(()), |newer| Err(newer.into()))
    }

    fn reset(&mut self) {
        tracing::warn!("the ledger was made anew, reading all lines again");
        self.0.by_subject.lock().values().for_each(|site| site.reset());
        self.0.signals.reset();
    }

    /// Wakes the watchers of all sites, which entries of the past do not.
    fn caught_up(&mut self) {
        self.0.by_subject.lock().values().for_each(|site| site.notify());
    }
}

impl DecodeAhead for Replica {
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
        self.0.signals.set_followed(position);
        newer.map_or(Ok(()), |newer| Err(newer.into()))
    }
}
