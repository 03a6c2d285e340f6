//! Replica of one site: a snapshot that is replaced as the ledger grows.

use super::changed_sites::SiteNumber;
use super::coverage::{Coverage, CoverageSignals, StoredSnapshot};
use crate::codec::snapshot::SiteSnapshotParts;
use crate::codec::{self, DecodeError};
use bytes::Bytes;
use paihao_contracts::envelope::NewerForm;
use paihao_contracts::partitions::Partition;
use paihao_domain::{Decision, Event, Site};
use paihao_ledger::{Position, StoredEntry, Subject};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock, OnceLock};
use tokio::sync::watch;

/// Observer of every decision of the ledger, those of this replica included, once each and in
/// order; the subject is that of the site. Must not block.
pub type DecisionObserver = Arc<dyn Fn(&Subject, &Decision) + Send + Sync>;

/// Snapshot of a site at a position of the ledger. Cheap to clone.
#[derive(Clone)]
pub struct SiteSnapshot {
    /// The site, shared by everybody who reads this state of it.
    pub site: Arc<Site>,
    /// Position of the newest entry that the snapshot has applied.
    pub position: Position,
    /// True if an entry was written by a newer program. This program must not decide for the site
    /// then.
    pub unreadable: bool,
    /// Site at the end of the previous business day, if this replica has it.
    pub previous_day: Option<Arc<Site>>,
    /// Number of times that the state came from elsewhere than from the next entry: the ledger was
    /// made anew, the entries of the site aged out, or a snapshot was restored.
    pub(crate) incarnation: u64,
    /// True if `unreadable` only says that a snapshot was written by a newer program. It ends with
    /// the beginning of a day, which needs nothing from before.
    pub(crate) awaits_day: bool,
}

/// Entry that is being appended, with the site after it. The follower or the worker, whichever
/// learns first that it was written, need not compute the site again.
pub(super) struct PendingWrite {
    /// Bytes of the entry.
    pub(super) payload: Bytes,
    /// Decisions of the entry.
    pub(super) decisions: Vec<Decision>,
    /// Site after the decisions.
    pub(super) site: Arc<Site>,
}

struct UnconfirmedWrite {
    write: PendingWrite,
    /// Version of the snapshot on which it was decided.
    base_version: (u64, Position),
}

/// State of all sites that have none.
static EMPTY_SITE: LazyLock<Arc<Site>> = LazyLock::new(Arc::default);

impl Default for SiteSnapshot {
    fn default() -> Self {
        SiteSnapshot {
            site: EMPTY_SITE.clone(),
            position: Position::START,
            unreadable: false,
            previous_day: None,
            incarnation: 0,
            awaits_day: false,
        }
    }
}

impl SiteSnapshot {
    fn version(&self) -> (u64, Position) {
        (self.incarnation, self.position)
    }

    /// Stores the ending day as `previous_day`, if one of these decisions, which are applied next,
    /// opens a new day.
    fn retain_ending_day(&mut self, decisions: &[Decision]) {
        if !decisions.iter().any(Decision::opens_day) {
            return;
        }
        let mut site = Site::clone(&self.site);
        for decision in decisions {
            if let Some(end) = decision.events.iter().position(Event::opens_day) {
                let mut last = decision.clone();
                last.events.truncate(end);
                let mut ended = site.clone();
                ended.apply(&last);
                let ended_day = || Arc::new(ended.to_ended_day());
                self.previous_day = ended.day().is_some().then(ended_day);
            }
            site.apply(decision);
        }
    }

    /// Hash of the whole state. Replicas that applied the same decisions have the same.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{:?}", self.site)))
    }
}

/// Replica of a site. The follower or the site's worker applies each entry, whichever learns of it
/// first.
pub(super) struct SiteReplica {
    pub(super) subject: Subject,
    /// Number of the site in this process.
    pub(super) id: SiteNumber,
    snapshot: watch::Sender<SiteSnapshot>,
    pending: Mutex<Option<Box<UnconfirmedWrite>>>,
    observer: DecisionObserver,
    /// Coverage by the stored snapshot.
    pub(super) coverage: Mutex<Coverage>,
    signals: Arc<CoverageSignals>,
    /// Position of the snapshot that the site began with.
    began_at: OnceLock<Position>,
}

impl SiteReplica {
    pub(super) fn new(
        subject: Subject,
        id: SiteNumber,
        observer: DecisionObserver,
        signals: Arc<CoverageSignals>,
    ) -> Self {
        SiteReplica {
            subject,
            id,
            snapshot: watch::Sender::default(),
            pending: Mutex::default(),
            observer,
            coverage: Mutex::default(),
            signals,
            began_at: OnceLock::new(),
        }
    }

