//! Replicas of all sites, kept current with the ledger.

use super::view::{DecisionObserver, SiteReplica};
use crate::codec::{self, DecodeError};
use paihao_domain::Decision;
use paihao_ledger::projection::DecodeAhead;
use paihao_ledger::{Position, Projection, StoredEntry, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Replicas of all sites that the ledger or the settings know. The entries of a site that the
/// settings do not know (yet, or any more) are applied all the same: should the site be set up, its
/// line is there already. Cheap to clone.
#[derive(Clone)]
pub(super) struct Replica(Arc<Inner>);

struct Inner {
    by_subject: Mutex<BTreeMap<Subject, Arc<SiteReplica>>>,
    observer: DecisionObserver,
}

impl Replica {
    pub(super) fn new(observer: DecisionObserver) -> Replica {
        Replica(Arc::new(Inner { by_subject: Mutex::default(), observer }))
    }

    /// The replica of the site whose decisions stand under this subject.
    pub(super) fn site(&self, subject: &Subject) -> Arc<SiteReplica> {
        let mut sites = self.0.by_subject.lock();
        if let Some(site) = sites.get(subject) {
            return site.clone();
        }
        let site = Arc::new(SiteReplica::new(subject.clone(), self.0.observer.clone()));
        sites.insert(subject.clone(), site.clone());
        site
    }
}

/// An entry of the past, decoded.
pub(super) struct DecodedEntry {
    subject: Subject,
    position: Position,
    decisions: Result<Vec<Decision>, DecodeError>,
}

impl Projection for Replica {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, recorded: StoredEntry) {
        self.site(&recorded.subject).apply_entry(&recorded);
    }

    fn reset(&mut self) {
        tracing::warn!("all lines begin empty, and are read again");
        self.0.by_subject.lock().values().for_each(|site| site.reset());
    }

    /// Wakes the watchers of all sites, which entries of the past do not.
    fn caught_up(&mut self) {
        self.0.by_subject.lock().values().for_each(|site| site.notify());
    }
}

impl DecodeAhead for Replica {
    type Decoded = DecodedEntry;

    fn decode(recorded: StoredEntry) -> DecodedEntry {
        let decisions = codec::decode(&recorded.entry.payload);
        DecodedEntry { subject: recorded.subject, position: recorded.position, decisions }
    }

    fn apply_decoded(&mut self, decoded: DecodedEntry) {
        self.site(&decoded.subject).replay(decoded.position, decoded.decisions);
    }
}