    /// Returns the partition of the ledger that holds the entries of the site.
    pub(super) fn partition(&self) -> &Partition {
        &self.signals.partition
    }

    pub(super) fn now(&self) -> SiteSnapshot {
        self.snapshot.borrow().clone()
    }

    /// Returns the position of the newest entry that the state includes.
    pub(super) fn position(&self) -> Position {
        self.snapshot.borrow().position
    }

    /// Returns the position of the snapshot that the site began with; the decisions up to it were
    /// not observed.
    pub(super) fn began_at(&self) -> Position {
        self.began_at.get().copied().unwrap_or_default()
    }

    /// Hands a decision that the state includes to the observer.
    pub(super) fn observe(&self, decision: &Decision) {
        (self.observer)(&self.subject, decision);
    }

    pub(super) fn watch(&self) -> watch::Receiver<SiteSnapshot> {
        self.snapshot.subscribe()
    }

    /// Wakes the watchers: the settings of the site have changed, or it has caught up.
    pub(super) fn notify(&self) {
        self.modify(|_| true);
    }

    /// Asks for a look at the timers of the site.
    pub(super) fn request_timers(&self) {
        self.signals.changed.add(self.id);
    }

    /// Changes the state, and wakes the watchers and the timers unless `change` returns `false`.
    fn modify(&self, change: impl FnOnce(&mut SiteSnapshot) -> bool) {
        if self.snapshot.send_if_modified(change) {
            self.request_timers();
        }
    }

    /// Stores a write that was decided on `view` and is about to be appended.
    pub(super) fn set_pending(&self, snapshot: &SiteSnapshot, write: PendingWrite) {
        let unconfirmed = UnconfirmedWrite { write, base_version: snapshot.version() };
        *self.pending.lock() = Some(Box::new(unconfirmed));
    }

    /// Applies the pending write, which was appended at `position`, directly after the state on
    /// which it was decided.
    pub(super) fn confirm(&self, position: Position) {
        self.modify(|snapshot| {
            // The follower may have read it already.
            if position <= snapshot.position {
                return false;
            }
            match self.pending.lock().take().map(|pending| *pending) {
                Some(UnconfirmedWrite { write, base_version })
                    if base_version == snapshot.version() =>
                {
                    self.apply_pending(snapshot, write, position);
                }
                Some(UnconfirmedWrite { write, .. }) => {
                    self.apply_decisions(snapshot, &write.decisions, position)
                }
                None => return false,
            }
            true
        });
    }

    /// Applies an entry that the follower read. Returns its form if a newer program wrote it.
    pub(super) fn apply_entry(&self, stored: &StoredEntry) -> Option<NewerForm> {
        let payload = &stored.entry.payload;
        let mut is_known = false;
        self.modify(|snapshot| {
            // The worker and the follower both apply this replica's own entries.
            is_known = stored.position <= snapshot.position;
            if is_known {
                return false;
            }
            let is_same = |pending: &mut Box<UnconfirmedWrite>| {
                pending.base_version == snapshot.version() && pending.write.payload == *payload
            };
            let Some(pending) = self.pending.lock().take_if(is_same) else { return false };
            self.apply_pending(snapshot, pending.write, stored.position);
            is_known = true;
            true
        });
        if is_known {
            return None;
        }
        let decisions = codec::decode(payload);
        let newer = newer_form(&decisions);
        self.modify(|snapshot| self.apply_decoded(snapshot, stored.position, decisions));
        newer
    }

    /// Applies an entry that was read while catching up, without waking watchers: the end of
    /// catching up wakes all of them.
    pub(super) fn replay(
        &self,
        position: Position,
        decisions: Result<Vec<Decision>, DecodeError>,
    ) -> Option<NewerForm> {
        let newer = newer_form(&decisions);
        self.snapshot.send_if_modified(|snapshot| {
            self.apply_decoded(snapshot, position, decisions);
            false
        });
        newer
    }

    /// Returns whether the entry was new.
    fn apply_decoded(
        &self,
        snapshot: &mut SiteSnapshot,
        position: Position,
        decisions: Result<Vec<Decision>, DecodeError>,
    ) -> bool {
        if position <= snapshot.position {
            return false;
        }
        match decisions {
            Ok(decisions) => self.apply_decisions(snapshot, &decisions, position),
            Err(error) => {
                // The follower logs what a newer program wrote.
                if !matches!(error, DecodeError::Newer(_)) {
                    let subject = self.subject.as_str();
                    tracing::error!(subject, position = position.0, %error, "cannot decode an entry of the ledger");
                }
                snapshot.position = position;
                (snapshot.unreadable, snapshot.awaits_day) = (true, false);
                self.record_uncovered(&[]);
            }
        }
        true
    }

    fn apply_pending(&self, snapshot: &mut SiteSnapshot, write: PendingWrite, position: Position) {
        snapshot.retain_ending_day(&write.decisions);
        snapshot.site = write.site;
        snapshot.position = position;
        for decision in &write.decisions {
            (self.observer)(&self.subject, decision);
        }
        self.record_uncovered(&write.decisions);
    }

    fn apply_decisions(
        &self,
        snapshot: &mut SiteSnapshot,
        decisions: &[Decision],
        position: Position,
    ) {
        snapshot.retain_ending_day(decisions);
        let site = Arc::make_mut(&mut snapshot.site);
        for decision in decisions {
            site.apply(decision);
            (self.observer)(&self.subject, decision);
        }
        snapshot.position = position;
        self.record_uncovered(decisions);
        let opens_day = |event: &Event| matches!(event, Event::DayOpened { carrying: 0, .. });
        if snapshot.awaits_day
            && decisions.iter().any(|decision| decision.events.iter().any(opens_day))
        {
            (snapshot.unreadable, snapshot.awaits_day) = (false, false);
        }
    }

    /// Records an entry that the stored snapshot does not include.
    fn record_uncovered(&self, decisions: &[Decision]) {
        let forgets = |event: &Event| matches!(event, Event::HolderForgotten { .. });
        let forgets = decisions.iter().any(|decision| decision.events.iter().any(forgets));
        if self.coverage.lock().record_entry(self.signals.followed(), forgets) {
            self.signals.wake.notify_one();
        }
    }

    /// Replaces the state by that of a stored snapshot, unless it is newer. Wakes nobody.
    pub(super) fn restore(&self, parts: SiteSnapshotParts, entry: Position) {
        self.snapshot.send_if_modified(|snapshot| {
            let SiteSnapshotParts { position, site, previous_day } = parts;
            let mut coverage = self.coverage.lock();
            coverage.set_stored(StoredSnapshot { entry, day: site.day() });
            self.began_at.get_or_init(|| position);
            if position > snapshot.position {
                coverage.take_uncovered();
                *snapshot = SiteSnapshot {
                    site: Arc::new(site),
                    position,
                    previous_day: previous_day.map(Arc::new),
                    incarnation: snapshot.incarnation + 1,
                    ..SiteSnapshot::default()
                };
            }
            false
        });
    }

    /// Replaces the position of the state, since the ledger has lost entries that it includes.
    pub(super) fn set_position(&self, position: Position) {
        self.modify(|snapshot| {
            snapshot.position = position;
            snapshot.incarnation += 1;
            true
        });
    }

    /// Records that the stored snapshot was written by a newer program. What that program knew may
    /// be missing in the ledger, so the site rests until a day begins.
    pub(super) fn await_day(&self) {
        self.snapshot.send_if_modified(|snapshot| {
            if snapshot.position == Position::START {
                (snapshot.unreadable, snapshot.awaits_day) = (true, true);
            }
            false
        });
    }

    /// Records that all entries of the site up to `newest`, the position of the state at the time
    /// of asking, have aged out: the next append expects none. The follower may have read a new
    /// entry since, and that one counts.
    pub(super) fn mark_aged_out(&self, newest: Position) {
        self.modify(|snapshot| {
            if snapshot.position != newest {
                return false;
            }
            snapshot.position = Position::START;
            snapshot.incarnation += 1;
            true
        });
    }

    /// Resets the state, since the ledger was made anew. The stored snapshot goes, too: it is one
    /// that the former ledger had left behind already, so that people who were served would wait
    /// again, and numbers given since would be given twice. Whoever makes a ledger anew means an
    /// empty line.
    pub(super) fn reset(&self) {
        self.coverage.lock().reset();
        self.modify(|snapshot| {
            *snapshot =
                SiteSnapshot { incarnation: snapshot.incarnation + 1, ..SiteSnapshot::default() };
            true
        });
    }
}

fn newer_form(decisions: &Result<Vec<Decision>, DecodeError>) -> Option<NewerForm> {
    match decisions {
        Err(DecodeError::Newer(newer)) => Some(*newer),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
